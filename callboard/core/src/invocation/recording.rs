//! A captured invocation: the message, everything the function read, and what it returned; as JSON, without secrets.

use super::redact::Redactor;
use crate::{Answer, AnswerBody, Body, BoxFuture, Data, Datum, Effects, Fault, Id, Kind, Otherwise, Outcome};
use crate::{Principal, Reply, Rows, Tenant, Uri, WaitName};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// One captured invocation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Recording {
    /// Its span, which names it.
    pub span: String,
    /// Why it was captured: `fault`, `asked`, `development` or `sample`.
    pub why: String,
    /// The binding, step or schedule.
    pub target: String,
    /// The service.
    pub service: String,
    /// When it began, in Unix milliseconds.
    pub started_ms: i64,
    /// What is known of every invocation.
    pub invocation: Value,
    /// What came in.
    pub message: Message,
    /// What the function read, in order.
    pub read: Vec<Entry>,
    /// What it returned: reply and effects, or its fault; nothing where it did not return.
    pub reply: Value,
    /// How many secrets were left out.
    pub redacted: u32,
    /// Whether it read more than is kept, so that it cannot be replayed.
    pub is_cut: bool,
}

/// The message of a recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Message {
    /// Its id.
    pub id: Id,
    /// Where it came from.
    pub source: String,
    /// What happens.
    pub kind: Kind,
    /// On which URI.
    pub uri: Uri,
    /// When, in Unix milliseconds.
    pub time_ms: i64,
    /// In which tenant.
    pub tenant: Tenant,
    /// Who acts.
    pub principal: Principal,
    /// What it belongs to.
    pub correlation: Id,
    /// What caused it.
    pub causation: Option<Id>,
    /// Which attempt.
    pub attempt: u32,
    /// How many messages led here.
    pub hops: u8,
    /// Attributes of its transport.
    pub meta: Vec<(String, String)>,
    /// Media type of its data.
    pub media_type: String,
    /// Its data.
    pub data: Value,
}

/// Something a function read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// Rows of a statement.
    Query {
        /// Its name.
        statement: String,
        /// Its parameters.
        params: Vec<Value>,
        /// Names of the columns.
        columns: Vec<String>,
        /// The rows, or a fault.
        answer: Value,
    },
    /// The answer of another function.
    Call {
        /// What it was asked to do, with what.
        ask: Value,
        /// Its answer, or a fault.
        answer: Value,
    },
    /// The answer of a system outside.
    Fetch {
        /// What it was asked.
        ask: Value,
        /// Its answer, or a fault.
        answer: Value,
    },
    /// How a program of this machine ended, and what it wrote.
    Exec {
        /// The program and its arguments.
        ask: Value,
        /// Its code and output, or a fault.
        answer: Value,
    },
    /// What was asked of a blob or done to it, and what came of that.
    Blob(String, Value),
    /// For how long a system outside is left alone, in milliseconds.
    Away(String, Option<i64>),
    /// The time, in Unix milliseconds.
    Now(i64),
    /// A new id.
    Id(Id),
    /// A new short id.
    Pid(String),
    /// A setting.
    Setting(String, String),
    /// The address of an asset.
    Asset(String, String),
    /// Something that was too large to be recorded, as a replay tells of it.
    Unrecorded(String),
}

/// Keeps recordings, for a time and up to a size.
pub trait Recorder: Send + Sync {
    /// Keeps one. It never waits: where too much comes at once, some are dropped and counted.
    fn keep(&self, recording: Recording);
    /// How many were dropped since this process began.
    fn dropped(&self) -> u64 {
        0
    }
    /// One by its span, or the newest of a message's id.
    fn find<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Recording>, Fault>>;
    /// The newest, the newest first.
    fn list(&self, limit: usize) -> BoxFuture<'_, Result<Vec<Recording>, Fault>>;
    /// Removes whatever mentions a person, by pseudonym. How many it were.
    fn erase<'a>(&'a self, person: &'a str) -> BoxFuture<'a, Result<u64, Fault>>;
}

pub(super) fn bytes(bytes: &[u8]) -> Value {
    json!({"$bytes": STANDARD.encode(bytes)})
}

pub(super) fn read_bytes(value: &Value) -> Option<Vec<u8>> {
    STANDARD.decode(value.get("$bytes")?.as_str()?).ok()
}

pub(super) fn datum(datum: &Datum) -> Value {
    match datum {
        Datum::Null => Value::Null,
        Datum::Int(value) => json!(value),
        // As text: numbers of JSON are read back with a last digit that may differ.
        Datum::Real(value) => json!({"$real": value.to_string()}),
        Datum::Text(text) => json!(&**text),
        Datum::Bytes(raw) => bytes(raw),
        Datum::List(items) => json!(items),
    }
}

pub(super) fn read_datum(value: &Value) -> Datum {
    match value {
        Value::Null | Value::Bool(_) => Datum::Null,
        Value::Number(number) => number.as_i64().map_or(Datum::Null, Datum::Int),
        Value::String(text) => Datum::from(text),
        Value::Array(items) => {
            Datum::List(items.iter().map(|item| item.as_str().unwrap_or_default().to_owned()).collect())
        }
        Value::Object(_) => match read_bytes(value) {
            Some(raw) => Datum::Bytes(raw),
            None => value["$real"].as_str().and_then(|text| text.parse().ok()).map_or(Datum::Null, Datum::Real),
        },
    }
}

/// Rows without the values of columns whose names say that they are secret.
pub(super) fn rows(rows: &Rows, redactor: &mut Redactor) -> Value {
    let row = |values: &Vec<Datum>| {
        let cells = rows.columns.iter().zip(values).map(|(column, value)| {
            let mut cell = datum(value);
            redactor.named(column, &mut cell);
            cell
        });
        cells.collect::<Vec<_>>()
    };
    json!({"rows": rows.rows.iter().map(row).collect::<Vec<_>>()})
}

pub(super) fn fault(fault: &Fault) -> Value {
    let headers: Map<String, Value> =
        fault.headers.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    json!({"fault": {"kind": fault.kind, "code": fault.code, "message": fault.message, "errors": fault.errors,
        "headers": headers}})
}

pub(super) fn answer(answer: &Answer, redactor: &mut Redactor) -> Value {
    let headers: Map<String, Value> =
        answer.headers.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let body = match &answer.body {
        AnswerBody::Nothing => Value::Null,
        AnswerBody::Bytes { media_type, bytes } => {
            let data = Data { media_type: media_type.clone(), bytes: bytes.clone() };
            json!({"type": media_type, "data": redactor.data(&data)})
        }
        AnswerBody::Pieces { media_type, .. } => json!({"pieces": true, "type": media_type}),
        AnswerBody::Blob(blob) => json!({"blob": blob.key, "type": blob.media_type}),
        AnswerBody::Intake(_) => json!({"intake": true}),
    };
    let mut value = json!({"outcome": answer.outcome, "version": answer.version, "headers": headers, "body": body});
    redactor.value(&mut value);
    value
}

/// What a function returned, as JSON; `events` of its effects are its own, and not made by the host.
pub(super) fn reply(reply: &Reply<Data>, events: usize) -> Value {
    let headers: Map<String, Value> =
        reply.headers.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let mut told = Map::new();
    let mut tell = |name: &str, value: Value| {
        let is_nothing = value.is_null() || value.as_object().is_some_and(Map::is_empty);
        if !is_nothing {
            told.insert(name.to_owned(), value);
        }
    };
    tell("outcome", if reply.outcome == Outcome::Ok { Value::Null } else { json!(reply.outcome) });
    tell("body", body(&reply.body));
    tell("headers", Value::Object(headers));
    let cookies: Map<String, Value> =
        reply.cookies.iter().map(|cookie| (cookie.name.to_owned(), json!({"age_s": cookie.age_s}))).collect();
    tell("cookies", Value::Object(cookies));
    tell("version", json!(reply.version));
    tell("refusal", reply.refusal.as_ref().map_or(Value::Null, fault));
    tell("effects", effects(&reply.effects, events));
    Value::Object(told)
}

fn body(body: &Body<Data>) -> Value {
    let text = |media_type: &str, raw: &[u8]| match std::str::from_utf8(raw) {
        Ok(text) => json!({"type": media_type, "text": text}),
        Err(_) => json!({"type": media_type, "text": bytes(raw)}),
    };
    match body {
        Body::Nothing => Value::Null,
        Body::Json(data) => json!({"json": serde_json::from_slice::<Value>(&data.bytes).unwrap_or(Value::Null)}),
        Body::Text(media_type, raw) => text(media_type, raw),
        Body::Pieces(media_type, _) => json!({"pieces": true, "type": media_type}),
        Body::Blob(blob) => json!({"blob": blob.key, "type": blob.media_type}),
        Body::Intake(intake) => {
            json!({"intake": intake.prefix, "from": intake.range.start, "to": intake.range.end, "then": intake.then})
        }
    }
}

fn effects(effects: &Effects, events: usize) -> Value {
    let writes = effects.writes.iter().map(|write| {
        let otherwise = match &write.otherwise {
            Otherwise::Retry => json!("retry"),
            Otherwise::Refuse(refusal) => fault(refusal),
        };
        let params: Vec<Value> = write.params.iter().map(datum).collect();
        json!({"statement": write.statement.name, "params": params, "least": write.expect.start(),
            "most": Some(write.expect.end()).filter(|most| **most < u64::MAX), "otherwise": otherwise})
    });
    let sends = effects.sends.iter().map(|send| {
        let data = String::from_utf8_lossy(&send.data.bytes);
        json!({"kind": send.kind, "uri": send.uri, "data": data, "at_ms": send.at_ms})
    });
    let answers = effects.answers.iter().map(|answer| match &answer.to {
        WaitName::Token(_) => json!({"token": super::redact::REDACTED, "value": answer.value}),
        WaitName::Step { flow, key, step } => json!({"flow": flow, "key": key, "step": step, "value": answer.value}),
    });
    let lists: [(&str, Vec<Value>); 8] = [
        ("writes", writes.collect()),
        (
            "events",
            effects
                .events
                .iter()
                .take(events)
                .map(|one| json!({"kind": one.kind, "uri": one.uri, "data": one.data}))
                .collect(),
        ),
        ("sends", sends.collect()),
        (
            "starts",
            effects.starts.iter().map(|one| json!({"flow": one.flow, "key": one.key, "input": one.input})).collect(),
        ),
        ("cancels", effects.cancels.iter().map(|one| json!({"flow": one.flow, "key": one.key})).collect()),
        ("answers", answers.collect()),
        (
            "operations",
            effects
                .operations
                .iter()
                .map(|one| json!({"run": one.run, "operation": one.operation, "why": one.why}))
                .collect(),
        ),
        ("live", effects.live.iter().map(|one| json!({"kind": one.kind, "uri": one.uri, "data": one.data})).collect()),
    ];
    let told = lists.into_iter().filter(|(_, list)| !list.is_empty());
    Value::Object(told.map(|(name, list)| (name.to_owned(), Value::Array(list))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invocation::redact::{Known, REDACTED};
    use proptest::prelude::*;

    fn any_datum() -> impl Strategy<Value = Datum> {
        prop_oneof![
            Just(Datum::Null),
            any::<i64>().prop_map(Datum::Int),
            proptest::num::f64::NORMAL.prop_map(Datum::Real),
            "\\PC{0,20}".prop_map(Datum::from),
            proptest::collection::vec(any::<u8>(), 0..20).prop_map(Datum::Bytes),
            proptest::collection::vec("\\PC{0,8}", 0..4).prop_map(Datum::List),
        ]
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::from),
            "\\PC{0,12}(s3cret-key)?".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map("[a-z_]{1,8}|password", inner, 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_value_of_a_record_comes_back_as_it_was(value in any_datum()) {
            let text = serde_json::to_string(&datum(&value)).expect("JSON");
            let again = read_datum(&serde_json::from_str(&text).expect("JSON"));
            prop_assert_eq!(again, value);
        }

        #[test]
        fn no_secret_is_left_and_redacting_twice_changes_nothing(mut value in any_json()) {
            let known = Known { value: "s3cret-key".to_owned(), label: "[secret key]".to_owned() };
            Redactor::new(vec![known.clone()]).value(&mut value);
            prop_assert!(!value.to_string().contains("s3cret-key"));
            let mut again = value.clone();
            Redactor::new(vec![known]).value(&mut again);
            prop_assert_eq!(&again, &value);
            if let Some(password) = value.get("password").filter(|password| password.is_string() || password.is_number()) {
                prop_assert!(password == REDACTED || password == "[secret key]");
            }
        }
    }
}
