//! What a caller gets for a message, whatever gateway it came through.

use crate::ports::Committed;
use crate::{BlobRef, Body, Cookie, Data, Id, Intake, Outcome, Pieces, Reply, fill_slots};
use bytes::Bytes;
use serde_json::{Value, json};
use std::borrow::Cow;

/// What a caller gets.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Id of the message that is answered.
    pub id: Id,
    /// What happened.
    pub outcome: Outcome,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    /// Cookies to set.
    pub cookies: Vec<Cookie>,
    /// Version of the resource.
    pub version: Option<i64>,
    /// The body.
    pub body: AnswerBody,
}

/// The body of an answer.
#[derive(Clone, Debug)]
pub enum AnswerBody {
    /// None.
    Nothing,
    /// Bytes.
    Bytes {
        /// Of this media type.
        media_type: Cow<'static, str>,
        /// The bytes.
        bytes: Bytes,
    },
    /// Bytes that come while they are sent.
    Pieces {
        /// Of this media type.
        media_type: Cow<'static, str>,
        /// What gives them.
        pieces: Pieces,
    },
    /// A stored blob to stream.
    Blob(BlobRef),
    /// The body of the request is to be stored.
    Intake(Intake),
}

impl Answer {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match (&self.outcome, &self.body) {
            (Outcome::Created(_), _) => 201,
            (Outcome::Accepted(_), _) => 202,
            (Outcome::SeeOther(_), _) => 303,
            (Outcome::Moved(_), _) => 301,
            (Outcome::Refused(status), _) => *status,
            (_, AnswerBody::Nothing) => 204,
            _ => 200,
        }
    }

    /// The body as JSON; null where there is none.
    pub fn json(&self) -> Value {
        match &self.body {
            AnswerBody::Bytes { bytes, .. } => serde_json::from_slice(bytes).unwrap_or(Value::Null),
            _ => Value::Null,
        }
    }
}

pub(crate) fn answer(id: Id, reply: Reply<Data>, committed: Option<&Committed>) -> Answer {
    let body = match reply.body {
        Body::Json(data) => {
            let bytes = match committed.filter(|_| reply.effects.has_slots()) {
                Some(committed) => fill_body(&data.bytes, committed),
                None => data.bytes,
            };
            AnswerBody::Bytes { media_type: data.media_type, bytes }
        }
        Body::Nothing => AnswerBody::Nothing,
        Body::Text(media_type, bytes) => AnswerBody::Bytes { media_type, bytes },
        Body::Pieces(media_type, pieces) => AnswerBody::Pieces { media_type, pieces },
        Body::Blob(blob) => AnswerBody::Blob(blob),
        Body::Intake(intake) => AnswerBody::Intake(intake),
    };
    Answer { id, outcome: reply.outcome, headers: reply.headers, cookies: reply.cookies, version: reply.version, body }
}

fn fill_body(bytes: &Bytes, committed: &Committed) -> Bytes {
    let mut value: Value = serde_json::from_slice(bytes).expect("a body of ours is JSON");
    fill_slots(&mut value, &|at, column| committed.value(at, column));
    value.to_string().into()
}

impl Committed {
    /// A column of the first row that a write returned.
    pub fn value(&self, write: usize, column: &str) -> Option<Value> {
        self.returned.get(write)?.iter().next()?.get(column).map(|datum| match datum {
            crate::Datum::Null | crate::Datum::Bytes(_) => Value::Null,
            crate::Datum::Int(value) => json!(value),
            crate::Datum::Real(value) => json!(value),
            crate::Datum::Text(value) => json!(&**value),
            crate::Datum::List(values) => json!(values),
        })
    }
}
