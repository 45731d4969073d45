//! From which address somebody calls: whoever stands between us and the caller says it, and never the caller.

use super::Function;
use super::desk::Ask;
use super::events::{alb, function_url, http_v2, rest};
use crate::hall::{self, Doors};
use callboard::HostBuilder;
use callboard_handlers::{Rate, RateLimit, Rates};
use serde_json::{Value, json};

/// Where every caller here is; the gateways' own events say the same.
const CALLER: &str = "203.0.113.9";

/// What callers write to be somebody else: this machine is not limited by address, and everybody else is another.
const FORGED: [&str; 4] = ["127.0.0.1", "::1", "198.51.100.7", "unknown, 198.51.100.7"];

/// Asks what is seen of a request, without anything that proves who acts.
fn asking(mut event: Value) -> Value {
    for path in ["path", "rawPath"] {
        if event.get(path).is_some() {
            event[path] = "/api/seen".into();
        }
    }
    for headers in ["headers", "multiValueHeaders"] {
        if let Some(headers) = event.get_mut(headers).and_then(Value::as_object_mut) {
            headers.remove("authorization");
        }
    }
    event
}

/// API Gateway passes the header on as it was sent, and says beside it who called.
fn with_header(event: Value, chain: &str) -> Value {
    let mut event = asking(event);
    match event.get("multiValueHeaders").is_some() {
        true => event["multiValueHeaders"]["x-forwarded-for"] = json!([chain]),
        false => event["headers"]["x-forwarded-for"] = chain.into(),
    }
    event
}

/// A load balancer adds who called to the end of what was sent; it passes on several headers of a name where its target takes lists.
fn balanced(lines: &[&str]) -> Value {
    let mut event = asking(alb(Ask::Read));
    if let [line] = lines {
        event["headers"]["x-forwarded-for"] = (*line).into();
        return event;
    }
    event["multiValueHeaders"] = json!({"host": ["localhost"], "x-forwarded-for": lines});
    event.as_object_mut().expect("an event").remove("headers");
    event
}

/// Requests of the one caller who forges, each with what it is.
fn forgeries() -> Vec<(String, Value)> {
    let mut events = Vec::new();
    for forged in FORGED {
        for (name, event) in [("http", http_v2(Ask::Read)), ("url", function_url(Ask::Read)), ("rest", rest(Ask::Read))]
        {
            events.push((format!("{name}: {forged}"), with_header(event, forged)));
        }
        let behind = format!("{forged}, {CALLER}");
        let chains: [&[&str]; 4] =
            [&[&behind], &[forged, CALLER], &[forged, &behind], &["198.51.100.8", forged, &behind]];
        events.extend(chains.map(|chain| (format!("balanced: {chain:?}"), balanced(chain))));
    }
    for chain in ["\u{e9}, 203.0.113.9", "127.0.0.1:80, 203.0.113.9:4711", ", ,203.0.113.9", " 203.0.113.9 "] {
        events.push((format!("balanced: {chain:?}"), balanced(&[chain])));
    }
    events
}

async fn seen(function: &Function, event: &Value) -> Value {
    let answer = function.invoke(event).await.expect("an answer");
    assert_eq!(answer["statusCode"], 200, "{answer}");
    serde_json::from_str(answer["body"].as_str().expect("a body")).expect("JSON")
}

#[tokio::test]
async fn callers_do_not_choose_their_address() {
    let function = Function::new(vec![hall::service(&Doors::new())], "").await;
    for (name, event) in forgeries() {
        assert_eq!(seen(&function, &event).await["address"], CALLER, "{name}");
    }
    for (chain, address) in [("2001:db8::9", "2001:db8::9"), ("::1, [2001:db8::9]:4711", "2001:db8::9")] {
        assert_eq!(seen(&function, &balanced(&[chain])).await["address"], address, "{chain}");
    }
}

/// Nobody is taken for somebody by a guess: they share one address, which is limited as any other.
#[tokio::test]
async fn who_is_not_named_is_nobody_in_particular() {
    let function = Function::new(vec![hall::service(&Doors::new())], "").await;
    let mut unnamed = with_header(http_v2(Ask::Read), "127.0.0.1");
    unnamed["requestContext"]["http"]["sourceIp"] = "".into();
    let mut unidentified = with_header(rest(Ask::Read), "127.0.0.1");
    unidentified["requestContext"]["identity"] = Value::Null;
    let events = [unnamed, unidentified, asking(alb(Ask::Read)), balanced(&["127.0.0.1, unknown"])];
    for event in events {
        assert_eq!(seen(&function, &event).await["address"], "0.0.0.0", "{event}");
    }
}

#[tokio::test]
async fn another_header_is_no_way_around_the_limit_of_an_address() {
    let none = Rate::per_minute(0);
    let rates = Rates { tenant: none, person: none, address: Rate::per_minute(1), secrets: none };
    for (name, event) in forgeries() {
        let services = vec![hall::service(&Doors::new())];
        let guard = |builder: HostBuilder| builder.handler(RateLimit::new(rates));
        let function = Function::guarded(services, "", |options| options, guard).await;
        seen(&function, &balanced(&[CALLER])).await;
        let answer = function.invoke(&event).await.expect("an answer");
        assert_eq!(answer["statusCode"], 429, "{name}: the caller has called already");
        seen(&function, &balanced(&["203.0.113.10"])).await;
    }
}
