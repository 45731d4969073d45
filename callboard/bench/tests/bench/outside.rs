//! Other systems are called by steps only, only where the service said so, and not while they keep failing.

use callboard::breaker::{FAILURES_MAX, PAUSE_MS};
use callboard::outside::{Origin, Outside, Request, Response, unanswered};
use callboard::{
    BoxFuture, Empty, Env, Fault, Flow, Kind, Msg, Reply, Retry, Service, Step, Stranger, Who, event, uri,
};
use callboard_bench::{Bench, Kept};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// A post office that may be closed, and counts who comes.
#[derive(Default)]
struct Office {
    is_open: AtomicBool,
    visits: AtomicU32,
}

impl Outside for Office {
    fn fetch(&self, origin: Origin, request: Request) -> BoxFuture<'_, Result<Response, Fault>> {
        assert_eq!((origin.host.as_str(), request.path.as_str()), ("post.example", "/letters"));
        self.visits.fetch_add(1, Ordering::SeqCst);
        let response = Response { status: 200, headers: Vec::new(), body: "{}".into() };
        let is_open = self.is_open.load(Ordering::SeqCst);
        Box::pin(std::future::ready(if is_open { Ok(response) } else { Err(unanswered("the door is shut")) }))
    }
}

async fn send(env: Env, _: Msg<Step<Value>>) -> Result<Reply, Fault> {
    env.fetch(Request::get("post.url", "/letters")).await?;
    Ok(Reply::nothing())
}

async fn ask(env: Env, _: Msg<Empty>) -> Result<Reply<bool>, Fault> {
    env.when_away("post.url")?.map_or(Ok(Reply::ok(true)), Err)
}

async fn start(_: Env, msg: Msg<Value>) -> Result<Reply, Fault> {
    let letter = msg.param("id");
    Ok(Reply::nothing().start("letter", letter, json!({})).emit(
        event("written"),
        uri!("/letters/{letter}")?,
        json!({}),
    ))
}

async fn sneak(env: Env, _: Msg<Empty>) -> Result<Reply, Fault> {
    env.fetch(Request::get("post.url", "/letters")).await.map(|_| Reply::nothing())
}

fn service() -> Service {
    let patient = Retry { attempts: 40, base_ms: 0, cap_ms: 0 };
    Service::new("letters")
        .on(Kind::Post, "/letters/{id}", start, Who::Anyone, Stranger::Denied)
        .on(Kind::Get, "/post", ask, Who::Anyone, Stranger::Denied)
        .on(Kind::Get, "/sneak", sneak, Who::Anyone, Stranger::Denied)
        .flow(Flow::new("letter").step("send", send).no_undo("a letter is gone").retry(patient))
        .setting("post.url", "https://post.example", "where letters go")
        .outside("post.url", "the post is away; keep your letter and come back")
}

async fn bench(office: &Arc<Office>) -> Bench {
    let outside: Arc<dyn Outside> = office.clone();
    Bench::shaped(vec![service()], Kept::InMemory, |builder| builder.outside(outside).settings(HashMap::new())).await
}

#[tokio::test]
async fn a_function_that_is_no_step_does_not_call() {
    let office = Arc::new(Office::default());
    let fault = bench(&office).await.nobody().get("/sneak").await.expect_err("not in a step");
    assert!(
        fault.code == "bug" && fault.detail.as_deref().is_some_and(|why| why.contains("outside a step")),
        "{fault:?}"
    );
    assert_eq!(office.visits.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn who_keeps_failing_is_left_alone_and_then_tried_once() {
    let office = Arc::new(Office::default());
    let bench = bench(&office).await;
    assert!(bench.nobody().get("/post").await.is_ok());
    for letter in 0..FAILURES_MAX + 3 {
        bench.nobody().post(&format!("/letters/{letter}"), json!({})).await.expect("written");
    }
    bench.settle().await;
    assert_eq!(office.visits.load(Ordering::SeqCst), FAILURES_MAX, "nobody went there after it opened");
    let away = bench.nobody().get("/post").await.expect_err("away");
    assert_eq!(
        (away.code, away.message.as_str()),
        ("outside.away", "the post is away; keep your letter and come back")
    );
    assert_eq!(away.headers, [("retry-after", (PAUSE_MS / 1000).to_string())]);
}

#[tokio::test]
async fn who_works_again_is_called_by_everybody_again() {
    let office = Arc::new(Office::default());
    let bench = bench(&office).await;
    for letter in 0..2 * FAILURES_MAX {
        bench.nobody().post(&format!("/letters/{letter}"), json!({})).await.expect("written");
        bench.settle().await;
    }
    bench.clock().advance(PAUSE_MS);
    office.is_open.store(true, Ordering::SeqCst);
    bench.nobody().post("/letters/late", json!({})).await.expect("written");
    bench.settle().await;
    assert!(bench.nobody().get("/post").await.is_ok());
    assert_eq!(bench.inspect("SELECT status FROM kernel_flow WHERE key = 'late'").await, ["completed"]);
}
