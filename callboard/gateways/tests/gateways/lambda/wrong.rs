//! Events with every field missing, null, of another type, huge or no UTF-8: refused in words or answered, and never a panic.

use super::desk::{self, Ask};
use super::{Function, events};
use callboard::{Fault, FaultKind};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::task::JoinSet;

/// How many large events are tried at once.
const AT_ONCE: usize = 4;

fn all() -> Vec<(&'static str, Value)> {
    vec![
        ("http", events::http_v2(Ask::Count)),
        ("url", events::function_url(Ask::Count)),
        ("rest", events::rest(Ask::Count)),
        ("alb", events::alb(Ask::Count)),
        ("socket", events::socket(Ask::Count)),
        ("sns", events::sns()),
        ("sqs", events::sqs("desk")),
        ("fifo", events::sqs("desk.fifo")),
        ("s3", events::s3()),
        ("dynamodb", events::dynamodb()),
        ("kinesis", events::kinesis()),
        ("eventbridge", events::eventbridge()),
        ("rule", events::rule()),
        ("scheduler", events::scheduler()),
        ("direct", events::direct()),
    ]
}

/// JSON pointers of everything in a value.
fn places(value: &Value, at: String, into: &mut Vec<String>) {
    let mut below = |name: String, value: &Value| {
        let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        into.push(at.clone());
        places(value, at, into);
    };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| below(name.clone(), value)),
        Value::Array(items) => items.iter().enumerate().for_each(|(at, value)| below(at.to_string(), value)),
        _ => {}
    }
}

fn without(event: &Value, at: &str) -> Value {
    let mut event = event.clone();
    let (above, name) = at.rsplit_once('/').expect("a pointer has a slash");
    let name = name.replace("~1", "/").replace("~0", "~");
    match event.pointer_mut(above) {
        Some(Value::Object(fields)) => drop(fields.remove(&name)),
        Some(Value::Array(items)) => drop(items.remove(name.parse().expect("an index"))),
        _ => {}
    }
    event
}

fn with(event: &Value, at: &str, value: Value) -> Value {
    let mut event = event.clone();
    *event.pointer_mut(at).expect("the place is there") = value;
    event
}

/// Whoever gets this knows what to do: it has a code with a page, and is no defect of ours.
fn check(what: &str, result: Result<Value, Fault>) {
    match result {
        Ok(answer) => {
            let status = answer["statusCode"].as_u64().unwrap_or(200);
            assert!(status < 500, "{what}: {answer}");
        }
        Err(fault) => {
            assert!(fault.kind != FaultKind::Bug, "{what}: {fault:?}");
            assert!(!fault.message.is_empty() && fault.message.len() < 2_000, "{what}: {} bytes", fault.message.len());
            let page = format!("{}/../../docs/errors/{}.md", env!("CARGO_MANIFEST_DIR"), fault.code);
            assert!(std::path::Path::new(&page).exists() || fault.code.starts_with("desk."), "{what}: {}", fault.code);
        }
    }
}

#[tokio::test]
async fn every_field_of_every_event_may_be_missing_null_or_of_another_type() {
    let function = Function::new(vec![desk::service(Ask::Count)], &events::routes(Ask::Count)).await;
    let mut tried = 0;
    for (name, event) in all() {
        let mut at = Vec::new();
        places(&event, String::new(), &mut at);
        for place in at {
            let mut wrongs = vec![("missing", without(&event, &place))];
            for (how, value) in [
                ("null", Value::Null),
                ("a number", json!(7)),
                ("true", json!(true)),
                ("a list", json!([1, [2]])),
                ("an object", json!({"x": {"y": null}})),
                ("an empty text", json!("")),
                ("a strange text", json!("\u{0}\u{1F600}\\../%2f%zz\r\n")),
            ] {
                wrongs.push((how, with(&event, &place, value)));
            }
            for (how, wrong) in wrongs {
                check(&format!("{name}{place} {how}"), function.invoke(&wrong).await);
                tried += 1;
            }
        }
    }
    assert!(tried > 1_500, "{tried} events");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_may_have_ten_megabytes() {
    let function = Function::new(vec![desk::service(Ask::Count)], &events::routes(Ask::Count)).await;
    let (function, huge) = (Arc::new(function), Arc::new(vec![b'x'; 10 << 20]));
    let mut trying = JoinSet::new();
    for (name, event) in all() {
        let mut at = Vec::new();
        places(&event, String::new(), &mut at);
        // Texts only: what else is there holds them.
        for place in at.into_iter().filter(|place| event.pointer(place).is_some_and(Value::is_string)) {
            let text = with(&event, &place, "@@".into()).to_string();
            let (function, huge) = (function.clone(), huge.clone());
            // More at once would only wait for each other, in the end for longer than for a connection.
            if trying.len() == AT_ONCE {
                trying.join_next().await.expect("some are trying").expect("nothing panics");
            }
            trying.spawn(async move {
                let (before, behind) = text.split_once("@@").expect("it was put there");
                let result = function.send("r", [before.as_bytes(), &huge, behind.as_bytes()].concat()).await;
                let answer = result.map(|answer| serde_json::from_slice(&answer).expect("an answer is JSON"));
                check(&format!("{name}{place}"), answer);
            });
        }
    }
    while let Some(tried) = trying.join_next().await {
        tried.expect("nothing panics");
    }
}

#[tokio::test]
async fn what_is_no_event_is_refused_with_its_place() {
    let function = Function::new(vec![desk::service(Ask::Count)], &events::routes(Ask::Count)).await;
    let said = |bytes: &[u8]| {
        let sent = function.send("r", bytes.to_vec());
        async move { sent.await.expect_err("it is refused") }
    };
    for (bytes, part) in [
        (&b""[..], "the event"),
        (b"{\"version\":\"2.0\",", "the event"),
        (b"nonsense", "the event"),
        (b"{\"body\":\"\xff\xfe\"}", "no UTF-8 from byte 9"),
        (b"{} {}", "the event"),
        (b"{\"Records\":[7]}", "`Records[0]` is no record"),
    ] {
        let fault = said(bytes).await;
        assert_eq!(fault.code, "event.invalid", "{fault}");
        assert!(fault.message.contains(part), "{fault}");
    }
    let named = function.invoke(&without(&events::sqs("desk"), "/Records/0/messageId")).await.expect_err("no id");
    assert!(named.message.contains("messageId") && named.message.contains("Records[0]"), "{named}");
    let typed = function.invoke(&with(&events::http_v2(Ask::Count), "/requestContext/http/method", json!(7))).await;
    let typed = typed.expect_err("no method");
    assert!(typed.message.contains("`requestContext.http.method` is not what its source sends"), "{typed}");
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let fault = said(deep.as_bytes()).await;
    assert!(matches!(fault.code, "event.invalid" | "data.too_deep"), "{fault}");
}
