//! How a channel looks, and who may change that.

use crate::{channels, events, outcome};
use serde_json::{Value, json};

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("JSON")
}

const LOGO: &str = "<svg viewBox='0 0 24 24'><!-- mine --><circle r='12' fill='#fff'/></svg>";

#[tokio::test]
async fn everybody_sees_how_a_channel_looks() {
    let bench = channels().await;
    let answer = bench.nobody().get("/tenant").await.expect("the channel");
    assert_eq!(answer.version, Some(1));
    insta::assert_snapshot!(pretty(&answer.json()), @r##"
    {
      "name": "demo",
      "title": "Night Shift Films",
      "tagline": "",
      "accent": null,
      "accent_dark": "#ff7a3d",
      "accent_light": "#c2410c",
      "logo": null,
      "version": 1
    }
    "##);
}

#[tokio::test]
async fn an_owner_sets_texts_colour_and_logo() {
    let bench = channels().await;
    let settings =
        json!({"title": " Night Shift 🎬 ", "tagline": "Films after dark", "accent": "#000080", "logo": LOGO});
    let answer = bench.owner().put("/tenant", settings).await.expect("a change");
    assert_eq!((answer.status(), answer.version), (200, Some(2)));
    let shown = bench.nobody().get("/tenant").await.expect("the channel").json();
    assert_eq!(answer.json(), shown);
    insta::assert_snapshot!(pretty(&shown), @r##"
    {
      "name": "demo",
      "title": "Night Shift 🎬",
      "tagline": "Films after dark",
      "accent": "#000080",
      "accent_dark": "#6868ff",
      "accent_light": "#000080",
      "logo": "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 24 24\"><circle r=\"12\" fill=\"#fff\"/></svg>",
      "version": 2
    }
    "##);
    assert_eq!(
        events(&bench).await.last().map(String::as_str),
        Some(r#"changed /tenant {"uri":"/tenant","version":2}"#)
    );

    let plain = bench.owner().put("/tenant", json!({"title": "Plain"})).await.expect("a change").json();
    assert_eq!(
        (&plain["logo"], &plain["accent"], &plain["accent_dark"]),
        (&Value::Null, &Value::Null, &json!("#ff7a3d"))
    );
}

#[tokio::test]
async fn a_channel_changes_nothing_of_another() {
    let bench = channels().await;
    bench.owner().put("/tenant", json!({"title": "Changed"})).await.expect("a change");
    let other = bench.nobody().in_tenant("other").get("/tenant").await.expect("the other channel").json();
    assert_eq!((&other["title"], &other["version"]), (&json!("Day Shift Films"), &json!(1)));
}

#[tokio::test]
async fn wrong_settings_say_what_is_wrong_and_change_nothing() {
    let bench = channels().await;
    let long = "x".repeat(81);
    let large = format!("<svg viewBox='0 0 1 1'><path d='{}'/></svg>", "1".repeat(32 * 1024));
    for (settings, want) in [
        (json!({}), "400 data.invalid"),
        (json!({"title": 7}), "400 data.invalid"),
        (json!({"title": ""}), "400 tenant.title_invalid"),
        (json!({"title": long}), "400 tenant.title_invalid"),
        (json!({"title": "a\u{0}"}), "400 tenant.title_invalid"),
        (json!({"title": "a", "tagline": "x".repeat(161)}), "400 tenant.tagline_invalid"),
        (json!({"title": "a", "accent": "red"}), "400 tenant.accent_invalid"),
        (json!({"title": "a", "accent": "#fff;}body{display:none"}), "400 tenant.accent_invalid"),
        (json!({"title": "a", "logo": "<svg viewBox='0 0 1 1'><script/></svg>"}), "400 tenant.logo_invalid"),
        (json!({"title": "a", "logo": "not a drawing"}), "400 tenant.logo_invalid"),
        (json!({"title": "a", "logo": large}), "413 tenant.logo_too_large"),
        (json!({"title": "a", "name": "taken-over"}), "400 data.invalid"),
        (json!({"title": "a", "version": 9}), "400 data.invalid"),
    ] {
        let result = bench.owner().put("/tenant", settings.clone()).await;
        assert_eq!(outcome(&result), want, "{settings}");
    }
    assert_eq!(bench.nobody().get("/tenant").await.expect("the channel").version, Some(1));
}

#[tokio::test]
async fn markup_in_a_title_is_only_text() {
    let bench = channels().await;
    let answer = bench.owner().put("/tenant", json!({"title": "<script>alert(1)</script>"})).await.expect("a change");
    assert_eq!(answer.json()["title"], "<script>alert(1)</script>");
}

#[tokio::test]
async fn who_read_an_old_version_is_told() {
    let bench = channels().await;
    let owner = bench.owner().with("if-match", "\"v1\"");
    assert_eq!(outcome(&owner.put("/tenant", json!({"title": "First"})).await), "200");
    assert_eq!(outcome(&owner.put("/tenant", json!({"title": "Second"})).await), "412 precondition_failed");
    assert_eq!(bench.nobody().get("/tenant").await.expect("the channel").json()["title"], "First");
}

#[tokio::test]
async fn changes_at_the_same_time_are_made_one_after_the_other() {
    let bench = channels().await;
    let owner = bench.owner();
    let (one, two) =
        tokio::join!(owner.put("/tenant", json!({"title": "One"})), owner.put("/tenant", json!({"title": "Two"})));
    let mut versions = [one.expect("a change").version, two.expect("a change").version];
    versions.sort_unstable();
    assert_eq!(versions, [Some(2), Some(3)]);
}

#[tokio::test]
async fn a_channel_that_is_not_there_is_not_found() {
    let bench = channels().await;
    for actor in [bench.nobody().in_tenant("nowhere"), bench.owner().in_tenant("' OR 1=1 --")] {
        assert_eq!(outcome(&actor.get("/tenant").await), "404 tenant.unknown");
    }
    let result = bench.owner().in_tenant("nowhere").put("/tenant", json!({"title": "a"})).await;
    assert_eq!(outcome(&result), "404 tenant.unknown");
}
