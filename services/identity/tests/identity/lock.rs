//! Guessing passwords: failures are counted by channel and address, and lock the address for longer and longer.

use crate::{PASSWORD, bench, outcome, sign_in, sign_up};
use callboard_bench::Bench;

async fn fail(bench: &Bench, name: &str, times: usize) {
    for _ in 0..times {
        assert_eq!(outcome(&sign_in(bench, name, "correct house").await), "401 sign_in.wrong");
    }
}

fn wait_s(result: Result<callboard::Answer, callboard::Fault>) -> String {
    let fault = result.expect_err("locked");
    assert_eq!((fault.status(), fault.code), (429, "sign_in.locked"));
    let header = fault.headers.into_iter().find(|(name, _)| *name == "retry-after");
    header.expect("a header").1
}

#[tokio::test]
async fn five_failures_lock_an_address_even_for_the_right_password() {
    let bench = bench().await;
    sign_up(&bench, "ana").await;
    fail(&bench, "ana", 5).await;
    assert_eq!(wait_s(sign_in(&bench, "ana", PASSWORD).await), "30");
    bench.clock().advance(29_001);
    assert_eq!(wait_s(sign_in(&bench, "ana", PASSWORD).await), "1");
    bench.clock().advance(999);
    assert_eq!(outcome(&sign_in(&bench, "ana", PASSWORD).await), "200");
}

#[tokio::test]
async fn each_further_failure_locks_for_longer_and_a_success_forgives() {
    let bench = bench().await;
    sign_up(&bench, "ana").await;
    fail(&bench, "ana", 4).await;
    let mut waits = Vec::new();
    for _ in 0..7 {
        fail(&bench, "ana", 1).await;
        let wait: i64 = wait_s(sign_in(&bench, "ana", PASSWORD).await).parse().expect("seconds");
        waits.push(wait);
        bench.clock().advance(wait * 1000);
    }
    assert_eq!(waits, [30, 60, 120, 240, 480, 900, 900]);
    sign_in(&bench, "ana", PASSWORD).await.expect("a session");
    fail(&bench, "ana", 4).await;
    sign_in(&bench, "ana", PASSWORD).await.expect("a session");
}

#[tokio::test]
async fn failures_are_forgotten_after_a_day() {
    let bench = bench().await;
    sign_up(&bench, "ana").await;
    fail(&bench, "ana", 4).await;
    bench.clock().advance(24 * 60 * 60 * 1000);
    fail(&bench, "ana", 4).await;
    sign_in(&bench, "ana", PASSWORD).await.expect("a session");
    bench.clock().advance(24 * 60 * 60 * 1000 + 1);
    fail(&bench, "eve", 1).await;
    assert_eq!(bench.inspect("SELECT count(*) FROM attempt").await, ["1"], "old rows are swept");
}

#[tokio::test]
async fn an_unknown_address_is_locked_alike_and_other_addresses_and_channels_are_not() {
    let bench = bench().await;
    sign_up(&bench, "ana").await;
    fail(&bench, "eve", 5).await;
    assert_eq!(wait_s(sign_in(&bench, "eve", PASSWORD).await), "30");
    sign_in(&bench, "ana", PASSWORD).await.expect("a session");
    let there = bench.nobody().in_tenant("other");
    let result = there.post("/sessions", serde_json::json!({"email": "eve@example.org", "password": PASSWORD})).await;
    assert_eq!(outcome(&result), "401 sign_in.wrong");
    assert!(bench.inspect("SELECT address FROM attempt").await.iter().all(|address| !address.contains('@')));
}

#[tokio::test]
async fn guesses_that_come_together_are_counted_one_by_one() {
    let bench = bench().await;
    sign_up(&bench, "ana").await;
    let guess = || sign_in(&bench, "ana", "correct house");
    let (a, b, c, d, e, f, g, h) = tokio::join!(guess(), guess(), guess(), guess(), guess(), guess(), guess(), guess());
    let outcomes = [a, b, c, d, e, f, g, h].map(|result| outcome(&result));
    let heard = outcomes.iter().filter(|outcome| *outcome == "401 sign_in.wrong").count();
    assert!((1..=5).contains(&heard), "{outcomes:?}");
    let rest = outcomes.iter().filter(|outcome| ["409 busy", "429 sign_in.locked"].contains(&outcome.as_str())).count();
    assert_eq!(heard + rest, 8, "{outcomes:?}");
    assert_eq!(bench.inspect("SELECT failures FROM attempt").await, [heard.to_string()]);
}
