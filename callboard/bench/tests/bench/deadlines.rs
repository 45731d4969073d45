//! What cannot finish in time is not begun, and a function hears how much time it has.

use callboard::{Effects, Empty, Env, Fault, Flow, Kind, Msg, Reply, Service, Step, Stranger, Who, event, uri};
use callboard_bench::{Bench, START_MS};
use callboard_engines::delivery::{drain, drain_until};
use serde_json::{Value, json};

async fn left(env: Env, _: Msg<Empty>) -> Result<Reply<Option<u64>>, Fault> {
    Ok(Reply::ok(env.remaining_ms()))
}

async fn work(_: Env, msg: Msg<Empty>) -> Result<Reply, Fault> {
    Ok(Reply::nothing().emit(event("worked"), msg.uri.clone(), json!({})))
}

async fn send(_: Env, _: Msg<Empty>) -> Result<Reply, Fault> {
    let effects = Effects::new().send(Kind::Post, uri!("/short")?, ()).send(Kind::Post, uri!("/long")?, ());
    Ok(Reply::nothing().with(effects).start("ship", "one", json!({})))
}

async fn step(_: Env, _: Msg<Step>) -> Result<Reply, Fault> {
    Ok(Reply::nothing().emit(event("worked"), uri!("/step")?, json!({})))
}

fn service() -> Service {
    let (anyone, denied) = (Who::Anyone, Stranger::Denied);
    Service::new("yard")
        .on(Kind::Get, "/left", left, anyone, denied)
        .on(Kind::Post, "/short", work, anyone, denied)
        .on(Kind::Post, "/long", work, anyone, denied)
        .needs_ms(5_000)
        .on(Kind::Post, "/send", send, anyone, denied)
        .flow(Flow::new("ship").step("sail", step).no_undo("it only tells").needs_ms(5_000))
}

async fn call(bench: &Bench, kind: Kind, uri: &str, deadline_ms: Option<i64>) -> Result<Value, Fault> {
    let mut msg = bench.host().message(kind, uri!("{uri}")?, bench.tenant().clone());
    msg.head_mut().deadline_ms = deadline_ms;
    bench.host().dispatch(msg).await.map(|answer| answer.json())
}

async fn worked(bench: &Bench) -> Vec<String> {
    let log = bench.messages().await;
    let worked = log.iter().filter(|event| event["type"] == "worked");
    let mut worked: Vec<String> =
        worked.map(|event| event["subject"].as_str().unwrap_or_default().to_owned()).collect();
    worked.sort();
    worked
}

#[tokio::test]
async fn a_function_hears_how_long_its_caller_waits() {
    let bench = Bench::new(vec![service()]).await;
    assert_eq!(call(&bench, Kind::Get, "/left", Some(START_MS + 700)).await, Ok(json!(700)));
    assert_eq!(call(&bench, Kind::Get, "/left", Some(START_MS - 1)).await, Ok(json!(0)));
    assert_eq!(call(&bench, Kind::Get, "/left", None).await, Ok(Value::Null));
}

#[tokio::test]
async fn what_needs_longer_than_is_left_is_refused_before_it_begins() {
    let bench = Bench::new(vec![service()]).await;
    let fault = call(&bench, Kind::Post, "/long", Some(START_MS + 4_999)).await.expect_err("too short");
    assert_eq!((fault.code, fault.status()), ("deadline.short", 503));
    assert!(fault.message.contains("needs 5000 ms and 4999 ms are left"), "{fault}");
    assert!(worked(&bench).await.is_empty());
    call(&bench, Kind::Post, "/long", Some(START_MS + 5_000)).await.expect("long enough");
    assert_eq!(worked(&bench).await, ["/long"]);
}

#[tokio::test]
async fn a_process_that_is_stopped_soon_gives_back_what_another_time_is_long_enough_for() {
    let bench = Bench::new(vec![service()]).await;
    call(&bench, Kind::Post, "/send", None).await.expect("sent");
    let done = drain_until(bench.host(), &[], START_MS + 3_000, 30_000).await.expect("drained");
    assert_eq!((done, worked(&bench).await), (1, vec!["/short".to_owned()]));
    let attempts = bench.inspect("SELECT CAST(max(attempts) AS TEXT) FROM kernel_lane").await;
    assert_eq!(attempts, ["0"], "nothing of it counts as tried");
    drain_until(bench.host(), &[], START_MS + 6_000, 30_000).await.expect("drained");
    assert_eq!(worked(&bench).await, ["/long", "/short", "/step"]);
}

#[tokio::test]
async fn what_no_time_is_long_enough_for_fails_with_the_reason() {
    let bench = Bench::new(vec![service()]).await;
    call(&bench, Kind::Post, "/send", None).await.expect("sent");
    for _ in 0..12 {
        let now_ms = bench.clock().advance(400_000);
        drain_until(bench.host(), &[], now_ms + 3_000, 3_000).await.expect("drained");
    }
    assert_eq!(worked(&bench).await, ["/short"]);
    assert_eq!(bench.inspect("SELECT code FROM kernel_dead").await, ["deadline.short"]);
}

#[tokio::test]
async fn messages_for_others_are_left_to_them() {
    let bench = Bench::new(vec![service()]).await;
    call(&bench, Kind::Post, "/send", None).await.expect("sent");
    let all = bench.host().space().targets_of(|_| true);
    assert_eq!(drain_until(bench.host(), &all, START_MS + 30_000, 30_000).await, Ok(0));
    assert!(bench.host().space().targets_of(|name| name == "harbour").is_empty());
    drain(bench.host()).await.expect("drained");
    assert_eq!(worked(&bench).await.len(), 3);
}
