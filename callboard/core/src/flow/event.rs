//! What can happen to a run, and what the machine commands: plain data, stored and sent.

use super::{Operation, Reason, Status};
use crate::{Fault, FaultKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Which attempt at which item of which step. A later iteration or attempt makes an earlier one stale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// Position of the step.
    pub step: usize,
    /// Index of the item.
    pub item: usize,
    /// How often the step was redone before.
    pub iteration: u32,
    /// Which attempt, from 1.
    pub attempt: u32,
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// Code of the fault.
    pub code: String,
    /// Its kind.
    pub kind: FaultKind,
    /// Its message.
    pub message: String,
    /// Whether another attempt may help.
    pub is_retryable: bool,
    /// Whether it may have had its effect all the same.
    pub is_unknown: bool,
}

impl Failure {
    /// What a fault means. A call that was turned away for its rate had no effect.
    pub fn of(fault: &Fault) -> Self {
        Self {
            code: fault.code.to_owned(),
            kind: fault.kind,
            message: fault.message.clone(),
            is_retryable: fault.is_retryable(),
            is_unknown: fault.is_retryable() && fault.kind != FaultKind::TooMany,
        }
    }
}

/// What a `verify` function found out about an attempt whose outcome is unknown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "verdict", content = "output")]
pub enum Verdict {
    /// It happened, and this is what it gave.
    Happened(Value),
    /// It never happened and will not.
    Never,
    /// It cannot be known yet.
    Unknown,
}

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Timer {
    /// The end of a wait or a pause.
    Expiry,
    /// The end of the time for all attempts at a step.
    Step,
    /// The end of the time for the run.
    Flow,
    /// A look for a heartbeat.
    Beat,
}

/// What happened to a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum FlowEvent {
    /// It is this run's turn among those of its entity.
    Turn,
    /// A delayed attempt, or one that gives a token away, is about to run.
    Began {
        /// Which.
        at: Place,
        /// Hash of the token that it gives away.
        token: Option<String>,
    },
    /// An attempt is still alive.
    Beat {
        /// Which.
        at: Place,
    },
    /// An item was done; of a wait: somebody was asked.
    Done {
        /// Which.
        at: Place,
        /// What it gave.
        output: Value,
    },
    /// An attempt to do an item failed.
    Failed {
        /// Which.
        at: Place,
        /// Why.
        failure: Failure,
    },
    /// An attempt whose outcome was unknown was looked into.
    Verified {
        /// Which.
        at: Place,
        /// Which look, from 1.
        check: u32,
        /// What was found.
        verdict: Verdict,
    },
    /// An item was undone.
    Undone {
        /// Which.
        at: Place,
    },
    /// An attempt to undo an item failed.
    UndoFailed {
        /// Which.
        at: Place,
        /// The fault's message.
        message: String,
    },
    /// An answer to a wait.
    Answered {
        /// The wait's step, where the answer names it rather than a token.
        step: Option<usize>,
        /// Hash of the token.
        token: Option<String>,
        /// The answer.
        value: Value,
    },
    /// A timer ran out.
    Due {
        /// Which.
        timer: Timer,
        /// For what it was set.
        at: Place,
    },
    /// The message of a step became a dead letter.
    Poisoned {
        /// Which.
        at: Place,
        /// Whether it was to undo.
        is_undo: bool,
        /// Code of the fault.
        code: String,
        /// Its message.
        message: String,
    },
    /// An answer that came too late. It is recorded and never applied.
    Late {
        /// The answer.
        answer: Box<FlowEvent>,
    },
    /// Somebody wants it undone.
    Cancelled,
    /// A person intervened.
    Operated {
        /// How.
        operation: Operation,
        /// Who.
        by: String,
        /// Why.
        why: String,
    },
    /// The run goes on under another definition.
    Migrated {
        /// Hash of the former.
        from: String,
        /// Hash of the present.
        to: String,
        /// What happened then.
        then: Box<FlowEvent>,
    },
}

impl FlowEvent {
    /// Whether a function answers with it: where it does not fit, nothing that comes with it may be committed.
    pub fn is_answer(&self) -> bool {
        if let Self::Migrated { then, .. } = self {
            return then.is_answer();
        }
        matches!(
            self,
            Self::Began { .. }
                | Self::Beat { .. }
                | Self::Done { .. }
                | Self::Failed { .. }
                | Self::Verified { .. }
                | Self::Undone { .. }
                | Self::UndoFailed { .. }
        )
    }
}

/// What the runner has to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Do an item.
    Do {
        /// Which.
        at: Place,
        /// Not before so many milliseconds from now.
        delay_ms: u64,
    },
    /// Undo an item.
    Undo {
        /// Which.
        at: Place,
        /// Not before so many milliseconds from now.
        delay_ms: u64,
    },
    /// Ask what became of an attempt.
    Check {
        /// Which.
        at: Place,
        /// Which look, from 1.
        check: u32,
        /// Not before so many milliseconds from now.
        delay_ms: u64,
    },
    /// Come back after a time.
    Wake {
        /// What for.
        timer: Timer,
        /// For which attempt.
        at: Place,
        /// After so many milliseconds.
        delay_ms: u64,
    },
    /// Look which run of the entity is next.
    Turn,
    /// Tell that an attempt failed and another follows.
    Delay(Reason),
    /// Tell that the run has got so far.
    Finish(Status),
}
