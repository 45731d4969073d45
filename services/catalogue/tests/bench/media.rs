//! An episode knows the state of its video, whatever order the news comes in.

use crate::stage::{asset, bench, episode, say, series, text};
use callboard_bench::Bench;
use serde_json::{Value, json};

async fn media_of(bench: &Bench, episode: &Value) -> Value {
    let uri = format!("/episodes/{}", text(episode, "id"));
    bench.nobody().get(&uri).await.expect("it is public").json()["media"].clone()
}

fn media(asset: &str, state: &str, duration_ms: Option<i64>) -> Value {
    json!({"asset": asset, "version": "m1", "state": state, "duration_ms": duration_ms})
}

#[tokio::test]
async fn a_video_becomes_playable_and_then_ready() {
    let bench = bench().await;
    let made = series(&bench, json!({"title": "Stage"})).await;
    let one = episode(&bench, &made, json!({"title": "One"})).await;
    let (id, asset) = (text(&one, "id"), asset(1));
    assert_eq!(media_of(&bench, &one).await, Value::Null);
    say(&bench, "processing", &asset, 1, id).await;
    assert_eq!(media_of(&bench, &one).await, media(&asset, "processing", None));
    say(&bench, "playable", &asset, 2, id).await;
    assert_eq!(media_of(&bench, &one).await, media(&asset, "playable", Some(20_000)));
    say(&bench, "ready", &asset, 3, id).await;
    assert_eq!(media_of(&bench, &one).await, media(&asset, "ready", Some(20_000)));
    say(&bench, "removed", &asset, 4, id).await;
    assert_eq!(media_of(&bench, &one).await, Value::Null);
}

#[tokio::test]
async fn news_that_comes_twice_or_late_changes_nothing() {
    let bench = bench().await;
    let made = series(&bench, json!({"title": "Stage"})).await;
    let one = episode(&bench, &made, json!({"title": "One"})).await;
    let id = text(&one, "id");
    let (old, new) = (asset(1), asset(2));
    say(&bench, "ready", &old, 3, id).await;
    let version = bench.nobody().get(&format!("/episodes/{id}")).await.expect("it").version;
    for (kind, late) in [("ready", 3), ("playable", 2), ("processing", 1)] {
        say(&bench, kind, &old, late, id).await;
    }
    let read = bench.nobody().get(&format!("/episodes/{id}")).await.expect("it");
    assert_eq!((read.version, read.json()["media"].clone()), (version, media(&old, "ready", Some(20_000))));

    say(&bench, "processing", &new, 1, id).await;
    say(&bench, "removed", &old, 9, id).await;
    assert_eq!(media_of(&bench, &one).await, media(&new, "processing", None), "the replaced file says no more");
    say(&bench, "removed", &new, 2, id).await;
    say(&bench, "playable", &new, 1, id).await;
    assert_eq!(media_of(&bench, &one).await, Value::Null, "what was removed does not come back");
}

#[tokio::test]
async fn a_refused_file_is_shown_as_failed_and_takes_the_series_out_of_the_hero() {
    let bench = bench().await;
    let made = series(&bench, json!({"title": "Stage"})).await;
    let one = episode(&bench, &made, json!({"title": "One"})).await;
    let hero = || async { bench.nobody().get("/home").await.expect("home").json()["hero"].clone() };
    say(&bench, "playable", &asset(1), 1, text(&one, "id")).await;
    assert_eq!(hero().await[0]["pid"], one["pid"]);
    say(&bench, "failed", &asset(2), 1, text(&one, "id")).await;
    assert_eq!(media_of(&bench, &one).await["state"], "failed");
    assert_eq!(hero().await, json!([]));
}

#[tokio::test]
async fn news_of_an_episode_that_is_gone_or_of_another_tenant_is_settled_without_effect() {
    let bench = bench().await;
    let made = series(&bench, json!({"title": "Stage"})).await;
    let one = episode(&bench, &made, json!({"title": "One"})).await;
    let id = text(&one, "id");
    let data = json!({"asset": asset(1), "episode": id, "version": 1, "media_version": 7});
    let news = json!({"kind": "ready", "data": data});
    let rival = bench.service().in_tenant("rival");
    rival.post(&format!("/assets/{}/news", asset(1)), news).await.expect("media of another tenant");
    assert_eq!(bench.settle().await, 1);
    assert_eq!(media_of(&bench, &one).await, Value::Null);
    bench.editor().delete(&format!("/episodes/{id}")).await.expect("it is removed");
    say(&bench, "ready", &asset(1), 1, id).await;
    say(&bench, "ready", &asset(1), 2, "not an id").await;
}
