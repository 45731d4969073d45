//! Ends of the process, wanted and not: what was acknowledged is there afterwards, and what was begun is finished.

use crate::channel::Channel;
use crate::exchange::receive;
use crate::folders::files;
use crate::footage;
use crate::news::News;
use crate::programs::{eventually, working_in};
use rustix::process::Signal;
use serde_json::json;
use std::io::Write;
use std::net::TcpStream;

#[test]
fn a_transcode_that_was_killed_is_finished_after_the_next_start() {
    let mut channel = Channel::open();
    let owner = channel.owner();
    let episode = owner.make_public_episode();
    let feature = footage::feature();
    let upload = owner.begin(&episode, "feature.mp4", feature.len());
    let mut news = News::of(&owner, &upload);
    owner.patch(&upload, 0, &feature).ok();
    let is_under_way = |kind: &str, data: &serde_json::Value| {
        kind == "progress" && data["stage"] == json!("full") && data["fraction"].as_f64().is_some_and(|done| done > 0.0)
    };
    news.until(is_under_way);
    channel.kill();
    eventually("does ffmpeg end with the server", || working_in(&channel.data()), Vec::is_empty);
    channel.start();
    let owner = channel.owner();
    let asset = owner.wait_for(&episode, "ready");
    assert_eq!(asset["reason"], json!(null), "{asset:#}");
    let playback = owner.playback(&episode).ok().json();
    assert!(owner.read_all_media(playback["src"].as_str().unwrap()) >= 2, "every level is whole");
    let work =
        || files(&channel.data().join("work")).into_iter().filter(|file| !file.ends_with(".lock")).collect::<Vec<_>>();
    eventually("is the work of the killed process cleared", work, Vec::is_empty);
    let uploads = || files(&channel.data().join("blobs/uploads"));
    eventually("is the upload itself removed", uploads, Vec::is_empty);
}

#[test]
fn a_transcode_under_way_survives_a_polite_end() {
    let mut channel = Channel::open();
    let owner = channel.owner();
    let episode = owner.make_public_episode();
    let clip = footage::clip();
    let upload = owner.begin(&episode, "clip.mp4", clip.len());
    let mut news = News::of(&owner, &upload);
    owner.patch(&upload, 0, &clip).ok();
    news.until(|kind, data| kind == "progress" && data["stage"] == json!("full"));
    let status = channel.end();
    assert!(status.success(), "{status}: {}", channel.log_text());
    assert_eq!(working_in(&channel.data()), Vec::<String>::new());
    channel.start();
    channel.owner().wait_for(&episode, "ready");
}

#[test]
fn a_request_under_way_is_answered_before_the_end() {
    let mut channel = Channel::open();
    let owner = channel.owner();
    let body = json!({"title": "Just in time"}).to_string();
    let (first, last) = body.split_at(body.len() / 2);
    let mut connection = owner.connect();
    let headers = [("content-type", "application/json"), ("expect", "100-continue")];
    let head = owner.head("POST", "/api/series", &headers, body.len());
    connection.write_all(head.as_bytes()).unwrap();
    // The server asks for the body: now the request is under way.
    let mut go_on = [0; 25];
    std::io::Read::read_exact(&mut connection, &mut go_on).unwrap();
    assert!(go_on.starts_with(b"HTTP/1.1 100"), "{}", String::from_utf8_lossy(&go_on));
    connection.write_all(first.as_bytes()).unwrap();
    let port = owner.port;
    channel.running().signal(Signal::TERM);
    eventually("are new connections refused", || TcpStream::connect(("127.0.0.1", port)).is_err(), |refused| *refused);
    connection.write_all(last.as_bytes()).unwrap();
    let made = receive(connection).ok();
    assert_eq!(made.status, 201, "{}", made.text());
    assert!(channel.end().success());
    channel.start();
    assert_eq!(channel.nobody().get("/api/series").ok().json()["items"][0]["title"], "Just in time");
}

#[test]
fn an_upload_goes_on_after_the_server_was_killed() {
    let mut channel = Channel::open();
    let owner = channel.owner();
    let episode = owner.make_public_episode();
    let clip = footage::clip();
    let half = clip.len() / 2;
    let upload = owner.begin(&episode, "clip.mp4", clip.len());
    owner.patch(&upload, 0, &clip[..half]).ok();
    channel.kill();
    channel.start();
    let owner = channel.owner();
    assert_eq!(owner.offset(&upload), Ok(half), "what was acknowledged is there");
    owner.patch(&upload, half, &clip[half..]).ok();
    owner.wait_for(&episode, "ready");
}

#[test]
fn without_ffmpeg_the_reason_is_told_and_nothing_is_lost() {
    let mut channel = Channel::closed();
    let nothing = tempfile::tempdir().unwrap();
    channel.start_with(channel.up().env("PATH", nothing.path()));
    let owner = channel.owner();
    let episode = owner.make_public_episode();
    let clip = footage::clip();
    let upload = owner.begin(&episode, "clip.mp4", clip.len());
    let mut news = News::of(&owner, &upload);
    owner.patch(&upload, 0, &clip).ok();
    let told = news.until(|kind, data| kind == "progress" && data["message"].to_string().contains("is not installed"));
    assert_ne!(told["stage"], json!("failed"), "the file is not to blame: {told:#}");
    let asset = owner.asset(&episode);
    assert_eq!(asset["state"], json!("processing"), "{asset:#}");
    assert_eq!(asset["reason_code"], json!("tool.missing"), "{asset:#}");
    assert!(asset["reason"].to_string().contains("it comes with ffmpeg"), "{asset:#}");
    assert!(channel.end().success());
    channel.start();
    let asset = channel.owner().wait_for(&episode, "ready");
    assert_eq!(asset["reason"], json!(null), "{asset:#}");
}
