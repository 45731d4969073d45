//! An answer of a function as an HTTP response: status, headers, cookies, caching. Blobs and faults are elsewhere.

use super::body::Body;
use super::headers;
use super::message::cookie_name;
use super::place::{Outside, Place};
use super::{compression, conditions, redirect};
use callboard::{Answer, AnswerBody, Cookie, Fault, Id, Outcome, Pieces};
use hyper::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH};
use hyper::header::{LOCATION, SET_COOKIE, VARY};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Response, StatusCode};

/// Which side of the application a path is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Surface {
    /// For people.
    Page,
    /// Below `/api`.
    Resource,
    /// Below `/media`.
    Media,
}

/// What of a request its answer depends on.
pub(crate) struct Ask<'a> {
    pub(crate) parts: &'a Parts,
    pub(crate) outside: &'a Outside,
    pub(crate) place: &'a Place,
    pub(crate) surface: Surface,
    /// Path behind the tenant's mount, as it was sent.
    pub(crate) path: &'a str,
    /// What stands before the URIs of resources: `/api`, or nothing.
    pub(crate) resources: &'static str,
    /// Whether the request proves nothing, so that its answer is everybody's.
    pub(crate) is_anonymous: bool,
}

impl Ask<'_> {
    pub(crate) fn is_head(&self) -> bool {
        self.parts.method == Method::HEAD
    }

    /// The headers that belong to this side of the application.
    pub(crate) fn secure(&self, to: &mut HeaderMap) {
        match self.surface {
            Surface::Page => headers::secure_page(to, self.place.is_https),
            Surface::Resource => headers::secure_resource(to, self.place.is_https),
            Surface::Media => headers::secure_file(to),
        }
    }
}

/// The response to an answer whose body is in memory, compressed where that is worth it.
///
/// # Errors
/// A bug fault where a function set a header or cookie that HTTP cannot carry.
pub(crate) async fn render(ask: &Ask<'_>, answer: Answer) -> Result<Response<Body>, Fault> {
    let response = render_plain(ask, answer)?;
    match compression::is_worth(&response) {
        true => Ok(Box::pin(compression::compress(&ask.parts.headers, response)).await),
        false => Ok(response),
    }
}

fn render_plain(ask: &Ask<'_>, answer: Answer) -> Result<Response<Body>, Fault> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::from_u16(answer.status()).expect("an answer has a status");
    // Most answers have no more; the map takes room in powers of two.
    response.headers_mut().reserve(12);
    put_headers(ask, &answer, response.headers_mut())?;
    if is_known(ask, &answer) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    let (media_type, bytes) = match answer.body {
        AnswerBody::Bytes { media_type, bytes } => (media_type, bytes),
        AnswerBody::Pieces { media_type, pieces } => return send_pieces(ask, response, &media_type, &pieces),
        _ => return Ok(response),
    };
    let to = response.headers_mut();
    to.insert(CONTENT_TYPE, value_of(&media_type)?);
    if ask.is_head() {
        to.insert(CONTENT_LENGTH, bytes.len().into());
        return Ok(response);
    }
    *response.body_mut() = Body::full(bytes);
    Ok(response)
}

/// Sends pieces as they come: the next is asked for once the connection has taken the one before. They are not compressed, which would
/// hold them back.
fn send_pieces(
    ask: &Ask<'_>,
    mut response: Response<Body>,
    media_type: &str,
    pieces: &Pieces,
) -> Result<Response<Body>, Fault> {
    response.headers_mut().insert(CONTENT_TYPE, value_of(media_type)?);
    let source = pieces.take().filter(|_| !ask.is_head());
    *response.body_mut() =
        source.map_or_else(Body::empty, |source| Body::stream(axum::body::Body::from_stream(source)));
    Ok(response)
}

/// Sets everything but what belongs to the body.
pub(crate) fn put_headers(ask: &Ask<'_>, answer: &Answer, to: &mut HeaderMap) -> Result<(), Fault> {
    let is_page = matches!(&answer.body, AnswerBody::Bytes { media_type, .. } | AnswerBody::Pieces { media_type, .. } if media_type.starts_with("text/html"));
    if is_page || ask.surface != Surface::Page {
        ask.secure(to);
    } else {
        headers::secure_resource(to, ask.place.is_https);
    }
    to.insert(CACHE_CONTROL, HeaderValue::from_static(cache_policy(ask, answer)));
    if ask.surface == Surface::Page || answer.version.is_some() {
        to.insert(VARY, HeaderValue::from_static("cookie"));
    }
    put_id(to, answer.id);
    for (name, value) in &answer.headers {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| Fault::bug(format!("a function sets the header `{name}`, which is none")))?;
        if name == CACHE_CONTROL && !may_cache_as(ask, answer, value) {
            continue;
        }
        to.insert(name, value_of(value)?);
    }
    if let Some(version) = answer.version {
        to.insert(ETAG, value_of(&format!("\"v{version}\""))?);
    }
    match &answer.outcome {
        Outcome::Created(uri) | Outcome::Accepted(uri) => {
            to.insert(LOCATION, value_of(&format!("{}{}{}", ask.place.mount, ask.resources, uri.encoded()))?);
        }
        Outcome::SeeOther(path) | Outcome::Moved(path) => {
            to.insert(LOCATION, redirect::location(ask.place, path));
        }
        Outcome::Ok | Outcome::Changed(_) | Outcome::Deleted(_) | Outcome::Refused(_) => {}
    }
    for cookie in &answer.cookies {
        to.append(SET_COOKIE, set_cookie(cookie, ask.place)?);
    }
    Ok(())
}

/// The id by which this answer is found in the logs.
pub(crate) fn put_id(to: &mut HeaderMap, id: Id) {
    let id = HeaderValue::try_from(id.to_string()).expect("an id is hexadecimal");
    to.insert(HeaderName::from_static("x-request-id"), id);
}

fn cache_policy(ask: &Ask<'_>, answer: &Answer) -> &'static str {
    if !answer.cookies.is_empty() {
        return headers::PRIVATE;
    }
    match (ask.surface, &answer.outcome) {
        (Surface::Page, Outcome::Ok) if ask.is_anonymous && ask.parts.method != Method::POST => headers::ANONYMOUS,
        (Surface::Page, Outcome::Moved(_)) if ask.is_anonymous => headers::HOUR,
        (Surface::Page, _) => headers::PRIVATE,
        _ if answer.version.is_some() => headers::ASK_AGAIN,
        _ => headers::NO_STORE,
    }
}

/// A function may ask for less caching always, for more only where the answer is everybody's.
fn may_cache_as(ask: &Ask<'_>, answer: &Answer, policy: &str) -> bool {
    let is_stricter = policy.contains("no-store") || (policy.starts_with("private") && answer.cookies.is_empty());
    is_stricter || (ask.is_anonymous && answer.cookies.is_empty())
}

fn is_known(ask: &Ask<'_>, answer: &Answer) -> bool {
    let Some(version) = answer.version else { return false };
    if ask.parts.method != Method::GET && ask.parts.method != Method::HEAD {
        return false;
    }
    let tags = ask.parts.headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    tags.is_some_and(|tags| conditions::names(tags, &format!("\"v{version}\"")))
}

/// A cookie as it is sent.
///
/// # Errors
/// A bug fault where its value cannot stand in a cookie.
pub(crate) fn set_cookie(cookie: &Cookie, place: &Place) -> Result<HeaderValue, Fault> {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\');
    if !cookie.value.bytes().all(is_plain) {
        return Err(Fault::bug(format!("the value of cookie `{}` cannot stand in a cookie", cookie.name)));
    }
    let age_s = if cookie.value.is_empty() { 0 } else { cookie.age_s };
    let name = cookie_name(cookie.name, place);
    let secure = if place.is_https { "; Secure" } else { "" };
    value_of(&format!("{name}={}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age_s}{secure}", cookie.value))
}

fn value_of(text: &str) -> Result<HeaderValue, Fault> {
    // Most values are one of these; they need no copy.
    match text {
        "application/json" => Ok(HeaderValue::from_static("application/json")),
        "text/html; charset=utf-8" => Ok(HeaderValue::from_static("text/html; charset=utf-8")),
        _ => HeaderValue::from_str(text).map_err(|_| Fault::bug("a function sets a header that HTTP cannot carry")),
    }
}
