//! Uploads that break, come out of order, or are not one's own.

use crate::channel::Channel;
use crate::folders::assert_nothing_left;
use crate::footage;
use crate::programs::eventually;

#[test]
fn a_broken_connection_loses_nothing_that_arrived() {
    let channel = Channel::open();
    let owner = channel.owner();
    let clip = footage::heavy_clip();
    let episode = owner.make_public_episode();
    let upload = owner.begin(&episode, "heavy.mp4", clip.len());
    let sent = clip.len() * 2 / 3;
    owner.patch_in_part(&upload, 0, clip.len(), &clip[..sent]);
    let arrived = eventually("is what was sent stored", || owner.offset(&upload), |offset| *offset == Ok(sent));
    assert_eq!(arrived, Ok(sent));
    owner.patch(&upload, sent, &clip[sent..]).ok();
    let asset = owner.wait_for(&episode, "ready");
    assert_eq!(asset["width"], 854, "the parts are the file: {asset:#}");
}

#[test]
fn an_upload_goes_on_only_where_it_stands() {
    let channel = Channel::open();
    let owner = channel.owner();
    let episode = owner.make_public_episode();
    let upload = owner.begin(&episode, "clip.mp4", 1_000);
    owner.patch(&upload, 0, &[1; 400]).ok();
    for offset in [0, 399, 401, 1_000, 5_000] {
        let answer = owner.patch(&upload, offset, &[2; 100]).refused(409, "media.offset", "stands at byte 400");
        assert_eq!(answer.header("upload-offset"), Some("400"), "after {offset}");
    }
    owner.patch(&upload, 400, &[3; 601]).refused(413, "body.too_large", "at most 600 bytes");
    assert_eq!(owner.offset(&upload), Ok(400), "what was refused counts for nothing");
    owner.end_upload(&upload).ok();
    assert_eq!(owner.offset(&upload), Err(404));
    assert_nothing_left(&channel.data());
}

#[test]
fn nobody_touches_the_upload_of_another() {
    let channel = Channel::open();
    let owner = channel.owner();
    let episode = owner.make_public_episode();
    let upload = owner.begin(&episode, "clip.mp4", 1_000);
    owner.patch(&upload, 0, &[1; 400]).ok();
    let editor = channel.member("edda", "editor");
    assert_eq!(editor.offset(&upload), Err(404));
    editor.patch(&upload, 400, &[2; 600]).refused(404, "media.no_such_upload", "there is no such upload");
    editor.end_upload(&upload).refused(404, "media.no_such_upload", "there is no such upload");
    for other in [channel.member("vera", "viewer"), channel.nobody()] {
        let answer = other.patch(&upload, 400, &[2; 600]);
        assert!(matches!(answer.status, 401 | 403 | 404), "{}: {}", answer.status, answer.text());
        let answer = other.announce(&episode, "mine.mp4", 10);
        assert!(matches!(answer.status, 401 | 403), "{}: {}", answer.status, answer.text());
    }
    assert_eq!(owner.offset(&upload), Ok(400), "it stands where its owner left it");
}

#[test]
fn what_an_upload_says_of_itself_is_checked() {
    let channel = Channel::open();
    let owner = channel.owner();
    let episode = owner.make_public_episode();
    owner.announce("019b0000-0000-7000-8000-000000000001", "a.mp4", 9).refused(
        404,
        "media.no_such_episode",
        "no such episode",
    );
    owner.announce(&episode, "line\nbreak.mp4", 9).refused(400, "media.upload_metadata", "no control characters");
    owner.announce(&episode, "huge.mp4", usize::MAX).refused(413, "media.upload_too_large", "takes at most");
    let no_version = owner.send("POST", "/api/uploads", &[("upload-length", "9")], b"");
    no_version.refused(412, "precondition_failed", "Tus-Resumable: 1.0.0");
    let no_length = owner.send("POST", "/api/uploads", &[("tus-resumable", "1.0.0")], b"");
    no_length.refused(400, "media.upload_length", "Upload-Length");
    assert_nothing_left(&channel.data());
}
