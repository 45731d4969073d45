//! The one message: a CloudEvents 1.0 event with the attributes of its caller, as a function receives it.

use crate::invocation::Trace;
use crate::{Fault, Id, Secret, Uri};
use bytes::Bytes;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

/// Deepest nesting of JSON accepted.
pub const JSON_DEPTH_MAX: usize = 64;

/// What happens on a URI: the event's type.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(from = "String", into = "String")]
pub enum Kind {
    /// Read a resource.
    Get,
    /// Make a resource, or do something with one.
    Post,
    /// Set a resource.
    Put,
    /// Change part of a resource.
    Patch,
    /// Remove a resource.
    Delete,
    /// Ask what may be done with a resource.
    Options,
    /// Read a page for people; a URI space of its own beside the resources.
    Page,
    /// Send the form of a page.
    Form,
    /// Anything that happened: `created`, `changed`, `deleted`, or a service's own word.
    Event(Cow<'static, str>),
}

/// The kind of an event, for a binding table: `event("created")`.
pub const fn event(name: &'static str) -> Kind {
    Kind::Event(Cow::Borrowed(name))
}

impl Kind {
    /// The CloudEvents type.
    pub fn as_str(&self) -> &str {
        match self {
            Kind::Get => "get",
            Kind::Post => "post",
            Kind::Put => "put",
            Kind::Patch => "patch",
            Kind::Delete => "delete",
            Kind::Options => "options",
            Kind::Page => "page",
            Kind::Form => "form",
            Kind::Event(name) => name,
        }
    }

    /// Whether a call of this kind must not change anything.
    pub fn is_safe(&self) -> bool {
        matches!(self, Kind::Get | Kind::Page | Kind::Options)
    }
}

impl From<String> for Kind {
    fn from(text: String) -> Self {
        match text.as_str() {
            "get" => Kind::Get,
            "post" => Kind::Post,
            "put" => Kind::Put,
            "patch" => Kind::Patch,
            "delete" => Kind::Delete,
            "options" => Kind::Options,
            "page" => Kind::Page,
            "form" => Kind::Form,
            _ => Kind::Event(text.into()),
        }
    }
}

impl From<Kind> for String {
    fn from(kind: Kind) -> Self {
        kind.as_str().to_owned()
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The channel a message belongs to. Every record, event and log line carries it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Tenant(Arc<str>);

impl Tenant {
    /// Names a tenant.
    pub fn new(name: &str) -> Self {
        Self(Arc::from(name))
    }

    /// The tenant of an application that has only one.
    pub fn only() -> Self {
        Self::new("only")
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who acts. Never taken from outside: the authentication handler or the runtime sets it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Principal {
    /// Nobody is signed in.
    Nobody,
    /// A person, by pseudonym, with the roles they have in this tenant and the session they act in.
    Person {
        /// Pseudonym of the person.
        id: Arc<str>,
        /// Roles in the message's tenant, all that apply (an owner is also editor and viewer).
        roles: Arc<[Arc<str>]>,
        /// Pseudonym of the session, where there is one.
        session: Option<Arc<str>>,
    },
    /// One of our own services, or the runtime.
    Service(Cow<'static, str>),
}

impl Principal {
    /// A person with these roles, without a session.
    pub fn person(id: &str, roles: &[&str]) -> Self {
        Self::Person { id: Arc::from(id), roles: roles.iter().map(|&role| Arc::from(role)).collect(), session: None }
    }

    /// The person's pseudonym.
    pub fn person_id(&self) -> Option<&str> {
        match self {
            Self::Person { id, .. } => Some(id),
            _ => None,
        }
    }

    /// The session's pseudonym.
    pub fn session(&self) -> Option<&str> {
        match self {
            Self::Person { session, .. } => session.as_deref(),
            _ => None,
        }
    }

    /// Whether the person has this role in the tenant. A service has none.
    pub fn has_role(&self, role: &str) -> bool {
        matches!(self, Self::Person { roles, .. } if roles.iter().any(|have| &**have == role))
    }
}

/// A body with its media type, not yet read.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Data {
    /// `application/json`, `application/x-www-form-urlencoded` (also for a query), or anything; empty means JSON.
    pub media_type: Cow<'static, str>,
    /// The bytes; none is read as an empty object.
    pub bytes: Bytes,
}

impl JsonSchema for Data {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Data".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!(true)
    }
}

impl Data {
    /// No body.
    pub const EMPTY: Self = Self { media_type: Cow::Borrowed(""), bytes: Bytes::new() };

    /// A value as JSON.
    pub fn json<T: Serialize>(value: &T) -> Self {
        let bytes = serde_json::to_vec(value).expect("a value of ours serialises to JSON");
        Self { media_type: Cow::Borrowed("application/json"), bytes: bytes.into() }
    }

    /// Form fields or a query, percent-encoded.
    pub fn form(fields: impl Into<Bytes>) -> Self {
        Self { media_type: Cow::Borrowed("application/x-www-form-urlencoded"), bytes: fields.into() }
    }

    /// Reads the body into a type.
    ///
    /// # Errors
    /// `data.invalid` with the path of the field that is wrong, `data.too_deep`, or `media_type`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        let kind = self.media_type.split(';').next().unwrap_or_default().trim();
        match kind {
            "" | "application/json" | "application/cloudevents+json" | "application/merge-patch+json" => {
                self.read_json()
            }
            "application/x-www-form-urlencoded" => {
                let fields = serde_html_form::Deserializer::from_bytes(&self.bytes);
                serde_path_to_error::deserialize(fields)
                    .map_err(|error| invalid(&error.path().to_string(), &error.inner().to_string()))
            }
            _ => Err(Fault::bad_input("media_type", format!("send JSON or form fields, not `{kind}`"))),
        }
    }

    fn read_json<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        let text: &[u8] = if self.bytes.is_empty() { b"{}" } else { &self.bytes };
        if is_too_deep(text) {
            return Err(Fault::bad_input("data.too_deep", format!("nest JSON at most {JSON_DEPTH_MAX} levels deep")));
        }
        let mut reader = serde_json::Deserializer::from_slice(text);
        let value = serde_path_to_error::deserialize(&mut reader)
            .map_err(|error| invalid_json(&error.path().to_string(), error.inner()))?;
        reader.end().map_err(|error| invalid_json(".", &error))?;
        Ok(value)
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Data({}, {} bytes)", self.media_type, self.bytes.len())
    }
}

fn invalid_json(path: &str, error: &serde_json::Error) -> Fault {
    let text = error.to_string();
    if !error.is_data() {
        return Fault::bad_input("data.invalid", format!("the body is not JSON: {text}"));
    }
    // Where in the text a value of the wrong kind stands says less than its name.
    invalid(path, text.rsplit_once(" at line ").map_or(&*text, |(what, _)| what))
}

/// What serde says, in terms of the field it is about. A field that is missing or unknown is told by its container.
fn invalid(path: &str, error: &str) -> Fault {
    let named = |start: &str| error.strip_prefix(start)?.split_once('`');
    let inside = |name: &str| if path == "." { name.to_owned() } else { format!("{path}.{name}") };
    let (field, message) = if let Some((name, _)) = named("missing field `") {
        (inside(name), format!("`{}` is missing", inside(name)))
    } else if let Some((name, expected)) = named("unknown field `") {
        let known = expected.trim_start_matches(", ");
        (path.to_owned(), format!("`{name}` is no field here; {known}"))
    } else if path == "." {
        ("body".to_owned(), format!("the body is not what is expected: {error}"))
    } else {
        (path.to_owned(), format!("`{path}` is not what is expected: {error}"))
    };
    Fault::bad_input("data.invalid", message.clone()).field(field, message)
}

fn is_too_deep(text: &[u8]) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for &byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > JSON_DEPTH_MAX {
            return true;
        }
    }
    false
}

/// Values of the `{name}` segments of the pattern that matched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(Vec<(&'static str, String)>);

impl Params {
    pub(crate) fn push(&mut self, name: &'static str, value: String) {
        self.0.push((name, value));
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(have, _)| *have == name).map(|(_, value)| value.as_str())
    }
}

/// Source of messages that came over HTTP: only there an answer may come in [pieces](crate::Pieces).
pub const HTTP: &str = "http";

/// Source of messages of programs with a key that invokes functions: services that are counted like anybody of their tenant.
pub const INVOKE: &str = "invoke";

/// Source of messages that only find out what a stream may tell: they are neither counted as calls nor remembered where refused.
pub const STREAM: &str = "stream";

/// Everything of a message but its data: shared with the environment of the function that runs.
#[derive(Clone, Debug)]
pub struct Head {
    /// Id of the message; the same id is the same message.
    pub id: Id,
    /// Where it came from: `http`, `cli`, `service/catalogue`, `kernel`.
    pub source: Cow<'static, str>,
    /// What happens.
    pub kind: Kind,
    /// On which URI (the CloudEvents subject).
    pub uri: Uri,
    /// When, in Unix milliseconds.
    pub time_ms: i64,
    /// In which tenant.
    pub tenant: Tenant,
    /// Who acts.
    pub principal: Principal,
    /// Ties together everything that one outside request led to.
    pub correlation: Id,
    /// The message that caused this one.
    pub causation: Option<Id>,
    /// Where it stands in the trace of its correlation id.
    pub trace: Trace,
    /// How often this message was tried before, plus one.
    pub attempt: u32,
    /// How many messages led here; over 16 the message is a loop.
    pub hops: u8,
    /// When the caller stops waiting, in Unix milliseconds.
    pub deadline_ms: Option<i64>,
    /// From which address it came, where a gateway knows; never stored.
    pub address: Option<IpAddr>,
    /// What proves who acts, not yet checked; never stored.
    pub credential: Option<Secret<String>>,
    /// The key under which its sender may send the same message again: it takes effect once.
    pub idempotency_key: Option<Arc<str>>,
    /// Few attributes of the transport that functions may read, lower-case: `if-match`, `upload-offset`, `user-agent` …
    pub meta: Vec<(Cow<'static, str>, String)>,
}

impl Head {
    /// A transport attribute.
    pub fn meta(&self, name: &str) -> Option<&str> {
        self.meta.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }
}

/// A message: head, values from its URI, and data.
#[derive(Clone, Debug)]
pub struct Msg<In = Data> {
    /// Shared with the environment.
    pub head: Arc<Head>,
    /// Values of the names in the pattern that matched.
    pub params: Params,
    /// The input.
    pub data: In,
}

impl<In> Deref for Msg<In> {
    type Target = Head;

    fn deref(&self) -> &Head {
        &self.head
    }
}

impl Msg {
    /// A message from nobody to a URI; the runtime or a gateway fills in the rest.
    pub fn new(kind: Kind, uri: Uri, tenant: Tenant, id: Id, time_ms: i64) -> Self {
        let head = Head {
            id,
            source: Cow::Borrowed(""),
            kind,
            uri,
            time_ms,
            tenant,
            principal: Principal::Nobody,
            correlation: id,
            causation: None,
            trace: Trace::default(),
            attempt: 1,
            hops: 0,
            deadline_ms: None,
            address: None,
            credential: None,
            idempotency_key: None,
            meta: Vec::new(),
        };
        Self { head: Arc::new(head), params: Params::default(), data: Data::EMPTY }
    }

    /// The head, to set attributes before dispatch.
    pub fn head_mut(&mut self) -> &mut Head {
        Arc::make_mut(&mut self.head)
    }

    /// The same message with this data.
    #[must_use]
    pub fn with_data(mut self, data: Data) -> Self {
        self.data = data;
        self
    }
}

impl<In> Msg<In> {
    /// The value of a `{name}` of the pattern.
    ///
    /// # Panics
    /// Where the binding's pattern has no such name: that is a mistake of the service's author.
    pub fn param(&self, name: &str) -> &str {
        self.params.get(name).unwrap_or_else(|| panic!("the pattern of {} has no {{{name}}}", self.uri))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Page {
        after: Option<String>,
        limit: u32,
    }

    #[test]
    fn a_query_and_json_read_into_the_same_type() {
        let want = Page { after: None, limit: 20 };
        assert_eq!(Data::form("limit=20").read::<Page>().expect("a query"), want);
        assert_eq!(Data::json(&serde_json::json!({"limit": 20})).read::<Page>().expect("JSON"), want);
    }

    #[test]
    fn a_wrong_field_is_named() {
        let fault = Data::json(&serde_json::json!({"limit": "many"})).read::<Page>().expect_err("a text is no number");
        assert_eq!((fault.code, fault.errors[0].field.as_str()), ("data.invalid", "limit"));
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "it is read to see what is refused")]
    struct Series {
        title: String,
        #[serde(default)]
        cast: Vec<Person>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "it is read to see what is refused")]
    struct Person {
        name: String,
    }

    #[test]
    fn what_is_missing_or_unknown_is_told_by_its_name() {
        let refused = |data: Data| {
            let fault = data.read::<Series>().expect_err("it is refused");
            (fault.errors[0].field.clone(), fault.message)
        };
        let told = |field: &str, message: &str| (field.to_owned(), message.to_owned());
        assert_eq!(refused(Data::EMPTY), told("title", "`title` is missing"));
        assert_eq!(
            refused(Data::form("tilte=x")),
            told("tilte", "`tilte` is no field here; expected `title` or `cast`")
        );
        let json = |value: serde_json::Value| refused(Data::json(&value));
        let cast = json(serde_json::json!({"title": "x", "cast": [{"name": "a"}, {}]}));
        assert_eq!(cast, told("cast[1].name", "`cast[1].name` is missing"));
        let unknown = json(serde_json::json!({"title": "x", "year": 1999}));
        assert_eq!(unknown, told("year", "`year` is no field here; expected `title` or `cast`"));
        let wrong = json(serde_json::json!({"title": 7}));
        assert_eq!(
            wrong,
            told("title", "`title` is not what is expected: invalid type: integer `7`, expected a string")
        );
        assert_eq!(json(serde_json::json!(7)).0, "body");
    }

    #[test]
    fn what_is_no_json_is_told_by_its_place() {
        for (text, place) in [
            ("{title: 1}", "line 1 column 2"),
            ("{\"title\": \"x\"", "column 13"),
            ("{\"title\": \"x\"}}", "column 15"),
        ] {
            let fault = Data { media_type: "".into(), bytes: text.into() }.read::<Series>().expect_err(text);
            assert_eq!((fault.code, fault.errors.len()), ("data.invalid", 0), "{text}");
            assert!(fault.message.starts_with("the body is not JSON: ") && fault.message.ends_with(place), "{fault}");
        }
    }

    #[test]
    fn json_that_is_too_deep_is_refused_and_brackets_in_text_do_not_count() {
        let deep = format!("{}{}", "[".repeat(JSON_DEPTH_MAX + 1), "]".repeat(JSON_DEPTH_MAX + 1));
        let data = Data { media_type: "".into(), bytes: deep.into() };
        assert_eq!(data.read::<serde_json::Value>().expect_err("too deep").code, "data.too_deep");
        let text = Data::json(&"[".repeat(1000));
        assert_eq!(text.read::<String>().expect("only text").len(), 1000);
    }
}
