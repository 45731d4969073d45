//! Answers as the HTTP shapes of AWS want them, within what a function may send.

use super::request::Shape;
use crate::http::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use callboard::Fault;
use http_body_util::{BodyExt, Limited};
use hyper::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, SET_COOKIE};
use hyper::{Response, StatusCode};
use std::time::Duration;

/// Largest answer of a function that waits for its whole body.
pub(crate) const ANSWER_BYTES_MAX: usize = 6 * 1024 * 1024;

/// Reads a body that a function can send; the fault says what to do where it cannot.
pub(crate) async fn collect(response: Response<Body>, timeout_ms: u64) -> Result<Response<Bytes>, Fault> {
    let (parts, body) = response.into_parts();
    if parts.headers.get(CONTENT_TYPE).is_some_and(|media_type| media_type.as_bytes().starts_with(b"text/event-stream"))
    {
        return Err(too_large("an event stream has no end"));
    }
    let length = parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if let Some(length) = length.filter(|length| *length > ANSWER_BYTES_MAX) {
        return Err(too_large(&format!("this answer has {length} bytes")));
    }
    let body = match body.into_memory() {
        Ok(bytes) => bytes,
        Err(body) => {
            let reading =
                tokio::time::timeout(Duration::from_millis(timeout_ms), Limited::new(body, ANSWER_BYTES_MAX).collect());
            let read = reading
                .await
                .map_err(|_| Fault::unavailable("deadline", "the answer was not there in time; try again"))?;
            read.map_err(|error| too_large(&format!("this answer cannot be read: {error}")))?.to_bytes()
        }
    };
    let size_bytes = if is_text(&parts.headers, &body) { body.len() } else { body.len().div_ceil(3) * 4 };
    if size_bytes > ANSWER_BYTES_MAX {
        return Err(too_large(&format!("this answer has {size_bytes} bytes as it would be sent")));
    }
    Ok(Response::from_parts(parts, body))
}

fn too_large(what: &str) -> Fault {
    let message = format!("{what}, and a function sends at most {ANSWER_BYTES_MAX}; ask for a part of it with `Range`");
    Fault::too_large("answer.too_large", message)
}

/// The problem document of a fault of this side.
pub(crate) fn problem(fault: &Fault, id: &str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(fault.problem(id).to_string()));
    *response.status_mut() = StatusCode::from_u16(fault.status()).expect("a fault has a status");
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response
}

/// Sends somebody to where the same path is served from storage.
pub(crate) fn elsewhere(origin: &str, target: &str) -> Option<Response<Bytes>> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    let to = HeaderValue::try_from(format!("{origin}{target}")).ok()?;
    response.headers_mut().insert(hyper::header::LOCATION, to);
    response.headers_mut().insert(hyper::header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Some(response)
}

fn is_text(headers: &HeaderMap, body: &[u8]) -> bool {
    !headers.contains_key(CONTENT_ENCODING) && std::str::from_utf8(body).is_ok()
}

/// Writes an answer.
pub(crate) fn write(shape: Shape, response: Response<Bytes>) -> Vec<u8> {
    let (parts, body) = response.into_parts();
    let mut out = Vec::with_capacity(body.len() + body.len() / 8 + 1024);
    out.extend_from_slice(b"{\"statusCode\":");
    out.extend_from_slice(parts.status.as_str().as_bytes());
    match shape {
        Shape::V2 => {
            write_single(&mut out, &parts.headers, false);
            write_cookies(&mut out, &parts.headers);
        }
        Shape::Rest => write_multiple(&mut out, &parts.headers),
        Shape::Alb { is_multiple } => {
            out.extend_from_slice(b",\"statusDescription\":");
            let reason = parts.status.canonical_reason().unwrap_or("Unknown");
            text(&mut out, &format!("{} {reason}", parts.status.as_str()));
            write_single(&mut out, &parts.headers, !is_multiple);
            write_multiple(&mut out, &parts.headers);
        }
    }
    write_body(&mut out, &parts.headers, &body);
    out.push(b'}');
    out
}

fn write_body(out: &mut Vec<u8>, headers: &HeaderMap, body: &[u8]) {
    out.extend_from_slice(b",\"body\":");
    match std::str::from_utf8(body) {
        Ok(plain) if !headers.contains_key(CONTENT_ENCODING) => {
            text(out, plain);
            out.extend_from_slice(b",\"isBase64Encoded\":false");
        }
        _ => {
            out.push(b'"');
            out.extend_from_slice(STANDARD.encode(body).as_bytes());
            out.extend_from_slice(b"\",\"isBase64Encoded\":true");
        }
    }
}

/// What the transport of AWS makes itself.
fn is_kept(name: &HeaderName) -> bool {
    name != CONTENT_LENGTH
}

fn value_of(value: &HeaderValue) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(value.as_bytes())
}

/// Headers with one value each. Where there is no other place for several cookies, they get names that differ in case.
fn write_single(out: &mut Vec<u8>, headers: &HeaderMap, has_cookies: bool) {
    out.extend_from_slice(b",\"headers\":{");
    let mut is_first = true;
    for name in headers.keys().filter(|name| is_kept(name) && **name != SET_COOKIE) {
        comma(out, &mut is_first);
        text(out, name.as_str());
        out.push(b':');
        let mut values = headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (Some(only), None) => text(out, &value_of(only)),
            _ => {
                let all: Vec<_> = headers.get_all(name).iter().map(value_of).collect();
                text(out, &all.join(", "));
            }
        }
    }
    for (at, cookie) in headers.get_all(SET_COOKIE).iter().enumerate().filter(|_| has_cookies) {
        comma(out, &mut is_first);
        text(out, &spelt(at));
        out.push(b':');
        text(out, &value_of(cookie));
    }
    out.push(b'}');
}

/// The `at`-th way to spell `set-cookie` in large and small letters.
fn spelt(at: usize) -> String {
    let letter =
        |(place, letter): (usize, char)| if at >> place & 1 == 1 { letter.to_ascii_uppercase() } else { letter };
    let letters = "setcookie".chars().enumerate().map(letter).collect::<String>();
    format!("{}-{}", &letters[..3], &letters[3..])
}

fn write_cookies(out: &mut Vec<u8>, headers: &HeaderMap) {
    let mut cookies = headers.get_all(SET_COOKIE).iter().peekable();
    if cookies.peek().is_none() {
        return;
    }
    out.extend_from_slice(b",\"cookies\":[");
    let mut is_first = true;
    for cookie in cookies {
        comma(out, &mut is_first);
        text(out, &value_of(cookie));
    }
    out.push(b']');
}

fn write_multiple(out: &mut Vec<u8>, headers: &HeaderMap) {
    out.extend_from_slice(b",\"multiValueHeaders\":{");
    let mut is_first = true;
    for name in headers.keys().filter(|name| is_kept(name)) {
        comma(out, &mut is_first);
        text(out, name.as_str());
        out.extend_from_slice(b":[");
        let mut is_first_value = true;
        for value in headers.get_all(name) {
            comma(out, &mut is_first_value);
            text(out, &value_of(value));
        }
        out.push(b']');
    }
    out.push(b'}');
}

fn comma(out: &mut Vec<u8>, is_first: &mut bool) {
    if !std::mem::take(is_first) {
        out.push(b',');
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("text can be written into memory");
}
