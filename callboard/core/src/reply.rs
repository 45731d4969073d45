//! What a function answers: a body, what happened to the resource, and the effects to commit.

use crate::{Effects, Fault, Kind, Pieces, Uri, Write};
use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::ops::Range;

/// A successful answer. Failures are a [`Fault`](crate::Fault).
#[derive(Clone, Debug)]
pub struct Reply<Out = ()> {
    /// What happened.
    pub outcome: Outcome,
    /// What the caller gets.
    pub body: Body<Out>,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    /// Cookies to set.
    pub cookies: Vec<Cookie>,
    /// What should change.
    pub effects: Effects,
    /// Version of the resource, for its ETag and the automatic event; without one the time of the call.
    pub version: Option<i64>,
    /// What the caller hears instead of the body, after the effects are committed.
    pub refusal: Option<Fault>,
}

/// What happened to the resource. All but `Ok` publish an event on the URI they name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing that others need to hear of.
    Ok,
    /// The URI is new: 201, event `created`.
    Created(Uri),
    /// The URI changed: event `changed`.
    Changed(Uri),
    /// The URI is gone: event `deleted`.
    Deleted(Uri),
    /// Work goes on; ask the URI for its state: 202.
    Accepted(Uri),
    /// Look there: 303. A path and query of this application, never of another.
    SeeOther(String),
    /// For good there: 301.
    Moved(String),
    /// Nothing happened, and the body says why: the status of a fault.
    Refused(u16),
}

/// The body of an answer.
#[derive(Clone, Debug)]
pub enum Body<Out> {
    /// None.
    Nothing,
    /// A value, as JSON.
    Json(Out),
    /// Text of a media type: pages, pictures drawn as SVG, feeds.
    Text(Cow<'static, str>, Bytes),
    /// Bytes of a media type that come while they are sent. Only for messages from [`HTTP`](crate::HTTP): nobody else takes them.
    Pieces(Cow<'static, str>, Pieces),
    /// A stored blob: the gateway streams it, with ranges.
    Blob(BlobRef),
    /// The gateway stores the body of the request, part by part, without handing it to a function.
    Intake(Intake),
}

/// A page for people.
pub type Html = ();

/// A stored blob named by an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobRef {
    /// Key in the blob store.
    pub key: String,
    /// Media type to answer with.
    pub media_type: String,
}

/// Where the gateway stores the body of a request that must not pass through a function. After every part that is
/// stored it dispatches `stored` (a `post` by the runtime, with [`Stored`] as data) to `then`, whose reply to the last is the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intake {
    /// Parts become `{prefix}/{offset:020}`.
    pub prefix: String,
    /// Offset of the first byte, and the first offset that is too many.
    pub range: Range<u64>,
    /// The function that hears of every part.
    pub then: Uri,
}

/// One stored part of a request's body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stored {
    /// Offset of its first byte.
    pub offset: u64,
    /// Its size.
    pub size_bytes: u64,
    /// Its key in the blob store.
    pub key: String,
}

/// A cookie: always HttpOnly, SameSite=Lax, Path=/, and Secure with the `__Host-` prefix over TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    /// Its name, without prefix.
    pub name: &'static str,
    /// Its value; a secret, so answers are never logged. Empty removes the cookie.
    pub value: String,
    /// How long it lives.
    pub age_s: i64,
}

impl<Out> Reply<Out> {
    fn new(outcome: Outcome, body: Body<Out>) -> Self {
        Self {
            outcome,
            body,
            headers: Vec::new(),
            cookies: Vec::new(),
            effects: Effects::new(),
            version: None,
            refusal: None,
        }
    }

    /// A value.
    pub fn ok(value: Out) -> Self {
        Self::new(Outcome::Ok, Body::Json(value))
    }

    /// A new resource: 201 with its location, and the event `created` on it.
    pub fn created(uri: Uri, value: Out) -> Self {
        Self::new(Outcome::Created(uri), Body::Json(value))
    }

    /// A changed resource, and the event `changed` on it.
    pub fn changed(uri: Uri, value: Out) -> Self {
        Self::new(Outcome::Changed(uri), Body::Json(value))
    }

    /// Work that goes on: 202 with the URI that tells its state.
    pub fn accepted(uri: Uri, value: Out) -> Self {
        Self::new(Outcome::Accepted(uri), Body::Json(value))
    }

    /// Commits these effects, in place of those that were said before.
    #[must_use]
    pub fn with(mut self, effects: impl Into<Effects>) -> Self {
        self.effects = effects.into();
        self
    }

    /// Adds a write.
    #[must_use]
    pub fn write(mut self, write: Write) -> Self {
        self.effects = self.effects.write(write);
        self
    }

    /// Adds an event.
    #[must_use]
    pub fn emit(mut self, kind: Kind, uri: Uri, data: impl Serialize) -> Self {
        self.effects = self.effects.emit(kind, uri, data);
        self
    }

    /// Adds a message to one function, delivered after commit.
    #[must_use]
    pub fn send(mut self, kind: Kind, uri: Uri, data: impl Serialize) -> Self {
        self.effects = self.effects.send(kind, uri, data);
        self
    }

    /// Starts a flow of this service.
    #[must_use]
    pub fn start(mut self, flow: &'static str, key: impl Into<String>, input: impl Serialize) -> Self {
        self.effects = self.effects.start(flow, key, input);
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Sets a cookie.
    #[must_use]
    pub fn cookie(mut self, cookie: Cookie) -> Self {
        self.cookies.push(cookie);
        self
    }

    /// States the version of the resource.
    #[must_use]
    pub fn version(mut self, version: i64) -> Self {
        self.version = Some(version);
        self
    }

    /// Text of a media type.
    pub fn text(media_type: impl Into<Cow<'static, str>>, text: impl Into<Bytes>) -> Self {
        Self::new(Outcome::Ok, Body::Text(media_type.into(), text.into()))
    }

    /// A page.
    pub fn html(page: impl Into<Bytes>) -> Self {
        Self::text("text/html; charset=utf-8", page)
    }

    /// Bytes of a media type that come while they are sent.
    pub fn pieces(media_type: impl Into<Cow<'static, str>>, pieces: Pieces) -> Self {
        Self::new(Outcome::Ok, Body::Pieces(media_type.into(), pieces))
    }

    /// A stored blob.
    pub fn blob(key: impl Into<String>, media_type: impl Into<String>) -> Self {
        Self::new(Outcome::Ok, Body::Blob(BlobRef { key: key.into(), media_type: media_type.into() }))
    }

    /// The gateway stores the request's body.
    pub fn intake(intake: Intake) -> Self {
        Self::new(Outcome::Ok, Body::Intake(intake))
    }

    /// Sends the browser to another page of this application.
    pub fn see_other(path: impl Into<String>) -> Self {
        Self::new(Outcome::SeeOther(path.into()), Body::Nothing)
    }

    /// Says that a page has moved for good.
    pub fn moved(path: impl Into<String>) -> Self {
        Self::new(Outcome::Moved(path.into()), Body::Nothing)
    }

    /// Success without a body.
    pub fn nothing() -> Self {
        Self::new(Outcome::Ok, Body::Nothing)
    }

    /// The caller gets a fault, and the effects are committed all the same: a wrong password that must count. A fault
    /// that changes nothing is simply an `Err`.
    pub fn refused(fault: Fault) -> Self {
        Self { refusal: Some(fault), ..Self::nothing() }
    }

    /// Answers with the status of a fault that the body tells of: a form again, with what is wrong in it.
    #[must_use]
    pub fn status_of(mut self, fault: &Fault) -> Self {
        self.outcome = Outcome::Refused(fault.status());
        self
    }

    /// The resource is gone: 204, and the event `deleted` on it.
    pub fn deleted(uri: Uri) -> Self {
        Self::new(Outcome::Deleted(uri), Body::Nothing)
    }
}
