//! One call of a typed function in this process: from the text of a URI to the bytes of the answer, 10,000 patterns bound.

use crate::figure::{Figure, median, micros};
use crate::{allocations, records};
use callboard::invocation::{Recorder, Recording};
use callboard::{
    Answer, BoxFuture, Data, Env, Fault, Host, HostBuilder, Kind, Msg, Principal, Reply, Service, Stranger, Tenant,
    Uri, Who,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) const PATTERNS: usize = 10_000;
const CALLS: usize = 200_000;
const GOAL: Duration = Duration::from_micros(3);

#[derive(Deserialize, JsonSchema)]
struct Greeting {
    name: String,
    times: u32,
}

#[derive(Serialize, JsonSchema)]
struct Greeted {
    text: String,
    times: u32,
}

async fn greet(_: Env, msg: Msg<Greeting>) -> Result<Reply<Greeted>, Fault> {
    let text = format!("Hello {} at {}", msg.data.name, msg.param("id"));
    Ok(Reply::ok(Greeted { text, times: msg.data.times }))
}

/// A service whose patterns share first segments as those of real services do.
pub(crate) fn service() -> Service {
    let pattern = |at: usize| -> &'static str {
        let (shelf, row) = (at / 10, at % 10);
        // The table lives as long as the program.
        Box::leak(format!("/shelf-{shelf}/{{id}}/row-{row}").into_boxed_str())
    };
    (0..PATTERNS).fold(Service::new("figures"), |service, at| {
        service.on(Kind::Post, pattern(at), greet, Who::Anyone, Stranger::Denied)
    })
}

pub(crate) fn measure(data: &Path) -> Result<Vec<Figure>, String> {
    let plain = time_calls(data, &Principal::Nobody, |host| host)?;
    // Who may capture a fault must keep what was read until it is known that there is none.
    let ready = time_calls(data, &Principal::Nobody, |host| host.recorder(Arc::new(Nowhere)))?;
    let work = format!("dispatch of a typed function, {PATTERNS} patterns");
    let recorded = format!("{work}, ready to be recorded");
    let goal = "≤ 3 µs";
    Ok([(work, plain), (recorded, ready)]
        .map(|(work, Timed { middle, note })| Figure::plain(work, micros(middle)).goal(goal, middle <= GOAL).note(note))
        .into())
}

/// Keeps nothing.
struct Nowhere;

impl Recorder for Nowhere {
    fn keep(&self, _: Recording) {}

    fn find<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<Recording>, Fault>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    fn list(&self, _: usize) -> BoxFuture<'_, Result<Vec<Recording>, Fault>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn erase<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<u64, Fault>> {
        Box::pin(std::future::ready(Ok(0)))
    }
}

pub(crate) struct Timed {
    pub(crate) middle: Duration,
    pub(crate) note: String,
}

/// The time of calls in the middle, by somebody.
pub(crate) fn time_calls(
    data: &Path,
    principal: &Principal,
    shape: impl FnOnce(HostBuilder) -> HostBuilder,
) -> Result<Timed, String> {
    let folder = records::folder(data)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(|error| error.to_string())?;
    let ports = records::in_memory(folder.path())?;
    let host = shape(Host::builder(ports).service(service())).build();
    let host = runtime.block_on(host).map_err(|fault| fault.to_string())?;
    let tenant = Tenant::new("demo");
    let call = |at: usize| {
        let uri = URIS[at % URIS.len()];
        runtime.block_on(call(&host, &tenant, principal, uri))
    };
    let first = call(0).map_err(|fault| fault.to_string())?;
    if first.json()["text"] != "Hello Ada at 7d0f" {
        return Err(format!("the function answers {}", first.json()));
    }
    let mut times: Vec<Duration> = (0..CALLS)
        .map(|at| {
            let start = Instant::now();
            let answer = call(at);
            let time = start.elapsed();
            drop(answer);
            time
        })
        .collect();
    let (count, size_bytes) = allocations::counted(|| (0..1000).for_each(|at| drop(call(at))));
    let middle = median(&mut times);
    let note = format!(
        "99 of 100 within {}; {:.1} allocations and {} bytes a call, from the text of the URI to the bytes of the answer",
        micros(times[times.len() * 99 / 100]),
        count as f64 / 1000.0,
        size_bytes / 1000
    );
    Ok(Timed { middle, note })
}

/// Calls that end in different parts of the table.
pub(crate) const URIS: [&str; 4] =
    ["/shelf-7/7d0f/row-3", "/shelf-999/7d0f/row-9", "/shelf-0/7d0f/row-0", "/shelf-512/7d0f/row-5"];

async fn call(host: &Host, tenant: &Tenant, principal: &Principal, uri: &str) -> Result<Answer, Fault> {
    let data = Data { media_type: "application/json".into(), bytes: br#"{"name":"Ada","times":3}"#.as_slice().into() };
    let mut msg = host.message(Kind::Post, Uri::parse(uri)?, tenant.clone()).with_data(data);
    if *principal != Principal::Nobody {
        msg.head_mut().principal = principal.clone();
    }
    host.dispatch(msg).await
}
