//! Records that have no room any more: what was acknowledged is there, and the rest is told.

use crate::shop;
use callboard_bench::Bench;
use futures_util::future::join_all;
use serde_json::json;

#[tokio::test]
async fn what_was_acknowledged_is_there_when_the_store_is_full() {
    let bench = Bench::new(vec![shop::service()]).await;
    bench.inspect("PRAGMA max_page_count = 60").await;
    let editor = bench.editor();
    // Many at once, so that those who still fit share a transaction with those who do not.
    let names: Vec<String> = (0..200).map(|at| format!("/boxes/{at}-{}", "x".repeat(200))).collect();
    let puts = join_all(names.iter().map(|name| editor.put(name, json!(1)))).await;
    let mut refused = 0;
    for (name, put) in names.iter().zip(puts) {
        let found = bench.nobody().get(name).await;
        match put {
            Ok(_) => assert!(found.is_ok(), "{name} was acknowledged"),
            Err(fault) => {
                refused += 1;
                assert!(matches!(fault.code, "disk.full" | "records.unavailable"), "{fault}");
                assert_eq!(found.expect_err("it was refused").code, "no_such_uri");
            }
        }
    }
    assert!(refused > 0, "60 pages are enough for everything");
    bench.inspect("PRAGMA max_page_count = 100000").await;
    editor.put("/boxes/later", json!(1)).await.expect("there is room again");
}
