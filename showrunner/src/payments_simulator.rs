//! `payments-simulator`: the payment service's simulator behind a port of this machine, for the demo and for tests. Below
//! `/simulator/` it is told what should go wrong, and shows its own book.

use crate::cli::PaymentsSimulator;
use crate::print;
use bytes::Bytes;
use callboard::outside::{Origin, Outside, Request as Call};
use callboard::ports::Clock;
use callboard::{Data, Fault};
use callboard_engines::clock::SystemClock;
use callboard_engines::outside::HttpOutside;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use payments::simulator::{Asked, Operation, Played, Simulator, Trouble, Webhook, WebhookTrouble};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;

/// Largest request that is read.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// Pauses before each attempt to deliver a webhook.
const PAUSES_MS: [u64; 4] = [0, 500, 2_000, 10_000];

/// Keys that both sides know, and where webhooks go.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) key: String,
    pub(crate) webhook_secret: String,
    pub(crate) webhook: Option<String>,
}

struct Bank {
    simulator: Mutex<Simulator>,
    webhook: Mutex<Option<String>>,
    webhook_secret: String,
    outside: HttpOutside,
}

/// What should go wrong from now on.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plan {
    operation: Operation,
    trouble: Trouble,
    times: u32,
}

/// Where webhooks go, and what goes wrong with them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WebhookPlan {
    to: Option<String>,
    #[serde(default)]
    trouble: WebhookTrouble,
}

/// Runs until the process is told to end.
///
/// # Errors
/// `listen.taken`
pub(crate) async fn run(arguments: &PaymentsSimulator) -> Result<(), Fault> {
    let listener = bind(&arguments.listen).await?;
    let address = listener.local_addr().map_err(|error| cannot_listen(&arguments.listen, &error))?;
    let terms = Terms {
        key: arguments.key.clone(),
        webhook_secret: arguments.webhook_secret.clone(),
        webhook: arguments.webhook.clone(),
    };
    print(&format!("The payment service's simulator is at http://{address}\n"));
    tokio::select! {
        () = serve(listener, terms) => Ok(()),
        () = crate::up::told_to_end() => Ok(()),
    }
}

/// Listens on an address of this machine.
///
/// # Errors
/// `listen.taken`
pub(crate) async fn bind(listen: &str) -> Result<TcpListener, Fault> {
    let listener = TcpListener::bind(listen).await.map_err(|error| cannot_listen(listen, &error))?;
    let address = listener.local_addr().map_err(|error| cannot_listen(listen, &error))?;
    if address.ip().is_loopback() {
        return Ok(listener);
    }
    Err(Fault::bad_input(
        "settings",
        format!("the simulator takes no real money and listens on this machine only, not on {listen}"),
    ))
}

fn cannot_listen(listen: &str, error: &std::io::Error) -> Fault {
    Fault::unavailable(
        "listen.taken",
        format!("cannot listen on {listen}: {error}; choose another with `--listen 127.0.0.1:0`"),
    )
}

/// Answers whoever connects.
pub(crate) async fn serve(listener: TcpListener, terms: Terms) {
    // Another process has other ids, so that a payment of an earlier one is not taken for one of this.
    let first_id = getrandom::u32().unwrap_or_default();
    let bank = Arc::new(Bank {
        simulator: Mutex::new(Simulator::new(&terms.key, first_id.into())),
        webhook: Mutex::new(terms.webhook),
        webhook_secret: terms.webhook_secret,
        outside: HttpOutside::new(),
    });
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let bank = bank.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| bank.answer(request));
            // A connection that breaks off is what this program is for.
            drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

impl Bank {
    fn simulator(&self) -> MutexGuard<'_, Simulator> {
        self.simulator.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(self: &Arc<Self>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, &'static str> {
        let (parts, body) = request.into_parts();
        let body =
            Limited::new(body, BODY_BYTES_MAX).collect().await.map_err(|_| "the request is too large")?.to_bytes();
        let path = parts.uri.path().to_owned();
        if let Some(action) = path.strip_prefix("/simulator/") {
            return Ok(self.obey(action, &body));
        }
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let asked = Asked {
            method: parts.method.as_str().to_owned(),
            path,
            key: header("idempotency-key"),
            secret: header("authorization").and_then(|value| value.strip_prefix("Bearer ").map(str::to_owned)),
            form: String::from_utf8_lossy(&body).into_owned(),
        };
        let (played, webhooks) = {
            let mut simulator = self.simulator();
            (simulator.play(&asked, SystemClock.now_ms()), simulator.take_webhooks())
        };
        self.send_all(webhooks);
        match played {
            Played::Answer { status, body, is_replayed, delay_ms } => {
                tokio::time::sleep(Duration::from_millis(delay_ms)).await;
                let mut response = respond(status, &body);
                if is_replayed {
                    response
                        .headers_mut()
                        .insert("idempotent-replayed", hyper::header::HeaderValue::from_static("true"));
                }
                Ok(response)
            }
            Played::Cut => Err("the connection breaks off, as planned"),
            Played::Silence => std::future::pending().await,
        }
    }

    /// What tests and people tell it.
    fn obey(&self, action: &str, body: &[u8]) -> Response<Full<Bytes>> {
        let wrong = |error: serde_json::Error| respond(400, &json!({"error": error.to_string()}));
        match action {
            "book" => respond(200, &json!(self.simulator().book())),
            "troubles" => match serde_json::from_slice::<Plan>(body) {
                Ok(Plan { operation, trouble, times }) => {
                    self.simulator().plan(operation, trouble, times);
                    respond(200, &json!({}))
                }
                Err(error) => wrong(error),
            },
            "webhooks" => match serde_json::from_slice::<WebhookPlan>(body) {
                Ok(WebhookPlan { to, trouble }) => {
                    self.simulator().plan_webhooks(trouble);
                    if to.is_some() {
                        *self.webhook.lock().unwrap_or_else(PoisonError::into_inner) = to;
                    }
                    respond(200, &json!({}))
                }
                Err(error) => wrong(error),
            },
            _ => respond(404, &json!({"error": "tell it `book`, `troubles` or `webhooks`"})),
        }
    }

    fn send_all(self: &Arc<Self>, webhooks: Vec<Webhook>) {
        let to = self.webhook.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some((origin, path)) = to.as_deref().and_then(split) else { return };
        for webhook in webhooks {
            let (bank, origin, path) = (self.clone(), origin.clone(), path.clone());
            tokio::spawn(async move { bank.send(&webhook, origin, path).await });
        }
    }

    async fn send(&self, webhook: &Webhook, origin: Origin, path: String) {
        tokio::time::sleep(Duration::from_millis(webhook.delay_ms)).await;
        for pause_ms in PAUSES_MS {
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
            let signature = webhook.signature(&self.webhook_secret, SystemClock.now_ms());
            let body =
                Data { media_type: "application/json; charset=utf-8".into(), bytes: webhook.body.clone().into() };
            let call = Call::post("webhook", path.clone(), body).header("stripe-signature", signature);
            let answer = self.outside.fetch(origin.clone(), call).await;
            if answer.is_ok_and(|answer| (200..300).contains(&answer.status)) {
                return;
            }
        }
    }
}

/// An address as origin and path.
fn split(address: &str) -> Option<(Origin, String)> {
    let behind = address.find("://")? + 3;
    let at = address[behind..].find('/').map_or(address.len(), |at| behind + at);
    let path = if at == address.len() { "/" } else { &address[at..] };
    Some((Origin::parse(&address[..at]).ok()?, path.to_owned()))
}

fn respond(status: u16, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    response
        .headers_mut()
        .insert(hyper::header::CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
    response
}
