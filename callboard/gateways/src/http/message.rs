//! A request as a message: which few headers functions may read, and what proves who acts.

use super::answer::Ask;
use super::place::{Outside, Place};
use callboard::{Data, Fault, HTTP, Head, Kind, Secret};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HeaderName, ORIGIN};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method};
use std::borrow::Cow;

/// Longest credential that is looked at.
const CREDENTIAL_BYTES_MAX: usize = 512;

/// The only headers that reach functions; everything else a stranger may write stays outside.
const FORWARDED: [&str; 14] = [
    "if-match",
    "if-none-match",
    "idempotency-key",
    "upload-length",
    "upload-defer-length",
    "upload-offset",
    "upload-metadata",
    "tus-resumable",
    "content-length",
    "content-type",
    "user-agent",
    "accept-language",
    "stripe-signature",
    "traceparent",
];

/// The kind of a call on a resource.
pub(crate) fn resource_kind(method: &Method) -> Option<Kind> {
    Some(match *method {
        Method::GET | Method::HEAD => Kind::Get,
        Method::POST => Kind::Post,
        Method::PUT => Kind::Put,
        Method::PATCH => Kind::Patch,
        Method::DELETE => Kind::Delete,
        Method::OPTIONS => Kind::Options,
        _ => return None,
    })
}

/// The kind of a call on a page.
pub(crate) fn page_kind(method: &Method) -> Option<Kind> {
    match *method {
        Method::GET | Method::HEAD => Some(Kind::Page),
        Method::POST => Some(Kind::Form),
        _ => None,
    }
}

/// What proves who acts.
#[derive(Debug)]
pub(crate) enum Credential {
    None,
    /// A browser sends it by itself, also when another site makes it.
    Cookie(String),
    /// Somebody put it there.
    Bearer(String),
}

impl Credential {
    pub(crate) fn read(headers: &HeaderMap, place: &Place) -> Self {
        if let Some(value) = headers.get(AUTHORIZATION) {
            let text = value.to_str().unwrap_or_default();
            let token = text.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
            // Some other scheme is for a proxy, and no reason to believe a cookie beside it.
            return token.map_or(Self::None, |(_, token)| Self::Bearer(token.trim().to_owned()));
        }
        match cookie(headers, place) {
            Some(token) if !token.is_empty() && token.len() <= CREDENTIAL_BYTES_MAX => Self::Cookie(token.to_owned()),
            _ => Self::None,
        }
    }

    pub(crate) fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// What a message carries of it.
    pub(crate) fn into_secret(self) -> Option<Secret<String>> {
        match self {
            Self::None => None,
            Self::Cookie(token) | Self::Bearer(token) => Some(Secret::new(token)),
        }
    }
}

fn cookie<'h>(headers: &'h HeaderMap, place: &Place) -> Option<&'h str> {
    let mut values = headers.get_all(COOKIE).iter().peekable();
    values.peek()?;
    let name = cookie_name("session", place);
    let mut pairs = values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    pairs.find_map(|pair| pair.trim().split_once('=').filter(|(have, _)| *have == name).map(|(_, value)| value))
}

/// The name a cookie is sent under. Over TLS no other host or plain connection can have set it.
pub(crate) fn cookie_name<'n>(name: &'n str, place: &Place) -> Cow<'n, str> {
    match (place.is_https, place.is_shared) {
        (false, false) => Cow::Borrowed(name),
        (true, false) => Cow::Owned(format!("__Host-{name}")),
        (false, true) => Cow::Owned(format!("{name}.{}", place.tenant)),
        (true, true) => Cow::Owned(format!("__Host-{name}.{}", place.tenant)),
    }
}

/// Refuses what another site may have made a browser send.
///
/// # Errors
/// `cross_site`.
pub(crate) fn check_same_origin(headers: &HeaderMap, credential: &Credential, outside: &Outside) -> Result<(), Fault> {
    if matches!(credential, Credential::Bearer(_)) {
        return Ok(());
    }
    let is_ours = match (headers.get("sec-fetch-site"), headers.get(ORIGIN)) {
        // Sites beside ours, such as another tenant's, are strangers too.
        (Some(site), _) => site == "same-origin" || site == "none",
        (None, Some(origin)) => origin.as_bytes().eq_ignore_ascii_case(outside.origin.as_bytes()),
        // No browser: nobody's cookie is sent without its owner wanting it. Where there is one, its owner can say so.
        (None, None) => credential.is_none(),
    };
    if is_ours {
        return Ok(());
    }
    let message =
        "this change was asked for by another site; do it from a page of this one, or send an `Origin` header";
    Err(Fault::denied("cross_site", message))
}

/// Fills in what the request says about the message.
pub(crate) fn fill(head: &mut Head, ask: &Ask<'_>, credential: Credential) {
    let Ask { parts, place, resources, outside, .. } = ask;
    head.source = Cow::Borrowed(HTTP);
    head.deadline_ms = Some(head.time_ms.saturating_add(i64::try_from(outside.answer_timeout_ms).unwrap_or(i64::MAX)));
    head.credential = credential.into_secret();
    head.meta.reserve(4);
    head.meta.push((Cow::Borrowed("origin"), place.origin.clone()));
    if !place.mount.is_empty() {
        head.meta.push((Cow::Borrowed("mount"), place.mount.clone()));
    }
    if resources.is_empty() {
        head.meta.push((Cow::Borrowed("resources"), String::new()));
    }
    // One walk over the few headers that came, instead of a look-up for each that may.
    for (name, value) in &parts.headers {
        if let Some(known) = forwarded(name) {
            // What is no text must not count as not sent: whoever reads it refuses it.
            let text = String::from_utf8_lossy(value.as_bytes());
            head.meta.push((Cow::Borrowed(known), text.into_owned()));
        }
    }
    if let Some(query) = parts.uri.query().filter(|query| !query.is_empty()) {
        head.meta.push((Cow::Borrowed("query"), query.to_owned()));
    }
}

fn forwarded(name: &HeaderName) -> Option<&'static str> {
    FORWARDED.into_iter().find(|known| name == known)
}

/// What a safe call carries: its query.
pub(crate) fn query_data(parts: &Parts) -> Data {
    match parts.uri.query() {
        Some(query) if !query.is_empty() => Data::form(query.to_owned()),
        _ => Data::EMPTY,
    }
}

/// The media type of a body.
pub(crate) fn media_type(headers: &HeaderMap) -> Cow<'static, str> {
    match headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) {
        None => Cow::Borrowed(""),
        Some("application/json") => Cow::Borrowed("application/json"),
        Some(other) => Cow::Owned(other.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use callboard::Tenant;

    fn place(is_https: bool, is_shared: bool) -> Place {
        let origin = "http://a.test".to_owned();
        Place { tenant: Tenant::new("demo"), mount: String::new(), origin, is_https, is_shared }
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_cookie_counts_only_under_its_full_name() {
        let sent = headers(&[("cookie", "a=1; session=plain"), ("cookie", "__Host-session=tls; session.demo=shared")]);
        let read = |is_https, is_shared| match Credential::read(&sent, &place(is_https, is_shared)) {
            Credential::Cookie(token) => token,
            other => panic!("{other:?}"),
        };
        assert_eq!((read(false, false).as_str(), read(true, false).as_str()), ("plain", "tls"));
        assert_eq!(read(false, true), "shared");
        assert!(Credential::read(&sent, &place(true, true)).is_none());
    }

    #[test]
    fn other_sites_are_refused() {
        let outside = Outside::new("http://a.test".into(), false, [127, 0, 0, 1].into(), 1000);
        let cookie = || Credential::Cookie("c".into());
        let check = |pairs: &[(&'static str, &'static str)], credential| {
            check_same_origin(&headers(pairs), &credential, &outside).is_ok()
        };
        assert!(check(&[("sec-fetch-site", "same-origin"), ("origin", "http://a.test")], cookie()));
        assert!(check(&[("origin", "http://A.test")], cookie()));
        assert!(!check(&[("sec-fetch-site", "same-site"), ("origin", "http://a.test")], cookie()));
        assert!(!check(&[("sec-fetch-site", "cross-site")], Credential::None));
        assert!(!check(&[("origin", "http://b.test")], Credential::None));
        assert!(!check(&[("origin", "null")], cookie()));
        assert!(!check(&[("origin", "https://a.test")], cookie()));
        assert!(!check(&[], cookie()));
        assert!(check(&[], Credential::None));
        assert!(check(&[("origin", "http://b.test")], Credential::Bearer("t".into())));
    }
}
