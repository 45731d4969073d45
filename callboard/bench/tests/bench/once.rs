//! A message that its sender may send again takes effect once, and every time has the same answer.

use crate::shop;
use callboard::{Answer, Data, Fault, Kind};
use callboard_bench::{Actor, Bench};
use callboard_handlers::{Authenticate, Idempotency};
use serde_json::{Value, json};

async fn bench() -> Bench {
    let kept = callboard_bench::Kept::InMemory;
    let services = vec![shop::service(), callboard::operator::service()];
    let bench =
        Bench::shaped(services, kept, |builder| builder.handler(Authenticate::new()).handler(Idempotency)).await;
    bench.editor().put("/boxes/tea", json!(5)).await.expect("a box");
    bench
}

async fn take_of(actor: &Actor<'_>, name: &str, key: &str, what: Value) -> Result<Answer, Fault> {
    let uri = format!("/boxes/{name}/take");
    actor.clone().with("idempotency-key", key).outside(Kind::Post, &uri, Data::json(&what)).await
}

async fn take(actor: &Actor<'_>, key: &str, what: Value) -> Result<Answer, Fault> {
    take_of(actor, "tea", key, what).await
}

async fn stock(bench: &Bench) -> Value {
    bench.viewer().get("/boxes/tea").await.expect("a box").json()
}

#[tokio::test]
async fn the_same_request_takes_effect_once_and_is_answered_alike() {
    let bench = bench().await;
    let first = take(&bench.viewer(), "k1", json!({})).await.expect("taken");
    let again = take(&bench.viewer(), "k1", json!({})).await.expect("the same answer");
    assert_eq!((first.json(), first.version, first.status()), (again.json(), again.version, again.status()));
    assert!(first.headers.is_empty());
    assert_eq!(again.headers, [("idempotency-replayed", "true".to_owned())]);
    assert_eq!(stock(&bench).await, 4);
    take(&bench.viewer(), "k2", json!({})).await.expect("another");
    assert_eq!(stock(&bench).await, 3);
    let log = bench.inspect("SELECT type FROM kernel_event WHERE type = 'taken'").await;
    assert_eq!(log.len(), 2, "an event for each that took effect");
}

#[tokio::test]
async fn a_key_belongs_to_its_sender_its_channel_and_its_request() {
    let bench = bench().await;
    take(&bench.viewer(), "k", json!({})).await.expect("taken");
    let other = take(&bench.viewer(), "k", json!({"note": "another"})).await.expect_err("another request");
    assert_eq!((other.code, other.status()), ("idempotency.reused", 409));
    take(&bench.person("ann", &["viewer"]), "k", json!({})).await.expect("hers");
    assert_eq!(stock(&bench).await, 3);
    for wrong in ["", "two words"] {
        assert_eq!(take(&bench.viewer(), wrong, json!({})).await.expect_err("no key").code, "idempotency.key");
    }
}

#[tokio::test]
async fn what_was_refused_may_be_tried_again_and_a_key_is_forgotten_after_a_day() {
    let bench = bench().await;
    bench.editor().put("/boxes/cups", json!(0)).await.expect("an empty box");
    take_of(&bench.viewer(), "cups", "k", json!({})).await.expect_err("it is empty");
    bench.viewer().post("/boxes/cups/add", json!({})).await.expect("filled");
    take_of(&bench.viewer(), "cups", "k", json!({})).await.expect("now");
    bench.viewer().post("/boxes/cups/add", json!({})).await.expect("filled");
    bench.clock().advance(callboard::KEY_AGE_MS + 1);
    let later = take_of(&bench.viewer(), "cups", "k", json!({})).await.expect("a new request");
    assert!(later.headers.is_empty());
    bench.clock().advance(callboard::KEY_AGE_MS + 1);
    bench.host().sweep().await.expect("swept");
    assert_eq!(bench.inspect("SELECT count(*) FROM kernel_once").await, ["0"]);
}

#[tokio::test]
async fn many_at_once_take_effect_once() {
    let bench = bench().await;
    let viewer = bench.viewer();
    let all = futures_util::future::join_all((0..16).map(|_| take(&viewer, "k", json!({})))).await;
    let answers: Vec<Value> = all.into_iter().map(|answer| answer.expect("answered").json()).collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(stock(&bench).await, 4);
}

#[tokio::test]
async fn reading_and_strangers_have_no_keys() {
    let bench = bench().await;
    let read = bench.viewer().with("idempotency-key", "k").outside(Kind::Get, "/boxes/tea", Data::EMPTY).await;
    assert_eq!(read.expect("a box").json(), 5);
    assert_eq!(bench.inspect("SELECT count(*) FROM kernel_once").await, ["0"]);
}
