//! The state of one run of a flow, as it is stored.

use super::{Flow, Step};
use crate::{Id, Principal, Tenant};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its id.
    pub id: Id,
    /// Service and name of the flow.
    pub service: String,
    /// Name of the flow.
    pub flow: String,
    /// Hash of the definition it started with.
    pub hash: String,
    /// Its tenant.
    pub tenant: Tenant,
    /// Its key.
    pub key: String,
    /// Who started it.
    pub principal: Principal,
    /// Ties it to what started it.
    pub correlation: Id,
    /// Its input.
    pub input: Value,
    /// Where it stands.
    pub status: Status,
    /// Why it is being or was undone.
    pub reason: Option<Reason>,
    /// The steps, as in the definition.
    pub steps: Vec<StepRun>,
}

/// Why a run is undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The step that failed; none where the run was cancelled.
    pub step: Option<String>,
    /// Code of the fault, or `cancelled`.
    pub code: String,
    /// The fault's message for people.
    pub message: String,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
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
}

impl Status {
    /// Whether nothing happens any more by itself.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Undone | Self::UndoStuck)
    }

    /// The word that is stored, and the event published, when a run gets here.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Undoing => "undoing",
            Self::Completed => "completed",
            Self::Undone => "undone",
            Self::UndoStuck => "undo_stuck",
        }
    }
}

/// One step of a run: one item, or as many as the list it maps over.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StepRun {
    /// Whether its items are known.
    pub is_open: bool,
    /// The items.
    pub items: Vec<ItemRun>,
}

/// One item of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ItemRun {
    /// Where it stands.
    pub state: ItemState,
    /// Attempt of what is being done or undone.
    pub attempt: u32,
    /// Whether some attempt ended without anybody knowing its effect.
    pub is_tainted: bool,
    /// What it gave.
    pub output: Value,
}

/// Where an item stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemState {
    /// Not yet.
    Waiting,
    /// Being done.
    Doing,
    /// Done.
    Done,
    /// Failed, certainly without effect.
    Failed,
    /// Failed, and nobody knows whether it had an effect.
    Unknown,
    /// Being undone.
    Undoing,
    /// Undone.
    Undone,
    /// The undo gave up.
    Stuck,
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

    /// What the function of a step receives.
    pub fn step_input(&self, flow: &Flow, at: usize, index: usize, direction: &str, attempt: u32) -> Step {
        let row = &flow.steps[at];
        let is_done = |at: &usize| self.steps[*at].is_open;
        let outputs =
            (0..flow.steps.len()).filter(is_done).map(|at| (flow.steps[at].id.to_owned(), self.output(flow, at)));
        let item = row.over.and_then(|over| {
            let list = flow.steps.iter().position(|step| step.id == over).map(|at| self.output(flow, at))?;
            list.get(index).cloned()
        });
        Step {
            run: self.id,
            key: format!("{}/{}/{index}/{direction}", self.id, row.id),
            attempt,
            input: self.input.clone(),
            outputs: outputs.collect(),
            item,
            index,
        }
    }
}
