//! What people write: the borders of its length, markup, and fields that nobody may set.

use crate::stage::{bench, episode, series, text};
use serde_json::json;

#[tokio::test]
async fn a_text_at_its_limit_is_kept_and_one_over_is_refused_by_name() {
    let bench = bench().await;
    let made = series(&bench, json!({"title": "Stage"})).await;
    let episodes = format!("/series/{}/episodes", text(&made, "id"));
    for (field, most) in [("title", 120), ("short_text", 200), ("long_text", 380)] {
        for letter in ["x", "é", "🎬"] {
            for uri in ["/series", episodes.as_str()] {
                let mut data = json!({"title": "Other"});
                data[field] = json!(letter.repeat(most));
                let kept = bench.editor().post(uri, data.clone()).await.expect("it is at its limit").json();
                assert_eq!(kept[field], data[field], "{uri} {field} {letter}");
                data[field] = json!(letter.repeat(most + 1));
                let fault = bench.editor().post(uri, data).await.expect_err("it is over its limit");
                assert_eq!((fault.code, fault.status()), ("item.invalid", 400));
                assert_eq!(fault.errors.len(), 1);
                assert_eq!(fault.errors[0].field, field);
                assert!(fault.message.contains(&format!("at most {most}")), "{}", fault.message);
            }
        }
    }
}

#[tokio::test]
async fn markup_is_stored_as_it_was_written() {
    let bench = bench().await;
    let title = "<script>alert(\"1\")</script> & 'more' 🎬";
    let made = series(&bench, json!({"title": title, "genres": ["<b>Noir</b>"], "tags": ["\"quoted\""]})).await;
    assert_eq!(made["title"], title);
    assert_eq!(made["slug"], "script-alert-1-script-more");
    assert_eq!((&made["genres"], &made["tags"]), (&json!(["<b>Noir</b>"]), &json!(["\"quoted\""])));
    let one = episode(&bench, &made, json!({"title": title})).await;
    let read = bench.nobody().get(&format!("/episodes/{}", text(&one, "id"))).await.expect("it is public").json();
    assert_eq!((&read["title"], &read["slug"]), (&json!(title), &json!("script-alert-1-script-more")));
}

#[tokio::test]
async fn a_title_without_anything_to_see_is_refused() {
    let bench = bench().await;
    for title in ["", "  \u{a0} ", "\u{200b}", "a\u{0}b", "a\nb", "\u{202e}evil"] {
        let fault = bench.editor().post("/series", json!({"title": title})).await.expect_err("not a title");
        assert_eq!((fault.code, fault.errors[0].field.as_str()), ("item.invalid", "title"), "{title:?}");
    }
    let fault = bench.editor().post("/series", json!({})).await.expect_err("no title at all");
    assert_eq!(fault.code, "data.invalid");
}

#[tokio::test]
async fn nine_genres_or_seventeen_tags_are_too_many() {
    let bench = bench().await;
    let words = |count: usize| (0..count).map(|at| format!("word {at}")).collect::<Vec<_>>();
    series(&bench, json!({"title": "Full", "genres": words(8), "tags": words(16)})).await;
    for (field, count) in [("genres", 9), ("tags", 17)] {
        let mut data = json!({"title": "Over"});
        data[field] = json!(words(count));
        let fault = bench.editor().post("/series", data).await.expect_err("too many");
        assert_eq!((fault.code, fault.errors[0].field.as_str()), ("item.invalid", field));
    }
}

#[tokio::test]
async fn fields_that_are_not_a_persons_to_set_are_refused() {
    let bench = bench().await;
    let made = series(&bench, json!({"title": "Stage"})).await;
    let one = episode(&bench, &made, json!({"title": "One"})).await;
    let series_uri = format!("/series/{}", text(&made, "id"));
    let episodes_uri = format!("{series_uri}/episodes");
    let episode_uri = format!("/episodes/{}", text(&one, "id"));
    for (field, value) in [
        ("tenant", json!("rival")),
        ("id", json!("1")),
        ("version", json!(9)),
        ("listed_to", json!(0)),
        ("episode_count", json!(9)),
        ("slug", json!("mine")),
        ("pid", json!("11111111111")),
        ("media", json!({"state": "ready"})),
        ("media_state", json!("ready")),
        ("created_ms", json!(0)),
    ] {
        let mut data = json!({"title": "X"});
        data[field] = value;
        let editor = bench.editor();
        for result in [
            editor.post("/series", data.clone()).await,
            editor.patch(&series_uri, data.clone()).await,
            editor.post(&episodes_uri, data.clone()).await,
            editor.patch(&episode_uri, data.clone()).await,
        ] {
            assert_eq!(result.expect_err("nobody sets this").code, "data.invalid", "{field}");
        }
    }
    let fault = bench.editor().patch(&episode_uri, json!({"series": text(&made, "id")})).await.expect_err("not moved");
    assert_eq!(fault.code, "data.invalid");
    let fault = bench.editor().patch(&series_uri, json!({"access": "everyone"})).await.expect_err("no such level");
    assert_eq!((fault.code, fault.errors[0].field.as_str()), ("data.invalid", "access"));
    assert_eq!(bench.nobody().get(&series_uri).await.expect("as it was").json()["title"], "Stage");
}
