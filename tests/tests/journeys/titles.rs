//! What people write: at the limit, over it, with emoji, with markup. All of it is text, everywhere.

use crate::channel::Channel;
use serde_json::json;

#[test]
fn a_title_may_have_120_characters_of_any_script() {
    let channel = Channel::open();
    let owner = channel.owner();
    let series = owner.make_series("Home of titles");
    let place = format!("/api/series/{series}/episodes");
    for title in ["x".repeat(120), "🎬".repeat(120), "夜".repeat(120)] {
        let made = owner.post(&place, &json!({"title": title})).ok().json();
        assert_eq!(made["title"], json!(title));
        let pid = made["pid"].as_str().unwrap();
        let way = owner.get(&format!("/watch/{pid}"));
        let page = owner.get(way.header("location").expect("the address with words"));
        assert_eq!(page.status, 200);
        assert!(page.text().contains(&title), "the page shows it whole");
        let over = owner.post(&place, &json!({"title": format!("{title}x")}));
        let over = over.refused(400, "item.invalid", "use at most 120 characters; these are 121");
        assert_eq!(over.json()["errors"][0]["field"], "title");
    }
    for nothing in ["", "   ", "\u{200b}"] {
        owner.post(&place, &json!({"title": nothing})).refused(400, "item.invalid", "write a title");
    }
    owner.post(&place, &json!({"title": "bell\u{7}"})).refused(
        400,
        "item.invalid",
        "remove the control character U+0007",
    );
}

#[test]
fn markup_in_a_title_is_shown_and_never_run() {
    let channel = Channel::open();
    let owner = channel.owner();
    let title = "<script>alert('x')</script> 🎭 & \"more\"";
    let fields = json!({"title": title, "short_text": title, "long_text": title, "genres": ["<b>Drama</b>"]});
    let series = owner.post("/api/series", &fields).ok().json();
    let episode =
        owner.post(&format!("/api/series/{}/episodes", series["id"].as_str().unwrap()), &json!({"title": title}));
    let episode = episode.ok().json();
    assert_eq!((&series["title"], &episode["title"]), (&json!(title), &json!(title)));
    let slug = series["slug"].as_str().unwrap();
    let watch = format!("/watch/{}/{}", episode["pid"].as_str().unwrap(), episode["slug"].as_str().unwrap());
    let ids = [series["id"].as_str().unwrap(), episode["id"].as_str().unwrap()];
    let mut pages = vec!["/".to_owned(), format!("/series/{slug}"), watch, "/studio/series".to_owned()];
    pages.extend([format!("/studio/series/{}", ids[0]), format!("/studio/episodes/{}", ids[1])]);
    pages.extend([format!("/art/poster/{}", ids[0]), format!("/art/still/{}", ids[1])]);
    for path in pages {
        let page = owner.get(&path);
        assert_eq!(page.status, 200, "{path}");
        let text = page.text();
        assert!(!text.contains("<script>alert") && !text.contains("<b>Drama"), "{path} has it as markup");
        assert!(path.starts_with("/art") || text.contains("🎭"), "{path} shows it");
    }
}
