//! Publications that do not end well: bad files, second thoughts, a machine that dies in the middle. Nothing stays behind.

use crate::clips::{AAC, Desk, H264, picture, sound};
use crate::house::{EPISODE, House};
use crate::publishing::{film, short};
use callboard::ports::Delivery;
use callboard::{Fault, Uri};
use futures_util::StreamExt;
use serde_json::json;

const NOTHING: [&str; 0] = [];

#[tokio::test]
async fn a_file_that_is_no_video_is_refused_with_a_reason_and_leaves_nothing() {
    let desk = Desk::new();
    let whole = film(&desk);
    for (bytes, code) in [
        (b"Shopping: milk, bread\n".as_slice(), "media.not_a_video"),
        (&whole[..whole.len() / 2], "media.truncated"),
        (b"#EXTM3U\n#EXTINF:4,\nhttp://127.0.0.1/secret.ts\n", "media.playlist"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "media.playlist"),
    ] {
        let house = House::new().await;
        let asset = house.publish(EPISODE, bytes).await;
        assert_eq!((&asset["state"], &asset["reason_code"]), (&json!("failed"), &json!(code)));
        assert_eq!(asset["stages"][0], json!({"name": "probe", "state": "failed"}));
        assert_eq!(house.keys().await, NOTHING, "{code}");
        let heard = house.heard();
        let (kind, news) = heard.last().expect("it is told");
        assert_eq!(
            (kind.as_str(), &news["reason"], &news["media_version"]),
            ("failed", &asset["reason"], &json!(null))
        );
        assert!(asset["reason"].as_str().is_some_and(|reason| reason.contains(": ")), "it says what to do: {asset}");
        assert_eq!(house.bench.inspect("SELECT code || ': ' || message FROM kernel_dead").await, NOTHING);
        let playback = house.bench.editor().post(&format!("/episodes/{EPISODE}/playback"), json!({})).await;
        assert_eq!(playback.expect_err("nothing plays").code, "media.not_playable");
    }
}

#[tokio::test]
async fn a_video_longer_than_the_channel_takes_is_refused() {
    let desk = Desk::new();
    let house = House::with(callboard_bench::Kept::InMemory, &[("media.duration_max_ms", "3000")]).await;
    let asset = house.publish(EPISODE, &film(&desk)).await;
    assert_eq!((&asset["reason_code"], house.keys().await), (&json!("media.too_long"), vec![]));
}

#[tokio::test]
async fn a_file_whose_picture_cannot_be_decoded_fails_after_it_was_playable_and_leaves_nothing() {
    let desk = Desk::new();
    let path = desk.clip("film.mkv", &format!("{} {H264} -g 25", picture("320x180", "25", 3)));
    // Only the names and places of the packets are right: copying them works, decoding them does not.
    let bytes = std::fs::read(path).expect("a clip");
    let house = House::new().await;
    let upload = house.upload(EPISODE, &bytes).await;
    deliver_until(&house, "publish/full").await;
    assert_eq!(house.heard_kinds(), ["processing", "playable"]);
    fail(&house, "publish/full", &Fault::bad_input("media.encode_failed", "it cannot be decoded")).await;
    house.bench.settle().await;
    let asset = house.asset(EPISODE).await;
    assert_eq!((&asset["state"], &asset["reason_code"]), (&json!("failed"), &json!("media.encode_failed")));
    let states: Vec<&str> =
        asset["stages"].as_array().expect("stages").iter().filter_map(|it| it["state"].as_str()).collect();
    assert_eq!(states, ["done", "done", "done", "failed", "waiting"]);
    assert_eq!((house.keys().await, house.heard_kinds()), (vec![], vec!["failed".to_owned()]));
    let upload = house.editor().get(&upload).await.expect("its last answer").json();
    assert_eq!(upload["state"], "done");
}

/// Takes what is due now, without running it.
async fn take(house: &House) -> Vec<Delivery> {
    let ports = house.bench.host().ports();
    let mut taken = Vec::new();
    loop {
        let more = ports.records.claim(64, &[], ports.clock.now_ms()).await.expect("messages");
        if more.is_empty() {
            return taken;
        }
        taken.extend(more);
    }
}

/// Delivers what is due, until a step is; that one is given back untouched.
async fn deliver_until(house: &House, step: &str) {
    loop {
        for delivery in take(house).await {
            if delivery.target.contains(step) {
                let now_ms = house.bench.host().ports().clock.now_ms();
                let again = callboard::ports::Fate::Release;
                return house
                    .bench
                    .host()
                    .ports()
                    .records
                    .fail(delivery.settle, again, now_ms)
                    .await
                    .expect("given back");
            }
            house.bench.host().deliver(&delivery).await.expect("delivered");
        }
    }
}

/// Lets a step fail so; whoever is told of it hears it.
async fn fail(house: &House, step: &str, fault: &Fault) {
    for delivery in take(house).await {
        if delivery.target.contains(step) {
            house.bench.host().fail(&delivery, fault).await.expect("failed");
        } else {
            house.bench.host().deliver(&delivery).await.expect("delivered");
        }
    }
}

#[tokio::test]
async fn a_machine_that_lacks_something_is_named_until_it_has_it() {
    let desk = Desk::new();
    let house = House::new().await;
    let upload = house.upload(EPISODE, &short(&desk)).await;
    let live = &house.bench.host().ports().live;
    let mut progress = live.subscribe(house.bench.tenant(), Uri::parse(&upload).expect("a URI"));
    let fault = Fault::unavailable("tool.missing", "ffprobe is not installed; install it");
    deliver_until(&house, "publish/probe").await;
    fail(&house, "publish/probe", &fault).await;
    fail(&house, "nothing", &fault).await;
    let asset = house.asset(EPISODE).await;
    assert_eq!((&asset["state"], &asset["reason_code"]), (&json!("processing"), &json!("tool.missing")));
    assert_eq!(asset["reason"], "ffprobe is not installed; install it");
    let heard = progress.next().await.expect("a message");
    assert_eq!((&heard.data["stage"], &heard.data["message"]), (&json!("probe"), &asset["reason"]));
    house.bench.wait_ms(3_600_000).await;
    let asset = house.asset(EPISODE).await;
    assert_eq!((&asset["state"], &asset["reason"]), (&json!("ready"), &json!(null)));
}

#[tokio::test]
async fn a_step_that_died_in_the_middle_is_repeated_and_the_result_is_whole() {
    let desk = Desk::new();
    let bytes = film(&desk);
    for step in ["publish/quick", "publish/poster", "publish/full", "publish/ready"] {
        let house = House::new().await;
        house.upload(EPISODE, &bytes).await;
        deliver_until(&house, step).await;
        let before = house.keys().await.len();
        let [delivery] = take(&house).await.try_into().unwrap_or_else(|other| panic!("one step: {other:?}"));
        // It is killed as soon as it has stored something.
        let host = house.bench.host().clone();
        let (running, doomed) = (host.clone(), delivery.clone());
        let work = tokio::spawn(async move { running.deliver(&doomed).await });
        while house.keys().await.len() == before && !work.is_finished() {
            tokio::task::yield_now().await;
        }
        work.abort();
        drop(work.await);
        host.fail(&delivery, &Fault::unavailable("timeout", "the machine died")).await.expect("noted");
        house.bench.wait_ms(3_600_000).await;
        let asset = house.asset(EPISODE).await;
        assert_eq!(asset["state"], "ready", "{step}: {asset}");
        assert_eq!(house.heard_kinds(), ["processing", "playable", "ready"], "{step}");
        let keys = house.keys().await;
        let count = |part: &str| keys.iter().filter(|key| key.contains(part)).count();
        assert_eq!((count("/full/"), count("uploads/"), count("public/")), (11, 0, 2), "{step}: {keys:?}");
    }
}

#[tokio::test]
async fn a_machine_that_never_recovers_leaves_nothing_behind() {
    let desk = Desk::new();
    let house = House::new().await;
    house.upload(EPISODE, &short(&desk)).await;
    deliver_until(&house, "publish/full").await;
    for _ in 0..16 {
        house.bench.clock().advance(3_600_000);
        fail(&house, "publish/full", &Fault::unavailable("tool.missing", "ffmpeg is not installed; install it")).await;
    }
    house.bench.settle().await;
    let asset = house.asset(EPISODE).await;
    assert_eq!((&asset["state"], &asset["reason"]), (&json!("failed"), &json!("ffmpeg is not installed; install it")));
    assert_eq!(house.keys().await, NOTHING);
}

#[tokio::test]
async fn somebody_who_thinks_again_stops_the_encoder_and_nothing_stays() {
    let desk = Desk::new();
    let words = format!("{} {} {H264} {AAC}", picture("640x360", "25", 60), sound(60));
    let bytes = std::fs::read(desk.clip("long.mp4", &words)).expect("a clip");
    let house = House::new().await;
    let upload = house.upload(EPISODE, &bytes).await;
    let live = &house.bench.host().ports().live;
    let mut progress = live.subscribe(house.bench.tenant(), Uri::parse(&upload).expect("a URI"));
    let think_again = async {
        let mut shares = Vec::new();
        loop {
            let message = progress.next().await.expect("a message");
            match message.data["stage"].as_str() {
                Some("failed") => return shares,
                Some("full") => shares.push(message.data["fraction"].as_f64().expect("a share")),
                _ => continue,
            }
            if shares.len() == 1 {
                house.editor().delete(&upload).await.expect("ended");
            }
        }
    };
    let (_, shares) = tokio::join!(house.bench.settle(), think_again);
    assert!(shares.iter().all(|share| *share < 1.0), "it ran to its end: {shares:?}");
    assert_eq!(house.keys().await, NOTHING);
    assert_eq!(house.heard_kinds(), ["processing", "playable", "removed"]);
    let gone = house.bench.editor().get(&format!("/episodes/{EPISODE}/asset")).await.expect_err("it is gone");
    assert_eq!(gone.code, "media.no_asset");
}

#[tokio::test]
async fn what_is_deleted_at_any_step_leaves_nothing() {
    let desk = Desk::new();
    let bytes = short(&desk);
    for step in ["publish/probe", "publish/quick", "publish/poster", "publish/cut", "publish/full", "publish/ready"] {
        for way in ["upload", "asset", "episode"] {
            let house = House::new().await;
            let upload = house.upload(EPISODE, &bytes).await;
            deliver_until(&house, step).await;
            let done = match way {
                "upload" => house.editor().delete(&upload).await.map(drop),
                "asset" => house.bench.editor().delete(&format!("/episodes/{EPISODE}/asset")).await.map(drop),
                _ => house
                    .bench
                    .service()
                    .post("/house/news", json!({"kind": "deleted", "uri": format!("/episodes/{EPISODE}")}))
                    .await
                    .map(drop),
            };
            done.expect("deleted");
            house.bench.wait_ms(3_600_000).await;
            assert_eq!(house.keys().await, NOTHING, "{way} at {step}");
            assert_eq!(house.heard_kinds().last().map(String::as_str), Some("removed"), "{way} at {step}");
            let status = house.bench.inspect("SELECT status FROM kernel_flow WHERE flow = 'publish'").await;
            // The news of an episode's end is on its way while the last step may run.
            let is_overtaken = (way, step) == ("episode", "publish/ready") && status == ["completed"];
            assert!(is_overtaken || status == ["undone"], "{way} at {step}: {status:?}");
        }
    }
}

#[tokio::test]
async fn an_episode_that_is_deleted_takes_its_uploads_and_its_video_along() {
    let desk = Desk::new();
    let house = House::new().await;
    house.publish(EPISODE, &short(&desk)).await;
    let open = house.begin(&house.editor(), EPISODE, 10).await.expect("an upload");
    house.send(&house.editor(), &open, 0, b"0123", 4).await.expect("some bytes");
    house.tell("deleted", &format!("/episodes/{EPISODE}")).await;
    assert_eq!(house.keys().await, NOTHING);
    assert_eq!(house.editor().get(&open).await.expect_err("it is gone").status(), 404);
    assert_eq!(house.bench.editor().get(&format!("/episodes/{EPISODE}/asset")).await.expect_err("gone").status(), 404);
    house.bench.wait_ms(48 * 3_600_000).await;
    assert_eq!(house.bench.inspect("SELECT code || ': ' || message FROM kernel_dead").await, NOTHING);
}
