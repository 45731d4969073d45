//! One call of a step's function: which run it is for, and what its answer means to the run.

use super::{FlowEvent, Step};
use crate::{Body, Data, Fault, Id};
use serde_json::Value;

/// Which step of which run a delivery is for.
#[derive(Clone, Copy)]
pub(crate) struct StepCall {
    pub(crate) run: Id,
    step: usize,
    item: usize,
    attempt: u32,
    is_undo: bool,
}

impl StepCall {
    /// Reads what a step's message says of its run.
    pub(crate) fn read(data: &Value, step: usize, is_undo: bool) -> Result<Self, Fault> {
        let input: Step = serde_json::from_value(data.clone()).map_err(|error| {
            Fault::bad_input("flow.input", format!("the message of a step cannot be read: {error}"))
        })?;
        Ok(Self { run: input.run, step, item: input.index, attempt: input.attempt, is_undo })
    }

    pub(crate) fn succeeded(self, body: &Body<Data>) -> FlowEvent {
        let Self { step, item, attempt, .. } = self;
        if self.is_undo {
            return FlowEvent::Undone { step, item, attempt };
        }
        let output = match body {
            Body::Json(data) => serde_json::from_slice(&data.bytes).unwrap_or(Value::Null),
            _ => Value::Null,
        };
        FlowEvent::Done { step, item, attempt, output }
    }

    pub(crate) fn failed(self, fault: &Fault) -> FlowEvent {
        let Self { step, item, attempt, .. } = self;
        let message = fault.message.clone();
        if self.is_undo {
            return FlowEvent::UndoFailed { step, item, attempt, message };
        }
        FlowEvent::Failed {
            step,
            item,
            attempt,
            code: fault.code.to_owned(),
            message,
            is_retryable: fault.is_retryable(),
        }
    }
}
