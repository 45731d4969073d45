//! Flows end with everything done, or with everything undone in reverse.

use crate::shop;
use callboard::RUN_KEY_BYTES_MAX;
use callboard_bench::Bench;
use serde_json::{Value, json};

async fn run(bench: &Bench, items: Value) -> Vec<String> {
    bench.viewer().post("/parcels/one", items).await.expect("started");
    bench.settle().await;
    bench.wait_ms(60_000).await;
    lines(bench).await
}

async fn lines(bench: &Bench) -> Vec<String> {
    serde_json::from_value(bench.nobody().get("/log").await.expect("the log").json()).expect("lines")
}

#[tokio::test]
async fn a_flow_does_its_steps_and_tells_that_it_is_complete() {
    let bench = Bench::new(vec![shop::service()]).await;
    let mut lines = run(&bench, json!(["cup", "flaky"])).await;
    let last = lines.split_off(2);
    lines.sort();
    assert_eq!(lines, ["wrap cup", "wrap flaky"]);
    assert_eq!(last, ["send wrapped cup, wrapped flaky", "completed -"]);
    assert_eq!(bench.inspect("SELECT status FROM kernel_flow").await, ["completed"]);
}

#[tokio::test]
async fn a_refused_item_undoes_the_others() {
    let bench = Bench::new(vec![shop::service()]).await;
    let lines = run(&bench, json!(["cup", "broken"])).await;
    assert_eq!(lines, ["wrap cup", "unwrap cup", "undone shop.broken"]);
}

#[tokio::test]
async fn a_step_whose_outcome_is_unknown_is_undone_too() {
    let bench = Bench::new(vec![shop::service()]).await;
    let lines = run(&bench, json!(["too heavy"])).await;
    assert_eq!(lines, ["wrap too heavy", "call back", "unwrap too heavy", "undone shop.away"]);
    assert_eq!(bench.inspect("SELECT count(*) FROM kernel_message").await, ["0"]);
}

#[tokio::test]
async fn the_same_start_is_the_same_run_and_another_input_is_a_conflict() {
    let bench = Bench::new(vec![shop::service()]).await;
    run(&bench, json!(["cup"])).await;
    let again = run(&bench, json!(["cup"])).await;
    assert_eq!(again.iter().filter(|line| line.starts_with("send")).count(), 1);
    let other = bench.viewer().post("/parcels/one", json!(["plate"])).await.expect_err("another parcel");
    assert_eq!(other.code, "flow.started");
}

#[tokio::test]
async fn a_key_may_be_long_and_not_longer() {
    let bench = Bench::new(vec![shop::service()]).await;
    let longest = "k".repeat(RUN_KEY_BYTES_MAX);
    bench.viewer().post(&format!("/parcels/{longest}"), json!(["cup"])).await.expect("started");
    bench.settle().await;
    assert_eq!(bench.inspect("SELECT status FROM kernel_flow").await, ["completed"]);
    let refused = bench.viewer().post(&format!("/parcels/{longest}k"), json!(["cup"])).await.expect_err("longer");
    assert_eq!((refused.code, refused.status()), ("flow.key", 400));
    assert_eq!(bench.inspect("SELECT count(*) FROM kernel_flow").await, ["1"]);
}

#[tokio::test]
async fn a_cancelled_flow_undoes_what_it_did() {
    let bench = Bench::new(vec![shop::service()]).await;
    bench.viewer().post("/parcels/one", json!(["flaky"])).await.expect("started");
    bench.viewer().delete("/parcels/one").await.expect("cancelled");
    bench.settle().await;
    bench.wait_ms(60_000).await;
    let lines = lines(&bench).await;
    assert_eq!(lines.last().map(String::as_str), Some("undone cancelled"), "{lines:?}");
    assert!(!lines.iter().any(|line| line.starts_with("send")));
}
