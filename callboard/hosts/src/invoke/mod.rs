//! The Invoke call of AWS Lambda, on a listener of its own, for boto3 and the AWS command line: functions of the space by name, in
//! the same way as any other message.

mod keys;
mod signature;

pub use keys::Keys;

use crate::faults;
use crate::function::Tails;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use callboard::{
    Answer, AnswerBody, Data, Fault, FaultKind, Host, INVOKE, Kind, Msg, Principal, Reply, Service, Stranger, Tenant,
    Uri, Who,
};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use percent_encoding::percent_decode_str;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use signature::Unsigned;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

const BASE: &str = "/2015-03-31/functions/";
/// Largest payload of a call that is waited for, and of one that is not.
const PAYLOAD_BYTES_MAX: usize = 6 << 20;
const QUEUED_BYTES_MAX: usize = 1 << 20;
const CONNECTIONS_MAX: usize = 256;
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// How long what runs may go on once it is told to end.
const GRACE: Duration = Duration::from_secs(30);
/// Where calls that nobody waits for are queued.
const QUEUE: &str = "/-/invocations";

/// How functions are invoked.
#[derive(Clone)]
pub struct Options {
    /// Who may.
    pub keys: Keys,
    /// In which tenant, with a key that is of none.
    pub tenant: Tenant,
    /// What functions in processes print.
    pub tails: Tails,
}

/// A call that nobody waits for.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Queued {
    kind: Kind,
    uri: Uri,
    data: Value,
}

/// The service that queues calls nobody waits for; the host needs it for `InvocationType=Event`.
pub fn service() -> Service {
    Service::new("invoke")
        .on(Kind::Post, QUEUE, queue, Who::Services, Stranger::NotFound)
        .body_bytes_max(QUEUED_BYTES_MAX + 4096)
        // Which functions a key invokes is found out before; the row of each still says who may.
        .calls(Kind::Get, "/**")
        .calls(Kind::Post, "/**")
        .calls(Kind::Put, "/**")
        .calls(Kind::Patch, "/**")
        .calls(Kind::Delete, "/**")
}

async fn queue(msg: Msg<Queued>) -> Result<Reply, Fault> {
    let Queued { kind, uri, data } = msg.data;
    Ok(Reply::nothing().send(kind, uri, data))
}

/// Serves until `stop` is ready, then takes no more connections and waits for the calls that run.
pub async fn serve(host: Host, options: Options, listener: TcpListener, stop: impl Future<Output = ()>) {
    let (options, permits) = (Arc::new(options), Arc::new(Semaphore::new(CONNECTIONS_MAX)));
    let (end, ended) = watch::channel(false);
    let (mut stop, mut connections) = (pin!(stop), JoinSet::new());
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            biased;
            () = stop.as_mut() => break,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Ok(permit) = permits.clone().try_acquire_owned() else { continue };
        drop(stream.set_nodelay(true));
        let (host, options, ended) = (host.clone(), options.clone(), ended.clone());
        connections.spawn(async move {
            connect(host, options, stream, ended).await;
            drop(permit);
        });
    }
    drop(listener);
    end.send_replace(true);
    let finished = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, finished).await.is_err() {
        tracing::warn!("some invocations did not end in time; they are cut off");
    }
}

async fn connect(host: Host, options: Arc<Options>, stream: TcpStream, mut ended: watch::Receiver<bool>) {
    let service = service_fn(|request| {
        let (host, options) = (host.clone(), options.clone());
        async move { Ok::<_, Infallible>(handle(&host, &options, request).await) }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    let mut connection = pin!(server.serve_connection(TokioIo::new(stream), service));
    // Whoever invokes may break the connection at any moment.
    let told = async { drop(ended.wait_for(|ended| *ended).await) };
    tokio::select! {
        result = connection.as_mut() => drop(result),
        () = told => {
            connection.as_mut().graceful_shutdown();
            drop(connection.await);
        }
    }
}

/// What is said instead of an answer: status, the error's name, a message.
struct Refusal(StatusCode, &'static str, String);

impl From<Unsigned> for Refusal {
    fn from(unsigned: Unsigned) -> Self {
        let (name, message) = match unsigned {
            Unsigned::Missing => {
                ("MissingAuthenticationTokenException", "sign the request with a key of `invoke_keys`")
            }
            Unsigned::UnknownKey => ("UnrecognizedClientException", "there is no such key in `invoke_keys`"),
            Unsigned::Partial => {
                ("InvalidSignatureException", "sign every header of the request that begins with `x-amz-`")
            }
            Unsigned::Expired => ("InvalidSignatureException", "the signature is of another time; set the clock"),
            Unsigned::Wrong => {
                ("InvalidSignatureException", "the signature is not of this request; look at the secret")
            }
        };
        Self(StatusCode::FORBIDDEN, name, message.to_owned())
    }
}

async fn handle(host: &Host, options: &Options, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    match invoke(host, options, &parts, body).await {
        Ok(response) => response,
        Err(Refusal(status, name, message)) => {
            let kind = if status.is_server_error() { "Service" } else { "User" };
            let mut response = said(status, json!({"Type": kind, "Message": message, "message": message}).to_string());
            response.headers_mut().insert("x-amzn-errortype", HeaderValue::from_static(name));
            response
        }
    }
}

async fn invoke(
    host: &Host,
    options: &Options,
    parts: &Parts,
    body: Incoming,
) -> Result<Response<Full<Bytes>>, Refusal> {
    // Who is nobody's is not listened to.
    let claim = signature::claim(parts, "lambda", host.ports().clock.now_ms())?;
    let key = options.keys.find(claim.key).ok_or(Unsigned::UnknownKey)?;
    let too_large = |most: usize| {
        let message = format!("a payload has at most {most} bytes");
        Refusal(StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException", message)
    };
    let read = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, PAYLOAD_BYTES_MAX).collect()).await;
    let body = match read {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(_)) => return Err(too_large(PAYLOAD_BYTES_MAX)),
        Err(_) => {
            let message = format!("send the payload within {} s", BODY_TIMEOUT.as_secs());
            return Err(Refusal(StatusCode::REQUEST_TIMEOUT, "RequestTimeoutException", message));
        }
    };
    claim.check(parts, &body, key.secret.expose())?;
    let key_tenant = key.tenant.as_ref();
    let not_found =
        |name: &str| Refusal(StatusCode::NOT_FOUND, "ResourceNotFoundException", format!("Function not found: {name}"));
    let name = parts.uri.path().strip_prefix(BASE).and_then(|rest| rest.strip_suffix("/invocations"));
    let name = percent_decode_str(name.ok_or_else(|| not_found(parts.uri.path()))?).decode_utf8_lossy().into_owned();
    if parts.method != Method::POST {
        let message = "invoke with POST".to_owned();
        return Err(Refusal(StatusCode::METHOD_NOT_ALLOWED, "InvalidRequestContentException", message));
    }
    let (kind, uri) = find(host, &name, key_tenant.is_none()).ok_or_else(|| match key_tenant {
        Some(tenant) if find(host, &name, true).is_some() => of_all_tenants(tenant),
        _ => not_found(&name),
    })?;
    if !body.is_empty() && serde_json::from_slice::<serde::de::IgnoredAny>(&body).is_err() {
        let message = "the payload is no JSON".to_owned();
        return Err(Refusal(StatusCode::BAD_REQUEST, "InvalidRequestContentException", message));
    }
    let mut msg = host.message(kind, uri, key_tenant.unwrap_or(&options.tenant).clone());
    msg.data = Data { media_type: "application/json".into(), bytes: body };
    let head = msg.head_mut();
    head.source = INVOKE.into();
    head.principal = Principal::Service(format!("invoke/{}", claim.key).into());
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match header("x-amz-invocation-type") {
        "DryRun" => Ok(said(StatusCode::NO_CONTENT, String::new())),
        "Event" if msg.data.bytes.len() > QUEUED_BYTES_MAX => Err(too_large(QUEUED_BYTES_MAX)),
        "Event" => enqueue(host, msg).await,
        "RequestResponse" | "" => Ok(call(host, options, msg, header("x-amz-log-type") == "Tail").await?),
        other => {
            let message = format!("`{other}` is no InvocationType");
            Err(Refusal(StatusCode::BAD_REQUEST, "InvalidParameterValueException", message))
        }
    }
}

fn of_all_tenants(tenant: &Tenant) -> Refusal {
    let message = format!(
        "this function is of all tenants and your key only of `{tenant}`; invoke it with a key that is of no tenant"
    );
    Refusal(StatusCode::FORBIDDEN, "AccessDeniedException", message)
}

/// What a function of this name answers: the row of the table, where its pattern has no names. A command wins over a query. Where
/// asked, also among the functions that are of all tenants.
fn find(host: &Host, name: &str, is_among_all: bool) -> Option<(Kind, Uri)> {
    let name = name.rsplit_once(":function:").map_or(name, |(_, name)| name);
    let name = name.strip_suffix(":$LATEST").unwrap_or(name);
    let rows =
        host.space().services.iter().flat_map(|service| {
            service.bindings.iter().filter(move |row| is_among_all || !service.is_of_all_tenants(row))
        });
    let named = rows.filter(|row| {
        let full = row.function_name();
        full == name || full.strip_suffix(name).is_some_and(|before| before.ends_with("::"))
    });
    let callable = named.filter(|row| !matches!(row.kind, Kind::Event(_) | Kind::Page | Kind::Form | Kind::Options));
    let plain = callable.filter(|row| !row.pattern.as_str().contains(['{', '*']));
    let row = plain
        .min_by_key(|row| [Kind::Post, Kind::Put, Kind::Patch, Kind::Get].iter().position(|kind| *kind == row.kind))?;
    Some((row.kind.clone(), Uri::parse(row.pattern.as_str()).ok()?))
}

fn too_many(fault: Fault) -> Refusal {
    Refusal(StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException", fault.message)
}

async fn enqueue(host: &Host, msg: Msg) -> Result<Response<Full<Bytes>>, Refusal> {
    let broken = |fault: Fault| {
        if fault.kind == FaultKind::TooMany {
            return too_many(fault);
        }
        tracing::warn!(fault.code, fault.detail, "an invocation could not be queued");
        Refusal(StatusCode::INTERNAL_SERVER_ERROR, "ServiceException", fault.message)
    };
    let data = if msg.data.bytes.is_empty() { Value::Null } else { msg.data.read().map_err(broken)? };
    let queued = Queued { kind: msg.kind.clone(), uri: msg.uri.clone(), data };
    let queue = Uri::parse(QUEUE).map_err(Fault::from).map_err(broken)?;
    let mut ask = host.message(Kind::Post, queue, msg.tenant.clone()).with_data(Data::json(&queued));
    let head = ask.head_mut();
    head.source = INVOKE.into();
    head.principal = msg.principal.clone();
    host.dispatch(ask).await.map_err(broken)?;
    Ok(with_id(said(StatusCode::ACCEPTED, String::new()), &msg.id.to_string()))
}

async fn call(host: &Host, options: &Options, msg: Msg, has_tail: bool) -> Result<Response<Full<Bytes>>, Refusal> {
    let id = msg.id.to_string();
    if has_tail {
        options.tails.want(&id);
    }
    let result = host.dispatch(msg).await;
    let tail = has_tail.then(|| options.tails.take(&id));
    let mut response = match result {
        Ok(answer) => said(StatusCode::OK, payload(answer)),
        Err(fault) if fault.kind == FaultKind::TooMany => return Err(too_many(fault)),
        Err(fault) => {
            let error = serde_json::to_string(&faults::error_in(&fault)).unwrap_or_default();
            let mut response = said(StatusCode::OK, error);
            response.headers_mut().insert("x-amz-function-error", HeaderValue::from_static("Unhandled"));
            response
        }
    };
    response.headers_mut().insert("x-amz-executed-version", HeaderValue::from_static("$LATEST"));
    if let Some(tail) = tail {
        let value = HeaderValue::from_str(&STANDARD.encode(tail)).expect("base64 is ASCII");
        response.headers_mut().insert("x-amz-log-result", value);
    }
    Ok(with_id(response, &id))
}

/// An answer as JSON.
fn payload(answer: Answer) -> String {
    match answer.body {
        AnswerBody::Bytes { media_type, bytes } if media_type.contains("json") => {
            String::from_utf8_lossy(&bytes).into_owned()
        }
        AnswerBody::Bytes { bytes, .. } => Value::from(String::from_utf8_lossy(&bytes)).to_string(),
        _ => "null".to_owned(),
    }
}

fn with_id(mut response: Response<Full<Bytes>>, id: &str) -> Response<Full<Bytes>> {
    let value = HeaderValue::from_str(id).expect("an id is hexadecimal");
    response.headers_mut().insert(HeaderName::from_static("x-amzn-requestid"), value);
    response
}

fn said(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
