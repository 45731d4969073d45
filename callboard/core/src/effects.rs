//! Effects as data: what should change, returned by a function and committed by the runtime, all or nothing.

use crate::flow::Operation;
use crate::{Data, Datum, Fault, Id, Kind, Secret, Statement, Uri};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;
use std::ops::RangeInclusive;

/// Most statements in one batch.
pub const BATCH_STATEMENTS_MAX: usize = 500;
/// Most bytes of data that stand in a message itself; more goes into a blob that travels beside it.
pub const DATA_BYTES_MAX: usize = 192 * 1024;
/// Most bytes of the key of a run, and of the entity about which runs take turns.
pub const RUN_KEY_BYTES_MAX: usize = 512;
/// Most bytes of data that one message may carry at all.
pub const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A statement to run in the batch.
#[derive(Clone, Debug)]
pub struct Write {
    /// Which.
    pub statement: &'static Statement,
    /// Its parameters.
    pub params: Vec<Datum>,
    /// How many rows it must change.
    pub expect: RangeInclusive<u64>,
    /// What happens where it changes another number.
    pub otherwise: Otherwise,
}

/// What happens to a batch whose expectation fails.
#[derive(Clone, Debug)]
pub enum Otherwise {
    /// The caller gets this fault and nothing is written.
    Refuse(Fault),
    /// The function runs again with fresh reads.
    Retry,
}

/// A value that the batch itself finds out: a column of a write's RETURNING. It serialises to a marker which the
/// runtime replaces in the body and in events before they leave.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Slot {
    #[serde(rename = "$slot")]
    place: (usize, &'static str),
}

/// It says nothing of its value: what a column holds is known when it is read.
impl JsonSchema for Slot {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Slot".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!(true)
    }
}

/// An event to publish.
#[derive(Clone, Debug)]
pub struct Emit {
    /// What happened.
    pub kind: Kind,
    /// On which URI.
    pub uri: Uri,
    /// What it carries; automatic events only `{uri, version}`.
    pub data: Value,
}

/// A message to send to one function after commit.
#[derive(Clone, Debug)]
pub struct SendMsg {
    /// What to do.
    pub kind: Kind,
    /// With which resource.
    pub uri: Uri,
    /// Its input.
    pub data: Data,
    /// Not before, in Unix milliseconds.
    pub at_ms: Option<i64>,
}

/// A flow to start. The same key with the same input gives the run that is there already.
#[derive(Clone, Debug)]
pub struct Start {
    /// Name of a flow of this service.
    pub flow: &'static str,
    /// Key, unique per tenant and flow.
    pub key: String,
    /// Its input.
    pub input: Value,
}

/// A run of a flow to cancel: what it did is undone.
#[derive(Clone, Debug)]
pub struct Cancel {
    /// Name of a flow of this service.
    pub flow: &'static str,
    /// The key it was started with.
    pub key: String,
}

/// An answer to a wait of a flow.
#[derive(Clone, Debug)]
pub struct WaitAnswer {
    /// Which wait.
    pub to: WaitName,
    /// The answer.
    pub value: Value,
}

/// How an answer names the wait that it is for.
#[derive(Clone, Debug)]
pub enum WaitName {
    /// By the token that was given away.
    Token(Secret<String>),
    /// By its step, in a flow of this service.
    Step {
        /// Name of the flow.
        flow: &'static str,
        /// The key the run was started with.
        key: String,
        /// Id of the step.
        step: &'static str,
    },
}

/// An intervention in a run; who makes it is recorded, and why.
#[derive(Clone, Debug)]
pub struct Operate {
    /// The run.
    pub run: Id,
    /// How.
    pub operation: Operation,
    /// Why.
    pub why: String,
}

/// A message for those who look at this moment; nobody stores it.
#[derive(Clone, Debug)]
pub struct LiveMessage {
    /// On which URI.
    pub uri: Uri,
    /// What happens.
    pub kind: Kind,
    /// What it carries.
    pub data: Value,
}

/// Everything that should change, in one transaction.
#[derive(Clone, Debug, Default)]
pub struct Effects {
    /// Statements, in order.
    pub writes: Vec<Write>,
    /// Events.
    pub events: Vec<Emit>,
    /// Messages to single functions.
    pub sends: Vec<SendMsg>,
    /// Flows to start.
    pub starts: Vec<Start>,
    /// Flows to cancel.
    pub cancels: Vec<Cancel>,
    /// Answers to waits of flows.
    pub answers: Vec<WaitAnswer>,
    /// Interventions in runs of flows.
    pub operations: Vec<Operate>,
    /// Live messages, sent after the commit.
    pub live: Vec<LiveMessage>,
    pub(crate) has_slots: bool,
}

impl Effects {
    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a write.
    #[must_use]
    pub fn write(mut self, write: Write) -> Self {
        self.writes.push(write);
        self
    }

    /// Adds an event.
    #[must_use]
    pub fn emit(mut self, kind: Kind, uri: Uri, data: impl Serialize) -> Self {
        self.events.push(Emit { kind, uri, data: to_value(data) });
        self
    }

    /// Adds a message to one function.
    #[must_use]
    pub fn send(mut self, kind: Kind, uri: Uri, data: impl Serialize) -> Self {
        self.sends.push(SendMsg { kind, uri, data: Data::json(&data), at_ms: None });
        self
    }

    /// Adds a message that is delivered not before a time in Unix milliseconds.
    #[must_use]
    pub fn send_at(mut self, at_ms: i64, kind: Kind, uri: Uri, data: impl Serialize) -> Self {
        self.sends.push(SendMsg { kind, uri, data: Data::json(&data), at_ms: Some(at_ms) });
        self
    }

    /// Starts a flow of this service.
    #[must_use]
    pub fn start(mut self, flow: &'static str, key: impl Into<String>, input: impl Serialize) -> Self {
        self.starts.push(Start { flow, key: key.into(), input: to_value(input) });
        self
    }

    /// Cancels a run of a flow of this service, if it is still going.
    #[must_use]
    pub fn cancel(mut self, flow: &'static str, key: impl Into<String>) -> Self {
        self.cancels.push(Cancel { flow, key: key.into() });
        self
    }

    /// Answers whoever waits with this token. The first answer counts.
    #[must_use]
    pub fn answer(mut self, token: impl Into<String>, value: impl Serialize) -> Self {
        let to = WaitName::Token(Secret::new(token.into()));
        self.answers.push(WaitAnswer { to, value: to_value(value) });
        self
    }

    /// Decides a wait of a flow of this service. The first decision counts.
    #[must_use]
    pub fn decide(
        mut self,
        flow: &'static str,
        key: impl Into<String>,
        step: &'static str,
        value: impl Serialize,
    ) -> Self {
        let to = WaitName::Step { flow, key: key.into(), step };
        self.answers.push(WaitAnswer { to, value: to_value(value) });
        self
    }

    /// Intervenes in a run of a flow of this service.
    #[must_use]
    pub fn operate(mut self, run: Id, operation: Operation, why: impl Into<String>) -> Self {
        self.operations.push(Operate { run, operation, why: why.into() });
        self
    }

    /// Adds a live message.
    #[must_use]
    pub fn live(mut self, kind: Kind, uri: Uri, data: impl Serialize) -> Self {
        self.live.push(LiveMessage { uri, kind, data: to_value(data) });
        self
    }

    /// A column of the RETURNING of the last write added, to stand in the body or in an event.
    pub fn slot(&mut self, column: &'static str) -> Slot {
        self.has_slots = true;
        Slot { place: (self.writes.len().saturating_sub(1), column) }
    }

    /// Whether nothing needs a transaction.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
            && self.events.is_empty()
            && self.sends.is_empty()
            && self.starts.is_empty()
            && self.cancels.is_empty()
            && self.answers.is_empty()
            && self.operations.is_empty()
    }

    /// Whether a value waits for a RETURNING.
    pub fn has_slots(&self) -> bool {
        self.has_slots
    }
}

fn to_value(data: impl Serialize) -> Value {
    serde_json::to_value(data).expect("a value of ours serialises to JSON")
}

/// Replaces slot markers by what `returned(write, column)` gives.
pub fn fill_slots(value: &mut Value, returned: &impl Fn(usize, &str) -> Option<Value>) {
    match value {
        Value::Object(fields) => {
            if let Some(place) = fields.get("$slot").filter(|_| fields.len() == 1) {
                let at = place.get(0).and_then(Value::as_u64).and_then(|at| usize::try_from(at).ok());
                let column = place.get(1).and_then(Value::as_str);
                *value = at.zip(column).and_then(|(at, column)| returned(at, column)).unwrap_or(Value::Null);
            } else {
                fields.values_mut().for_each(|field| fill_slots(field, returned));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| fill_slots(item, returned)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn slots_are_filled_wherever_they_stand() {
        let mut effects = Effects::new();
        let slot = effects.slot("seq");
        let mut body = json!({"seq": slot, "list": [{"again": slot}], "other": 1});
        fill_slots(&mut body, &|at, column| Some(json!(format!("{at}/{column}"))));
        assert_eq!(body, json!({"seq": "0/seq", "list": [{"again": "0/seq"}], "other": 1}));
    }
}
