//! The routes of the Runtime API over HTTP/1.1.

use super::invocation::{WITH_PRELUDE, is_json, read_streamed};
use super::machine::{Refusal, Said, State};
use super::{Answered, Begun, FunctionError, Invocation, InvokeError, Shared, Stage, streaming};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::json;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;

const BASE: &str = "/2018-06-01/runtime/";
const MODE: &str = "lambda-runtime-function-response-mode";
pub(super) const ERROR_TYPE: &str = "lambda-runtime-function-error-type";
/// Largest error that a process may tell of itself; several connections may do so before it asks for work.
const ERROR_BYTES_MAX: usize = 256 << 10;
/// How much of an answer that is too large is read, so that its sender hears why it is refused.
const DRAINED_BYTES_MAX: u64 = 64 << 20;

/// Takes connections until it is aborted, which ends them too.
pub(super) async fn accept(shared: Arc<Shared>, listener: TcpListener) {
    let permits = Arc::new(Semaphore::new(shared.limits.connections_max));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection of a function could not be taken");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Ok(permit) = permits.clone().try_acquire_owned() else { continue };
        drop(stream.set_nodelay(true));
        let shared = shared.clone();
        connections.spawn(async move {
            let service = service_fn(|request| {
                let shared = shared.clone();
                async move { Ok::<_, Infallible>(route(&shared, request).await) }
            });
            // A process may break its connection at any moment; whoever waits for it hears by its end.
            drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
            drop(permit);
        });
    }
}

async fn route(shared: &Arc<Shared>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let path = request.uri().path().to_owned();
    let Some(rest) = path.strip_prefix(BASE) else {
        return match &shared.beside {
            Some(beside) => beside(request.into_parts().0).await,
            None => refusal(StatusCode::NOT_FOUND, "NotFound", "there is no such path"),
        };
    };
    let parts: Vec<&str> = rest.split('/').collect();
    match (request.method(), parts.as_slice()) {
        (&Method::GET, ["invocation", "next"]) => next(shared).await,
        (&Method::POST, ["invocation", id, "response"]) => respond(shared, id, request).await,
        (&Method::POST, ["invocation", id, "error"]) => fail(shared, id, request).await,
        (&Method::POST, ["init", "error"]) => fail_init(shared, request).await,
        (_, ["invocation", "next"] | ["invocation", _, "response" | "error"] | ["init", "error"]) => {
            refusal(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "this path has another method")
        }
        _ => refusal(StatusCode::NOT_FOUND, "NotFound", "there is no such path"),
    }
}

async fn next(shared: &Arc<Shared>) -> Response<Full<Bytes>> {
    {
        let mut stage = shared.stage();
        if let Err(refused) = stage.state.hear(Said::Next) {
            return refuse(refused);
        }
        stage.state = State::Idle;
    }
    shared.started.send_if_modified(|started| started.is_none() && started.replace(Ok(())).is_none());
    loop {
        let work = shared.work.notified();
        {
            let mut stage = shared.stage();
            // Another connection of the same process may have taken what there was.
            if let Err(refused) = stage.state.hear(Said::Next) {
                return refuse(refused);
            }
            if let Some(invocation) = stage.pending.take() {
                stage.state = State::Busy(invocation.id.clone());
                return work_response(invocation);
            }
        }
        work.await;
    }
}

fn work_response(invocation: Invocation) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(invocation.payload));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert("lambda-runtime-deadline-ms", HeaderValue::from(invocation.deadline_ms));
    let texts = [
        ("lambda-runtime-aws-request-id", invocation.id),
        ("lambda-runtime-invoked-function-arn", invocation.function),
        ("lambda-runtime-trace-id", invocation.trace),
        ("lambda-runtime-client-context", invocation.client_context),
    ];
    for (name, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    response
}

fn end(stage: &mut Stage, id: &str, result: Result<Answered, InvokeError>) {
    stage.state = State::Answered(id.to_owned());
    if let Some(asker) = stage.asker.take() {
        // Nobody may wait any more.
        drop(asker.send(result));
    }
}

/// The answer to an invocation while it comes. Nothing else answers it, so that only one body is read at a time; where its sender
/// goes before its end, it is broken off.
struct Answering<'a> {
    shared: &'a Shared,
    id: &'a str,
}

impl<'a> Answering<'a> {
    fn begin(shared: &'a Shared, id: &'a str) -> Result<Self, Refusal> {
        let mut stage = shared.stage();
        stage.state.hear(Said::Answer(id))?;
        stage.state = State::Answering(id.to_owned());
        Ok(Self { shared, id })
    }

    /// Whoever passes it on as it comes, where somebody does.
    fn live(&self) -> Option<oneshot::Sender<Begun>> {
        self.shared.stage().live.take()
    }

    /// Whoever waits gets the result.
    fn end(self, result: Result<Answered, InvokeError>) {
        end(&mut self.shared.stage(), self.id, result);
    }
}

impl Drop for Answering<'_> {
    fn drop(&mut self) {
        let mut stage = self.shared.stage();
        if matches!(&stage.state, State::Answering(id) if id == self.id) {
            end(&mut stage, self.id, Err(InvokeError::Broken));
        }
    }
}

async fn respond(shared: &Arc<Shared>, id: &str, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let answering = match Answering::begin(shared, id) {
        Ok(answering) => answering,
        Err(refused) => return refuse(refused),
    };
    let text = |headers: &HeaderMap, name: &str| {
        headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let media_type = text(request.headers(), "content-type");
    let is_streamed = text(request.headers(), MODE).eq_ignore_ascii_case("streaming");
    let is_passed_on = is_streamed && (media_type == WITH_PRELUDE || !is_json(&media_type));
    if let Some(live) = is_passed_on.then(|| answering.live()).flatten() {
        let result = streaming::pass_on(request.into_body(), &media_type, live).await;
        let is_left = result == Err(InvokeError::Left);
        answering.end(result);
        return match is_left {
            true => refusal(StatusCode::GONE, "Gone", "nobody takes the rest of this answer"),
            false => accepted(),
        };
    }
    let size_max = if is_streamed { shared.limits.streamed_bytes_max } else { shared.limits.answer_bytes_max };
    let result = match read(request.into_body(), size_max).await {
        Ok(Read { trailers: Some(trailers), bytes }) if trailers.contains_key(ERROR_TYPE) => {
            Err(InvokeError::Function(streaming::error_in(&trailers, &bytes)))
        }
        Ok(Read { bytes, .. }) if is_streamed => read_streamed(&media_type, bytes),
        Ok(Read { bytes, .. }) => Ok(Answered { media_type, prelude: None, body: bytes }),
        Err(Unread::TooLarge { size_bytes }) => Err(InvokeError::ResponseTooLarge { size_bytes }),
        Err(Unread::Broken) => Err(InvokeError::Broken),
    };
    let is_too_large = matches!(result, Err(InvokeError::ResponseTooLarge { .. }));
    answering.end(result);
    if is_too_large {
        let message = format!("an answer has at most {size_max} bytes");
        return refusal(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", &message);
    }
    // Whoever waits for the answer goes on before its sender hears that it has come.
    tokio::task::yield_now().await;
    accepted()
}

async fn fail(shared: &Arc<Shared>, id: &str, request: Request<Incoming>) -> Response<Full<Bytes>> {
    match Answering::begin(shared, id) {
        Ok(answering) => {
            let error = read_error(request, shared.limits.answer_bytes_max).await;
            answering.end(Err(InvokeError::Function(error)));
            accepted()
        }
        Err(refused) => refuse(refused),
    }
}

async fn fail_init(shared: &Arc<Shared>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    if let Err(refused) = shared.stage().state.hear(Said::InitError) {
        return refuse(refused);
    }
    let error = read_error(request, ERROR_BYTES_MAX).await;
    {
        let mut stage = shared.stage();
        if let Err(refused) = stage.state.hear(Said::InitError) {
            return refuse(refused);
        }
        stage.state = State::Broken;
        stage.pending = None;
        if let Some(asker) = stage.asker.take() {
            drop(asker.send(Err(InvokeError::Init(error.clone()))));
        }
    }
    shared.started.send_replace(Some(Err(error)));
    accepted()
}

async fn read_error(request: Request<Incoming>, size_max: usize) -> FunctionError {
    let header = request.headers().get(ERROR_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let bytes = match read(request.into_body(), size_max).await {
        Ok(read) => read.bytes,
        Err(Unread::TooLarge { size_bytes }) => format!("it tells an error of {size_bytes} bytes").into(),
        Err(Unread::Broken) => Bytes::new(),
    };
    FunctionError::read(&bytes, header.as_deref())
}

struct Read {
    bytes: Bytes,
    trailers: Option<HeaderMap>,
}

enum Unread {
    TooLarge { size_bytes: u64 },
    Broken,
}

async fn read(mut body: Incoming, size_max: usize) -> Result<Read, Unread> {
    let announced = body.size_hint().exact();
    let mut bytes = BytesMut::with_capacity(announced.map_or(0, |size| size.min(size_max as u64) as usize));
    let (mut size, mut trailers) = (0, None);
    while let Some(frame) = body.frame().await {
        match frame.map_err(|_| Unread::Broken)?.into_data() {
            Ok(data) => {
                size += data.len() as u64;
                if size <= size_max as u64 {
                    bytes.extend_from_slice(&data);
                } else if size > DRAINED_BYTES_MAX {
                    break;
                }
            }
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    match size > size_max as u64 {
        true => Err(Unread::TooLarge { size_bytes: announced.unwrap_or(size) }),
        false => Ok(Read { bytes: bytes.freeze(), trailers }),
    }
}

fn refuse(refusal: Refusal) -> Response<Full<Bytes>> {
    match refusal {
        Refusal::RequestId => {
            self::refusal(StatusCode::BAD_REQUEST, "InvalidRequestID", "this process was not given this invocation")
        }
        Refusal::Transition => self::refusal(
            StatusCode::FORBIDDEN,
            "InvalidStateTransition",
            "it is not the time for this: ask for work, then answer once",
        ),
    }
}

fn accepted() -> Response<Full<Bytes>> {
    said(StatusCode::ACCEPTED, Bytes::from_static(br#"{"status":"OK"}"#))
}

fn refusal(status: StatusCode, error_type: &str, message: &str) -> Response<Full<Bytes>> {
    said(status, json!({"errorMessage": message, "errorType": error_type}).to_string().into())
}

fn said(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
