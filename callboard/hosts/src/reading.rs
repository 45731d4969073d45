//! What a process reads of the space while it works: `GET $CALLBOARD_URL/…` with the token of its invocation, and only where it
//! is declared.

use crate::declared::May;
use crate::documents::Documents;
use crate::faults;
use crate::pool::Desk;
use crate::runtime::Beside;
use bytes::Bytes;
use callboard::{Env, Fault, FaultKind, Uri};
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use serde_json::value::RawValue;
use std::sync::{Arc, Mutex, PoisonError};

/// Below it are the function's own documents.
const DOCUMENTS: &str = "/~documents/";

/// An invocation as its process may read.
#[derive(Clone)]
pub(crate) struct Reading {
    pub(crate) token: String,
    pub(crate) env: Env,
    pub(crate) function: Arc<str>,
    pub(crate) may: Arc<May>,
    pub(crate) documents: Arc<Documents>,
}

/// A desk, and what answers from it.
pub(crate) fn desk() -> (Beside, Arc<Desk>) {
    let desk: Arc<Desk> = Arc::new(Mutex::new(None));
    let at = desk.clone();
    let beside: Beside = Arc::new(move |parts| {
        let reading = at.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Box::pin(async move { respond(read(reading, &parts).await) })
    });
    (beside, desk)
}

struct Found {
    value: Bytes,
    version: Option<i64>,
}

async fn read(reading: Option<Reading>, parts: &Parts) -> Result<Found, Fault> {
    let token = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = token.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    let reading = reading
        .filter(|reading| is_same(reading.token.as_bytes(), token.as_bytes()))
        .ok_or_else(|| Fault::denied("function.token", "send the token of the invocation that is at work"))?;
    if parts.method != Method::GET {
        let message = "a function only reads here; what it changes stands in its answer";
        return Err(Fault::bad_input("method_not_allowed", message).header("allow", "GET"));
    }
    let uri = Uri::from_encoded(parts.uri.path())?;
    if let Some(key) = uri.as_str().strip_prefix(DOCUMENTS) {
        if !reading.may.documents {
            return Err(undeclared(&reading.function, "keeps documents", "`documents = true`"));
        }
        let document = reading.documents.get(&reading.env, key).await?;
        let document =
            document.ok_or_else(|| Fault::not_found("no_such_uri", format!("there is no document {key}")))?;
        return Ok(Found { value: document.value.into(), version: Some(document.version) });
    }
    if !reading.may.read(&uri) || uri.as_str().contains('?') {
        return Err(undeclared(&reading.function, &format!("reads {uri}"), &faults::line("reads", "", &uri)));
    }
    let address = parts.uri.query().map_or_else(|| uri.to_string(), |query| format!("{uri}?{query}"));
    let value: Box<RawValue> = reading.env.call(&address).await?;
    Ok(Found { value: String::from(Box::<str>::from(value)).into(), version: None })
}

/// Here the function itself asks, so it is the function that may not.
fn undeclared(function: &str, does: &str, advice: &str) -> Fault {
    Fault { kind: FaultKind::Denied, ..faults::undeclared(function, does, advice) }
}

/// Compares in a time that tells nothing.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

fn respond(result: Result<Found, Fault>) -> Response<Full<Bytes>> {
    let (status, media_type, body, version) = match result {
        Ok(found) => (200, "application/json", found.value, found.version),
        Err(fault) => (fault.status(), "application/problem+json", fault.problem("").to_string().into(), None),
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    if let Some(etag) = version.and_then(|version| HeaderValue::from_str(&format!("\"v{version}\"")).ok()) {
        response.headers_mut().insert(ETAG, etag);
    }
    response
}
