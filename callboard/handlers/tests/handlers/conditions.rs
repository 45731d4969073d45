//! Changes under a condition, at a resource whose function does not look at conditions itself.

use crate::gate::{Coming, guarded};
use callboard::{Answer, Fault, Kind};
use callboard_bench::Bench;
use callboard_handlers::{Authenticate, Conditions, Idempotency};

async fn bench() -> Bench {
    guarded(|builder| builder.handler(Authenticate::new()).handler(Idempotency).handler(Conditions)).await
}

async fn change(bench: &Bench, uri: &str, meta: &[(&str, &str)]) -> Result<Answer, Fault> {
    let coming = Coming::to(bench, Kind::Put, uri).with_token("good");
    meta.iter().fold(coming, |coming, (name, value)| coming.with_meta(name, value)).come().await
}

/// The status of an answer or of a refusal.
async fn status(bench: &Bench, uri: &str, meta: &[(&str, &str)]) -> u16 {
    change(bench, uri, meta).await.map_or_else(|fault| fault.status(), |answer| answer.status())
}

#[tokio::test]
async fn a_change_of_another_version_is_refused_with_the_version_there_is() {
    let bench = bench().await;
    for (tags, want) in [
        ("\"v7\"", 204),
        ("\"v6\", \"v7\"", 204),
        ("*", 204),
        ("\"v6\"", 412),
        ("W/\"v7\"", 412),
        ("\"7\"", 412),
        ("v7", 400),
        ("\"v7", 400),
        ("", 400),
    ] {
        assert_eq!(status(&bench, "/boxes/7", &[("if-match", tags)]).await, want, "{tags}");
    }
    let fault = change(&bench, "/boxes/7", &[("if-match", "\"v6\"")]).await.expect_err("another version");
    assert_eq!((fault.code, fault.headers), ("precondition_failed", vec![("etag", "\"v7\"".to_owned())]));
}

#[tokio::test]
async fn what_is_not_there_has_no_version_and_only_a_new_one_may_be_wanted() {
    let bench = bench().await;
    assert_eq!(status(&bench, "/boxes/none", &[("if-match", "*")]).await, 412);
    assert_eq!(status(&bench, "/boxes/none", &[("if-none-match", "*")]).await, 204);
    assert_eq!(status(&bench, "/boxes/7", &[("if-none-match", "*")]).await, 412);
    assert_eq!(status(&bench, "/boxes/7", &[("if-none-match", "\"v7\"")]).await, 204, "only `*` is for changes");
    assert_eq!(status(&bench, "/boxes/7", &[]).await, 204);
}

#[tokio::test]
async fn what_was_done_before_under_a_key_is_left_to_the_key() {
    let bench = bench().await;
    assert_eq!(status(&bench, "/boxes/7", &[("if-match", "\"v6\""), ("idempotency-key", "k")]).await, 204);
}
