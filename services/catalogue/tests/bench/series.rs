//! Making, finding, renaming and changing series.

use crate::stage::{bench, episode, order, say, series, text, titles};
use serde_json::{Value, json};

#[tokio::test]
async fn a_series_is_found_by_id_and_by_slug() {
    let bench = bench().await;
    let answer = bench
        .editor()
        .post("/series", json!({"title": "  Night Shift ", "genres": ["Drama"], "tags": ["noir"], "short_text": "s"}))
        .await
        .expect("an editor makes a series");
    assert_eq!((answer.status(), answer.version), (201, Some(1)));
    let made = answer.json();
    let want = json!({
        "id": made["id"], "slug": "night-shift", "title": "Night Shift", "short_text": "s", "long_text": "",
        "genres": ["Drama"], "tags": ["noir"], "access": "public", "active": true, "version": 1, "episode_count": 0,
        "created_ms": callboard_bench::START_MS, "updated_ms": callboard_bench::START_MS,
    });
    assert_eq!(made, want);
    let by_id = bench.editor().get(&format!("/series/{}", text(&made, "id"))).await.expect("it is there");
    let by_slug = bench.editor().get("/series/by-slug/night-shift").await.expect("it is there");
    assert_eq!((by_id.json(), by_slug.json()), (want.clone(), want));
}

#[tokio::test]
async fn slugs_are_unique_and_old_ones_lead_on() {
    let bench = bench().await;
    let (one, two) =
        tokio::join!(series(&bench, json!({"title": "Pilot"})), series(&bench, json!({"title": "Pilot!"})));
    let mut slugs = [text(&one, "slug"), text(&two, "slug")];
    slugs.sort_unstable();
    assert_eq!(slugs, ["pilot", "pilot-2"]);

    let first = if text(&one, "slug") == "pilot" { &one } else { &two };
    let uri = format!("/series/{}", text(first, "id"));
    let rename = |title: &'static str| {
        let (bench, uri) = (&bench, &uri);
        async move { bench.editor().patch(uri, json!({"title": title})).await.expect("a new title").json() }
    };
    assert_eq!(rename("Aviator").await["slug"], "aviator");
    let found = bench.nobody().get("/series/by-slug/pilot").await.expect("an old link").json();
    assert_eq!(found, json!({"moved_to": "aviator"}));
    assert_eq!(series(&bench, json!({"title": "Pilot"})).await["slug"], "pilot-3", "an old slug is not given away");
    assert_eq!(rename("Pilot").await["slug"], "pilot", "its own old slug is free for it");
    assert_eq!(rename("PILOT").await["slug"], "pilot", "only the writing changed");
    let found = bench.nobody().get("/series/by-slug/aviator").await.expect("an old link").json();
    assert_eq!(found, json!({"moved_to": "pilot"}));
}

#[tokio::test]
async fn the_same_title_many_times_still_finds_a_slug() {
    let bench = bench().await;
    let mut slugs = std::collections::BTreeSet::new();
    for _ in 0..25 {
        slugs.insert(text(&series(&bench, json!({"title": "🎬"})).await, "slug").to_owned());
    }
    assert_eq!(slugs.len(), 25);
    assert!(slugs.contains("series") && slugs.contains("series-20"));
}

#[tokio::test]
async fn a_change_keeps_what_it_does_not_name_and_counts_the_version_up() {
    let bench = bench().await;
    let made = series(&bench, json!({"title": "Tide", "long_text": "one\r\ntwo", "genres": ["Drama"]})).await;
    assert_eq!(made["long_text"], "one\ntwo");
    bench.clock().advance(5);
    let uri = format!("/series/{}", text(&made, "id"));
    let changed = bench.editor().patch(&uri, json!({"short_text": "new", "active": false})).await.expect("a change");
    let mut want = made.clone();
    want["short_text"] = json!("new");
    want["active"] = json!(false);
    want["version"] = json!(2);
    want["updated_ms"] = json!(callboard_bench::START_MS + 5);
    assert_eq!((changed.json(), changed.version), (want.clone(), Some(2)));
    assert_eq!(bench.editor().get(&uri).await.expect("an editor sees it").json(), want);
    let fault = bench.nobody().get(&uri).await.expect_err("it is not active");
    assert_eq!(fault.code, "series.not_found");
}

#[tokio::test]
async fn a_change_made_from_an_old_version_is_refused() {
    let bench = bench().await;
    let made = series(&bench, json!({"title": "Tide"})).await;
    let uri = format!("/series/{}", text(&made, "id"));
    let editor = bench.editor().with("if-match", "\"v1\"");
    editor.patch(&uri, json!({"title": "Ebb"})).await.expect("nobody was faster");
    let fault = editor.patch(&uri, json!({"title": "Flood"})).await.expect_err("the title is another one now");
    assert_eq!((fault.code, fault.status()), ("precondition_failed", 412));
    let fault = editor.delete(&uri).await.expect_err("also to remove it");
    assert_eq!(fault.code, "precondition_failed");
    assert_eq!(bench.nobody().get(&uri).await.expect("it is there").json()["title"], "Ebb");
}

#[tokio::test]
async fn a_new_episode_or_its_video_does_not_spoil_an_open_form() {
    let bench = bench().await;
    let made = series(&bench, json!({"title": "Tide"})).await;
    let one = episode(&bench, &made, json!({"title": "One"})).await;
    let editor = bench.editor().with("if-match", "\"v1\"");
    let uri = format!("/series/{}", text(&made, "id"));
    editor.patch(&uri, json!({"title": "Ebb"})).await.expect("an episode more is no edit of the series");
    let uri = format!("/episodes/{}", text(&one, "id"));
    say(&bench, "ready", &crate::stage::asset(1), 1, text(&one, "id")).await;
    let read = bench.editor().get(&uri).await.expect("the episode");
    assert_eq!((read.version, &read.json()["media"]["state"]), (Some(2), &json!("ready")), "its tag is another one");
    editor.patch(&uri, json!({"title": "Uno"})).await.expect("a video that is ready is no edit");
    let fault = editor.patch(&uri, json!({"title": "Un"})).await.expect_err("but this is one");
    assert_eq!(fault.code, "precondition_failed");
}

#[tokio::test]
async fn access_of_a_series_moves_its_episodes_out_of_lists_and_back() {
    let bench = bench().await;
    let made = series(&bench, json!({"title": "Tide", "genres": ["Drama"]})).await;
    let one = episode(&bench, &made, json!({"title": "One"})).await;
    episode(&bench, &made, json!({"title": "Two", "access": "private"})).await;
    say(&bench, "ready", &crate::stage::asset(1), 1, text(&one, "id")).await;
    let uri = format!("/series/{}", text(&made, "id"));
    for (access, hero, new) in
        [("private", 0, 0), ("public", 1, 1), ("unlisted", 0, 0), ("members", 1, 1), ("public", 1, 1)]
    {
        bench.editor().patch(&uri, json!({"access": access})).await.expect("a change");
        let home = bench.nobody().get("/home").await.expect("the home page").json();
        let rows: usize = home["carousels"].as_array().expect("rows").len();
        assert_eq!(home["hero"].as_array().map(Vec::len), Some(hero), "{access}: {home}");
        assert_eq!(rows, new * 2, "{access}: what is new and drama, or nothing: {home}");
    }
    assert_eq!(order(&bench, &made).await.len(), 2);
}

#[tokio::test]
async fn genres_follow_a_change() {
    let bench = bench().await;
    let made = series(&bench, json!({"title": "Tide", "genres": ["Drama", "Sea"]})).await;
    let uri = format!("/series/{}", text(&made, "id"));
    bench.editor().patch(&uri, json!({"genres": ["Crime"]})).await.expect("a change");
    for (genre, count) in [("drama", 0), ("Crime", 1), ("crime", 1), ("sea", 0)] {
        let list = bench.nobody().get(&format!("/series?genre={genre}")).await.expect("a list").json();
        assert_eq!(list["items"].as_array().map(Vec::len), Some(count), "{genre}");
    }
    let all: Value = bench.nobody().get("/series?genre=").await.expect("a list").json();
    assert_eq!(titles(&all["items"]), ["Tide"]);
}
