//! One line for every request: at `debug`, or at `warn` where it was slow or the fault was ours and nobody was told. Never a query,
//! a token or a cookie.

use super::body::Body;
use super::faults::Logged;
use callboard::Tenant;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Response};
use std::borrow::Cow;
use std::time::Instant;
use tracing::Level;

/// Writes the line.
pub(crate) fn write(parts: &Parts, tenant: Option<&Tenant>, response: &Response<Body>, started: Instant, slow_ms: u64) {
    let status = response.status().as_u16();
    let is_debug = tracing::enabled!(Level::DEBUG);
    if status < 500 && !is_debug && slow_ms == u64::MAX {
        return;
    }
    let duration = started.elapsed();
    let logged = response.extensions().get::<Logged>();
    let is_told = logged.is_some_and(|logged| logged.detail.is_none());
    let is_bad = (status >= 500 && !is_told) || duration.as_millis() >= u128::from(slow_ms);
    if !is_bad && !is_debug {
        return;
    }
    let duration_ms = duration.as_micros() as f64 / 1000.0;
    let (path, method) = (speakable(parts.uri.path()), parts.method.as_str());
    let tenant = tenant.map(Tenant::as_str);
    let id = id_of(response.headers());
    let (code, detail) = (logged.map(|logged| logged.code), logged.and_then(|logged| logged.detail.as_deref()));
    if is_bad {
        tracing::warn!(
            http.method = method, http.path = %path, http.status = status, tenant.id = tenant, message.id = id,
            fault.code = code, fault.detail = detail, duration_ms, "request"
        );
    } else {
        tracing::debug!(
            http.method = method, http.path = %path, http.status = status, tenant.id = tenant, message.id = id,
            duration_ms, "request"
        );
    }
}

fn id_of(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-request-id").and_then(|value| value.to_str().ok())
}

/// The path without the pass that an address of media may hold.
fn speakable(path: &str) -> Cow<'_, str> {
    let lower = path.to_ascii_lowercase();
    let media = lower.find("/media/").map(|at| at + "/media/".len());
    match media.filter(|&at| lower[at..].starts_with('~') || lower[at..].starts_with("%7e")) {
        None => Cow::Borrowed(path),
        Some(at) => {
            let rest = path[at..].split_once('/').map_or("", |(_, rest)| rest);
            Cow::Owned(format!("{}~/{rest}", &path[..at]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_are_not_spoken() {
        for (path, want) in [
            ("/media/~k1.secret.sig/a1/full/x.m4s", "/media/~/a1/full/x.m4s"),
            ("/@demo/media/%7Esecret/a1", "/@demo/media/~/a1"),
            ("/media/~secret", "/media/~/"),
            ("/media/a1/full/x.m4s", "/media/a1/full/x.m4s"),
        ] {
            assert_eq!(speakable(path), want);
        }
    }
}
