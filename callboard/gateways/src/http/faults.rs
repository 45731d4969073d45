//! A fault as a response: a problem document for programs, a page or the way to sign in for people.

use super::answer::{self, Ask, Surface, set_cookie};
use super::body::Body;
use super::gateway::Gateway;
use super::message::Credential;
use super::options::Pages;
use super::{headers, redirect};
use callboard::{Answer, AnswerBody, Cookie, Data, Fault, FaultKind, Id, Kind, Uri};
use hyper::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, SET_COOKIE};
use hyper::{HeaderMap, Response, StatusCode};

/// In the headers of a fault: the cookie that proved nothing and is taken back. It never leaves as a header of its own.
const CLEAR_COOKIE: &str = "clear-cookie";

/// What the access log says about a fault of ours.
#[derive(Clone)]
pub(crate) struct Logged {
    pub(crate) code: &'static str,
    /// None where it was told elsewhere.
    pub(crate) detail: Option<String>,
}

impl Gateway {
    /// The response to a fault.
    pub(crate) async fn refuse(&self, ask: &Ask<'_>, id: Id, fault: Fault) -> Response<Body> {
        let mut response = match (&self.options.pages, ask.surface) {
            (Some(pages), Surface::Page) if fault.kind == FaultKind::NotSignedIn => self.send_to_sign_in(ask, pages),
            (Some(pages), Surface::Page) => Box::pin(self.fault_page(ask, pages, id, &fault)).await,
            _ => self.problem(ask, id, &fault),
        };
        let to = response.headers_mut();
        ask.secure(to);
        to.insert(CACHE_CONTROL, HeaderValue::from_static(headers::NO_STORE));
        answer::put_id(to, id);
        put_fault_headers(ask, &fault, to);
        if matches!(fault.kind, FaultKind::Bug | FaultKind::Unavailable) {
            let detail = (!fault.is_told).then(|| fault.detail.unwrap_or(fault.message));
            response.extensions_mut().insert(Logged { code: fault.code, detail });
        } else {
            tracing::debug!(message.id = %id, tenant.id = %ask.place.tenant, fault.code, fault.detail, "refused");
        }
        response
    }

    /// The problem document; an owner also hears which rule refused them and what would allow it.
    fn problem(&self, ask: &Ask<'_>, id: Id, fault: &Fault) -> Response<Body> {
        let mut problem = fault.problem(&id.to_string());
        let is_refusal =
            matches!(fault.kind, FaultKind::Denied | FaultKind::NotFound) || matches!(fault.code, "policy.undeclared");
        if is_refusal && let Some(denial) = self.host.denials().told(id, &ask.place.tenant) {
            problem["policy"] = denial.words();
        }
        respond(ask, fault, "application/problem+json", problem.to_string().into())
    }

    /// To the sign-in page, and from there back to the page that was asked for, or to the page of the form that was sent.
    fn send_to_sign_in(&self, ask: &Ask<'_>, pages: &Pages) -> Response<Body> {
        let uri = Uri::from_encoded(ask.path).ok();
        let is_page = uri.is_some_and(|uri| self.host.space().binding_for(&Kind::Page, &uri).is_some());
        let next = match ask.parts.uri.query() {
            _ if !is_page => "/".to_owned(),
            Some(query) => format!("{}?{query}", ask.path),
            None => ask.path.to_owned(),
        };
        let to = format!("{}?next={}", pages.sign_in.encoded(), redirect::encode_value(&next));
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SEE_OTHER;
        response.headers_mut().insert(LOCATION, redirect::location(ask.place, &to));
        response
    }

    async fn fault_page(&self, ask: &Ask<'_>, pages: &Pages, id: Id, fault: &Fault) -> Response<Body> {
        let title = title(id, fault);
        let query = format!(
            "status={}&code={}&title={}&message={}",
            fault.status(),
            redirect::encode_value(fault.code),
            redirect::encode_value(&title),
            redirect::encode_value(&fault.message)
        );
        let credential = Credential::read(&ask.parts.headers, ask.place);
        let is_anonymous = credential.is_none();
        let mut answer = self.ask_fault_page(ask, pages, id, query.clone(), credential).await;
        if answer.is_err() && !is_anonymous {
            // What keeps us from knowing who asks may be the very fault that is to be shown.
            answer = self.ask_fault_page(ask, pages, id, query, Credential::None).await;
        }
        let page = match answer.map(|answer| answer.body) {
            Ok(AnswerBody::Bytes { bytes, .. }) => bytes,
            Ok(_) => plain_page(&title, fault).into(),
            Err(second) => {
                tracing::warn!(
                    fault.code = second.code,
                    fault.detail = second.detail,
                    "the page for faults fails itself"
                );
                plain_page(&title, fault).into()
            }
        };
        html(ask, fault, page)
    }

    async fn ask_fault_page(
        &self,
        ask: &Ask<'_>,
        pages: &Pages,
        id: Id,
        query: String,
        credential: Credential,
    ) -> Result<Answer, Fault> {
        let mut msg = self.host.message(Kind::Page, pages.fault.clone(), ask.place.tenant.clone());
        msg.data = Data::form(query);
        let head = msg.head_mut();
        head.source = "http".into();
        head.causation = Some(id);
        head.credential = credential.into_secret();
        head.meta.push(("origin".into(), ask.place.origin.clone()));
        head.meta.push(("mount".into(), ask.place.mount.clone()));
        self.bounded(ask.outside.answer_timeout_ms, self.host.dispatch(msg)).await
    }
}

/// A page that needs nobody, for when the application's own cannot be drawn.
fn plain_page(title: &str, fault: &Fault) -> String {
    let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let (title, message) = (escape(title), escape(&fault.message));
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title><h1>{title}</h1><p>{message}</p></html>"
    )
}

fn title(id: Id, fault: &Fault) -> String {
    fault.problem(&id.to_string())["title"].as_str().unwrap_or_default().to_owned()
}

fn html(ask: &Ask<'_>, fault: &Fault, page: bytes::Bytes) -> Response<Body> {
    respond(ask, fault, "text/html; charset=utf-8", page)
}

fn respond(ask: &Ask<'_>, fault: &Fault, media_type: &'static str, bytes: bytes::Bytes) -> Response<Body> {
    let length = bytes.len();
    let mut response = Response::new(if ask.is_head() { Body::empty() } else { Body::full(bytes) });
    *response.status_mut() = StatusCode::from_u16(fault.status()).expect("a fault has a status");
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response.headers_mut().insert(CONTENT_LENGTH, length.into());
    response
}

fn put_fault_headers(ask: &Ask<'_>, fault: &Fault, to: &mut HeaderMap) {
    for (name, value) in &fault.headers {
        if *name == CLEAR_COOKIE {
            let cookie = Cookie { name: "session", value: String::new(), age_s: 0 };
            if let Ok(cookie) = set_cookie(&cookie, ask.place) {
                to.append(SET_COOKIE, cookie);
            }
        } else if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
            to.insert(name, value);
        }
    }
}
