//! The HTTP shapes of AWS as requests: the gateway answers them as it answers any other.

use super::fields::{Headers, Text, invalid, multiple, read, single};
use crate::http::{Outside, Received, hops, is_host};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use callboard::Fault;
use hyper::header::{COOKIE, HOST, HeaderMap, HeaderValue};
use hyper::{Method, Request, Uri};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

/// What must not stand raw in the target of a request. `%` may: paths come encoded, or have nothing to encode.
const TARGET: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'`')
    .add(b'{')
    .add(b'}')
    .add(b'|')
    .add(b'\\')
    .add(b'^')
    .add(b'#')
    .add(b'?');
const QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'#');
/// What must not stand raw in a part of a query that came decoded.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A request, and where it arrived.
pub(crate) struct Asked {
    pub(crate) request: Request<Received>,
    /// Where it arrived, unless its host is none.
    pub(crate) outside: Result<Outside, Fault>,
    pub(crate) shape: Shape,
}

/// How the answer has to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Single headers and a list of cookies.
    V2,
    /// Lists of headers.
    Rest,
    /// Both, with a description of the status. Says whether the target group takes lists.
    Alb { is_multiple: bool },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct V2<'e> {
    #[serde(borrow)]
    raw_path: Text<'e>,
    #[serde(borrow, default)]
    raw_query_string: Option<Text<'e>>,
    #[serde(borrow, default)]
    cookies: Option<Vec<Text<'e>>>,
    #[serde(default, deserialize_with = "single")]
    headers: Headers,
    #[serde(borrow)]
    request_context: V2Context<'e>,
    #[serde(borrow, default)]
    body: Option<Text<'e>>,
    #[serde(default)]
    is_base64_encoded: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct V2Context<'e> {
    #[serde(borrow)]
    http: V2Http<'e>,
    #[serde(borrow, default)]
    stage: Option<Text<'e>>,
    #[serde(borrow, default)]
    domain_name: Option<Text<'e>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct V2Http<'e> {
    #[serde(borrow)]
    method: Text<'e>,
    #[serde(borrow, default)]
    source_ip: Option<Text<'e>>,
}

/// A request of an HTTP API or a function URL.
///
/// # Errors
/// `event.invalid`.
pub(crate) fn v2(text: &str, timeout_ms: u64, fallback: &str) -> Result<Asked, Fault> {
    let event: V2<'_> = read(text, "")?;
    let context = event.request_context;
    let mut headers = event.headers.0;
    let cookies = event.cookies.unwrap_or_default();
    if !cookies.is_empty() {
        let joined = cookies.iter().map(|cookie| &*cookie.0).collect::<Vec<_>>().join("; ");
        let joined =
            HeaderValue::try_from(joined).map_err(|_| invalid("`cookies` cannot stand in a header".to_owned()))?;
        headers.insert(COOKIE, joined);
    }
    let stage = Text::or_empty(context.stage);
    let (mount, path) = split_stage(&event.raw_path.0, &stage);
    let target = target(path, &Text::or_empty(event.raw_query_string))?;
    let body = body_of(event.body, event.is_base64_encoded)?;
    let address = address_in(context.http.source_ip);
    let domain = Text::or_empty(context.domain_name);
    let mut outside = outside(&headers, &domain, fallback, true, address, timeout_ms);
    if let Ok(outside) = &mut outside {
        outside.mount = mount;
    }
    let request = request(&context.http.method.0, target, headers, body)?;
    Ok(Asked { request, outside, shape: Shape::V2 })
}

/// A stage stands before the path, except where it is the default one or the domain is the deployment's own.
fn split_stage<'p>(path: &'p str, stage: &str) -> (String, &'p str) {
    let rest = path
        .strip_prefix('/')
        .and_then(|rest| rest.strip_prefix(stage))
        .filter(|_| !stage.is_empty() && stage != "$default");
    match rest {
        Some("") => (format!("/{stage}"), "/"),
        Some(rest) if rest.starts_with('/') => (format!("/{stage}"), rest),
        _ => (String::new(), path),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct V1<'e> {
    #[serde(borrow)]
    http_method: Text<'e>,
    #[serde(borrow)]
    path: Text<'e>,
    #[serde(default, deserialize_with = "single")]
    headers: Headers,
    #[serde(default, deserialize_with = "multiple")]
    multi_value_headers: Option<Headers>,
    #[serde(borrow, default)]
    query_string_parameters: Option<BTreeMap<Text<'e>, Option<Text<'e>>>>,
    #[serde(borrow, default)]
    multi_value_query_string_parameters: Option<BTreeMap<Text<'e>, Option<Vec<Text<'e>>>>>,
    #[serde(borrow, default)]
    request_context: Option<V1Context<'e>>,
    #[serde(borrow, default)]
    body: Option<Text<'e>>,
    #[serde(default)]
    is_base64_encoded: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct V1Context<'e> {
    #[serde(borrow, default)]
    path: Option<Text<'e>>,
    #[serde(borrow, default)]
    domain_name: Option<Text<'e>>,
    #[serde(borrow, default)]
    identity: Option<Identity<'e>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity<'e> {
    #[serde(borrow, default)]
    source_ip: Option<Text<'e>>,
}

impl V1<'_> {
    /// The query; names and values that came decoded are encoded again.
    fn query(&self, is_decoded: bool) -> String {
        let part = |text: &Text<'_>| match is_decoded {
            true => utf8_percent_encode(&text.0, VALUE).to_string(),
            false => text.0.clone().into_owned(),
        };
        let pairs: Vec<String> = match &self.multi_value_query_string_parameters {
            Some(all) => {
                let each = |(name, values): (&Text<'_>, &Option<Vec<Text<'_>>>)| {
                    let values = values.iter().flatten();
                    values.map(|value| format!("{}={}", part(name), part(value))).collect::<Vec<_>>()
                };
                all.iter().flat_map(each).collect()
            }
            None => {
                let all = self.query_string_parameters.iter().flatten();
                all.map(|(name, value)| format!("{}={}", part(name), value.as_ref().map(part).unwrap_or_default()))
                    .collect()
            }
        };
        pairs.join("&")
    }
}

/// A request of a REST API.
///
/// # Errors
/// `event.invalid`.
pub(crate) fn rest(text: &str, timeout_ms: u64, fallback: &str) -> Result<Asked, Fault> {
    let event: V1<'_> = read(text, "")?;
    let query = event.query(true);
    let context = event.request_context.unwrap_or_default();
    let headers = event.multi_value_headers.unwrap_or(event.headers).0;
    let whole = Text::or_empty(context.path);
    // The stage stands only in the path of the context.
    let mount =
        whole.strip_suffix(&*event.path.0).filter(|mount| mount.starts_with('/')).unwrap_or_default().to_owned();
    let address = address_in(context.identity.and_then(|identity| identity.source_ip));
    let domain = Text::or_empty(context.domain_name);
    let mut outside = outside(&headers, &domain, fallback, true, address, timeout_ms);
    if let Ok(outside) = &mut outside {
        outside.mount = mount;
    }
    let body = body_of(event.body, event.is_base64_encoded)?;
    let request = request(&event.http_method.0, target(&event.path.0, &query)?, headers, body)?;
    Ok(Asked { request, outside, shape: Shape::Rest })
}

/// A request through a load balancer, whose queries come as they were sent.
///
/// # Errors
/// `event.invalid`.
pub(crate) fn alb(text: &str, timeout_ms: u64, fallback: &str) -> Result<Asked, Fault> {
    let event: V1<'_> = read(text, "")?;
    let query = event.query(false);
    let is_multiple = event.multi_value_headers.is_some();
    let headers = event.multi_value_headers.unwrap_or(event.headers).0;
    let is_https = headers.get("x-forwarded-proto").is_some_and(|scheme| scheme == "https");
    // It adds who asked it at the end; what stands before that anybody may have written.
    let address = hops(&headers).next().flatten();
    let outside = outside(&headers, "", fallback, is_https, address, timeout_ms);
    let body = body_of(event.body, event.is_base64_encoded)?;
    let request = request(&event.http_method.0, target(&event.path.0, &query)?, headers, body)?;
    Ok(Asked { request, outside, shape: Shape::Alb { is_multiple } })
}

fn target(path: &str, query: &str) -> Result<Uri, Fault> {
    let mut text = String::with_capacity(path.len() + query.len() + 8);
    if !path.starts_with('/') {
        text.push('/');
    }
    text.extend(utf8_percent_encode(path, TARGET));
    if !query.is_empty() {
        text.push('?');
        text.extend(utf8_percent_encode(query, QUERY));
    }
    Uri::try_from(text).map_err(|error| invalid(format!("path and query are no target of a request: {error}")))
}

fn request(method: &str, uri: Uri, headers: HeaderMap, body: Bytes) -> Result<Request<Received>, Fault> {
    // Longer ones would be repeated in answers.
    let method = Method::from_bytes(method.get(..32).map_or(method.as_bytes(), |_| b""))
        .map_err(|_| invalid("its method is none of HTTP".to_owned()))?;
    let mut request = Request::new(Received::Whole(body));
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    Ok(request)
}

fn body_of(body: Option<Text<'_>>, is_base64: Option<bool>) -> Result<Bytes, Fault> {
    let Some(Text(text)) = body else { return Ok(Bytes::new()) };
    if is_base64 != Some(true) {
        return Ok(text.into_owned().into());
    }
    let bytes = STANDARD.decode(text.as_bytes());
    bytes.map(Bytes::from).map_err(|error| invalid(format!("`body` is said to be base64 and is not: {error}")))
}

/// The address that a gateway says somebody has.
fn address_in(text: Option<Text<'_>>) -> Option<IpAddr> {
    text.and_then(|text| text.0.parse().ok())
}

fn outside(
    headers: &HeaderMap,
    domain: &str,
    fallback: &str,
    is_https: bool,
    address: Option<IpAddr>,
    timeout_ms: u64,
) -> Result<Outside, Fault> {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).map(Cow::Borrowed);
    let host = host.filter(|host| !host.is_empty()).unwrap_or(Cow::Borrowed(if domain.is_empty() {
        fallback
    } else {
        domain
    }));
    if !is_host(&host) {
        return Err(Fault::bad_input("host.wrong", "send one `Host` header with the name of this server"));
    }
    let scheme = if is_https { "https" } else { "http" };
    let address = address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    Ok(Outside::new(format!("{scheme}://{}", host.to_ascii_lowercase()), is_https, address, timeout_ms))
}
