//! The state of one run of a flow, as it is stored.

use super::{Failure, Flow, Place, Step};
use crate::invocation::Traceparent;
use crate::{Id, Principal, Tenant};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// Its id.
    pub id: Id,
    /// Service and name of the flow.
    pub service: String,
    /// Name of the flow.
    pub flow: String,
    /// Hash of the definition it is at.
    pub hash: String,
    /// Its tenant.
    pub tenant: Tenant,
    /// Its key.
    pub key: String,
    /// What it is about: runs about the same thing take turns.
    #[serde(default)]
    pub entity: Option<String>,
    /// Who started it.
    pub principal: Principal,
    /// Ties it to what started it.
    pub correlation: Id,
    /// The invocation that started it, where somebody looks at its trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<Traceparent>,
    /// Its input.
    pub input: Value,
    /// Where it stands.
    pub status: Status,
    /// Where it is going.
    #[serde(default)]
    pub goal: Goal,
    /// Why it is being or was undone, or is parked.
    pub reason: Option<Reason>,
    /// The steps, as in the definition.
    pub steps: Vec<StepRun>,
    /// Why branches of each block were given up, by branch.
    #[serde(default)]
    pub given_up: Vec<Vec<Option<Reason>>>,
    /// Keys of dos that arrived after their undo.
    #[serde(default)]
    pub conflicts: Vec<String>,
}

/// Why a run is undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reason {
    /// The step that failed; none where the run was cancelled.
    pub step: Option<String>,
    /// Code of the fault, or `cancelled`.
    pub code: String,
    /// The fault's message for people.
    pub message: String,
}

/// Where a run is going.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// To do everything.
    #[default]
    Forward,
    /// To undo everything.
    Back,
    /// To undo these steps and do them again.
    Redo(Vec<usize>),
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Others about the same entity come first.
    Queued,
    /// Steps are being done.
    Running,
    /// Steps are being undone.
    Undoing,
    /// All steps are done.
    Completed,
    /// Everything that was done is undone.
    Undone,
    /// An undo keeps failing: a person must look.
    UndoStuck,
    /// It can go neither forward nor back by itself: a person must look.
    Parked,
    /// A person ended it as it was.
    Killed,
}

impl Status {
    /// Whether nothing happens any more by itself.
    pub fn is_final(self) -> bool {
        self.is_ended() || matches!(self, Self::UndoStuck | Self::Parked)
    }

    /// Whether it is over, for its entity too.
    pub fn is_ended(self) -> bool {
        matches!(self, Self::Completed | Self::Undone | Self::Killed)
    }

    /// The word that is stored, and the event published, when a run gets here.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Undoing => "undoing",
            Self::Completed => "completed",
            Self::Undone => "undone",
            Self::UndoStuck => "undo_stuck",
            Self::Parked => "parked",
            Self::Killed => "killed",
        }
    }
}

/// One step of a run: one item, or as many as the list it maps over.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepRun {
    /// The step's id, by which another definition finds it.
    #[serde(default)]
    pub id: String,
    /// Whether its items are known.
    pub is_open: bool,
    /// How often it was redone.
    #[serde(default)]
    pub iteration: u32,
    /// The items.
    pub items: Vec<ItemRun>,
}

/// One item of a step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ItemRun {
    /// Where it stands.
    pub state: ItemState,
    /// Attempt of what is being done or undone.
    pub attempt: u32,
    /// Further attempts that a person granted.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub granted: u32,
    /// Whether the attempt is only scheduled: nobody has begun it.
    #[serde(default, skip_serializing_if = "is_no")]
    pub is_scheduled: bool,
    /// Whether some attempt ended without anybody knowing its effect.
    #[serde(default, skip_serializing_if = "is_no")]
    pub is_tainted: bool,
    /// Whether its do answered after its undo had begun.
    #[serde(default, skip_serializing_if = "is_no")]
    pub is_conflict: bool,
    /// How often its outcome was asked for.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub checks: u32,
    /// Its last sign of life, in Unix milliseconds.
    #[serde(default)]
    pub beat_ms: i64,
    /// Why its last attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Hashes of the tokens that answer it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<String>,
    /// An answer that came before the question was known to be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Value>,
    /// What it gave.
    #[serde(default)]
    pub output: Value,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_no(flag: &bool) -> bool {
    !flag
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// Where an item stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ItemState {
    /// Not yet.
    #[default]
    Waiting,
    /// Being done.
    Doing,
    /// Waiting for an answer or a time.
    Asked,
    /// Being asked what became of it.
    Checking,
    /// Done.
    Done,
    /// Nobody answered in time.
    Expired,
    /// Left out: not needed, or by a person.
    Skipped,
    /// Failed, certainly without effect.
    Failed,
    /// Failed, and nobody knows whether it had an effect.
    Unknown,
    /// Its message is a dead letter.
    Parked,
    /// Being undone.
    Undoing,
    /// Undone.
    Undone,
    /// The undo gave up.
    Stuck,
    /// The do answered after the undo: it may stand.
    Conflict,
}

impl Run {
    /// The output of a step by its position: of a map the list of its items' outputs.
    pub fn output(&self, flow: &Flow, at: usize) -> Value {
        let step = &self.steps[at];
        match flow.steps[at].over {
            Some(_) => Value::Array(step.items.iter().map(|item| item.output.clone()).collect()),
            None => step.items.first().map_or(Value::Null, |item| item.output.clone()),
        }
    }

    /// The key of an attempt: `run/step/iteration/{do|undo}`, with `[item]` after the step in a map; stable across retries.
    pub fn step_key(&self, flow: &Flow, at: Place, direction: &str) -> String {
        let row = &flow.steps[at.step];
        let item = if row.over.is_some() { format!("[{}]", at.item) } else { String::new() };
        format!("{}/{}{item}/{}/{direction}", self.id, row.id, at.iteration)
    }

    /// What the function of a step receives.
    pub fn step_input(&self, flow: &Flow, at: Place, direction: &str) -> Step {
        let row = &flow.steps[at.step];
        let is_open = |at: &usize| self.steps[*at].is_open;
        let outputs =
            (0..flow.steps.len()).filter(is_open).map(|at| (flow.steps[at].id.to_owned(), self.output(flow, at)));
        let item = row.over.and_then(|over| {
            let list = flow.position(over).map(|at| self.output(flow, at))?;
            list.get(at.item).cloned()
        });
        Step {
            run: self.id,
            key: self.step_key(flow, at, direction),
            attempt: at.attempt,
            iteration: at.iteration,
            input: self.input.clone(),
            outputs: outputs.collect(),
            item,
            index: at.item,
            token: None,
            check: 0,
        }
    }
}
