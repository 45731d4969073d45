//! An event of an HTTP API as AWS Lambda hands it over, up to the bytes of its answer: ours through the whole pipeline with a
//! message and a typed function, beside `lambda_http` around a closure. One thread, no network, rounds in turn.

use crate::figure::{Figure, micros, middle};
use crate::{hello, records};
use callboard::{Host, Tenant};
use callboard_gateways::http::{HttpOptions, Tenants};
use callboard_gateways::lambda::{Invocation, Lambda, LambdaOptions, Routes};
use lambda_http::lambda_runtime::{Context, LambdaEvent};
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Body, Error, IntoResponse, Request, Response, Service, service_fn};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

const ROUNDS: usize = 7;
const CALLS: u32 = 10_000;

/// What a browser sends through an HTTP API.
const EVENT: &str = r#"{"version":"2.0","routeKey":"$default","rawPath":"/api/hello","rawQueryString":"a=1&b=2","cookies":["theme=dark","seen=1"],"headers":{"accept":"*/*","content-length":"0","host":"a1.execute-api.eu-central-1.amazonaws.com","user-agent":"Mozilla/5.0 (X11; Linux x86_64; rv:139.0) Gecko/20100101 Firefox/139.0","accept-language":"en-GB,en;q=0.5","x-amzn-trace-id":"Root=1-5eb33c07-de25b420912dee103a5db434","x-forwarded-for":"203.0.113.9","x-forwarded-port":"443","x-forwarded-proto":"https"},"queryStringParameters":{"a":"1","b":"2"},"requestContext":{"accountId":"123456789012","apiId":"a1","domainName":"a1.execute-api.eu-central-1.amazonaws.com","domainPrefix":"a1","http":{"method":"GET","path":"/api/hello","protocol":"HTTP/1.1","sourceIp":"203.0.113.9","userAgent":"Mozilla/5.0 (X11; Linux x86_64; rv:139.0) Gecko/20100101 Firefox/139.0"},"requestId":"JKJaXmPLvHcESHA=","routeKey":"$default","stage":"$default","time":"10/Mar/2026:05:16:23 +0000","timeEpoch":1773119783000},"isBase64Encoded":false}"#;

pub(crate) fn measure(data: &Path) -> Result<Vec<Figure>, String> {
    let folder = records::folder(data)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let host = Host::builder(records::in_memory(folder.path())?).service(hello::service()).build();
    let host = runtime.block_on(host).map_err(|fault| fault.to_string())?;
    let deadline_ms = host.ports().clock.now_ms() + 3_600_000;
    let options = LambdaOptions {
        http: HttpOptions::new(Tenants::Only(Tenant::new("demo"))),
        routes: Routes::default(),
        tenant: Tenant::new("demo"),
        media_origin: None,
    };
    // The gateway watches which passes were taken back.
    let _inside = runtime.enter();
    let ours = Ours { runtime: &runtime, lambda: Lambda::new(host, options), deadline_ms };
    check("ours", &ours.answer()?)?;
    let theirs = Theirs { runtime: &runtime };
    check("theirs", &theirs.answer()?)?;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        times.push((time(|| ours.answer())?, time(|| theirs.answer())?));
    }
    let (mine, peer, ratio) = middle(times);
    let shown = |seconds: f64| micros(Duration::from_secs_f64(seconds));
    let note = format!("{} bytes in, headers of security out; the peer is lambda_http without tracing", EVENT.len());
    let work = "an HTTP API's event to its answer, CPU";
    Ok(vec![Figure::plain(work, shown(mine)).beside(shown(peer), ratio).goal("≤ 1.0×", ratio <= 1.0).note(note)])
}

fn check(whose: &str, answer: &[u8]) -> Result<(), String> {
    let answer: serde_json::Value = serde_json::from_slice(answer).map_err(|error| error.to_string())?;
    match (&answer["statusCode"], answer["body"].as_str()) {
        (status, Some(hello::ANSWER)) if status == 200 => Ok(()),
        _ => Err(format!("{whose} is {answer}")),
    }
}

/// Seconds a call.
fn time(call: impl Fn() -> Result<Vec<u8>, String>) -> Result<f64, String> {
    let start = Instant::now();
    for _ in 0..CALLS {
        call()?;
    }
    Ok(start.elapsed().as_secs_f64() / f64::from(CALLS))
}

struct Ours<'r> {
    runtime: &'r Runtime,
    lambda: Lambda,
    deadline_ms: i64,
}

impl Ours<'_> {
    fn answer(&self) -> Result<Vec<u8>, String> {
        let invocation = Invocation {
            id: "8476a536-e9f4-11e8-9739-2dfe598c3fcd".to_owned(),
            deadline_ms: self.deadline_ms,
            trace: None,
            event: EVENT.as_bytes().into(),
        };
        let handled = self.runtime.block_on(self.lambda.handle(&invocation));
        handled.map(|handled| handled.answer).map_err(|fault| fault.to_string())
    }
}

struct Theirs<'r> {
    runtime: &'r Runtime,
}

impl Theirs<'_> {
    fn answer(&self) -> Result<Vec<u8>, String> {
        let request: LambdaRequest = serde_json::from_slice(EVENT.as_bytes()).map_err(|error| error.to_string())?;
        let mut adapter = Adapter::from(service_fn(greet));
        let answer = self.runtime.block_on(adapter.call(LambdaEvent::new(request, Context::default())));
        serde_json::to_vec(&answer.map_err(|error| error.to_string())?).map_err(|error| error.to_string())
    }
}

async fn greet(_: Request) -> Result<impl IntoResponse + use<>, Error> {
    Ok(Response::builder().header("content-type", "application/json").body(Body::from(hello::ANSWER))?)
}
