//! Event streams: what happens on a URI, or in the subtree below it, for whoever may read it.

use super::answer::{self, Ask};
use super::body::Body;
use super::gateway::Gateway;
use super::headers;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use callboard::ports::LiveStream;
use callboard::{Fault, Host, Kind, LiveMessage, Msg, Uri};
use futures_util::{Stream, StreamExt, stream};
use hyper::Response;
use hyper::header::{ACCEPT, CACHE_CONTROL, HeaderValue};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Interval;
use tokio_util::sync::CancellationToken;

/// A comment so often, so that nobody in between closes a quiet stream.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Who listens is asked so often whether they still may.
const RECHECK: Duration = Duration::from_secs(30);

/// Streams by address.
#[derive(Default)]
pub(crate) struct Streams(Mutex<HashMap<IpAddr, usize>>);

/// One stream of an address.
struct Place {
    streams: Arc<Streams>,
    address: IpAddr,
}

impl Streams {
    fn enter(self: &Arc<Self>, address: IpAddr, most: usize) -> Result<Place, Fault> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= most {
            let message = format!("at most {most} event streams are open from one address; close one");
            return Err(Fault::too_many("streams.too_many", message).header("retry-after", "10"));
        }
        *count += 1;
        Ok(Place { streams: self.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.streams.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

/// What a request for an event stream listens to: the URI, and whether also to everything below it.
pub(crate) fn wanted(ask: &Ask<'_>, path: &str) -> Option<Result<(Uri, bool), Fault>> {
    let accepted = ask.parts.headers.get(ACCEPT)?.to_str().ok()?;
    if ask.parts.method != hyper::Method::GET || !accepted.contains("text/event-stream") {
        return None;
    }
    let (base, is_subtree) = match path.strip_suffix("/**") {
        Some("") => ("/", true),
        Some(base) => (base, true),
        None => (path, false),
    };
    Some(Uri::from_encoded(base).map(|uri| (uri, is_subtree)).map_err(Fault::from))
}

/// A stream that is open.
struct Listening {
    live: LiveStream,
    host: Host,
    /// Reads the base URI as the listener; its fault ends the stream.
    check: Msg,
    is_subtree: bool,
    recheck: Interval,
    stop: CancellationToken,
    _place: Place,
}

impl Gateway {
    /// Opens an event stream for whoever may read its base URI.
    pub(crate) async fn listen(
        &self,
        ask: &Ask<'_>,
        mut check: Msg,
        is_subtree: bool,
    ) -> Result<Response<Body>, Fault> {
        let place = self.streams.enter(ask.outside.address, self.options.limits.streams_per_address_max)?;
        // Before asking, so that nothing that happens after the answer is missed.
        let live = self.host.ports().live.subscribe(&ask.place.tenant, check.uri.clone());
        let id = check.id;
        self.bounded(ask.outside.answer_timeout_ms, self.host.dispatch(check.clone())).await?;
        check.head_mut().source = callboard::STREAM.into();
        let start = tokio::time::Instant::now() + RECHECK;
        let listening = Listening {
            live,
            host: self.host.clone(),
            check,
            is_subtree,
            recheck: tokio::time::interval_at(start, RECHECK),
            stop: self.stop.clone(),
            _place: place,
        };
        let keep_alive = KeepAlive::new().interval(HEARTBEAT);
        let response = Sse::new(events(listening)).keep_alive(keep_alive).into_response().map(Body::stream);
        let (mut parts, body) = response.into_parts();
        headers::secure_resource(&mut parts.headers, ask.place.is_https);
        parts.headers.insert(CACHE_CONTROL, HeaderValue::from_static(headers::NO_STORE));
        answer::put_id(&mut parts.headers, id);
        Ok(Response::from_parts(parts, body))
    }
}

fn events(listening: Listening) -> impl Stream<Item = Result<Event, Infallible>> + Send {
    stream::unfold(listening, |mut listening| async move {
        loop {
            tokio::select! {
                biased;
                () = listening.stop.cancelled() => return None,
                message = listening.live.next() => {
                    let message = message?;
                    if may_hear(&listening.host, &listening.check, listening.is_subtree, &message.uri).await
                        && let Some(event) = event_of(&message)
                    {
                        return Some((Ok(event), listening));
                    }
                }
                _ = listening.recheck.tick() => {
                    let mut check = listening.check.clone();
                    check.head_mut().time_ms = listening.host.ports().clock.now_ms();
                    listening.host.dispatch(check).await.ok()?;
                }
            }
        }
    })
}

/// Whether the listener may hear of a URI in the subtree: whoever may read it, or where nothing is read there, what stands
/// nearest above it. So a list may be listened to without hearing of items that it does not show. That an item of the
/// subtree is gone is told only to those who listen to it by itself, since nobody can be asked any more who could read it.
async fn may_hear(host: &Host, check: &Msg, is_subtree: bool, uri: &Uri) -> bool {
    let base = &check.uri;
    if uri == base {
        return true;
    }
    let is_read = |uri: &Uri| uri == base || host.space().binding_for(&Kind::Get, uri).is_some();
    let nearest = std::iter::successors(Some(uri.clone()), Uri::parent).find(is_read);
    match nearest {
        Some(nearest) if is_subtree && nearest != *base => {
            let mut check = check.clone();
            check.head_mut().uri = nearest;
            host.dispatch(check).await.is_ok()
        }
        Some(_) => is_subtree,
        None => false,
    }
}

fn event_of(message: &LiveMessage) -> Option<Event> {
    let mut data = json!({"uri": message.uri});
    match &message.data {
        Value::Object(fields) => {
            for (name, value) in fields {
                data[name] = value.clone();
            }
        }
        Value::Null => {}
        other => data["data"] = other.clone(),
    }
    // Whether maps keep the order of insertion is up to any crate in the program.
    data.sort_all_objects();
    let kind = message.kind.as_str();
    // A line break in the kind would forge lines of the stream.
    let is_line = !kind.contains(['\r', '\n']);
    is_line.then(|| Event::default().event(kind).data(data.to_string()))
}
