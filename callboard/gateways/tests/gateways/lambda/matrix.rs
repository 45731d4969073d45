//! One matrix: the same four functions, reached in every way, have the same result, the same effects and publish the same events.

use super::desk::{self, Ask};
use super::{Function, events};
use crate::client::Request;
use callboard::{Answer, Data, Fault, Kind, Tenant};
use callboard_gateways::http;
use callboard_gateways::local;
use serde_json::{Value, json};
use std::fmt::Write;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// What whoever asks gets to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hears {
    /// The answer or the fault.
    Everything,
    /// Success, or the code of the fault.
    Codes,
    /// Which items of a batch come again.
    Items,
    /// A status.
    Status,
    /// Nothing; what failed is among the dead letters, or in the history of its run.
    Nothing,
}

type Event = fn(Ask) -> Value;

/// A way to a function.
enum Way {
    Http,
    Aws(Event),
    Topic,
    Queue,
    Schedule,
    FlowStep,
    Call,
    Bench,
}

const WAYS: [(&str, Way, Hears); 22] = [
    ("HTTP", Way::Http, Hears::Everything),
    ("AWS HTTP API v2", Way::Aws(events::http_v2), Hears::Everything),
    ("AWS function URL", Way::Aws(events::function_url), Hears::Everything),
    ("AWS REST API", Way::Aws(events::rest), Hears::Everything),
    ("AWS load balancer", Way::Aws(events::alb), Hears::Everything),
    ("AWS WebSocket", Way::Aws(events::socket), Hears::Status),
    ("AWS SNS", Way::Aws(|_| events::sns()), Hears::Codes),
    ("AWS SQS", Way::Aws(|_| events::sqs("desk")), Hears::Items),
    ("AWS SQS FIFO", Way::Aws(|_| events::sqs("desk.fifo")), Hears::Items),
    ("AWS S3", Way::Aws(|_| events::s3()), Hears::Codes),
    ("AWS DynamoDB", Way::Aws(|_| events::dynamodb()), Hears::Items),
    ("AWS Kinesis", Way::Aws(|_| events::kinesis()), Hears::Items),
    ("AWS EventBridge", Way::Aws(|_| events::eventbridge()), Hears::Everything),
    ("AWS rule schedule", Way::Aws(|_| events::rule()), Hears::Everything),
    ("AWS Scheduler", Way::Aws(|_| events::scheduler()), Hears::Everything),
    ("AWS Step Functions, direct", Way::Aws(|_| events::direct()), Hears::Everything),
    ("topic", Way::Topic, Hears::Nothing),
    ("queue", Way::Queue, Hears::Nothing),
    ("schedule", Way::Schedule, Hears::Nothing),
    ("flow step", Way::FlowStep, Hears::Nothing),
    ("showrunner call", Way::Call, Hears::Everything),
    ("test bench", Way::Bench, Hears::Everything),
];

/// What was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Heard {
    Value(Value),
    Done,
    Failed(String),
    Again,
}

/// What a way led to.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    heard: Vec<Heard>,
    note: Option<String>,
    count: Option<i64>,
    events: Vec<Value>,
}

/// What every way must lead to.
fn wanted(ask: Ask, way: &Way, hears: Hears) -> Seen {
    let failed = Heard::Failed("desk.closed".to_owned());
    let value = match ask {
        Ask::Read | Ask::Note => json!({"text": "hello"}),
        Ask::Fail => Value::Null,
        Ask::Count => json!({"count": 1}),
    };
    let heard = match (ask, hears) {
        (Ask::Fail, Hears::Items) => Heard::Again,
        (Ask::Fail, Hears::Status) => Heard::Failed("400".to_owned()),
        (Ask::Fail, _) => failed,
        (_, Hears::Everything) => Heard::Value(value),
        _ => Heard::Done,
    };
    // A message on a socket has no key: nobody sends it again, so two are two.
    let counts = if matches!((ask, hears), (Ask::Count, Hears::Status)) { 2 } else { 1 };
    let event = |kind: &str, data: Value| json!({"type": kind, "subject": "/notes/tea", "data": data});
    let (note, count, events) = match ask {
        Ask::Read => (Some("hello".to_owned()), None, Vec::new()),
        Ask::Note => {
            let events = vec![event("noted", json!({"text": "hello"})), event("created", json!({"uri": "/notes/tea"}))];
            (Some("hello".to_owned()), None, events)
        }
        Ask::Fail => (None, None, Vec::new()),
        Ask::Count => (None, Some(counts), vec![event("counted", json!({"by": 1})); counts as usize]),
    };
    let times = if ask == Ask::Count && !is_internal(way) { 2 } else { 1 };
    Seen { heard: vec![heard; times], note, count, events }
}

fn is_internal(way: &Way) -> bool {
    matches!(way, Way::Topic | Way::Queue | Way::Schedule | Way::FlowStep)
}

fn of_answer(result: Result<Answer, Fault>) -> Heard {
    match result {
        Ok(answer) => Heard::Value(answer.json()),
        Err(fault) => Heard::Failed(fault.code.to_owned()),
    }
}

fn of_response(body: &str) -> Heard {
    let body: Value = serde_json::from_str(body).expect("an answer is JSON");
    match body["code"].as_str() {
        Some(code) => Heard::Failed(code.to_owned()),
        None => Heard::Value(body),
    }
}

async fn over_http(function: &Function, ask: Ask) -> Heard {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let stopped = stop.clone().cancelled_owned();
    let serving =
        tokio::spawn(http::serve(function.bench.host().clone(), crate::server::platform(), listener, stopped));
    let request = Request::new(address, ask.method(), &format!("/api{}", ask.uri()));
    let request = request.header("authorization", "Bearer t-viewer").header("idempotency-key", "k1");
    let request = if ask == Ask::Read { request } else { request.json("{\"text\":\"hello\"}") };
    let response = request.send().await;
    stop.cancel();
    serving.await.unwrap();
    of_response(&String::from_utf8(response.body).unwrap())
}

async fn over_aws(function: &Function, event: &Value, hears: Hears) -> Heard {
    // Only a direct invocation has nothing but its id by which it is known again.
    let invoked = match *event == events::direct() {
        true => function.invoke_as("the-same", event).await,
        false => function.invoke(event).await,
    };
    let answer = match invoked {
        Ok(answer) => answer,
        Err(fault) => return Heard::Failed(fault.code.to_owned()),
    };
    match (hears, answer["statusCode"].as_u64()) {
        (Hears::Status, Some(200)) => Heard::Done,
        (Hears::Status, Some(status)) => Heard::Failed(status.to_string()),
        (_, Some(_)) => of_response(answer["body"].as_str().unwrap()),
        (Hears::Items, _) if answer == json!({"batchItemFailures": []}) => Heard::Done,
        (Hears::Items, _) => {
            assert_eq!(answer["batchItemFailures"].as_array().map(Vec::len), Some(1), "{answer}");
            Heard::Again
        }
        (Hears::Codes, _) => Heard::Done,
        _ => Heard::Value(answer),
    }
}

async fn by_call(function: &Function, ask: Ask) -> Heard {
    let mut words = vec![ask.method(), ask.uri()];
    if ask != Ask::Read {
        words.extend(["--data", "{\"text\":\"hello\"}", "--header", "Idempotency-Key:k1"]);
    }
    let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
    let call = local::parse_call(&words, &Tenant::new("demo")).unwrap();
    let mut out = Vec::new();
    local::run(function.bench.host(), call, &mut out).await.unwrap();
    let out = String::from_utf8(out).unwrap();
    of_response(out.split_once("\n\n").map_or("null", |(_, body)| body))
}

async fn on_the_bench(function: &Function, ask: Ask) -> Heard {
    let kind = Kind::from(ask.method().to_ascii_lowercase());
    let data = if ask == Ask::Read { Data::EMPTY } else { Data::json(&json!({"text": "hello"})) };
    of_answer(function.bench.viewer().with("idempotency-key", "k1").outside(kind, ask.uri(), data).await)
}

/// Delivers everything, each message twice: as if the process had ended just before it heard that the first was committed.
async fn deliver_twice(function: &Function) -> Heard {
    let host = function.bench.host();
    loop {
        let now_ms = host.ports().clock.now_ms();
        let claimed = host.ports().records.claim(64, &[], now_ms).await.unwrap();
        if claimed.is_empty() {
            break;
        }
        for delivery in claimed {
            match host.deliver(&delivery).await {
                Ok(()) => host.deliver(&delivery).await.expect("what is settled is no failure"),
                Err(fault) => host.fail(&delivery, &fault).await.unwrap(),
            }
        }
    }
    let dead = function.bench.inspect("SELECT code FROM kernel_dead").await;
    let history = function.bench.inspect("SELECT event FROM kernel_flow_event").await.concat();
    let closed = dead.iter().any(|code| code == "desk.closed") || history.contains("desk.closed");
    if closed { Heard::Failed("desk.closed".to_owned()) } else { Heard::Done }
}

async fn take(function: &Function, way: &Way, hears: Hears, ask: Ask) -> Heard {
    let bench = &function.bench;
    let begin = |place: &'static str| async move { bench.nobody().post(place, json!({})).await.expect("begun") };
    match way {
        Way::Http => return over_http(function, ask).await,
        Way::Aws(event) => return over_aws(function, &event(ask), hears).await,
        Way::Call => return by_call(function, ask).await,
        Way::Bench => return on_the_bench(function, ask).await,
        Way::Topic => drop(begin("/ask/topic").await),
        Way::Queue => drop(begin("/ask/queue").await),
        Way::FlowStep => drop(begin("/ask/flow").await),
        Way::Schedule => drop(bench.clock().advance(3_600_000)),
    }
    deliver_twice(function).await
}

async fn see(way: &Way, hears: Hears, ask: Ask) -> Seen {
    let function = Function::new(vec![desk::service(ask)], &events::routes(ask)).await;
    if ask == Ask::Read {
        function.bench.nobody().post("/notes/tea", json!({"text": "hello"})).await.expect("a note to read");
    }
    let before = function.bench.messages().await.len();
    let mut heard = vec![take(&function, way, hears, ask).await];
    if ask == Ask::Count && !is_internal(way) {
        heard.push(take(&function, way, hears, ask).await);
    }
    let log = function.bench.messages().await.split_off(before);
    let is_told = |event: &&Value| matches!(event["type"].as_str(), Some("noted" | "created" | "counted"));
    let told = |event: &Value| {
        let mut event = json!({"type": event["type"], "subject": event["subject"], "data": event["data"]});
        // Versions are times.
        event["data"].as_object_mut().map(|data| data.remove("version"));
        event
    };
    let note = function.bench.inspect("SELECT text FROM note").await.pop();
    let count = function.bench.inspect("SELECT CAST(count AS TEXT) FROM tally").await.pop();
    Seen {
        heard,
        note,
        count: count.map(|count| count.parse().expect("a number")),
        events: log.iter().filter(is_told).map(told).collect(),
    }
}

#[tokio::test]
async fn every_way_to_a_function_has_the_same_result_effects_and_events() {
    let mut table = format!("{:28}", "");
    for ask in Ask::ALL {
        write!(table, "{:8}", ask.name()).unwrap();
    }
    let mut wrong = String::new();
    for (name, way, hears) in &WAYS {
        write!(table, "\n{name:28}").unwrap();
        for ask in Ask::ALL {
            let (seen, wanted) = (see(way, *hears, ask).await, wanted(ask, way, *hears));
            let is_same = seen == wanted;
            write!(table, "{:8}", if is_same { "same" } else { "OTHER" }).unwrap();
            if !is_same {
                writeln!(wrong, "{name}, {}:\n  {seen:?}\ninstead of\n  {wanted:?}", ask.name()).unwrap();
            }
        }
    }
    println!("{table}");
    assert!(wrong.is_empty(), "\n{table}\n\n{wrong}");
}
