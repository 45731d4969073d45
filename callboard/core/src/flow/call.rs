//! One call of a step's function: which attempt it is, and what its answer means to the run.

use super::{Failure, FlowEvent, Place, Step, Verdict};
use crate::{Body, Data, Fault, Id};
use serde_json::Value;

/// Which function of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Do,
    Undo,
    Verify,
}

impl Part {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Do => "do",
            Self::Undo => "undo",
            Self::Verify => "verify",
        }
    }
}

/// Which attempt at which step of which run a delivery is for.
#[derive(Clone, Copy)]
pub(crate) struct StepCall {
    pub(crate) run: Id,
    pub(crate) at: Place,
    pub(crate) part: Part,
    pub(crate) check: u32,
    /// Whether somebody had the message before, so that its effect may be there already.
    pub(crate) is_again: bool,
    /// Whether it has no effect but the records it commits.
    pub(crate) is_records_only: bool,
    /// Whether its commit is only a move between others.
    pub(crate) is_passing: bool,
}

impl StepCall {
    /// Reads what a step's message says of its run, where it was taken for the `taken`th time.
    pub(crate) fn read(data: &Value, taken: u32, step: usize, part: Part) -> Result<Self, Fault> {
        let input: Step = serde_json::from_value(data.clone()).map_err(|error| {
            Fault::bad_input("flow.input", format!("the message of a step cannot be read: {error}"))
        })?;
        let at = Place { step, item: input.index, iteration: input.iteration, attempt: input.attempt };
        Ok(Self {
            run: input.run,
            at,
            part,
            check: input.check,
            is_again: taken > 1,
            is_records_only: false,
            is_passing: false,
        })
    }

    pub(crate) fn succeeded(self, body: &Body<Data>) -> FlowEvent {
        let Self { at, check, .. } = self;
        let output = match body {
            Body::Json(data) => serde_json::from_slice(&data.bytes).unwrap_or(Value::Null),
            _ => Value::Null,
        };
        match self.part {
            Part::Do => FlowEvent::Done { at, output },
            Part::Undo => FlowEvent::Undone { at },
            // What is no verdict says nothing.
            Part::Verify => {
                let verdict = serde_json::from_value(output).unwrap_or(Verdict::Unknown);
                FlowEvent::Verified { at, check, verdict }
            }
        }
    }

    pub(crate) fn failed(self, fault: &Fault) -> FlowEvent {
        let Self { at, check, .. } = self;
        match self.part {
            Part::Do => {
                let mut failure = Failure::of(fault);
                failure.is_unknown |= self.is_again;
                FlowEvent::Failed { at, failure }
            }
            Part::Undo => FlowEvent::UndoFailed { at, message: fault.to_string() },
            Part::Verify => FlowEvent::Verified { at, check, verdict: Verdict::Unknown },
        }
    }

    pub(crate) fn poisoned(self, fault: &Fault) -> FlowEvent {
        let (code, message) = (fault.code.to_owned(), fault.message.clone());
        FlowEvent::Poisoned { at: self.at, is_undo: self.part == Part::Undo, code, message }
    }
}
