//! Flows: long operations as a declared table of steps, each with what is done, how it is undone, and how it is retried.
//!
//! A flow is data, not code that replays, so it can be checked, drawn and resumed. `machine` is the pure function that
//! moves a run on; it does no IO.

mod apply;
mod call;
mod machine;
mod messages;
mod run;
mod runner;

pub use apply::{Applied, FlowMove, Stored, Subject, apply};
pub(crate) use call::StepCall;
pub use machine::{Command, FlowEvent, advance, begin};
pub(crate) use messages::step_name;
pub use run::{ItemRun, ItemState, Reason, Run, Status, StepRun};

use crate::Id;
use crate::function::{Erased, Function, Input, erase};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// A flow of a service: its steps in order.
#[derive(Clone)]
pub struct Flow {
    /// Name, unique within the service.
    pub name: &'static str,
    /// The steps.
    pub steps: Vec<StepRow>,
    pub(crate) mistakes: Vec<String>,
}

/// One line of a flow.
#[derive(Clone)]
pub struct StepRow {
    /// Name, unique within the flow.
    pub id: &'static str,
    /// For a map: the earlier step whose output is the list of items.
    pub over: Option<&'static str>,
    /// How many items of a map run at once.
    pub concurrency: usize,
    /// How often and how patiently it is retried.
    pub retry: Retry,
    /// How long one attempt may take, in milliseconds.
    pub timeout_ms: u64,
    /// How it is undone.
    pub undo: Undo,
    pub(crate) work: Erased,
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
    /// `flow/step/item/{do|undo}` with the run's id: stable across retries, so an outside system can deduplicate by it.
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

impl Flow {
    /// A flow without steps yet.
    pub fn new(name: &'static str) -> Self {
        Self { name, steps: Vec::new(), mistakes: Vec::new() }
    }

    /// Adds a step, done once.
    #[must_use]
    pub fn step<F, In, Out, Shape>(self, id: &'static str, work: F) -> Self
    where
        Shape: 'static,
        F: Function<In, Out, Shape>,
        In: Input,
        Out: Serialize + Send + 'static,
    {
        self.push(id, None, erase(work))
    }

    /// Adds a step, done for every item of the list that an earlier step gave.
    #[must_use]
    pub fn map<F, In, Out, Shape>(self, id: &'static str, over: &'static str, work: F) -> Self
    where
        Shape: 'static,
        F: Function<In, Out, Shape>,
        In: Input,
        Out: Serialize + Send + 'static,
    {
        self.push(id, Some(over), erase(work))
    }

    fn push(mut self, id: &'static str, over: Option<&'static str>, work: Erased) -> Self {
        let retry = Retry::times(3);
        self.steps.push(StepRow { id, over, concurrency: 4, retry, timeout_ms: 60_000, undo: Undo::Unsaid, work });
        self
    }

    fn last(mut self, change: impl FnOnce(&mut StepRow)) -> Self {
        match self.steps.last_mut() {
            Some(step) => change(step),
            None => self.mistakes.push(format!("flow {}: an option stands before the first step", self.name)),
        }
        self
    }

    /// The last step is undone by this function.
    #[must_use]
    pub fn undo<F, In, Out, Shape>(self, function: F) -> Self
    where
        Shape: 'static,
        F: Function<In, Out, Shape>,
        In: Input,
        Out: Serialize + Send + 'static,
    {
        self.last(|step| step.undo = Undo::By(UndoFunction(erase(function))))
    }

    /// The last step needs no undo, for this reason.
    #[must_use]
    pub fn no_undo(self, reason: &'static str) -> Self {
        self.last(|step| step.undo = Undo::Never(reason))
    }

    /// The last step is retried so.
    #[must_use]
    pub fn retry(self, retry: Retry) -> Self {
        self.last(|step| step.retry = retry)
    }

    /// One attempt of the last step may take so long.
    #[must_use]
    pub fn timeout_ms(self, timeout_ms: u64) -> Self {
        self.last(|step| step.timeout_ms = timeout_ms)
    }

    /// So many items of the last step run at once.
    #[must_use]
    pub fn concurrency(self, items: usize) -> Self {
        self.last(|step| step.concurrency = items.max(1))
    }

    /// A hash of the definition: a run pins it.
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        for step in &self.steps {
            hash.update(format!("{}\0{:?}\0{}\0", step.id, step.over, matches!(step.undo, Undo::By(_))));
        }
        hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Everything wrong with the table, with the place named.
    pub fn mistakes(&self) -> Vec<String> {
        let mut mistakes = self.mistakes.clone();
        let place = |step: &StepRow| format!("flow {} step {}", self.name, step.id);
        if self.steps.is_empty() {
            mistakes.push(format!("flow {}: it has no step", self.name));
        }
        for (at, step) in self.steps.iter().enumerate() {
            let earlier = || self.steps[..at].iter().map(|step| step.id);
            if matches!(step.undo, Undo::Unsaid) {
                mistakes.push(format!(
                    "{}: say how it is undone, `.undo(function)` or `.no_undo(\"reason\")`",
                    place(step)
                ));
            }
            if earlier().any(|id| id == step.id) {
                mistakes.push(format!("{}: this id stands twice; rename one", place(step)));
            }
            if step.over.is_some_and(|over| !earlier().any(|id| id == over)) {
                mistakes.push(format!("{}: it maps over a step that does not come before it", place(step)));
            }
            if step.retry.attempts == 0 {
                mistakes.push(format!("{}: give it at least one attempt", place(step)));
            }
        }
        mistakes
    }
}
