//! Who gets at the bytes: addresses, passes, markers, and what happens to them when access changes.

use crate::clips::Desk;
use crate::house::{EPISODE, House, OTHER};
use crate::publishing::short;
use callboard::{PASS_AGE_MS_MAX, Pass};
use callboard_bench::{Actor, START_MS};
use serde_json::{Value, json};

async fn play(actor: &Actor<'_>) -> Result<Value, callboard::Fault> {
    actor.post(&format!("/episodes/{EPISODE}/playback"), json!({})).await.map(|answer| answer.json())
}

/// The pass in an address, checked as delivery does.
fn pass(house: &House, playback: &Value) -> Pass {
    let src = playback["src"].as_str().expect("an address");
    let token = src.strip_prefix("/media/~").and_then(|rest| rest.split('/').next()).expect("a pass");
    let key = house.bench.host().key();
    key.check(token, house.bench.host().ports().clock.now_ms()).expect("a good pass")
}

async fn markers(house: &House) -> Vec<String> {
    let keys = house.keys().await;
    keys.iter().filter_map(|key| key.strip_prefix("public/demo/")).map(str::to_owned).collect()
}

#[tokio::test]
async fn what_is_public_plays_without_a_pass() {
    let desk = Desk::new();
    let house = House::new().await;
    let asset = house.publish(EPISODE, &short(&desk)).await["id"].as_str().expect("an id").to_owned();
    for level in ["public", "unlisted"] {
        house.change(EPISODE, level).await;
        let playback = play(&house.bench.nobody()).await.expect("it plays");
        let folder = format!("/media/{asset}/full");
        let expected = json!({
            "src": format!("{folder}/master.m3u8"), "poster": format!("{folder}/poster.jpg"), "still": format!("{folder}/still.jpg"),
            "version": "full", "expires_ms": null, "protected": false,
        });
        assert_eq!(playback, expected);
        assert_eq!(markers(&house).await, [format!("{asset}/full"), format!("{asset}/quick")]);
    }
}

#[tokio::test]
async fn a_pass_is_for_one_version_of_one_asset_for_one_session_and_not_for_long() {
    let desk = Desk::new();
    let house = House::new().await;
    house.open(EPISODE, "members");
    let asset = house.publish(EPISODE, &short(&desk)).await;
    let viewer = house.bench.viewer().in_session("s1");
    let playback = play(&viewer).await.expect("it plays");
    assert_eq!((&playback["protected"], &playback["version"]), (&json!(true), &json!("full")));
    let pass = pass(&house, &playback);
    let now_ms = house.bench.host().ports().clock.now_ms();
    let expires_ms = now_ms + asset["duration_ms"].as_i64().expect("a length") + 3_600_000;
    assert!(now_ms > START_MS && expires_ms < now_ms + PASS_AGE_MS_MAX);
    let expected = Pass {
        tenant: "demo".into(),
        folder: asset["id"].as_str().expect("an id").into(),
        version: "full".into(),
        session: "s1".into(),
        purpose: "play".into(),
        last_segment: None,
        expires_ms,
    };
    assert_eq!((pass, playback["expires_ms"].as_i64()), (expected, Some(expires_ms)));
    let poster = playback["poster"].as_str().expect("a poster");
    assert!(poster.starts_with("/media/~") && poster.ends_with("/full/poster.jpg"));
    assert_eq!(markers(&house).await, [""; 0]);
}

#[tokio::test]
async fn playback_is_refused_as_access_says() {
    let desk = Desk::new();
    let house = House::new().await;
    house.publish(EPISODE, &short(&desk)).await;
    house.change(EPISODE, "members").await;
    let fault = play(&house.bench.nobody()).await.expect_err("not for nobody");
    assert_eq!((fault.code, fault.status()), ("media.watch_denied", 401));
    assert_eq!(fault.message, "as the test says; sign in");
    assert!(play(&house.bench.viewer()).await.is_ok());
    house.change(EPISODE, "private").await;
    for stranger in [house.bench.nobody(), house.bench.viewer()] {
        assert_eq!(play(&stranger).await.expect_err("not for them").status(), 404);
    }
    assert!(play(&house.bench.editor()).await.is_ok());
    let nowhere = house.bench.editor().post("/episodes/019B0000-0000-7000-8000-000000000001/playback", json!({})).await;
    assert_eq!(nowhere.expect_err("one spelling").status(), 404);
    let nothing = house.bench.editor().post(&format!("/episodes/{OTHER}/playback"), json!({})).await;
    assert_eq!(nothing.expect_err("no video").code, "media.not_playable");
}

#[tokio::test]
async fn the_marker_follows_the_access_and_withdrawal_is_told() {
    let desk = Desk::new();
    let house = House::new().await;
    let asset = house.publish(EPISODE, &short(&desk)).await["id"].as_str().expect("an id").to_owned();
    house.heard();
    for (level, is_open, is_told) in [
        ("private", false, true),
        ("members", false, false),
        ("private", false, true),
        ("public", true, false),
        ("unlisted", true, false),
        ("members", false, true),
        ("hidden", false, true),
    ] {
        house.change(EPISODE, level).await;
        assert_eq!(!markers(&house).await.is_empty(), is_open, "{level}");
        let heard = house.heard();
        assert_eq!(
            heard.iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>(),
            vec!["revoked"; is_told.into()],
            "{level}"
        );
        for (_, news) in heard {
            let now_ms = house.bench.host().ports().clock.now_ms();
            assert_eq!(news["asset"], asset.as_str());
            assert!(news["expires_ms_max"].as_i64().is_some_and(|until_ms| until_ms > now_ms), "{news}");
        }
    }
}

#[tokio::test]
async fn an_address_without_a_pass_is_given_only_while_both_access_and_marker_agree() {
    let desk = Desk::new();
    let house = House::new().await;
    house.publish(EPISODE, &short(&desk)).await;
    // Access has changed, but nobody has heard of it yet.
    house.open(EPISODE, "members");
    assert_eq!(play(&house.bench.viewer()).await.expect("it plays")["protected"], true);
    house.tell("changed", &format!("/episodes/{EPISODE}")).await;
    house.open(EPISODE, "public");
    assert_eq!(play(&house.bench.viewer()).await.expect("it plays")["protected"], true);
    house.tell("changed", &format!("/episodes/{EPISODE}")).await;
    assert_eq!(play(&house.bench.viewer()).await.expect("it plays")["protected"], false);
}

#[tokio::test]
async fn access_that_changes_while_a_video_is_prepared_counts_when_it_becomes_playable() {
    let desk = Desk::new();
    let house = House::new().await;
    house.upload(EPISODE, &short(&desk)).await;
    house.open(EPISODE, "private");
    house.bench.settle().await;
    assert_eq!(markers(&house).await, [""; 0]);
    assert_eq!(house.heard_kinds(), ["processing", "playable", "ready"]);
}

#[tokio::test]
async fn a_series_that_becomes_private_takes_every_episode_along() {
    let desk = Desk::new();
    let house = House::new().await;
    let clip = short(&desk);
    // More than one page of them: episodes of one series, each with a video.
    let episodes: Vec<String> = (0..23).map(|at| format!("019b0000-0000-7000-8000-0000000001{at:02}")).collect();
    for episode in &episodes {
        house.open(episode, "public");
        house.upload(episode, &clip).await;
    }
    house.upload(EPISODE, &clip).await;
    house.bench.settle().await;
    assert_eq!(markers(&house).await.len(), 48);
    episodes.iter().for_each(|episode| house.open(episode, "private"));
    house.tell("changed", "/series/two").await;
    assert_eq!(markers(&house).await.len(), 2, "only the episode of the other series stays public");
}
