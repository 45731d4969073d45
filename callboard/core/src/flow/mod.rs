//! Flows: long operations as a declared table of steps, each with what is done, how it is undone, and how it is retried.
//!
//! A flow is data, not code that replays, so it can be checked, drawn and resumed. `machine` is the pure function that
//! moves a run on; it does no IO.

mod apply;
mod call;
mod check;
mod describe;
mod event;
mod machine;
mod messages;
mod migrate;
mod operate;
mod plan;
mod planted;
mod run;
mod runner;
mod table;
mod tree;

pub use apply::{Applied, FlowMove, Queue, Stored, Subject, apply};
pub(crate) use call::{Part, StepCall};
pub use describe::{describe, draw, left_behind};
pub use event::{Command, Failure, FlowEvent, Place, Timer, Verdict};
pub use machine::{advance, begin};
pub(crate) use messages::{FlowTarget, What, targets};
pub use operate::{Operation, plan_redo};
pub use run::{Goal, ItemRun, ItemState, Reason, Run, Status, StepRun};
pub use table::{Flow, On};

use crate::function::Erased;
use crate::{Id, Use};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// One line of a flow.
#[derive(Clone)]
pub struct StepRow {
    /// Name, unique within the flow.
    pub id: &'static str,
    /// What kind of step it is.
    pub kind: StepKind,
    /// For a map: the earlier step whose output is the list of items.
    pub over: Option<&'static str>,
    /// For a map: how many items must be done.
    pub join: Join,
    /// How many items of a map run at once.
    pub concurrency: usize,
    /// How often and how patiently it is retried.
    pub retry: Retry,
    /// How it is retried after certain faults; the first that fits.
    pub classes: Vec<(On, Retry)>,
    /// How long one attempt may take, in milliseconds.
    pub timeout_ms: u64,
    /// How long an attempt may give no sign of life, in milliseconds.
    pub heartbeat_ms: Option<u64>,
    /// How long all attempts together may take, in milliseconds.
    pub step_timeout_ms: Option<u64>,
    /// How long an attempt needs to finish; where less time is left it is not begun.
    pub needs_ms: u64,
    /// When a wait or a pause ends, in milliseconds.
    pub expires_ms: Option<u64>,
    /// How it is undone.
    pub undo: Undo,
    /// Whether nothing before it is undone once it is done.
    pub is_pivot: bool,
    /// Whether it has no effect but the records it commits.
    pub is_records_only: bool,
    /// What it uses of others, beside what its whole service does.
    pub uses: Vec<Use>,
    pub(crate) verify: Option<Erased>,
    pub(crate) work: Erased,
}

/// What kind of step a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// Its function does it.
    Work,
    /// Its function asks somebody who answers later.
    Wait,
    /// Its service decides it later.
    Decision,
    /// It takes a time.
    Pause,
    /// Its function names the branch to go on with.
    Choice,
}

impl StepKind {
    /// Whether somebody answers it.
    pub fn is_wait(self) -> bool {
        matches!(self, Self::Wait | Self::Decision)
    }

    /// Whether it waits for an answer or a time.
    pub fn waits(self) -> bool {
        self.is_wait() || self == Self::Pause
    }
}

/// How many of several must be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Join {
    /// All.
    #[default]
    All,
    /// So many; the others are not begun any more once these are done.
    AtLeast(usize),
    /// All but so many.
    Tolerate(usize),
}

impl Join {
    /// How many of `count` must be done.
    pub fn least(self, count: usize) -> usize {
        match self {
            Self::All => count,
            Self::AtLeast(least) => least,
            Self::Tolerate(most) => count.saturating_sub(most),
        }
    }
}

/// How a step is undone.
#[derive(Clone)]
pub enum Undo {
    /// By a function; it must tolerate that the step never happened.
    By(UndoFunction),
    /// Not at all, for this reason.
    Never(&'static str),
    /// Nobody said: refused at start.
    Unsaid,
}

/// The function that undoes a step.
#[derive(Clone)]
pub struct UndoFunction(pub(crate) Erased);

impl StepRow {
    /// The retry for a failure.
    pub fn retry_for(&self, failure: &Failure) -> (Retry, bool) {
        let fits = |on: &On| match on {
            On::Code(code) => *code == failure.code,
            On::Kind(kind) => *kind == failure.kind,
        };
        match self.classes.iter().find(|(on, _)| fits(on)) {
            Some((_, retry)) => (*retry, true),
            None => (self.retry, failure.is_retryable),
        }
    }

    /// Path of the function that does the step.
    pub fn function_name(&self) -> &'static str {
        self.work.name()
    }

    /// Path of the function that undoes it.
    pub fn undo_name(&self) -> Option<&'static str> {
        match &self.undo {
            Undo::By(function) => Some(function.0.name()),
            _ => None,
        }
    }
}

/// Retry of a step: attempts in all, first pause and longest pause; pauses double, with full jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Attempts in all.
    pub attempts: u32,
    /// First pause in milliseconds.
    pub base_ms: u64,
    /// Longest pause in milliseconds.
    pub cap_ms: u64,
}

impl Retry {
    /// So many attempts in all, pausing from half a second to a minute.
    pub const fn times(attempts: u32) -> Self {
        Self { attempts, base_ms: 500, cap_ms: 60_000 }
    }

    /// The pause before the attempt after `attempt`, `jitter` being uniform in 0..=u32::MAX.
    pub fn pause_ms(&self, attempt: u32, jitter: u32) -> u64 {
        let ceiling = self.base_ms.saturating_mul(1 << attempt.saturating_sub(1).min(20)).min(self.cap_ms);
        ceiling * u64::from(jitter) / u64::from(u32::MAX)
    }
}

/// What a step's function receives as data.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Step<In = Value> {
    /// The run.
    pub run: Id,
    /// `run/step/iteration/{do|undo}`, with `[item]` after the step in a map: stable across retries, so an outside system can deduplicate by it.
    pub key: String,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// The flow's input.
    pub input: In,
    /// Outputs of the steps that are done, by step id; of a map step the list of its items' outputs.
    pub outputs: BTreeMap<String, Value>,
    /// The item, in a map.
    pub item: Option<Value>,
    /// Its index.
    pub index: usize,
    /// How often the step was redone before.
    #[serde(default)]
    pub iteration: u32,
    /// In a wait: what answers it. Whoever has it may answer, so it goes to nobody else and is stored nowhere.
    #[serde(default)]
    pub token: Option<String>,
    /// In a `verify` function: which look it is.
    #[serde(default)]
    pub check: u32,
}

impl<In> Step<In> {
    /// The output of an earlier step.
    ///
    /// # Errors
    /// A bug fault where it is not there or of another type.
    pub fn output<T: serde::de::DeserializeOwned>(&self, step: &str) -> Result<T, crate::Fault> {
        let value = self.outputs.get(step).cloned().unwrap_or(Value::Null);
        serde_json::from_value(value).map_err(|error| {
            crate::Fault::bug(format!("the output of step `{step}` is not what `{}` expects: {error}", self.key))
        })
    }
}

#[cfg(test)]
mod tests;
