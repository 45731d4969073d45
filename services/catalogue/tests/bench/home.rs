//! The home page.

use crate::stage::{asset, bench, episode, say, series, text, titles};
use serde_json::{Value, json};

fn row<'a>(home: &'a Value, title: &str) -> Vec<&'a str> {
    let rows = home["carousels"].as_array().expect("rows");
    rows.iter().find(|row| row["title"] == title).map(|row| titles(&row["cards"])).unwrap_or_default()
}

#[tokio::test]
async fn an_empty_channel_has_an_empty_home() {
    let bench = bench().await;
    let home = bench.nobody().get("/home").await.expect("home").json();
    assert_eq!(home, json!({"hero": [], "carousels": []}));
}

#[tokio::test]
async fn cards_say_what_a_page_needs() {
    let bench = bench().await;
    let made = series(&bench, json!({"title": "Stage", "short_text": "s", "genres": ["Drama"]})).await;
    episode(&bench, &made, json!({"title": "Not yet"})).await;
    let two = episode(&bench, &made, json!({"title": "Two", "short_text": "t"})).await;
    say(&bench, "ready", &asset(1), 1, text(&two, "id")).await;
    let home = bench.nobody().get("/home").await.expect("home").json();
    let series_card = json!({
        "kind": "series", "id": made["id"], "slug": "stage", "title": "Stage", "short_text": "s",
        "created_ms": callboard_bench::START_MS,
    });
    let mut hero = series_card.clone();
    hero["pid"] = two["pid"].clone();
    hero["badge"] = json!("New");
    assert_eq!(home["hero"], json!([hero]), "it plays what is playable");
    assert_eq!(home["carousels"][1], json!({"title": "Series", "cards": [series_card]}));
    let news = &home["carousels"][0];
    assert_eq!(news["title"], "What's new");
    let cards = news["cards"].as_array().expect("cards");
    let card = cards.iter().find(|card| card["id"] == two["id"]).expect("the second episode");
    let want = json!({
        "kind": "episode", "id": two["id"], "pid": two["pid"], "slug": "two", "title": "Two", "short_text": "t",
        "series_title": "Stage", "duration_ms": 20_000, "created_ms": callboard_bench::START_MS,
    });
    assert_eq!(card, &want);
    let other = cards.iter().find(|card| card["title"] == "Not yet").expect("the first episode");
    assert_eq!(other["badge"], "Soon");
    bench.clock().advance(8 * 24 * 3_600_000);
    let home = bench.nobody().get("/home").await.expect("home").json();
    assert_eq!(home["hero"][0].get("badge"), None, "nothing is new for ever");
}

#[tokio::test]
async fn each_sees_on_the_home_page_what_is_theirs() {
    let bench = bench().await;
    for (number, level) in (1..).zip(["public", "unlisted", "members", "private"]) {
        bench.clock().advance(1);
        let made = series(&bench, json!({"title": level, "access": level, "genres": ["All", level]})).await;
        let one = episode(&bench, &made, json!({"title": format!("{level} one")})).await;
        say(&bench, "ready", &asset(number), 1, text(&one, "id")).await;
    }
    for (actor, hero, genre) in [
        (bench.nobody(), vec!["members", "public"], "Series"),
        (bench.viewer(), vec!["members", "public"], "Series"),
        (bench.editor(), vec!["private", "members", "unlisted", "public"], "All"),
        (bench.owner().in_tenant("rival"), vec![], ""),
    ] {
        let home = actor.get("/home").await.expect("home").json();
        assert_eq!(titles(&home["hero"]), hero);
        let rows = if hero.is_empty() { 0 } else { 2 };
        assert_eq!(home["carousels"].as_array().map(Vec::len), Some(rows), "{home}");
        assert_eq!(row(&home, genre), hero);
        let news: Vec<String> = hero.iter().map(|title| format!("{title} one")).collect();
        assert_eq!(row(&home, "What's new"), news);
    }
}

#[tokio::test]
async fn a_large_channel_has_a_home_of_the_same_size() {
    let bench = bench().await;
    for number in 0..30 {
        bench.clock().advance(1);
        let genres = json!(["All", format!("Genre {number:02}")]);
        let made = series(&bench, json!({"title": format!("Series {number}"), "genres": genres})).await;
        let one = episode(&bench, &made, json!({"title": format!("Episode {number}")})).await;
        say(&bench, "playable", &asset(number), 1, text(&one, "id")).await;
    }
    let home = bench.editor().get("/home").await.expect("home").json();
    assert_eq!(titles(&home["hero"]), ["Series 29", "Series 28", "Series 27", "Series 26", "Series 25"]);
    assert_eq!(home["carousels"].as_array().map(Vec::len), Some(3), "what is new, all, and the small genres");
    assert_eq!(row(&home, "What's new").len(), 16);
    assert_eq!(row(&home, "What's new")[0], "Episode 29");
    assert_eq!((row(&home, "All").len(), row(&home, "All")[0]), (16, "Series 29"));
    let others: Vec<String> = (0..11).rev().map(|number| format!("Series {number}")).collect();
    assert_eq!(row(&home, "Series"), others, "each once, and none that stands in a larger row");
}

#[tokio::test]
async fn small_genres_share_a_row_and_large_ones_have_their_own() {
    let bench = bench().await;
    for (title, genres) in [
        ("Salt", json!(["Drama", "Sea"])),
        ("Ebb", json!(["Drama"])),
        ("Foam", json!(["Comedy", "Sea"])),
        ("Fog", json!(["Drama"])),
        ("Buoy", json!(["Comedy"])),
    ] {
        bench.clock().advance(1);
        series(&bench, json!({"title": title, "genres": genres})).await;
    }
    let home = bench.nobody().get("/home").await.expect("home").json();
    let names: Vec<&str> = titles(&home["carousels"]);
    assert_eq!(names, ["Drama", "Series"]);
    assert_eq!(row(&home, "Drama"), ["Fog", "Ebb", "Salt"]);
    assert_eq!(row(&home, "Series"), ["Buoy", "Foam"]);
}

#[tokio::test]
async fn new_is_said_only_where_most_of_a_row_is_not() {
    let bench = bench().await;
    let make = async |title: &str| series(&bench, json!({"title": title, "genres": ["Drama"]})).await;
    let badges = async || {
        let home = bench.nobody().get("/home").await.expect("home").json();
        let cards = home["carousels"][0]["cards"].as_array().expect("cards").clone();
        cards.iter().map(|card| card["badge"].as_str().unwrap_or("none").to_owned()).collect::<Vec<_>>()
    };
    for title in ["Salt", "Ebb", "Fog"] {
        make(title).await;
    }
    assert_eq!(badges().await, ["none", "none", "none"], "all are new");
    bench.clock().advance(8 * 24 * 3_600_000);
    make("Foam").await;
    assert_eq!(badges().await, ["New", "none", "none", "none"]);
    for title in ["Buoy", "Kelp", "Tide"] {
        make(title).await;
    }
    assert_eq!(badges().await, ["none"; 7], "four of seven are new");
}
