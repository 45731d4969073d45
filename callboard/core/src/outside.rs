//! The world outside: calls to other systems over HTTP, as a port. A function names a setting and a path, never an address, so
//! that nobody but whoever configures the application decides whom it talks to. Only steps of flows may call.

use crate::{BoxFuture, Data, Fault, Secret};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use std::fmt;
use std::net::IpAddr;

/// Largest answer unless the request says otherwise.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// How long an exchange may take unless the request says otherwise.
const TIMEOUT_MS: u64 = 20_000;

/// A system that a service declared it calls.
#[derive(Clone, Copy, Debug)]
pub struct Dependency {
    /// The setting that holds its origin, such as `payments.stripe_url`.
    pub setting: &'static str,
    /// What callers hear while it is away: what does not work, and what to do.
    pub when_away: &'static str,
}

/// A request to another system.
#[derive(Clone, Debug)]
pub struct Request {
    /// The setting that holds its origin.
    pub to: &'static str,
    /// `GET`, `POST` …
    pub method: &'static str,
    /// Path and query, encoded.
    pub path: String,
    /// Headers; their values are never logged.
    pub headers: Vec<(&'static str, Secret<String>)>,
    /// The body.
    pub body: Data,
    /// How long all of it may take.
    pub timeout_ms: u64,
    /// Largest answer that is taken.
    pub answer_bytes_max: usize,
}

impl Request {
    /// A request without a body.
    pub fn get(to: &'static str, path: impl Into<String>) -> Self {
        Self::new(to, "GET", path.into(), Data::EMPTY)
    }

    /// A request with a body.
    pub fn post(to: &'static str, path: impl Into<String>, body: Data) -> Self {
        Self::new(to, "POST", path.into(), body)
    }

    fn new(to: &'static str, method: &'static str, path: String, body: Data) -> Self {
        let (timeout_ms, answer_bytes_max) = (TIMEOUT_MS, ANSWER_BYTES_MAX);
        Self { to, method, path, headers: Vec::new(), body, timeout_ms, answer_bytes_max }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, Secret::new(value.into())));
        self
    }

    /// The value of a header.
    pub fn header_value(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| *have == name).map(|(_, value)| value.expose().as_str())
    }
}

/// What another system answered; any status is an answer. Redirects are not followed.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl Response {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    /// The body read as JSON.
    ///
    /// # Errors
    /// `outside.unanswered`: what cannot be read says nothing about what happened.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        serde_json::from_slice(&self.body)
            .map_err(|error| unanswered(format!("an answer with status {} cannot be read: {error}", self.status)))
    }

    /// Whether the other system works: what it refuses it has understood.
    pub(crate) fn is_alive(&self) -> bool {
        self.status < 500 && self.status != 429
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Response({}, {} bytes)", self.status, self.body.len())
    }
}

/// The fault of a request that was certainly not received: nothing has happened.
pub fn unreachable(detail: impl Into<String>) -> Fault {
    Fault::unavailable("outside.unreachable", "another system cannot be reached; nothing has happened there")
        .detail(detail)
}

/// The fault of a request that may have been received: nobody knows what has happened.
pub fn unanswered(detail: impl Into<String>) -> Fault {
    Fault::unavailable("outside.unanswered", "another system gave no answer; what it did is being found out")
        .detail(detail)
}

/// Where another system is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Whether it is asked over TLS.
    pub is_https: bool,
    /// Its host name or address, lower case, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl Origin {
    /// Reads `https://host` or `https://host:port`; plain `http` only on this machine.
    ///
    /// # Errors
    /// What is wrong with it, in words that follow the name of a setting.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("is `{text}`: {what}, such as `https://api.example.org`");
        let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong("write an origin"))?;
        let is_https = match scheme {
            "https" => true,
            "http" => false,
            _ => return Err(wrong("begin with https://")),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match authority.strip_prefix('[') {
            Some(bracketed) => {
                let (host, port) = bracketed.split_once(']').ok_or_else(|| wrong("close the bracket"))?;
                host.parse::<std::net::Ipv6Addr>().map_err(|_| wrong("write an address between the brackets"))?;
                (host, port.strip_prefix(':').or(if port.is_empty() { Some("") } else { None }))
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port).filter(|port| !port.is_empty())),
                None => (authority, Some("")),
            },
        };
        let port = match port {
            Some("") => Some(if is_https { 443 } else { 80 }),
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok().filter(|port| *port > 0)
            }
            _ => None,
        };
        let port = port.ok_or_else(|| wrong("write the port as a number"))?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b':');
        if host.is_empty() || !host.bytes().all(is_plain) {
            return Err(wrong("leave out everything but a host and a port"));
        }
        let origin = Self { is_https, host: host.to_ascii_lowercase(), port };
        if !origin.is_https && !origin.is_loopback() {
            return Err(wrong("use https://, except on this machine"));
        }
        Ok(origin)
    }

    /// Whether it names this machine in so many words.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// Host and port, as a `Host` header has them.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == if self.is_https { 443 } else { 80 } { host } else { format!("{host}:{}", self.port) }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.is_https { "https" } else { "http" }, self.authority())
    }
}

/// Calls other systems.
pub trait Outside: Send + Sync {
    /// One exchange. It fails with [`unreachable()`] only where the other system certainly received nothing.
    fn fetch(&self, origin: Origin, request: Request) -> BoxFuture<'_, Result<Response, Fault>>;
}

/// A world without others: every call finds nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nobody;

impl Outside for Nobody {
    fn fetch(&self, origin: Origin, _: Request) -> BoxFuture<'_, Result<Response, Fault>> {
        Box::pin(std::future::ready(Err(unreachable(format!("there is no way to {origin} from here")))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn origins_are_a_scheme_a_host_and_a_port() {
        for (text, shown, is_loopback) in [
            ("https://api.stripe.com", "https://api.stripe.com", false),
            ("https://API.example.org:8443/", "https://api.example.org:8443", false),
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000", true),
            ("http://localhost", "http://localhost", true),
            ("http://[::1]:81", "http://[::1]:81", true),
            ("https://[2001:db8::1]", "https://[2001:db8::1]", false),
        ] {
            let origin = Origin::parse(text).expect(text);
            assert_eq!((origin.to_string().as_str(), origin.is_loopback()), (shown, is_loopback));
        }
    }

    #[test]
    fn anything_else_is_no_origin() {
        for text in [
            "",
            "api.stripe.com",
            "ftp://a.org",
            "http://api.stripe.com",
            "http://10.0.0.1",
            "https://",
            "https://a.org/v1",
            "https://me@a.org",
            "https://a.org?x",
            "https://a.org:",
            "https://a.org:0",
            "https://a.org:65536",
            "https://a.org:+1",
            "https://[::1",
            "https://[a.org]",
            "https://a b.org",
            "http://localhost.evil.org",
        ] {
            assert!(Origin::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_origin_reads_as_it_is_shown(text in "(https?://)?[a-z0-9.:\\[\\]@/-]{0,24}") {
            if let Ok(origin) = Origin::parse(&text) {
                prop_assert_eq!(Origin::parse(&origin.to_string()), Ok(origin.clone()));
                prop_assert!(origin.is_https || origin.is_loopback());
            }
        }
    }
}
