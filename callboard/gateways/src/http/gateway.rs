//! The way of a request: where it arrived, which side it is for, the message it becomes, the response its answer becomes.

use super::answer::{Ask, Surface, put_headers, render};
use super::body::{self, Body, Received};
use super::events::{self, Streams};
use super::media::Markers;
use super::message::{self, Credential};
use super::options::{HttpOptions, Pages, Tenants};
use super::place::{Outside, Place};
use super::revoked::Revoked;
use super::tenants::TenantCache;
use super::uploads::Places;
use super::{blob, headers, log, redirect};
use crate::intake::{Lines, is_opaque};
use bytes::Bytes;
use callboard::{Answer, AnswerBody, BlobRef, Data, Fault, Host, Kind, Msg, Tenant, Uri};
use futures_util::FutureExt;
use hyper::header::{ALLOW, CACHE_CONTROL, HeaderValue, LOCATION};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use std::future::{Future, poll_fn};
use std::net::{IpAddr, Ipv4Addr};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Everything that requests share.
pub(crate) struct Gateway {
    pub(crate) host: Host,
    pub(crate) options: HttpOptions,
    pub(crate) tenants: TenantCache,
    pub(crate) revoked: Arc<Revoked>,
    pub(crate) markers: Markers,
    pub(crate) streams: Arc<Streams>,
    pub(crate) lines: Lines,
    pub(crate) intakes: Places,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
}

/// What a request brings and a message takes.
struct Sent {
    credential: Credential,
    body: Received,
}

impl Sent {
    /// Fills in what the request says about the message, with what proves who acts.
    fn fill(&mut self, msg: &mut Msg, ask: &Ask<'_>) {
        let credential = std::mem::replace(&mut self.credential, Credential::None);
        let head = msg.head_mut();
        message::fill(head, ask, credential);
        head.address = Some(ask.outside.address);
    }

    fn take_body(&mut self) -> Received {
        std::mem::replace(&mut self.body, Received::Whole(Bytes::new()))
    }
}

impl Gateway {
    pub(crate) fn new(host: Host, options: HttpOptions) -> Self {
        let stop = CancellationToken::new();
        let revoked = Arc::new(Revoked::new(host.ports(), stop.clone()));
        let asking = match &options.tenants {
            Tenants::Only(tenant) => {
                revoked.watch(tenant);
                tenant.clone()
            }
            Tenants::Resolved { default, .. } => default.clone().unwrap_or_else(|| Tenant::new("platform")),
        };
        Self {
            tenants: TenantCache::new(revoked.clone(), asking),
            revoked,
            markers: Markers::default(),
            streams: Arc::default(),
            lines: Lines::default(),
            intakes: Places::new(&options.limits),
            tasks: TaskTracker::new(),
            stop,
            host,
            options,
        }
    }

    /// Where a request arrived that came over a connection from this address.
    ///
    /// # Errors
    /// `host.wrong`.
    pub(crate) fn outside<B>(&self, peer: IpAddr, request: &Request<B>) -> Result<Outside, Fault> {
        Outside::read(request, peer, &self.options.proxies, self.options.limits.answer_timeout_ms)
    }

    /// Answers a request that arrived there.
    pub(crate) async fn handle(
        self: &Arc<Self>,
        outside: Result<Outside, Fault>,
        request: Request<Received>,
    ) -> Response<Body> {
        let started = Instant::now();
        let (parts, body) = request.into_parts();
        let (response, tenant) = match self.options.assets.answer(&parts) {
            Some(response) => (response, None),
            None => self.enter(&outside, &parts, body).await,
        };
        log::write(&parts, tenant.as_ref(), &response, started, self.options.limits.slow_ms);
        response
    }

    /// Finds the place, then the side of the application that answers. What only some requests need is boxed: the others would carry
    /// the place for it.
    async fn enter(
        self: &Arc<Self>,
        outside: &Result<Outside, Fault>,
        parts: &Parts,
        body: Received,
    ) -> (Response<Body>, Option<Tenant>) {
        let outside = match outside {
            Ok(outside) => outside,
            Err(fault) => return (Box::pin(self.refuse_outside(parts, None, fault.clone())).await, None),
        };
        let found = Place::find(&self.host, &self.options.tenants, &self.tenants, outside, parts.uri.path()).await;
        let (place, path) = match found {
            Ok(found) => found,
            Err(fault) => return (Box::pin(self.refuse_outside(parts, Some(outside), fault)).await, None),
        };
        let mut sent = Sent { credential: Credential::read(&parts.headers, &place), body };
        let surface = self.side(path);
        let is_anonymous = sent.credential.is_none();
        let resources = self.options.resources();
        let ask = Ask { parts, outside, place: &place, surface, path, resources, is_anonymous };
        let response = match surface {
            Surface::Media => {
                let id = self.host.message(Kind::Get, Uri::root(), place.tenant.clone()).id;
                Box::pin(self.deliver(&ask, id)).await
            }
            Surface::Resource => self.resource(&ask, &mut sent).await,
            Surface::Page => self.page(&ask, &mut sent).await,
        };
        (response, Some(place.tenant))
    }

    /// A fault before any tenant was found: said by the default tenant, where there is one.
    async fn refuse_outside(&self, parts: &Parts, outside: Option<&Outside>, fault: Fault) -> Response<Body> {
        let timeout_ms = self.options.limits.answer_timeout_ms;
        let nowhere = || Outside::new(String::new(), false, Ipv4Addr::UNSPECIFIED.into(), timeout_ms);
        let outside = outside.cloned().unwrap_or_else(nowhere);
        let tenant = match &self.options.tenants {
            Tenants::Only(tenant) | Tenants::Resolved { default: Some(tenant), .. } => tenant.clone(),
            Tenants::Resolved { default: None, .. } => Tenant::new("platform"),
        };
        let id = self.host.message(Kind::Get, Uri::root(), tenant.clone()).id;
        let place = Place {
            tenant,
            mount: outside.mount.clone(),
            origin: outside.origin.clone(),
            is_https: outside.is_https,
            is_shared: false,
        };
        let path = parts.uri.path();
        let surface =
            self.side(path.strip_prefix("/@").and_then(|rest| rest.find('/').map(|at| &rest[at..])).unwrap_or(path));
        let resources = self.options.resources();
        let ask = Ask { parts, outside: &outside, place: &place, surface, path, resources, is_anonymous: true };
        Box::pin(self.refuse(&ask, id, fault)).await
    }

    /// Which side of the application a path is on.
    fn side(&self, path: &str) -> Surface {
        match path.strip_prefix("/api") {
            _ if self.options.has_only_resources => Surface::Resource,
            Some(rest) if rest.is_empty() || rest.starts_with('/') => Surface::Resource,
            _ if path.starts_with("/media/") => Surface::Media,
            _ => Surface::Page,
        }
    }

    async fn resource(self: &Arc<Self>, ask: &Ask<'_>, sent: &mut Sent) -> Response<Body> {
        let path = match self.options.has_only_resources {
            true => ask.path,
            false => ask.path.strip_prefix("/api").filter(|path| !path.is_empty()).unwrap_or("/"),
        };
        if let Some(wanted) = events::wanted(ask, path) {
            return Box::pin(self.stream(ask, wanted, sent)).await;
        }
        let kind = message::resource_kind(&ask.parts.method);
        self.call(ask, kind, path, sent).await
    }

    /// An event stream, on a URI and whether also below it.
    async fn stream(&self, ask: &Ask<'_>, wanted: Result<(Uri, bool), Fault>, sent: &mut Sent) -> Response<Body> {
        let mut msg = self.host.message(Kind::Get, Uri::root(), ask.place.tenant.clone());
        let id = msg.id;
        let result = match wanted {
            Ok((uri, is_subtree)) => {
                msg.head_mut().uri = uri;
                sent.fill(&mut msg, ask);
                self.listen(ask, msg, is_subtree).await
            }
            Err(fault) => Err(fault),
        };
        match result {
            Ok(response) => response,
            Err(fault) => self.refuse(ask, id, fault).await,
        }
    }

    async fn page(self: &Arc<Self>, ask: &Ask<'_>, sent: &mut Sent) -> Response<Body> {
        if let Some(response) = without_last_slash(ask) {
            return response;
        }
        // Anybody could put words into our mouth there.
        let is_fault_page = |pages: &Pages| Uri::from_encoded(ask.path).is_ok_and(|uri| uri == pages.fault);
        if self.options.pages.as_ref().is_some_and(is_fault_page) {
            let id = self.host.message(Kind::Page, Uri::root(), ask.place.tenant.clone()).id;
            return Box::pin(self.refuse(ask, id, Fault::not_found("no_such_uri", "there is nothing here"))).await;
        }
        let kind = message::page_kind(&ask.parts.method);
        self.call(ask, kind, ask.path, sent).await
    }

    async fn call(self: &Arc<Self>, ask: &Ask<'_>, kind: Option<Kind>, path: &str, sent: &mut Sent) -> Response<Body> {
        let tenant = ask.place.tenant.clone();
        let uri = Uri::from_encoded(path).map_err(Fault::from);
        let (uri, wrong) = match uri {
            Ok(uri) => (uri, None),
            Err(fault) => (Uri::root(), Some(fault)),
        };
        let msg = self.host.message(kind.clone().unwrap_or(Kind::Get), uri, tenant);
        let id = msg.id;
        let result = match (wrong, kind) {
            (Some(fault), _) => Err(fault),
            (None, None) => Err(self.wrong_method(&msg, ask)),
            (None, Some(_)) => self.dispatch(ask, msg, sent).await,
        };
        match result {
            Ok(response) => response,
            Err(fault) => Box::pin(self.refuse(ask, id, fault)).await,
        }
    }

    async fn dispatch(self: &Arc<Self>, ask: &Ask<'_>, mut msg: Msg, sent: &mut Sent) -> Result<Response<Body>, Fault> {
        let (limits, timeout_ms) = (&self.options.limits, ask.outside.answer_timeout_ms);
        let is_safe = msg.kind.is_safe();
        if !is_safe {
            message::check_same_origin(&ask.parts.headers, &sent.credential, ask.outside)?;
        }
        sent.fill(&mut msg, ask);
        let found = self.host.space().binding_for(&msg.kind, &msg.uri);
        if found.is_some_and(|(service, _)| !self.options.answers(service.name)) {
            return Err(Fault::not_found("no_such_uri", format!("there is nothing at {}", msg.uri)));
        }
        let binding = found.map(|(_, binding)| binding.body_bytes_max);
        let Some(body_bytes_max) = binding else { return self.unbound(ask, &msg) };
        if is_safe {
            msg.data = message::query_data(ask.parts);
            let answer = self.bounded(timeout_ms, self.host.dispatch(msg)).await?;
            return self.respond(ask, answer).await;
        }
        let media_type = message::media_type(&ask.parts.headers);
        if is_opaque(&media_type) {
            let again = msg.clone();
            let answer = self.bounded(timeout_ms, self.host.dispatch(msg)).await?;
            return match answer.body {
                AnswerBody::Intake(intake) => Box::pin(self.take_in(ask, again, intake.then, sent.take_body())).await,
                _ => self.respond(ask, answer).await,
            };
        }
        let bytes = body::read(sent.take_body(), body_bytes_max, limits.body_timeout_ms).await?;
        msg.data = Data { media_type, bytes };
        let answer = self.bounded(timeout_ms, self.host.dispatch(msg)).await?;
        self.respond(ask, answer).await
    }

    async fn respond(&self, ask: &Ask<'_>, mut answer: Answer) -> Result<Response<Body>, Fault> {
        match std::mem::replace(&mut answer.body, AnswerBody::Nothing) {
            AnswerBody::Blob(blob) => Box::pin(self.send_blob(ask, answer, &blob)).await,
            AnswerBody::Intake(_) => {
                let message = "send the bytes as they are, with content type `application/offset+octet-stream`";
                Err(Fault::bad_input("media_type", message))
            }
            body => {
                answer.body = body;
                render(ask, answer).await
            }
        }
    }

    async fn send_blob(&self, ask: &Ask<'_>, answer: Answer, blob: &BlobRef) -> Result<Response<Body>, Fault> {
        let blobs = &self.host.ports().blobs;
        let sent = blob::serve(blobs, &blob.key, &blob.media_type, ask.parts).await?;
        let mut response = sent.ok_or_else(|| Fault::not_found("no_such_uri", "there is nothing here any more"))?;
        let etag = response.headers().get("etag").cloned();
        put_headers(ask, &answer, response.headers_mut())?;
        if let Some(etag) = etag {
            response.headers_mut().insert("etag", etag);
        }
        Ok(response)
    }

    /// What to say where no function is bound: which methods there are, or that there is nothing.
    fn unbound(&self, ask: &Ask<'_>, msg: &Msg) -> Result<Response<Body>, Fault> {
        let kinds = self.host.space().kinds_at(&msg.uri);
        if msg.kind == Kind::Options && !kinds.is_empty() {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            let allowed = HeaderValue::try_from(methods(&kinds)).expect("names of methods are ASCII");
            ask.secure(response.headers_mut());
            response.headers_mut().insert(ALLOW, allowed);
            return Ok(response);
        }
        Err(self.wrong_method(msg, ask))
    }

    fn wrong_method(&self, msg: &Msg, ask: &Ask<'_>) -> Fault {
        let space = self.host.space();
        let allowed = match ask.surface {
            Surface::Page => {
                let has = |kind: Kind| space.binding_for(&kind, &msg.uri).is_some();
                let page = if has(Kind::Page) { "GET, HEAD" } else { "" };
                let form = if has(Kind::Form) { "POST" } else { "" };
                [page, form].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
            }
            _ => methods(&space.kinds_at(&msg.uri)),
        };
        if allowed.is_empty() {
            return Fault::not_found("no_such_uri", format!("there is nothing at {}", msg.uri));
        }
        let message = format!("{} answers {allowed}, not {}", msg.uri, ask.parts.method);
        Fault::bad_input("method_not_allowed", message).header("allow", allowed)
    }

    /// Runs a function within the time an answer may take; a panic becomes a fault.
    pub(crate) async fn bounded(
        &self,
        timeout_ms: u64,
        work: impl Future<Output = Result<Answer, Fault>>,
    ) -> Result<Answer, Fault> {
        let mut work = pin!(AssertUnwindSafe(work).catch_unwind());
        // Most answers are there at once; only what has to wait pays for a timer.
        let first = poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await;
        let result = match first {
            Poll::Ready(result) => result,
            Poll::Pending => tokio::time::timeout(Duration::from_millis(timeout_ms), work).await.map_err(|_| {
                Fault::unavailable(
                    "deadline",
                    format!("this took longer than {} s; try again later", timeout_ms / 1000),
                )
            })?,
        };
        result.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
            Err(Fault::bug(format!("a function panicked: {}", text.unwrap_or("without a message"))))
        })
    }
}

fn methods(kinds: &[Kind]) -> String {
    let mut methods: Vec<String> = kinds.iter().map(|kind| kind.as_str().to_uppercase()).collect();
    if kinds.contains(&Kind::Get) {
        methods.insert(1, "HEAD".to_owned());
    }
    if !methods.is_empty() {
        methods.push("OPTIONS".to_owned());
    }
    methods.join(", ")
}

/// Sends a page's address that ends with a slash to the one without.
fn without_last_slash(ask: &Ask<'_>) -> Option<Response<Body>> {
    let path = ask.path.strip_suffix('/').filter(|path| !path.is_empty())?;
    let is_read = ask.parts.method == Method::GET || ask.parts.method == Method::HEAD;
    let uri = Uri::from_encoded(path).ok().filter(|_| is_read)?;
    let to = match ask.parts.uri.query() {
        Some(query) => format!("{}?{query}", uri.encoded()),
        None => uri.encoded(),
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    ask.secure(response.headers_mut());
    response.headers_mut().insert(LOCATION, redirect::location(ask.place, &to));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(headers::HOUR));
    Some(response)
}
