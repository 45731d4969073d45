//! Messages are delivered in order per URI, again when that can help, and end as dead letters with a reason.

use crate::shop;
use callboard_bench::Bench;
use serde_json::{Value, json};

async fn log(bench: &Bench) -> Value {
    bench.nobody().get("/log").await.expect("the log").json()
}

const DEAD: &str = "SELECT code || ': ' || message || ' after ' || attempts FROM kernel_dead";
const WAITING: &str = "SELECT count(*) FROM kernel_message";

#[tokio::test]
async fn messages_on_one_uri_keep_their_order() {
    let bench = Bench::new(vec![shop::service()]).await;
    bench.editor().put("/boxes/tea", json!(5)).await.expect("a box");
    for _ in 0..5 {
        bench.viewer().post("/boxes/tea/take", json!({})).await.expect("one is left");
    }
    assert_eq!(bench.settle().await, 5);
    let want: Vec<String> = (0..5).rev().map(|left| format!("{left} left in tea")).collect();
    assert_eq!(log(&bench).await, json!(want));
    assert_eq!(bench.inspect(WAITING).await, ["0"]);
    assert_eq!(bench.inspect("SELECT count(*) FROM kernel_lane").await, ["0"], "no lane is left at rest");
}

#[tokio::test]
async fn a_message_that_keeps_failing_is_tried_so_often_and_then_is_a_dead_letter() {
    let bench = Bench::new(vec![shop::service()]).await;
    bench.viewer().post("/boxes/tea/events/failing", json!({})).await.expect("published");
    assert_eq!(bench.settle().await, 1, "the next attempt waits");
    bench.wait_ms(600_000).await;
    bench.wait_ms(600_000).await;
    assert_eq!(bench.inspect(DEAD).await, ["shop.away: away at attempt 3 after 3"]);
    assert_eq!(bench.inspect(WAITING).await, ["0"]);
}

#[tokio::test]
async fn what_can_never_work_is_not_tried_again() {
    let bench = Bench::new(vec![shop::service()]).await;
    bench.viewer().post("/boxes/tea/events/refused", json!({})).await.expect("published");
    bench.settle().await;
    assert_eq!(bench.inspect(DEAD).await, ["shop.wrong: this can never work after 1"]);
}

#[tokio::test]
async fn a_panic_is_the_failure_of_its_message_only() {
    let bench = Bench::new(vec![shop::service()]).await;
    bench.editor().put("/boxes/tea", json!(1)).await.expect("a box");
    bench.viewer().post("/boxes/tea/events/panicking", json!({})).await.expect("published");
    bench.viewer().post("/boxes/tea/take", json!({})).await.expect("one is left");
    bench.settle().await;
    assert_eq!(log(&bench).await, json!(["0 left in tea"]));
    assert!(bench.inspect(DEAD).await[0].starts_with("bug"));
}

#[tokio::test]
async fn an_event_that_triggers_itself_stops() {
    let bench = Bench::new(vec![shop::service()]).await;
    bench.viewer().post("/boxes/tea/events/again", json!({})).await.expect("published");
    bench.settle().await;
    assert_eq!(log(&bench).await.as_array().map(Vec::len), Some(16));
    assert!(bench.inspect(DEAD).await[0].starts_with("loop"));
}

#[tokio::test]
async fn a_timer_waits_and_holds_up_nobody() {
    let bench = Bench::new(vec![shop::service()]).await;
    for (line, after_ms) in [("late", 5_000), ("now", 0)] {
        bench.viewer().post("/log", json!({"line": line, "after_ms": after_ms})).await.expect("queued");
    }
    bench.settle().await;
    assert_eq!(log(&bench).await, json!(["now"]));
    bench.wait_ms(5_000).await;
    assert_eq!(log(&bench).await, json!(["now", "late"]));
}
