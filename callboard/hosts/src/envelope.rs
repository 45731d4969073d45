//! What a process answers, as a reply: a plain answer is the body; under `$reply` it may say more, and only what its function
//! declares. `docs/functions.md` has the form.

use crate::declared::May;
use crate::documents::{Documents, Put};
use crate::faults::{self, undeclared};
use crate::runtime::{Answered, Begun, is_json};
use callboard::{Body, Effects, Emit, Fault, Kind, Outcome, Pieces, Reply, SendMsg, Start, Uri, event};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Enveloped {
    #[serde(rename = "$reply")]
    reply: Said,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Said {
    body: Option<Box<RawValue>>,
    text: Option<String>,
    media_type: Option<String>,
    headers: BTreeMap<String, String>,
    created: Option<String>,
    changed: Option<String>,
    deleted: Option<String>,
    accepted: Option<String>,
    see_other: Option<String>,
    version: Option<i64>,
    events: Vec<Message>,
    sends: Vec<Message>,
    starts: Vec<FlowStart>,
    puts: Vec<Put>,
    fault: Option<Refused>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    on: String,
    #[serde(default)]
    data: Value,
    #[serde(default)]
    at_ms: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FlowStart {
    flow: String,
    key: String,
    #[serde(default)]
    input: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refused {
    kind: String,
    message: String,
    #[serde(default)]
    field: Option<String>,
}

/// Headers that a function may set.
const HEADERS: &[&str] =
    &["cache-control", "content-disposition", "content-language", "link", "retry-after", "x-robots-tag"];

/// Reads an answer.
///
/// # Errors
/// `function.answer` where it is no answer, `function.undeclared` where it wants more than is declared, and what the function
/// itself refuses.
pub(crate) fn read(
    function: &str,
    answered: Answered,
    may: &May,
    documents: &Documents,
) -> Result<Reply<Box<RawValue>>, Fault> {
    let wrong = |what: String| faults::answer(format!("{function}: {what}"));
    if let Some(prelude) = answered.prelude {
        return read_prelude(function, prelude, Reply::text(answered.media_type, answered.body));
    }
    if !is_json(&answered.media_type) {
        return Ok(Reply::text(answered.media_type.clone(), answered.body));
    }
    if answered.body.is_empty() {
        return Ok(Reply { body: Body::Nothing, ..Reply::nothing_of() });
    }
    if is_enveloped(&answered.body) {
        let Enveloped { reply } = serde_json::from_slice(&answered.body)
            .map_err(|error| wrong(format!("`$reply` is not what is expected: {error}")))?;
        return reply.read(function, may, documents);
    }
    let body: Box<RawValue> =
        serde_json::from_slice(&answered.body).map_err(|error| wrong(format!("its answer is no JSON: {error}")))?;
    Ok(Reply::ok(body))
}

/// Whether the answer is an object whose only field is `$reply`.
fn is_enveloped(body: &[u8]) -> bool {
    let start = body.trim_ascii_start().strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
    start.is_some_and(|start| start.starts_with(b"\"$reply\""))
}

/// What stands for a reply of this type without a value.
trait Nothing {
    fn nothing_of() -> Self;
}

impl<T> Nothing for Reply<T> {
    fn nothing_of() -> Self {
        let Reply { outcome, headers, cookies, effects, version, refusal, .. } = Reply::<()>::nothing();
        Reply { outcome, body: Body::Nothing, headers, cookies, effects, version, refusal }
    }
}

/// The reply of a streamed answer whose body comes while it is sent.
///
/// # Errors
/// As for [`read`].
pub(crate) fn begin(function: &str, begun: Begun, pieces: Pieces) -> Result<Reply<Box<RawValue>>, Fault> {
    let reply = Reply::pieces(begun.media_type, pieces);
    match begun.prelude {
        Some(prelude) => read_prelude(function, prelude, reply),
        None => Ok(reply),
    }
}

fn read_prelude(
    function: &str,
    prelude: crate::runtime::Prelude,
    mut reply: Reply<Box<RawValue>>,
) -> Result<Reply<Box<RawValue>>, Fault> {
    let status = prelude.status_code.unwrap_or(200);
    if !(200..=599).contains(&status) {
        return Err(faults::answer(format!("{function}: {status} is no status of an answer")));
    }
    if !prelude.cookies.is_empty() {
        return Err(undeclared(function, "sets a cookie", "a service of Rust for it: functions set none"));
    }
    if status >= 300 {
        reply.outcome = Outcome::Refused(status);
    }
    let others = prelude.headers.into_iter().filter(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
    reply.headers = headers(function, others)?;
    Ok(reply)
}

fn headers(
    function: &str,
    all: impl IntoIterator<Item = (String, String)>,
) -> Result<Vec<(&'static str, String)>, Fault> {
    let known = |name: &str| HEADERS.iter().copied().find(|known| known.eq_ignore_ascii_case(name));
    let header = |(name, value): (String, String)| match known(&name) {
        Some(known) => Ok((known, value)),
        None => Err(faults::answer(format!("{function}: it may set {}, not `{name}`", HEADERS.join(", ")))),
    };
    all.into_iter().map(header).collect()
}

impl Said {
    fn read(self, function: &str, may: &May, documents: &Documents) -> Result<Reply<Box<RawValue>>, Fault> {
        if let Some(refused) = self.fault {
            return Err(refused.read(function));
        }
        let wrong = |what: &str| faults::answer(format!("{function}: {what}"));
        let mut reply = match (self.body, self.text) {
            (Some(body), None) => Reply::ok(body),
            (None, Some(text)) => {
                Reply::text(self.media_type.unwrap_or_else(|| "text/plain; charset=utf-8".to_owned()), text)
            }
            (None, None) => Reply::nothing_of(),
            (Some(_), Some(_)) => return Err(wrong("it answers `body` and `text`; choose one")),
        };
        if let Some(outcome) = happened(function, [&self.created, &self.changed, &self.deleted, &self.accepted])? {
            reply.outcome = outcome;
        }
        if let Some(path) = self.see_other {
            if !path.starts_with('/') || path.starts_with("//") || path.contains(['\\', '\r', '\n']) {
                return Err(wrong("see_other is a path of this application"));
            }
            reply.outcome = Outcome::SeeOther(path);
        }
        let automatic = match &reply.outcome {
            Outcome::Created(uri) => Some(("created", uri)),
            Outcome::Changed(uri) => Some(("changed", uri)),
            Outcome::Deleted(uri) => Some(("deleted", uri)),
            _ => None,
        };
        if let Some((name, uri)) = automatic {
            may_emit(function, may, &event(name), uri)?;
        }
        reply.version = self.version;
        reply.headers = headers(function, self.headers)?;
        reply.effects = effects(function, may, documents, (self.events, self.sends, self.starts, self.puts))?;
        Ok(reply)
    }
}

/// What happened to a resource: created, changed, deleted or accepted, at most one of them.
fn happened(function: &str, uris: [&Option<String>; 4]) -> Result<Option<Outcome>, Fault> {
    let said: Vec<(usize, &String)> =
        uris.into_iter().enumerate().filter_map(|(at, uri)| Some((at, uri.as_ref()?))).collect();
    let wrong = |what: String| faults::answer(format!("{function}: {what}"));
    let (at, uri) = match said.as_slice() {
        [] => return Ok(None),
        [one] => *one,
        _ => return Err(wrong("choose one of created, changed, deleted, accepted".to_owned())),
    };
    let uri = Uri::parse(uri).map_err(|error| wrong(error.to_string()))?;
    Ok(Some([Outcome::Created, Outcome::Changed, Outcome::Deleted, Outcome::Accepted][at](uri)))
}

type Wishes = (Vec<Message>, Vec<Message>, Vec<FlowStart>, Vec<Put>);

fn effects(
    function: &str,
    may: &May,
    documents: &Documents,
    (events, sends, starts, puts): Wishes,
) -> Result<Effects, Fault> {
    let mut effects = Effects::new();
    for Message { on, data, at_ms } in events {
        let (kind, uri) = target(function, &on)?;
        may_emit(function, may, &kind, &uri)?;
        if at_ms.is_some() {
            return Err(faults::answer(format!("{function}: an event happens now; send a message for later")));
        }
        effects.events.push(Emit { kind, uri, data });
    }
    for Message { on, data, at_ms } in sends {
        let (kind, uri) = target(function, &on)?;
        if !may.send(&kind, &uri) {
            return Err(undeclared(
                function,
                &format!("sends {kind} {uri}"),
                &faults::line("sends", &upper(&kind), &uri),
            ));
        }
        effects.sends.push(SendMsg { kind, uri, data: callboard::Data::json(&data), at_ms });
    }
    for FlowStart { flow, key, input } in starts {
        let known = may.start(&flow);
        let flow = known.ok_or_else(|| {
            undeclared(function, &format!("starts the flow {flow}"), &format!("`starts = [\"{flow}\"]`"))
        })?;
        effects.starts.push(Start { flow, key, input });
    }
    if !puts.is_empty() && !may.documents {
        return Err(undeclared(function, "keeps documents", "`documents = true`"));
    }
    for put in puts {
        effects.writes.push(documents.write(put)?);
    }
    Ok(effects)
}

fn may_emit(function: &str, may: &May, kind: &Kind, uri: &Uri) -> Result<(), Fault> {
    if may.emit(kind, uri) {
        return Ok(());
    }
    Err(undeclared(function, &format!("publishes {kind} {uri}"), &faults::line("events", kind.as_str(), uri)))
}

fn upper(kind: &Kind) -> String {
    kind.as_str().to_uppercase()
}

/// Reads `greeted /people/7`.
fn target(function: &str, on: &str) -> Result<(Kind, Uri), Fault> {
    let wrong = |what: String| faults::answer(format!("{function}: `{on}`: {what}"));
    let (kind, uri) = on.split_once(' ').ok_or_else(|| wrong("write what happens and where".to_owned()))?;
    Ok((Kind::from(kind.to_ascii_lowercase()), Uri::parse(uri.trim()).map_err(|error| wrong(error.to_string()))?))
}

impl Refused {
    fn read(self, function: &str) -> Fault {
        const CODE: &str = "function.refused";
        let Self { kind, message, field } = self;
        let fault = match kind.as_str() {
            "bad_input" => Fault::bad_input(CODE, message.clone()),
            "not_signed_in" => Fault::not_signed_in(CODE, message.clone()),
            "denied" => Fault::denied(CODE, message.clone()),
            "not_found" => Fault::not_found(CODE, message.clone()),
            "conflict" => Fault::conflict(CODE, message.clone()),
            "too_large" => Fault::too_large(CODE, message.clone()),
            "too_many" => Fault::too_many(CODE, message.clone()),
            "unavailable" => Fault::unavailable(CODE, message.clone()),
            _ => return faults::answer(format!("{function}: `{kind}` is no kind of fault")),
        };
        match field {
            Some(field) => fault.field(field, message),
            None => fault,
        }
    }
}
