//! A commit is all or nothing, sees what it guards, and belongs to one tenant.

use crate::shop;
use callboard_bench::Bench;
use futures_util::future::join_all;
use serde_json::json;

async fn bench() -> Bench {
    let bench = Bench::new(vec![shop::service()]).await;
    bench.editor().put("/boxes/tea", json!(3)).await.expect("a box");
    bench
}

#[tokio::test]
async fn a_refused_batch_leaves_nothing() {
    let bench = bench().await;
    let fault = bench.viewer().post("/boxes/tea/spoil", json!({})).await.expect_err("the expectation fails");
    assert_eq!(fault.code, "shop.spoilt");
    assert_eq!(bench.nobody().get("/log").await.expect("the log").json(), json!([]));
}

#[tokio::test]
async fn what_the_batch_finds_out_stands_in_the_body_and_in_the_event() {
    let bench = bench().await;
    let taken = bench.viewer().post("/boxes/tea/take", json!({})).await.expect("one is left");
    assert_eq!(taken.json(), json!({"left": 2}));
    bench.settle().await;
    assert_eq!(bench.nobody().get("/log").await.expect("the log").json(), json!(["2 left in tea"]));
}

#[tokio::test]
async fn a_guarded_stock_is_never_oversold() {
    let bench = bench().await;
    let viewer = bench.viewer();
    let takes = join_all((0..8).map(|_| viewer.post("/boxes/tea/take", json!({})))).await;
    assert_eq!(takes.iter().filter(|take| take.is_ok()).count(), 3);
    assert!(takes.iter().filter_map(|take| take.as_ref().err()).all(|fault| fault.code == "shop.empty"));
}

#[tokio::test]
async fn a_lost_race_runs_again_with_fresh_reads() {
    let bench = bench().await;
    let viewer = bench.viewer();
    let adds = join_all((0..4).map(|_| viewer.post("/boxes/tea/add", json!({})))).await;
    let added = adds.iter().filter(|add| add.is_ok()).count();
    let stock = bench.nobody().get("/boxes/tea").await.expect("the box").json();
    assert_eq!(stock, json!(3 + added), "what was acknowledged was added once");
    assert!(adds.iter().filter_map(|add| add.as_ref().err()).all(|fault| fault.code == "busy"));
}

#[tokio::test]
async fn reading_changes_nothing() {
    let bench = bench().await;
    assert_eq!(bench.nobody().get("/boxes/tea/sneak").await.expect_err("a safe call has no effects").code, "bug");
    assert_eq!(bench.nobody().get("/log").await.expect("the log").json(), json!([]));
}

#[tokio::test]
async fn another_tenant_has_other_boxes() {
    let bench = bench().await;
    let stranger = bench.editor().in_tenant("elsewhere");
    assert_eq!(stranger.get("/boxes/tea").await.expect_err("not theirs").code, "no_such_uri");
    assert_eq!(stranger.post("/boxes/tea/take", json!({})).await.expect_err("not theirs").code, "shop.empty");
}

#[tokio::test]
async fn the_table_says_who_may() {
    let bench = bench().await;
    let code = |answer: Result<callboard::Answer, callboard::Fault>| answer.expect_err("refused").code;
    assert_eq!(code(bench.nobody().put("/boxes/x", json!(1)).await), "not_signed_in");
    assert_eq!(code(bench.viewer().put("/boxes/x", json!(1)).await), "denied");
    assert_eq!(code(bench.nobody().post("/boxes/tea/take", json!({})).await), "no_such_uri");
    assert_eq!(code(bench.owner().post("/log/lines", json!("x")).await), "no_such_uri");
    assert_eq!(code(bench.nobody().delete("/boxes/tea").await), "method_not_allowed");
}
