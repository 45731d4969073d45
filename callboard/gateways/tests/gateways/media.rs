//! Delivery of media: public by a marker, otherwise by a pass for exactly this asset, version and tenant, until it ends.

use crate::server::{Server, platform};
use callboard::{LiveMessage, Tenant, Uri, event};
use callboard_bench::Kept;

async fn media() -> Server {
    let server = Server::with(platform(), Kept::OnFiles).await;
    for file in ["master.m3u8", "v0/seg_1.m4s", "v0/seg_2.m4s", "secret.key"] {
        server.put_blob(&format!("media/demo/a1/full/{file}"), file.to_owned()).await;
    }
    server.put_blob("media/demo/a2/full/master.m3u8", "another").await;
    server.put_blob("media/other/a1/full/master.m3u8", "another's").await;
    server.put_blob("private.jpg", "outside").await;
    server
}

#[tokio::test]
async fn public_media_is_kept_for_ever_by_whoever_wants() {
    let server = media().await;
    assert_eq!(server.get("/media/a1/full/master.m3u8").send().await.problem(), (404, "no_such_uri".into()));
    server.put_blob("public/demo/a1/full", "").await;
    let answer = server.get("/media/a1/full/master.m3u8").send().await;
    assert_eq!((answer.status, answer.text()), (200, "master.m3u8"));
    assert_eq!(answer.header("content-type"), Some("application/vnd.apple.mpegurl"));
    assert_eq!(answer.header("cache-control"), Some("public, max-age=31536000, immutable"));
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    let part = server.get("/media/a1/full/v0/seg_1.m4s").header("range", "bytes=0-2").send().await;
    assert_eq!((part.status, part.text(), part.header("content-type")), (206, "v0/", Some("video/iso.segment")));
    assert_eq!(server.get("/@other/media/a1/full/master.m3u8").send().await.status, 404, "public in its tenant only");
    assert_eq!(server.request("POST", "/media/a1/full/master.m3u8").send().await.status, 405);
}

#[tokio::test]
async fn a_pass_opens_what_it_names_and_nothing_is_kept() {
    let server = media().await;
    let pass = server.pass(|_| {});
    let answer = server.get(&format!("/media/~{pass}/a1/full/v0/seg_1.m4s")).send().await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("private, no-store")));
    let media = ["a2/full/master.m3u8", "a1/quick/master.m3u8"];
    for other in media {
        let refused = server.get(&format!("/media/~{pass}/{other}")).send().await;
        assert_eq!(refused.problem(), (403, "pass.invalid".into()), "{other}");
    }
    let refused = server.get(&format!("/@other/media/~{pass}/a1/full/master.m3u8")).send().await;
    assert_eq!(refused.problem(), (403, "pass.invalid".into()), "another tenant");
}

#[tokio::test]
async fn passes_that_are_altered_old_or_for_something_else_are_refused() {
    let server = media().await;
    let ask = async |pass: String| server.get(&format!("/media/~{pass}/a1/full/master.m3u8")).send().await.problem();
    let mut altered = server.pass(|_| {});
    let middle = altered.len() / 2;
    let byte = if altered.as_bytes()[middle] == b'A' { "B" } else { "A" };
    altered.replace_range(middle..=middle, byte);
    assert_eq!(ask(altered).await, (403, "pass.invalid".into()));
    assert_eq!(ask(String::new()).await, (403, "pass.invalid".into()));
    assert_eq!(ask(server.pass(|pass| pass.tenant = "other".into())).await, (403, "pass.invalid".into()));
    assert_eq!(ask(server.pass(|pass| pass.purpose = "upload".into())).await, (403, "pass.invalid".into()));
    let good = server.pass(|_| {});
    server.bench.clock().advance(60_000);
    assert_eq!(ask(good).await, (403, "pass.expired".into()));
}

#[tokio::test]
async fn a_preview_ends_at_its_last_segment() {
    let server = media().await;
    let pass = server.pass(|pass| pass.last_segment = Some(1));
    let ask = async |file: &str| server.get(&format!("/media/~{pass}/a1/full/{file}")).send().await.status;
    assert_eq!((ask("master.m3u8").await, ask("v0/seg_1.m4s").await, ask("v0/seg_2.m4s").await), (200, 200, 403));
}

#[tokio::test]
async fn nothing_outside_the_version_is_reachable() {
    let server = media().await;
    server.put_blob("public/demo/a1/full", "").await;
    let pass = server.pass(|_| {});
    for rest in [
        "../../../../private.jpg",
        "%2e%2e/%2e%2e/%2e%2e/%2e%2e/private.jpg",
        "%252e%252e/%252e%252e/private.jpg",
        "..%2f..%2fprivate.jpg",
        "..%5c..%5cprivate.jpg",
        "..\\..\\private.jpg",
        "master.m3u8%00.jpg",
        "secret.key",
        "v0",
        "",
        ".jpg",
    ] {
        for base in ["/media/a1/full".to_owned(), format!("/media/~{pass}/a1/full")] {
            let answer = server.get(&format!("{base}/{rest}")).send().await;
            assert_eq!(answer.problem(), (404, "no_such_uri".into()), "{base}/{rest}");
        }
    }
}

#[tokio::test]
async fn a_pass_that_is_taken_back_stops_at_once() {
    let server = media().await;
    let target = format!("/media/~{}/a1/full/master.m3u8", server.pass(|_| {}));
    let stranger = format!("/media/~{}/a1/full/master.m3u8", server.pass(|pass| pass.session = "s2".into()));
    assert_eq!(server.get(&target).send().await.status, 200);
    let live = &server.bench.host().ports().live;
    let revoke = |data| {
        let uri = Uri::parse("/assets/a1").unwrap();
        live.publish(&Tenant::new("demo"), LiveMessage { uri, kind: event("revoked"), data });
    };
    revoke(serde_json::json!({"session": "s2"}));
    // The set is fed by a task of its own: asking is the only way to see that it has heard.
    while server.get(&stranger).send().await.status == 200 {}
    assert_eq!(server.get(&stranger).send().await.problem(), (403, "pass.revoked".into()));
    assert_eq!(server.get(&target).send().await.status, 200, "another session keeps its pass");
    revoke(serde_json::Value::Null);
    while server.get(&target).send().await.status == 200 {}
    assert_eq!(server.get(&target).send().await.problem(), (403, "pass.revoked".into()));
}

#[tokio::test]
async fn a_session_that_ends_takes_its_passes_along_and_no_others() {
    let server = media().await;
    let target = |session: &str| {
        format!("/media/~{}/a1/full/master.m3u8", server.pass(|pass| pass.session = session.to_owned()))
    };
    let (ended, other) = (target("s1"), target("s2"));
    assert_eq!(server.get(&ended).send().await.status, 200);
    let uri = Uri::parse("/sessions/s1").unwrap();
    let message = LiveMessage { uri, kind: event("deleted"), data: serde_json::Value::Null };
    server.bench.host().ports().live.publish(&Tenant::new("demo"), message);
    while server.get(&ended).send().await.status == 200 {}
    assert_eq!(server.get(&ended).send().await.problem(), (403, "pass.revoked".into()));
    assert_eq!(server.get(&other).send().await.status, 200);
}

#[tokio::test]
async fn a_pass_issued_after_the_others_were_taken_back_counts() {
    let server = media().await;
    let target =
        |more_ms: i64| format!("/media/~{}/a1/full/master.m3u8", server.pass(|pass| pass.expires_ms += more_ms));
    let (before, after) = (target(0), target(1));
    assert_eq!(server.get(&before).send().await.status, 200);
    let mut expires_ms_max = 0;
    server.pass(|pass| expires_ms_max = pass.expires_ms);
    let uri = Uri::parse("/assets/a1").unwrap();
    let data = serde_json::json!({"expires_ms_max": expires_ms_max});
    let message = LiveMessage { uri, kind: event("revoked"), data };
    server.bench.host().ports().live.publish(&Tenant::new("demo"), message);
    while server.get(&before).send().await.status == 200 {}
    assert_eq!(server.get(&after).send().await.status, 200);
}
