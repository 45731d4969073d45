//! Traces: one for each correlation id through calls, queues and flows, and what a collector is sent of them.

use callboard::invocation::Traceparent;
use callboard::outside::{Origin, Outside, Request, Response};
use callboard::{BoxFuture, Data, Empty, Env, Fault, Flow, Kind, Msg, Reply, Service, Stranger, Who};
use callboard::{event, operator};
use callboard_bench::{Bench, Kept};
use callboard_engines::outside::HttpOutside;
use callboard_handlers::{Collector, Exporter, Tracing};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

async fn order(env: Env, _: Msg<Data>) -> Result<Reply<Value>, Fault> {
    let stock: Value = env.call("/stock").await?;
    let uri = callboard::Uri::parse("/orders/1")?;
    Ok(Reply::created(uri.clone(), stock).send(Kind::Post, uri, json!({})).start("ship", "1", json!({})))
}

async fn stock(_: Msg<Empty>) -> Result<Reply<i32>, Fault> {
    Ok(Reply::ok(3))
}

async fn nothing(_: Msg<Data>) -> Result<Reply, Fault> {
    Ok(Reply::nothing())
}

async fn ship(env: Env, _: Msg<Data>) -> Result<Reply<u16>, Fault> {
    Ok(Reply::ok(env.fetch(Request::get("shop.carrier", "/labels")).await?.status))
}

async fn never(_: Msg<Empty>) -> Result<Reply, Fault> {
    Err(Fault::not_found("shop.never", "there is never one"))
}

fn shop() -> Service {
    Service::new("shop")
        .setting("shop.carrier", "https://carrier.example", "who carries")
        .outside("shop.carrier", "nothing is shipped")
        .on(Kind::Post, "/orders", order, Who::Anyone, Stranger::Denied)
        .on(Kind::Post, "/orders/{id}", nothing, Who::Services, Stranger::Denied)
        .on(event("created"), "/orders/{id}", nothing, Who::Services, Stranger::Denied)
        .on(Kind::Get, "/stock", stock, Who::Anyone, Stranger::Denied)
        .on(Kind::Get, "/never", never, Who::Anyone, Stranger::Denied)
        .flow(Flow::new("ship").step("label", ship).no_undo("labels cost nothing"))
}

/// A carrier that remembers how it was asked.
#[derive(Default)]
struct Carrier(Mutex<Vec<Option<String>>>);

impl Outside for Carrier {
    fn fetch(&self, _: Origin, request: Request) -> BoxFuture<'_, Result<Response, Fault>> {
        let asked = request.header_value("traceparent").map(str::to_owned);
        self.0.lock().expect("nobody panicked").push(asked);
        Box::pin(std::future::ready(Ok(Response { status: 201, headers: Vec::new(), body: "{}".into() })))
    }
}

/// A collector on a real socket: it takes the requests of OTLP over HTTP, and decodes them strictly.
struct Receiver {
    endpoint: String,
    listener: TcpListener,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ExportTraceServiceRequest {
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ResourceSpans {
    resource: Resource,
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Resource {
    attributes: Vec<KeyValue>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopeSpans {
    scope: Scope,
    spans: Vec<Span>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scope {
    name: String,
    #[serde(rename = "version")]
    _version: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Span {
    trace_id: String,
    span_id: String,
    parent_span_id: Option<String>,
    name: String,
    kind: u8,
    start_time_unix_nano: String,
    end_time_unix_nano: String,
    attributes: Vec<KeyValue>,
    status: Status,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Status {
    #[serde(default)]
    code: u8,
    #[serde(default)]
    message: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyValue {
    key: String,
    value: AnyValue,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum AnyValue {
    StringValue(String),
    /// 64-bit numbers are texts in JSON.
    IntValue(String),
}

impl Receiver {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("its address"));
        Self { endpoint, listener }
    }

    /// Takes one request, answers it, and gives its first line and headers, and its spans.
    async fn take(&self, status: u16) -> (String, Vec<Span>) {
        let (mut stream, _) = self.listener.accept().await.expect("somebody exports");
        let mut bytes = Vec::new();
        let (head, body) = loop {
            let mut part = [0; 8_192];
            let count = stream.read(&mut part).await.expect("a part of the request");
            assert!(count > 0, "the request breaks off");
            bytes.extend_from_slice(&part[..count]);
            let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            let head = String::from_utf8(bytes[..end].to_vec()).expect("text").to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
            if bytes.len() - end - 4 == length.parse::<usize>().expect("a number") {
                break (head, bytes.split_off(end + 4));
            }
        };
        let answer = format!("HTTP/1.1 {status} It\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}");
        stream.write_all(answer.as_bytes()).await.expect("an answer");
        let request: ExportTraceServiceRequest = serde_json::from_slice(&body).expect("an export request");
        let [ResourceSpans { resource, scope_spans }] = &request.resource_spans[..] else { panic!("one resource") };
        assert_eq!(resource.attributes[0].key, "service.name");
        assert_eq!(scope_spans[0].scope.name, "callboard");
        (head, scope_spans[0].spans.clone())
    }
}

async fn bench(exporter: Option<Arc<Exporter>>) -> (Bench, Arc<Carrier>) {
    let carrier = Arc::new(Carrier::default());
    let outside = carrier.clone();
    let services = vec![shop(), operator::service()];
    let bench = Bench::shaped(services, Kept::InMemory, |host| {
        let host = host.handler(Tracing).outside(outside);
        match exporter {
            Some(exporter) => host.observer(exporter),
            None => host,
        }
    });
    (bench.await, carrier)
}

/// What ran that belongs to the trace of `PARENT`, by function, with span and parent.
async fn trace(bench: &Bench) -> BTreeMap<String, (String, String)> {
    let path = "/-/invocations?correlation=4bf92f35-77b3-4da6-a3ce-929d0e0e4736";
    let listed = bench.owner().get(path).await.expect("a list").json();
    let text = |one: &Value, name: &str| one[name].as_str().expect("text").to_owned();
    let all = listed["invocations"].as_array().expect("a list");
    all.iter()
        .map(|one| {
            let name = format!("{} {}", text(one, "trigger"), text(one, "pattern"));
            (name, (text(one, "span"), text(one, "parent")))
        })
        .collect()
}

#[tokio::test]
async fn a_trace_goes_on_through_calls_queues_events_flows_and_outside() {
    let (bench, carrier) = bench(None).await;
    let owner = bench.owner().with("traceparent", PARENT);
    owner.outside(Kind::Post, "/orders", Data::EMPTY).await.expect("ordered");
    bench.settle().await;
    let trace = trace(&bench).await;
    let (order, parent) = &trace["bench /orders"];
    assert_eq!(parent, "00f067aa0ba902b7", "of whoever asked");
    for caused in ["call /stock", "queue /orders/{id}", "event /orders/{id}", "flow "] {
        assert_eq!(&trace[caused].1, order, "{caused} is caused by the order: {trace:?}");
    }
    let sent = carrier.0.lock().expect("nobody panicked")[0].clone().expect("it is carried on");
    let sent = Traceparent::read(&sent).expect("a traceparent");
    assert_eq!(format!("{:032x}", sent.trace.as_u128()), &PARENT[3..35]);
    assert_eq!(format!("{:016x}", sent.parent), trace["flow "].0, "of the step that asked");
}

#[tokio::test]
async fn a_stranger_may_say_where_it_belongs_and_not_that_it_is_recorded_or_carried_on() {
    let (bench, carrier) = bench(None).await;
    let viewer = bench.viewer().with("traceparent", PARENT);
    viewer.outside(Kind::Post, "/orders", Data::EMPTY).await.expect("ordered");
    bench.settle().await;
    assert_eq!(trace(&bench).await["bench /orders"].1, "00f067aa0ba902b7");
    assert_eq!(*carrier.0.lock().expect("nobody panicked"), [None]);
    let stored = json!(bench.messages().await).to_string();
    assert!(!stored.contains("traceparent"), "nobody looks, so nothing is stored: {stored}");
    let wrong = bench.owner().with("traceparent", "00-00000000000000000000000000000000-00f067aa0ba902b7-01");
    wrong.outside(Kind::Get, "/stock", Data::EMPTY).await.expect("a wrong header is as good as none");
}

#[tokio::test]
async fn a_collector_gets_every_span_of_a_trace() {
    let receiver = Receiver::open().await;
    let collector = Collector::read(&receiver.endpoint, "Bearer of-news", 1.0).expect("a collector");
    let exporter = Exporter::new(collector);
    let (bench, carrier) = bench(Some(exporter.clone())).await;
    let viewer = bench.viewer().with("traceparent", PARENT);
    viewer.outside(Kind::Post, "/orders", Data::EMPTY).await.expect("ordered");
    viewer.outside(Kind::Get, "/never", Data::EMPTY).await.expect_err("there is none");
    bench.settle().await;
    assert!(carrier.0.lock().expect("nobody panicked")[0].is_some(), "what is exported is carried on");
    let outside = HttpOutside::new();
    let ((), (head, spans)) = tokio::join!(exporter.flush(&outside, 1), receiver.take(200));
    assert!(head.starts_with("post /v1/traces http/1.1\r\n"), "{head}");
    for header in ["content-type: application/json", "authorization: bearer of-news"] {
        assert!(head.contains(header), "{head}");
    }
    assert_eq!((exporter.sent(), exporter.dropped()), (spans.len() as u64, 0));
    assert!(spans.iter().all(|span| span.trace_id == PARENT[3..35]), "one trace");
    let named = |name: &str| spans.iter().find(|span| span.name.ends_with(name)).expect(name).clone();
    let (order, stock, label, never) = (named("::order"), named("::stock"), named("::ship"), named("::never"));
    assert_eq!(order.parent_span_id.as_deref(), Some("00f067aa0ba902b7"));
    assert_eq!(stock.parent_span_id.as_ref(), Some(&order.span_id));
    assert_eq!((label.parent_span_id.as_ref(), label.kind), (Some(&order.span_id), 5));
    let start_ns = u128::from(callboard_bench::START_MS.unsigned_abs()) * 1_000_000;
    assert_eq!(
        (&order.start_time_unix_nano, &order.end_time_unix_nano),
        (&start_ns.to_string(), &start_ns.to_string())
    );
    assert_eq!((order.status.code, never.status.code, never.status.message.as_str()), (0, 2, "shop.never"));
    let attribute =
        |span: &Span, key: &str| span.attributes.iter().find(|one| one.key == key).map(|one| one.value.clone());
    assert_eq!(attribute(&order, "url.template"), Some(AnyValue::StringValue("/orders".into())));
    assert_eq!(attribute(&label, "callboard.waiting_us.outside.shop.carrier"), Some(AnyValue::IntValue("0".into())));
    assert!(!format!("{spans:?}").contains("viewer"), "nobody is named");
}

#[tokio::test]
async fn a_collector_that_is_away_holds_nobody_up_and_what_is_lost_is_counted() {
    let collector = Collector::read("http://127.0.0.1:1", "", 1.0).expect("a collector");
    let exporter = Exporter::new(collector);
    let (bench, _) = bench(Some(exporter.clone())).await;
    for _ in 0..5_000 {
        bench.viewer().get("/stock").await.expect("an answer");
    }
    assert_eq!(exporter.dropped(), 5_000 - 4_096, "what does not fit is dropped");
    let receiver = Receiver::open().await;
    let collector = Collector::read(&receiver.endpoint, "", 1.0).expect("a collector");
    let exporter = Exporter::new(collector);
    let (bench, _) = self::bench(Some(exporter.clone())).await;
    bench.viewer().get("/stock").await.expect("an answer");
    let outside = HttpOutside::new();
    tokio::join!(exporter.flush(&outside, 1), receiver.take(400));
    assert_eq!((exporter.sent(), exporter.dropped()), (0, 1), "what it refuses is not sent again");
}
