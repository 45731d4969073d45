//! Files that are no videos: refused with a reason their producer understands, and nothing of them stays.

use crate::channel::Channel;
use crate::exchange::Visitor;
use crate::folders::assert_nothing_left;
use crate::footage;
use serde_json::json;

/// Uploads a file that is refused, and says why.
#[track_caller]
fn refuse(owner: &Visitor, filename: &str, bytes: &[u8], code: &str, words: &str) {
    let episode = owner.make_public_episode();
    owner.upload(&episode, filename, bytes);
    let asset = owner.wait_for(&episode, "failed");
    assert_eq!(asset["reason_code"], code, "{filename}: {asset:#}");
    let reason = asset["reason"].as_str().unwrap_or_default();
    assert!(reason.contains(words), "{filename}: `{reason}` does not say `{words}`");
    owner.playback(&episode).refused(404, "media.not_playable", "");
}

#[test]
fn what_is_no_video_is_refused_and_leaves_nothing() {
    let channel = Channel::open();
    let owner = channel.owner();
    let noise: Vec<u8> = (0..200_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    refuse(&owner, "noise.mp4", &noise, "media.not_a_video", "this is not a video file");
    refuse(
        &owner,
        "notes.mp4",
        b"Dear diary, today was fine.\n",
        "media.not_a_video",
        "upload MP4, MOV, MKV, WebM or MPEG-TS",
    );
    let playlist = b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n";
    refuse(&owner, "list.mp4", playlist, "media.playlist", "this is a playlist, not a video");
    let concat = b"ffconcat version 1.0\nfile '/etc/passwd'\n";
    refuse(&owner, "concat.mp4", concat, "media.playlist", "this is a playlist, not a video");
    assert_nothing_left(&channel.data());
}

#[test]
fn a_video_whose_end_is_missing_is_refused_and_leaves_nothing() {
    let channel = Channel::open();
    let owner = channel.owner();
    let clip = footage::clip();
    refuse(&owner, "half.mp4", &clip[..clip.len() / 2], "media.truncated", "the end of the file is missing");
    let clip = footage::web_clip();
    refuse(&owner, "half-web.mp4", &clip[..clip.len() / 2], "media.truncated", "export or copy it again");
    assert_nothing_left(&channel.data());
}

#[test]
fn an_empty_file_is_refused_before_anything_is_made() {
    let channel = Channel::open();
    let owner = channel.owner();
    let episode = owner.make_public_episode();
    owner.announce(&episode, "empty.mp4", 0).refused(400, "media.empty", "the file is empty");
    owner.get(&format!("/api/episodes/{episode}/asset")).refused(404, "media.no_asset", "this episode has no video");
    assert_nothing_left(&channel.data());
}

#[test]
fn after_a_refusal_another_file_takes_its_place() {
    let channel = Channel::open();
    let owner = channel.owner();
    let episode = owner.make_public_episode();
    owner.upload(&episode, "notes.mp4", b"not a video");
    owner.wait_for(&episode, "failed");
    let upload = owner.begin(&episode, "clip.mp4", footage::clip().len());
    owner.patch(&upload, 0, &footage::clip()).ok();
    let mut asset = owner.asset(&episode);
    if asset["state"] != json!("ready") {
        asset = owner.wait_for(&episode, "ready");
    }
    assert_eq!((&asset["reason"], &asset["height"]), (&json!(null), &json!(480)), "{asset:#}");
}
