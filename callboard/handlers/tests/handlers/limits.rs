//! How often somebody may call, and what they hear then.

use crate::gate::{Coming, guarded};
use callboard::{Answer, Fault, Kind};
use callboard_bench::Bench;
use callboard_handlers::{Authenticate, Rate, RateLimit, Rates};

const NONE: Rate = Rate { count: 0, per_ms: 1 };

async fn bench(rates: Rates) -> Bench {
    guarded(move |builder| builder.handler(Authenticate::new()).handler(RateLimit::new(rates))).await
}

fn none() -> Rates {
    Rates { tenant: NONE, person: NONE, address: NONE, secrets: NONE }
}

/// How many of so many calls come through.
async fn passed(count: usize, call: impl AsyncFn() -> Result<Answer, Fault>) -> usize {
    let mut passed = 0;
    for _ in 0..count {
        match call().await {
            Ok(_) => passed += 1,
            Err(fault) => assert_eq!((fault.code, fault.status()), ("rate.limited", 429)),
        }
    }
    passed
}

#[tokio::test]
async fn an_address_without_a_person_waits_and_others_do_not() {
    let bench = bench(Rates { address: Rate::per_minute(6), ..none() }).await;
    let from = |address: &'static str| Coming::to(&bench, Kind::Get, "/who").from(address);
    assert_eq!(passed(9, async || from("203.0.113.7").come().await).await, 6);
    assert_eq!(passed(9, async || from("203.0.113.8").come().await).await, 6);
    assert_eq!(
        passed(9, async || from("203.0.113.7").with_token("good").come().await).await,
        9,
        "a person is no stranger"
    );
    assert_eq!(passed(9, async || from("127.0.0.1").come().await).await, 9, "this machine");
    let network = passed(9, async || from("2001:db8::1").come().await).await;
    assert_eq!(network + passed(9, async || from("2001:db8::2").come().await).await, 6, "one network");
    let fault = from("203.0.113.7").come().await.expect_err("it waits");
    let header = |name: &str| fault.headers.iter().find(|(have, _)| *have == name).map(|(_, value)| value.as_str());
    assert_eq!(header("retry-after"), Some("10"));
    assert_eq!(header("ratelimit-policy"), Some("\"address\";q=6;w=60"));
    assert_eq!(header("ratelimit"), Some("\"address\";r=0;t=10"));
    bench.clock().advance(10_000);
    assert_eq!(passed(3, async || from("203.0.113.7").come().await).await, 1, "one more after ten seconds");
}

#[tokio::test]
async fn a_person_has_a_limit_wherever_they_call_from_and_in_each_tenant_a_limit_of_its_own() {
    let bench = bench(Rates { person: Rate::per_minute(4), ..none() }).await;
    let call = |address: &'static str| Coming::to(&bench, Kind::Get, "/inside").with_token("good").from(address);
    assert_eq!(passed(3, async || call("203.0.113.7").come().await).await, 3);
    assert_eq!(passed(3, async || call("203.0.113.8").come().await).await, 1);
    assert_eq!(passed(9, async || Coming::to(&bench, Kind::Get, "/who").from("203.0.113.7").come().await).await, 9);
}

#[tokio::test]
async fn a_tenant_has_a_limit_for_all_together() {
    let bench = bench(Rates { tenant: Rate::per_minute(5), ..none() }).await;
    let call = |token: Option<&'static str>, tenant: &'static str| {
        let coming = Coming::to(&bench, Kind::Get, "/who").in_tenant(tenant);
        token.into_iter().fold(coming, Coming::with_token)
    };
    assert_eq!(passed(3, async || call(None, "demo").come().await).await, 3);
    assert_eq!(passed(4, async || call(Some("good"), "demo").come().await).await, 2);
    assert_eq!(passed(4, async || call(None, "other").come().await).await, 4, "another tenant");
    let invoked = |tenant| call(None, tenant).of_service("invoke/crew", callboard::INVOKE);
    assert_eq!(passed(4, async || invoked("demo").come().await).await, 0, "keys count like anybody of their tenant");
    assert_eq!(passed(4, async || invoked("third").come().await).await, 4);
    assert_eq!(
        passed(9, async || call(None, "demo").of_service("media", "queue").come().await).await,
        9,
        "the runtime"
    );
}

#[tokio::test]
async fn where_secrets_can_be_tried_an_address_may_call_seldom_signed_in_or_not() {
    let bench = bench(Rates { secrets: Rate::per_minute(3), ..none() }).await;
    let call = |uri: &'static str, kind: Kind| Coming::to(&bench, kind, uri).from("203.0.113.7");
    assert_eq!(passed(2, async || call("/sessions", Kind::Post).come().await).await, 2);
    assert_eq!(passed(5, async || call("/sessions", Kind::Post).with_token("good").come().await).await, 1);
    assert_eq!(passed(5, async || call("/who", Kind::Get).come().await).await, 5, "other functions");
}

#[tokio::test]
async fn what_a_stream_looks_at_is_no_call() {
    let bench = bench(Rates { address: Rate::per_minute(1), ..none() }).await;
    let call = || Coming::to(&bench, Kind::Get, "/who").from("203.0.113.7");
    assert_eq!(passed(3, async || call().for_stream().come().await).await, 3);
    assert_eq!(passed(3, async || call().come().await).await, 1);
}

#[tokio::test]
async fn whoever_has_little_left_is_told() {
    let bench = bench(Rates { address: Rate::per_minute(10), ..none() }).await;
    let mut told = Vec::new();
    for _ in 0..10 {
        let answer = Coming::to(&bench, Kind::Get, "/who").from("203.0.113.7").come().await.unwrap();
        told.extend(answer.headers.into_iter().filter(|(name, _)| *name == "ratelimit").map(|(_, value)| value));
    }
    assert_eq!(told, ["\"address\";r=2;t=48", "\"address\";r=1;t=54", "\"address\";r=0;t=60"]);
}

#[tokio::test]
async fn very_many_callers_take_no_more_memory_and_most_are_still_counted() {
    let bench = bench(Rates { address: Rate::per_minute(1), ..none() }).await;
    let address = |number: u32| std::net::Ipv4Addr::from(0x2000_0000 + number).to_string();
    let mut again = 0;
    for number in 0..2_000 {
        let call = || Coming::to(&bench, Kind::Get, "/who").from(&address(number));
        assert!(call().come().await.is_ok(), "the first call of each");
        again += usize::from(call().come().await.is_ok());
    }
    assert_eq!(again, 0, "the second is refused");
}
