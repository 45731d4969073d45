//! From an upload to a video that plays, through the whole flow with the real ffmpeg.

use crate::clips::{AAC, Desk, H264, picture, sound};
use crate::house::{EPISODE, House, OTHER};
use callboard_bench::Kept;
use serde_json::{Value, json};

/// A short film with every rendition of a small ladder.
pub(crate) fn film(desk: &Desk) -> Vec<u8> {
    let path = desk.clip("film.mp4", &format!("{} {} {H264} {AAC}", picture("640x360", "25", 5), sound(5)));
    std::fs::read(path).expect("a clip")
}

/// A film of a few kilobytes.
pub(crate) fn short(desk: &Desk) -> Vec<u8> {
    let path = desk.clip("short.mp4", &format!("{} {H264}", picture("160x90", "25", 1)));
    std::fs::read(path).expect("a clip")
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("{value} has {field}"))
}

#[tokio::test]
async fn an_upload_becomes_a_video_with_every_rendition() {
    let desk = Desk::new();
    for kept in [Kept::InMemory, Kept::OnFiles] {
        let house = House::with(kept, &[]).await;
        let asset = house.publish(EPISODE, &film(&desk)).await;
        let id = text(&asset, "id").to_owned();
        assert_eq!((text(&asset, "state"), &asset["upload"]), ("ready", &Value::Null));
        assert_eq!(
            (&asset["width"], &asset["height"], text(&asset, "filename")),
            (&json!(640), &json!(360), "film.mp4")
        );
        assert!(asset["stages"].as_array().expect("stages").iter().all(|stage| stage["state"] == "done"), "{asset}");
        let duration_ms = asset["duration_ms"].as_i64().expect("a length");
        assert!((4_990..5_100).contains(&duration_ms), "{duration_ms}");

        let heard = house.heard();
        let kinds: Vec<&str> = heard.iter().map(|(kind, _)| kind.as_str()).collect();
        assert_eq!(kinds, ["processing", "playable", "ready"]);
        let field = |name: &str| heard.iter().map(|(_, news)| news[name].clone()).collect::<Vec<_>>();
        assert_eq!(field("media_version"), [json!(null), json!("quick"), json!("full")]);
        assert_eq!(field("duration_ms"), [json!(null), json!(duration_ms), json!(duration_ms)]);
        assert!(field("version").windows(2).all(|pair| pair[0].as_i64() < pair[1].as_i64()), "{:?}", field("version"));
        assert!(field("episode").iter().all(|episode| episode == EPISODE));

        let keys = house.keys().await;
        let has = |key: &str| keys.contains(&format!("media/demo/{id}/{key}"));
        for file in [
            "master.m3u8",
            "poster.jpg",
            "still.jpg",
            "v360/index.m3u8",
            "v360/init.mp4",
            "v360/00000.m4s",
            "audio/00001.m4s",
        ] {
            assert!(has(&format!("full/{file}")), "{file} is missing in {keys:?}");
        }
        assert!(has("quick/master.m3u8") && has("quick/poster.jpg") && has("quick/v360/index.m3u8"));
        let beside = keys.iter().filter(|key| !key.starts_with(&format!("media/demo/{id}/")));
        assert!(beside.eq(&[format!("public/demo/{id}/full"), format!("public/demo/{id}/quick")]), "{keys:?}");
    }
}

#[tokio::test]
async fn what_is_stored_plays() {
    let desk = Desk::new();
    let house = House::new().await;
    let asset = house.publish(EPISODE, &film(&desk)).await;
    let id = text(&asset, "id").to_owned();
    for version in ["quick", "full"] {
        let folder = desk.path(version);
        let below = format!("media/demo/{id}/{version}/");
        for key in house.keys().await.iter().filter_map(|key| key.strip_prefix(&below)) {
            let path = folder.join(key);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a writable folder");
            std::fs::write(path, house.read(&format!("{below}{key}")).await).expect("a writable folder");
        }
        let args =
            ["-v", "error", "-count_frames", "-show_entries", "stream=codec_name,nb_read_frames", "-of", "csv=p=0"];
        let output = std::process::Command::new("ffprobe").args(args).arg("master.m3u8").current_dir(&folder).output();
        let output = output.expect("ffprobe must be installed");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            said.contains("h264,125") && said.contains("aac,") && output.stderr.is_empty(),
            "{version}: {output:?}"
        );
        let poster = house.read(&format!("{below}poster.jpg")).await;
        assert!(poster.starts_with(b"\xff\xd8") && poster.len() > 2_000);
    }
}

#[tokio::test]
async fn progress_is_told_while_it_happens() {
    use futures_util::StreamExt;
    let desk = Desk::new();
    let house = House::new().await;
    let upload = house.upload(EPISODE, &film(&desk)).await;
    let live = &house.bench.host().ports().live;
    let places = [upload, format!("/episodes/{EPISODE}")];
    let streams =
        places.map(|place| live.subscribe(house.bench.tenant(), callboard::Uri::parse(&place).expect("a URI")));
    house.bench.settle().await;
    for mut stream in streams {
        let mut stages = Vec::new();
        while stages.last().is_none_or(|last| last != "ready") {
            let message = stream.next().await.expect("a message");
            assert_eq!(message.kind.as_str(), "progress");
            let share = message.data["fraction"].as_f64().expect("a share");
            assert!((0.0..=1.0).contains(&share));
            stages.push(message.data["stage"].as_str().expect("a stage").to_owned());
            if stages.last().is_some_and(|stage| stage == "full") {
                assert_eq!(message.data["rendition"], "360p");
            }
        }
        stages.dedup();
        assert_eq!(stages, ["probe", "quick", "poster", "full", "ready"]);
    }
}

#[tokio::test]
async fn the_quick_version_goes_a_day_after_the_full_one_is_there() {
    let desk = Desk::new();
    let house = House::new().await;
    let asset = house.publish(EPISODE, &short(&desk)).await;
    house.bench.wait_ms(24 * 3_600_000 - 1).await;
    assert!(house.keys().await.iter().any(|key| key.contains("/quick")));
    house.bench.wait_ms(1).await;
    let keys = house.keys().await;
    assert!(!keys.iter().any(|key| key.contains("/quick")), "{keys:?}");
    let now = house.asset(EPISODE).await;
    assert_eq!((&now["state"], &now["versions"]), (&asset["state"], &json!(["full"])));
}

#[tokio::test]
async fn a_new_file_takes_the_place_of_the_old_one_once_it_is_ready() {
    let desk = Desk::new();
    let house = House::new().await;
    let old = text(&house.publish(EPISODE, &short(&desk)).await, "id").to_owned();
    house.heard();
    let new = text(&house.publish(EPISODE, &film(&desk)).await, "id").to_owned();
    let heard = house.heard();
    let said: Vec<(&str, &str)> = heard.iter().map(|(kind, news)| (kind.as_str(), text(news, "asset"))).collect();
    // While it is prepared, nobody is told: the old one plays.
    assert_eq!(said, [("playable", new.as_str()), ("ready", new.as_str()), ("removed", old.as_str())]);
    let keys = house.keys().await;
    assert!(keys.iter().all(|key| key.contains(&new)), "{keys:?}");
    let list = house.bench.editor().get(&format!("/assets?episode={EPISODE}")).await.expect("a list").json();
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1));
    house.bench.wait_ms(25 * 3_600_000).await;
    assert_eq!(text(&house.asset(EPISODE).await, "id"), new);
}

#[tokio::test]
async fn a_new_file_that_is_refused_leaves_the_old_one_playing() {
    let desk = Desk::new();
    let house = House::new().await;
    let old = text(&house.publish(EPISODE, &short(&desk)).await, "id").to_owned();
    let before = house.keys().await;
    house.heard();
    assert_eq!(text(&house.publish(EPISODE, b"Shopping: milk, bread").await, "state"), "failed");
    assert_eq!(house.heard_kinds(), [""; 0]);
    assert_eq!(house.keys().await, before);
    let playback = house.bench.nobody().post(&format!("/episodes/{EPISODE}/playback"), json!({})).await;
    assert!(text(&playback.expect("it plays").json(), "src").contains(&old));
}

#[tokio::test]
async fn a_second_upload_ends_what_was_being_made_of_the_first() {
    let desk = Desk::new();
    let house = House::new().await;
    house.upload(EPISODE, &film(&desk)).await;
    let second = house.upload(EPISODE, &short(&desk)).await;
    house.bench.settle().await;
    let asset = house.asset(EPISODE).await;
    assert_eq!(text(&asset, "state"), "ready");
    let upload = house.editor().get(&second).await.expect("the upload").json();
    assert_eq!((&upload["asset"], &upload["state"]), (&asset["id"], &json!("done")));
    let id = text(&asset, "id");
    let keys = house.keys().await;
    assert!(keys.iter().all(|key| key.contains(id)), "{keys:?}");
}

#[tokio::test]
async fn videos_of_two_episodes_stay_apart() {
    let desk = Desk::new();
    let house = House::new().await;
    let (one, two) = (house.publish(EPISODE, &short(&desk)).await, house.publish(OTHER, &short(&desk)).await);
    house.bench.editor().delete(&format!("/episodes/{EPISODE}/asset")).await.expect("removed");
    house.bench.settle().await;
    let keys = house.keys().await;
    assert!(!keys.is_empty() && keys.iter().all(|key| key.contains(text(&two, "id"))), "{keys:?}");
    let gone = house.heard().into_iter().find(|(kind, _)| kind == "removed").expect("it is told").1;
    assert_eq!(gone["asset"], one["id"]);
}
