//! Uploads as tus clients make them: begun, broken, continued, given up, and asked for by people they do not concern.

use crate::house::{EPISODE, House, base64, header};
use callboard::{AnswerBody, Data, Fault, Kind, Stored};
use callboard_bench::Actor;
use proptest::prelude::*;
use serde_json::json;

const DAY_MS: i64 = 24 * 3_600_000;

async fn patch(actor: &Actor<'_>, upload: &str, offset: &str) -> Result<callboard::Answer, Fault> {
    actor.clone().with("upload-offset", offset).send(Kind::Patch, upload, Data::EMPTY).await
}

async fn code(answer: impl Future<Output = Result<callboard::Answer, Fault>>) -> (&'static str, u16) {
    let fault = answer.await.expect_err("a fault");
    (fault.code, fault.status())
}

#[tokio::test]
async fn a_client_is_told_what_is_spoken() {
    let house = House::new().await;
    let answer = house.bench.nobody().send(Kind::Options, "/uploads", Data::EMPTY).await.expect("an answer");
    assert_eq!(answer.status(), 204);
    let said = ["tus-resumable", "tus-version", "tus-extension", "tus-max-size"].map(|name| header(&answer, name));
    assert_eq!(said, [Some("1.0.0"), Some("1.0.0"), Some("creation,termination"), Some("21474836480")]);
}

#[tokio::test]
async fn another_version_of_the_protocol_is_refused_before_anything_happens() {
    let house = House::new().await;
    let upload = house.begin(&house.editor(), EPISODE, 10).await.expect("an upload");
    for actor in [house.bench.editor(), house.bench.editor().with("tus-resumable", "0.2.2")] {
        for (kind, uri) in [(Kind::Post, "/uploads"), (Kind::Patch, upload.as_str()), (Kind::Delete, &upload)] {
            let fault = actor.send(kind, uri, Data::EMPTY).await.expect_err("a fault");
            assert_eq!(
                (fault.status(), fault.headers.contains(&("tus-version", "1.0.0".into()))),
                (412, true),
                "{uri}"
            );
        }
    }
    assert!(house.editor().get(&upload).await.is_ok());
}

#[tokio::test]
async fn an_upload_goes_on_where_the_connection_broke() {
    let house = House::new().await;
    let editor = house.editor();
    let upload = house.begin(&editor, EPISODE, 10).await.expect("an upload");
    assert_eq!(house.send(&editor, &upload, 0, b"0123", 3).await, Ok(4));
    let state = editor.get(&upload).await.expect("its state");
    assert_eq!((header(&state, "upload-offset"), header(&state, "upload-length")), (Some("4"), Some("10")));
    assert_eq!(header(&state, "cache-control"), Some("no-store"));
    for wrong in ["0", "3", "5", "10", "11"] {
        assert_eq!(code(patch(&editor, &upload, wrong)).await, ("media.offset", 409), "{wrong}");
    }
    for wrong in ["", "-4", "4.0", "four", "99999999999999999999"] {
        assert_eq!(code(patch(&editor, &upload, wrong)).await, ("media.offset", 400), "{wrong}");
    }
    let text = editor.clone().with("content-type", "text/plain");
    assert_eq!(code(patch(&text, &upload, "4")).await, ("media_type", 415));
    assert_eq!(house.send(&editor, &upload, 4, b"456789", 6).await, Ok(10));
    // The answer to the last part was lost: the client asks, and hears that nothing is missing.
    assert_eq!(header(&editor.get(&upload).await.expect("its state"), "upload-offset"), Some("10"));
    let again = patch(&editor, &upload, "10").await.expect("nothing is missing");
    assert!(again.status() == 204 && header(&again, "upload-offset") == Some("10"));
}

#[tokio::test]
async fn what_cannot_be_uploaded_is_refused_at_once() {
    let house = House::with(callboard_bench::Kept::InMemory, &[("media.upload_bytes_max", "1000")]).await;
    let good = format!("filename {},episode {}", base64("a.mp4"), base64(EPISODE));
    let nowhere = format!("episode {}", base64("019b0000-0000-7000-8000-00000000000f"));
    for (length, metadata, expected) in [
        (Some("1000"), good.as_str(), None),
        (Some("1001"), &good, Some(("media.upload_too_large", 413))),
        (Some("99999999999999999999999"), &good, Some(("media.upload_length", 400))),
        (Some("0"), &good, Some(("media.empty", 400))),
        (Some("-1"), &good, Some(("media.upload_length", 400))),
        (None, &good, Some(("media.upload_length", 400))),
        (Some("10"), "", Some(("media.upload_metadata", 400))),
        (Some("10"), "episode !!!", Some(("media.upload_metadata", 400))),
        (Some("10"), &nowhere, Some(("media.no_such_episode", 404))),
    ] {
        let editor = house.editor().with("upload-metadata", metadata);
        let editor = length.map_or(editor.clone(), |length| editor.with("upload-length", length));
        let answer = editor.send(Kind::Post, "/uploads", Data::EMPTY).await;
        assert_eq!(answer.err().map(|fault| (fault.code, fault.status())), expected, "{length:?} {metadata}");
    }
    let deferred = house.editor().with("upload-metadata", &good).with("upload-defer-length", "1");
    assert_eq!(code(deferred.send(Kind::Post, "/uploads", Data::EMPTY)).await, ("media.upload_length", 400));
}

#[tokio::test]
async fn only_editors_upload_and_only_the_uploader_goes_on() {
    let house = House::new().await;
    let viewer = house.bench.viewer().with("tus-resumable", "1.0.0");
    let nobody = house.bench.nobody().with("tus-resumable", "1.0.0");
    assert_eq!(house.begin(&viewer, EPISODE, 10).await.expect_err("a viewer").status(), 403);
    assert_eq!(house.begin(&nobody, EPISODE, 10).await.expect_err("nobody").status(), 401);

    let upload = house.begin(&house.editor(), EPISODE, 10).await.expect("an upload");
    let other = house.bench.person("another", &["viewer", "editor", "owner"]).with("tus-resumable", "1.0.0");
    let demoted = house.bench.person("editor", &["viewer"]).with("tus-resumable", "1.0.0");
    let elsewhere = house.editor().in_tenant("elsewhere");
    for stranger in [other, demoted, viewer, elsewhere] {
        assert_eq!(code(stranger.get(&upload)).await, ("media.no_such_upload", 404));
        assert_eq!(code(patch(&stranger, &upload, "0")).await, ("media.no_such_upload", 404));
        assert_eq!(code(stranger.delete(&upload)).await, ("media.no_such_upload", 404));
        let (parts, part) = (format!("{upload}/parts"), json!({"offset": 0, "size_bytes": 1, "key": "x"}));
        assert_eq!(code(stranger.post(&parts, part)).await.1, 404);
    }
    assert_eq!(code(nobody.get(&upload)).await.1, 401);
    let state = house.editor().get(&upload).await.expect("untouched").json();
    assert_eq!((&state["offset_bytes"], &state["state"]), (&json!(0), &json!("open")));
}

#[tokio::test]
async fn a_person_has_only_so_many_unfinished_uploads() {
    let house = House::with(callboard_bench::Kept::InMemory, &[("media.uploads_open_max", "2")]).await;
    let editor = house.editor();
    let first = house.begin(&editor, EPISODE, 10).await.expect("the first");
    let second = house.begin(&editor, EPISODE, 1).await.expect("the second");
    assert_eq!(house.begin(&editor, EPISODE, 10).await.expect_err("a third").code, "media.uploads_open");
    let other = house.bench.person("another", &["viewer", "editor"]).with("tus-resumable", "1.0.0");
    house.begin(&other, EPISODE, 10).await.expect("somebody else's");
    editor.delete(&first).await.expect("removed");
    let third = house.begin(&editor, EPISODE, 10).await.expect("there is room again");
    house.send(&editor, &second, 0, b"x", 1).await.expect("complete");
    house.begin(&editor, EPISODE, 10).await.expect("a complete one is not open");
    assert_eq!(house.begin(&editor, EPISODE, 10).await.expect_err("one too many").status(), 429);
    house.bench.wait_ms(DAY_MS).await;
    assert_eq!(code(editor.get(&third)).await.1, 404);
    house.begin(&editor, EPISODE, 10).await.expect("what nobody went on with does not count");
}

#[tokio::test]
async fn an_upload_nobody_goes_on_with_is_removed_after_a_day() {
    let house = House::new().await;
    let editor = house.editor();
    let upload = house.begin(&editor, EPISODE, 10).await.expect("an upload");
    house.send(&editor, &upload, 0, b"0123", 4).await.expect("some bytes");
    house.bench.wait_ms(DAY_MS / 2).await;
    house.send(&editor, &upload, 4, b"45", 2).await.expect("some more");
    house.bench.wait_ms(DAY_MS / 2).await;
    assert!(editor.get(&upload).await.is_ok(), "it moved half a day ago");
    house.bench.wait_ms(DAY_MS / 2).await;
    assert_eq!(code(editor.get(&upload)).await, ("media.no_such_upload", 404));
    assert_eq!(house.keys().await, [""; 0]);
    assert_eq!(house.bench.inspect("SELECT target FROM kernel_dead").await, [""; 0]);
}

#[tokio::test]
async fn an_upload_that_is_ended_leaves_nothing_and_takes_nothing_more() {
    let house = House::new().await;
    let editor = house.editor();
    let upload = house.begin(&editor, EPISODE, 10).await.expect("an upload");
    house.send(&editor, &upload, 0, b"0123", 2).await.expect("some bytes");
    let ended = editor.delete(&upload).await.expect("ended");
    assert_eq!((ended.status(), header(&ended, "tus-resumable")), (204, Some("1.0.0")));
    house.bench.settle().await;
    assert_eq!(house.keys().await, [""; 0]);
    assert_eq!(code(editor.delete(&upload)).await.1, 404);
    // A part that was on its way is not wanted any more, and does not stay.
    let key = format!("{}/00000000000000000004", upload.replacen("/uploads/", "uploads/demo/", 1));
    house.bench.host().ports().blobs.put(&key, b"45".to_vec().into()).await.expect("stored");
    let part = json!(Stored { offset: 4, size_bytes: 2, key });
    assert_eq!(code(house.bench.service().post(&format!("{upload}/parts"), part)).await.1, 404);
    house.bench.settle().await;
    assert_eq!(house.keys().await, [""; 0]);
}

/// Sends parts in any order, again and again, as gateways might that lost sight of each other.
async fn storm(size_bytes: usize, sent: &[(u64, u64)]) {
    let house = House::new().await;
    let editor = house.editor();
    let upload = house.begin(&editor, EPISODE, size_bytes).await.expect("an upload");
    let blobs = &house.bench.host().ports().blobs;
    let key = |offset: u64| format!("{}/{offset:020}", upload.replacen("/uploads/", "uploads/demo/", 1));
    let mut before = 0;
    for (offset, size) in sent {
        // Whoever stands elsewhere stores all the same, but never over what was stored.
        let is_next = *offset == before && *size > 0;
        if is_next || blobs.meta(&key(*offset)).await.expect("an answer").is_none() {
            let bytes = vec![b'x'; usize::try_from(*size).expect("small")];
            blobs.put(&key(*offset), bytes.into()).await.expect("stored");
        }
        let part = json!(Stored { offset: *offset, size_bytes: *size, key: key(*offset) });
        let answer = house.bench.service().post(&format!("{upload}/parts"), part).await;
        let state = editor.get(&upload).await.expect("its state").json();
        let now = state["offset_bytes"].as_u64().expect("an offset");
        assert_eq!(state["state"] == "complete", now == size_bytes as u64);
        let goes_on = is_next && before + size <= size_bytes as u64;
        assert_eq!(now, if goes_on { before + size } else { before });
        assert!(answer.is_ok() || now == before);
        before = now;
    }
    if before < size_bytes as u64 {
        house.bench.settle().await;
        let mut end = 0;
        while end < before {
            end += blobs.meta(&key(end)).await.expect("an answer").expect("a part without a gap").size_bytes;
        }
        assert_eq!(end, before);
    }
    editor.delete(&upload).await.expect("ended");
    house.bench.settle().await;
    assert_eq!(house.keys().await, [""; 0]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parts_in_any_order_never_leave_a_gap_or_a_leftover(
        size_bytes in 1_usize..12, sent in prop::collection::vec((0_u64..13, 0_u64..6), 0..24)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(storm(size_bytes, &sent));
    }
}

#[tokio::test]
async fn bytes_go_where_the_gateway_is_told_and_never_through_a_function() {
    let house = House::new().await;
    let editor = house.editor();
    let upload = house.begin(&editor, EPISODE, 10).await.expect("an upload");
    let answer = patch(&editor, &upload, "0").await.expect("an intake");
    let AnswerBody::Intake(intake) = answer.body else { panic!("{answer:?}") };
    assert_eq!(intake.prefix, upload.replacen("/uploads/", "uploads/demo/", 1));
    assert_eq!((intake.range, intake.then.to_string()), (0..10, format!("{upload}/parts")));
    let foreign = json!({"offset": 0, "size_bytes": 10, "key": "media/demo/someone/full/master.m3u8"});
    assert_eq!(code(house.bench.service().post(&format!("{upload}/parts"), foreign)).await.0, "bug");
}
