//! Lists: who sees what in them, and reading them page by page.

use crate::stage::{bench, episode, series, text, titles};
use callboard_bench::Actor;
use serde_json::{Value, json};

const LEVELS: [&str; 4] = ["public", "unlisted", "members", "private"];

async fn read_all(actor: &Actor<'_>, uri: &str, limit: usize) -> Vec<String> {
    let mut all = Vec::new();
    let mut after = String::new();
    loop {
        let page = actor.get(&format!("{uri}limit={limit}&after={after}")).await.expect("a page").json();
        assert!(titles(&page["items"]).len() <= limit);
        all.extend(titles(&page["items"]).into_iter().map(str::to_owned));
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => return all,
        }
    }
}

#[tokio::test]
async fn each_sees_listed_what_is_meant_for_them_newest_first() {
    let bench = bench().await;
    for level in LEVELS {
        for active in [true, false] {
            bench.clock().advance(1);
            let title = format!("{level} {}", if active { "shown" } else { "hidden" });
            series(&bench, json!({"title": title, "access": level, "active": active, "genres": ["Drama"]})).await;
        }
    }
    for uri in ["/series?", "/series?genre=drama&"] {
        assert_eq!(read_all(&bench.nobody(), uri, 1).await, ["members shown", "public shown"]);
        assert_eq!(read_all(&bench.viewer(), uri, 1).await, ["members shown", "public shown"]);
        for editor in [bench.editor(), bench.owner(), bench.service()] {
            assert_eq!(read_all(&editor, uri, 3).await.len(), 8);
        }
        assert!(read_all(&bench.owner().in_tenant("rival"), uri, 20).await.is_empty());
    }
    assert_eq!(read_all(&bench.editor(), "/series?", 100).await[0], "private hidden");
}

#[tokio::test]
async fn pages_follow_each_other_without_a_gap_or_a_repetition() {
    let bench = bench().await;
    let mut want = Vec::new();
    for number in 0..45 {
        bench.clock().advance(1);
        let access = LEVELS[number % 4];
        series(&bench, json!({"title": format!("Series {number}"), "access": access})).await;
        want.insert(0, format!("Series {number}"));
    }
    for limit in [1, 7, 20, 45, 100] {
        assert_eq!(read_all(&bench.editor(), "/series?", limit).await, want);
    }
    let default = bench.editor().get("/series").await.expect("a page").json();
    assert_eq!(default["items"].as_array().map(Vec::len), Some(20));
}

#[tokio::test]
async fn a_page_of_no_size_or_of_too_much_is_refused() {
    let bench = bench().await;
    let made = series(&bench, json!({"title": "Stage"})).await;
    let episodes = format!("/series/{}/episodes", text(&made, "id"));
    for (uri, code) in [
        ("/series?limit=0".to_owned(), "list.limit"),
        ("/series?limit=101".to_owned(), "list.limit"),
        ("/series?limit=-1".to_owned(), "data.invalid"),
        ("/series?limit=many".to_owned(), "data.invalid"),
        ("/series?order=title".to_owned(), "data.invalid"),
        (format!("{episodes}?limit=501"), "list.limit"),
        (format!("{episodes}?after=x"), "list.after"),
    ] {
        let fault = bench.nobody().get(&uri).await.expect_err("no such page");
        assert_eq!((fault.code, fault.status()), (code, 400), "{uri}");
    }
}

#[tokio::test]
async fn episodes_of_a_series_show_to_each_what_is_theirs() {
    let bench = bench().await;
    let made = series(&bench, json!({"title": "Stage", "access": "unlisted"})).await;
    for level in LEVELS {
        episode(&bench, &made, json!({"title": level, "access": level})).await;
    }
    episode(&bench, &made, json!({"title": "draft", "active": false})).await;
    let uri = format!("/series/{}/episodes", text(&made, "id"));
    let seen = |list: &Value| match list["seasons"].as_array().expect("seasons").first() {
        Some(season) => titles(&season["episodes"]).join(" "),
        None => String::new(),
    };
    let list = bench.nobody().get(&uri).await.expect("by link").json();
    assert_eq!(seen(&list), "public members");
    assert_eq!(seen(&bench.viewer().get(&uri).await.expect("by link").json()), "public members");
    let all = bench.editor().get(&uri).await.expect("an editor").json();
    assert_eq!(seen(&all), "public unlisted members private draft");
    assert_eq!((&all["seasons"][0]["number"], &all["seasons"][0]["title"]), (&json!(1), &json!("Season 1")));
    bench.editor().patch(&format!("/series/{}", text(&made, "id")), json!({"access": "private"})).await.expect("hide");
    for stranger in [bench.nobody(), bench.viewer()] {
        assert_eq!(stranger.get(&uri).await.expect_err("private").code, "series.not_found");
    }
}

#[tokio::test]
async fn only_editors_are_told_how_many_episodes_there_are_with_the_hidden_ones() {
    let bench = bench().await;
    let made = series(&bench, json!({"title": "Stage"})).await;
    episode(&bench, &made, json!({"title": "One"})).await;
    episode(&bench, &made, json!({"title": "Hidden", "access": "private"})).await;
    for uri in [format!("/series/{}", text(&made, "id")), "/series/by-slug/stage".to_owned(), "/series".to_owned()] {
        for (actor, count) in [(bench.nobody(), None), (bench.viewer(), None), (bench.editor(), Some(2))] {
            let answer = actor.get(&uri).await.expect("the series").json();
            let series = answer["items"].get(0).unwrap_or(&answer);
            assert_eq!(series["title"], "Stage");
            assert_eq!(series.get("episode_count").and_then(Value::as_i64), count, "{uri}");
        }
    }
}

#[tokio::test]
async fn seasons_have_names_and_long_series_have_pages() {
    let bench = bench().await;
    let made = series(&bench, json!({"title": "Stage"})).await;
    for (season, title) in [(2, "c"), (1, "a"), (2, "d"), (1, "b"), (10, "e")] {
        episode(&bench, &made, json!({"title": title, "season": season})).await;
    }
    let uri = format!("/series/{}", text(&made, "id"));
    let named = bench.editor().patch(&format!("{uri}/seasons/2"), json!({"title": " The Sea "})).await;
    assert_eq!(named.expect("a name").json(), json!({"number": 2, "title": "The Sea"}));
    let fault = bench.editor().patch(&format!("{uri}/seasons/3"), json!({"title": "None"})).await;
    assert_eq!(fault.expect_err("no such season").code, "season.not_found");

    let mut seen = Vec::new();
    let mut after = String::new();
    for _ in 0..3 {
        let page = bench.nobody().get(&format!("{uri}/episodes?limit=2&after={after}")).await.expect("a page").json();
        for season in page["seasons"].as_array().expect("seasons") {
            seen.push(format!("{}: {}", text(season, "title"), titles(&season["episodes"]).join(" ")));
        }
        after = page["next"].as_str().unwrap_or_default().to_owned();
    }
    assert_eq!(
        (seen, after.as_str()),
        (vec!["Season 1: a b".into(), "The Sea: c d".into(), "Season 10: e".into()], "")
    );
    let one = bench.nobody().get(&format!("{uri}/episodes?season=2")).await.expect("one season").json();
    assert_eq!(one["seasons"].as_array().map(Vec::len), Some(1));
    assert_eq!(titles(&one["seasons"][0]["episodes"]), ["c", "d"]);
}
