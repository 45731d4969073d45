//! Traces for a collector: OTLP over HTTP in its JSON encoding, on the port for other systems. The official exporter would bring
//! a second HTTP client and forty packages for one request. Nothing waits for it: what does not fit is dropped and counted.

use callboard::invocation::{Dependency, Ended, Invocation, Observer};
use callboard::outside::{Origin, Outside, Request};
use callboard::{Data, Id};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Most spans that wait.
const WAITING_MAX: usize = 4_096;
/// Most spans in one request.
const BATCH_MAX: usize = 512;
/// How long spans wait for others.
const PAUSE: Duration = Duration::from_secs(1);
/// How often a batch is sent that is not taken.
const ATTEMPTS: u32 = 3;
/// How long one request may take, in milliseconds.
const TIMEOUT_MS: u64 = 5_000;

/// Where traces go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collector {
    origin: Origin,
    path: String,
    headers: Vec<(&'static str, String)>,
    /// Of 2^32 traces so many.
    share: u64,
}

impl Collector {
    /// Reads an endpoint such as `http://localhost:4318`, an `authorization` where it wants one, and which part of the traces it
    /// gets, 0.0 to 1.0.
    ///
    /// # Errors
    /// What to write instead.
    pub fn read(endpoint: &str, authorization: &str, part: f64) -> Result<Self, String> {
        let after_scheme = endpoint.find("://").map_or(0, |at| at + 3);
        let (origin, path) = match endpoint[after_scheme..].find('/') {
            Some(at) => endpoint.split_at(after_scheme + at),
            None => (endpoint, ""),
        };
        let plain = origin.strip_prefix("http://");
        let origin = match plain {
            // In the network of whoever runs it a collector mostly has no certificate.
            Some(rest) => Origin::parse(&format!("https://{rest}")).map(|origin| Origin {
                is_https: false,
                port: if rest.ends_with(&format!(":{}", origin.port)) { origin.port } else { 80 },
                ..origin
            }),
            None => Origin::parse(origin),
        }?;
        if !(0.0..=1.0).contains(&part) {
            return Err("write a part between 0.0 and 1.0".to_owned());
        }
        let path = format!("{}/v1/traces", path.trim_end_matches('/'));
        if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("write an endpoint such as `http://localhost:4318`".to_owned());
        }
        let headers =
            if authorization.is_empty() { Vec::new() } else { vec![("authorization", authorization.to_owned())] };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of 2^32 fits")]
        let share = (part * 4_294_967_296.0) as u64;
        Ok(Self { origin, path, headers, share })
    }
}

/// Exports spans of invocations as they end.
pub struct Exporter {
    collector: Collector,
    waiting: Mutex<Vec<Invocation>>,
    filled: Notify,
    dropped: AtomicU64,
    sent: AtomicU64,
}

impl Exporter {
    /// An exporter to a collector; give it to the host as an observer, and run it.
    pub fn new(collector: Collector) -> Arc<Self> {
        let (waiting, filled) = (Mutex::new(Vec::new()), Notify::new());
        Arc::new(Self { collector, waiting, filled, dropped: AtomicU64::new(0), sent: AtomicU64::new(0) })
    }

    /// How many spans were dropped: too many at once, or the collector did not take them.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// How many spans the collector took.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Invocation>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends what waits, again and again, until `stop` is ready; then once more, without patience.
    pub async fn run(self: Arc<Self>, outside: Arc<dyn Outside>, stop: impl Future<Output = ()>) {
        let again = async {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(PAUSE) => {}
                    () = self.filled.notified() => {}
                }
                self.flush(&*outside, ATTEMPTS).await;
            }
        };
        tokio::select! {
            () = stop => {}
            () = again => {}
        }
        self.flush(&*outside, 1).await;
    }

    /// Sends what waits now; each batch is tried so often.
    pub async fn flush(&self, outside: &dyn Outside, attempts: u32) {
        loop {
            let batch: Vec<Invocation> = {
                let mut waiting = self.waiting();
                let count = waiting.len().min(BATCH_MAX);
                waiting.drain(..count).collect()
            };
            if batch.is_empty() {
                return;
            }
            let counted = if self.send(outside, &batch, attempts).await { &self.sent } else { &self.dropped };
            counted.fetch_add(batch.len() as u64, Ordering::Relaxed);
        }
    }

    /// Sends a batch; whether it was taken.
    async fn send(&self, outside: &dyn Outside, batch: &[Invocation], attempts: u32) -> bool {
        let body = Data::json(&request(batch));
        let mut pause = PAUSE;
        for attempt in 1..=attempts {
            // The name of a setting is only for breakers and logs, and there are none here.
            let mut request = Request::post("otlp_endpoint", self.collector.path.clone(), body.clone());
            request.timeout_ms = TIMEOUT_MS;
            for (name, value) in &self.collector.headers {
                request = request.header(name, value.clone());
            }
            let why = match outside.fetch(self.collector.origin.clone(), request).await {
                Ok(response) if (200..300).contains(&response.status) => return true,
                // What it does not understand it will not understand later.
                Ok(response) if response.status < 500 && response.status != 429 => {
                    tracing::warn!(otlp.status = response.status, "the collector refuses traces");
                    return false;
                }
                Ok(response) => format!("status {}", response.status),
                Err(fault) => fault.detail.unwrap_or(fault.message),
            };
            if attempt == attempts {
                tracing::warn!(spans = batch.len(), why, "traces are dropped; the collector does not take them");
            } else {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
        }
        false
    }
}

impl Observer for Exporter {
    /// The same part of traces on every process: it goes by their random bits.
    fn wants(&self, trace: Id) -> bool {
        let random = trace.as_u128() & u128::from(u32::MAX);
        random < u128::from(self.collector.share)
    }

    fn ended(&self, invocation: &Invocation) {
        if !invocation.is_asked && !self.wants(invocation.correlation) {
            return;
        }
        let mut waiting = self.waiting();
        if waiting.len() >= WAITING_MAX {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        waiting.push(invocation.clone());
        if waiting.len() == BATCH_MAX {
            self.filled.notify_one();
        }
    }
}

/// `ExportTraceServiceRequest`, as the JSON encoding of OTLP has it: ids in hexadecimal, 64-bit numbers as text.
fn request(batch: &[Invocation]) -> Value {
    let spans: Vec<Value> = batch.iter().map(span).collect();
    let scope = json!({"name": "callboard", "version": env!("CARGO_PKG_VERSION")});
    let resource = json!({"attributes": [attribute("service.name", json!({"stringValue": "showrunner"}))]});
    json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": scope, "spans": spans}]}]})
}

fn attribute(key: &str, value: Value) -> Value {
    json!({"key": key, "value": value})
}

fn span(one: &Invocation) -> Value {
    let began_ns = u128::from(one.started_ms.max(0).unsigned_abs()) * 1_000_000;
    let text = |key: &str, value: &str| attribute(key, json!({"stringValue": value}));
    let number = |key: &str, value: u64| attribute(key, json!({"intValue": value.to_string()}));
    let mut attributes = vec![
        text("tenant.id", one.tenant.as_str()),
        text("callboard.service", one.service),
        text("callboard.trigger", one.trigger),
        text("callboard.kind", one.kind.as_str()),
        text("callboard.message", &one.id.to_string()),
        number("callboard.attempt", one.attempt.into()),
        number("callboard.waiting_us", one.waiting_ns / 1_000),
    ];
    if !one.pattern.is_empty() {
        attributes.push(text("url.template", one.pattern));
    }
    attributes.extend(one.flow.map(|flow| text("callboard.flow", flow)));
    attributes.extend(
        one.waits.iter().map(|wait| number(&format!("callboard.waiting_us.{}", name(wait.on)), wait.time_ns / 1_000)),
    );
    let mut status = json!({});
    if one.ended != Ended::Answered {
        let ended = one.ended.to_string();
        attributes.push(text("error.type", &ended));
        status = json!({"code": 2, "message": ended});
    }
    // SERVER, INTERNAL or CONSUMER.
    let kind = match one.trigger {
        "http" => 2,
        "queue" | "event" | "flow" | "schedule" => 5,
        _ => 1,
    };
    let mut span = json!({
        "traceId": format!("{:032x}", one.correlation.as_u128()),
        "spanId": format!("{:016x}", one.span),
        "name": one.function,
        "kind": kind,
        "startTimeUnixNano": began_ns.to_string(),
        "endTimeUnixNano": (began_ns + u128::from(one.duration_ns)).to_string(),
        "attributes": attributes,
        "status": status,
    });
    if one.parent != 0 {
        span["parentSpanId"] = json!(format!("{:016x}", one.parent));
    }
    span
}

fn name(on: Dependency) -> String {
    on.to_string().replace(' ', ".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_is_an_endpoint_with_the_usual_path_behind() {
        let read = |endpoint: &str| {
            let Collector { origin, path, .. } = Collector::read(endpoint, "", 1.0).expect(endpoint);
            format!("{origin} {path}")
        };
        assert_eq!(read("http://localhost:4318"), "http://localhost:4318 /v1/traces");
        assert_eq!(read("http://collector.internal:4318/"), "http://collector.internal:4318 /v1/traces");
        assert_eq!(read("http://collector"), "http://collector /v1/traces");
        assert_eq!(read("https://otlp.example.org/otlp/"), "https://otlp.example.org /otlp/v1/traces");
        for wrong in ["collector:4318", "ftp://a.org", "http://a b", "http://me@a.org", "http://a.org/ü"] {
            assert!(Collector::read(wrong, "", 1.0).is_err(), "{wrong}");
        }
        assert!(Collector::read("http://localhost:4318", "", 1.5).is_err());
    }

    #[test]
    fn a_part_of_the_traces_is_chosen_by_their_ids() {
        let exporter = |part| Exporter::new(Collector::read("http://localhost", "", part).expect("a collector"));
        let wanted = |part: f64| {
            let exporter = exporter(part);
            let ids = (0..4_096_u128).map(|number| Id::from_u128((1 << 100) | (number << 20)));
            ids.filter(|id| exporter.wants(*id)).count()
        };
        assert_eq!((wanted(0.0), wanted(0.25), wanted(1.0)), (0, 1_024, 4_096));
    }
}
