//! The machine: `(run, event) → (run, commands)`, pure. An event that does not fit where the run stands is stale and changes nothing.

use super::run::{ItemRun, ItemState, Reason, Run, Status, StepRun};
use super::{Flow, Undo};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What happened to a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum FlowEvent {
    /// An item was done.
    Done {
        /// Position of the step.
        step: usize,
        /// Index of the item.
        item: usize,
        /// The attempt that answers.
        attempt: u32,
        /// What it gave.
        output: Value,
    },
    /// An attempt to do an item failed.
    Failed {
        /// Position of the step.
        step: usize,
        /// Index of the item.
        item: usize,
        /// The attempt that answers.
        attempt: u32,
        /// Code of the fault.
        code: String,
        /// Its message.
        message: String,
        /// Whether another attempt may help. Where it may, the effect is unknown.
        is_retryable: bool,
    },
    /// An item was undone.
    Undone {
        /// Position of the step.
        step: usize,
        /// Index of the item.
        item: usize,
        /// The attempt that answers.
        attempt: u32,
    },
    /// An attempt to undo an item failed.
    UndoFailed {
        /// Position of the step.
        step: usize,
        /// Index of the item.
        item: usize,
        /// The attempt that answers.
        attempt: u32,
        /// The fault's message.
        message: String,
    },
    /// Somebody wants it undone.
    Cancelled,
}

/// What the runner has to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Do an item.
    Do {
        /// Position of the step.
        step: usize,
        /// Index of the item.
        item: usize,
        /// Which attempt.
        attempt: u32,
        /// Not before so many milliseconds from now.
        delay_ms: u64,
    },
    /// Undo an item.
    Undo {
        /// Position of the step.
        step: usize,
        /// Index of the item.
        item: usize,
        /// Which attempt.
        attempt: u32,
        /// Not before so many milliseconds from now.
        delay_ms: u64,
    },
    /// Tell that an attempt failed and another follows.
    Delay(Reason),
    /// Tell that the run has ended so.
    Finish(Status),
}

/// Starts a run whose steps are all still to do.
pub fn begin(flow: &Flow, run: &mut Run) -> Vec<Command> {
    run.status = Status::Running;
    run.steps = vec![StepRun::default(); flow.steps.len()];
    go_on(flow, run)
}

/// Moves a run on. `jitter` is uniform in 0..=u32::MAX.
pub fn advance(flow: &Flow, run: &mut Run, event: FlowEvent, jitter: u32) -> Vec<Command> {
    match event {
        FlowEvent::Done { step, item, attempt, output } => {
            let Some(state) = current(run, step, item, attempt, ItemState::Doing) else { return Vec::new() };
            state.state = ItemState::Done;
            state.output = output;
            go_on(flow, run)
        }
        FlowEvent::Failed { step, item, attempt, code, message, is_retryable } => {
            let may_retry = is_retryable && run.status == Status::Running && attempt < flow.steps[step].retry.attempts;
            let Some(state) = current(run, step, item, attempt, ItemState::Doing) else { return Vec::new() };
            let reason = Reason { step: Some(flow.steps[step].id.to_owned()), code, message };
            // An attempt that may have had an effect leaves the item unknown, whatever later attempts say.
            state.is_tainted |= is_retryable;
            if may_retry {
                state.attempt += 1;
                let delay_ms = flow.steps[step].retry.pause_ms(attempt, jitter);
                return vec![Command::Do { step, item, attempt: attempt + 1, delay_ms }, Command::Delay(reason)];
            }
            state.state = if state.is_tainted { ItemState::Unknown } else { ItemState::Failed };
            give_up(run, reason);
            go_on(flow, run)
        }
        FlowEvent::Undone { step, item, attempt } => {
            let Some(state) = current(run, step, item, attempt, ItemState::Undoing) else { return Vec::new() };
            state.state = ItemState::Undone;
            go_on(flow, run)
        }
        FlowEvent::UndoFailed { step, item, attempt, .. } => {
            let retry = flow.steps[step].retry;
            let Some(state) = current(run, step, item, attempt, ItemState::Undoing) else { return Vec::new() };
            // An undo is tried longer than a do: what is left behind costs more than a late answer.
            if attempt < retry.attempts.saturating_mul(4) {
                state.attempt += 1;
                return vec![Command::Undo {
                    step,
                    item,
                    attempt: attempt + 1,
                    delay_ms: retry.pause_ms(attempt, jitter),
                }];
            }
            state.state = ItemState::Stuck;
            go_on(flow, run)
        }
        FlowEvent::Cancelled => {
            if run.status != Status::Running {
                return Vec::new();
            }
            give_up(run, Reason { step: None, code: "cancelled".into(), message: "it was cancelled".into() });
            go_on(flow, run)
        }
    }
}

/// The item an answer belongs to, unless the answer is stale.
fn current(run: &mut Run, step: usize, item: usize, attempt: u32, state: ItemState) -> Option<&mut ItemRun> {
    let found = run.steps.get_mut(step)?.items.get_mut(item)?;
    (found.state == state && found.attempt == attempt).then_some(found)
}

fn give_up(run: &mut Run, reason: Reason) {
    if run.status == Status::Running {
        run.status = Status::Undoing;
        run.reason = Some(reason);
    }
}

fn go_on(flow: &Flow, run: &mut Run) -> Vec<Command> {
    match run.status {
        Status::Running => forward(flow, run),
        Status::Undoing => backward(flow, run),
        _ => Vec::new(),
    }
}

/// Dispatches what may start now: the first step that is not complete.
fn forward(flow: &Flow, run: &mut Run) -> Vec<Command> {
    for step in 0..flow.steps.len() {
        if !run.steps[step].is_open
            && let Err(reason) = open(flow, run, step)
        {
            give_up(run, reason);
            return backward(flow, run);
        }
        let items = &mut run.steps[step].items;
        if items.iter().all(|item| item.state == ItemState::Done) {
            continue;
        }
        let busy = items.iter().filter(|item| item.state == ItemState::Doing).count();
        let free = flow.steps[step].concurrency.saturating_sub(busy);
        let waiting = items.iter_mut().enumerate().filter(|(_, item)| item.state == ItemState::Waiting).take(free);
        return waiting
            .map(|(item, state)| {
                state.state = ItemState::Doing;
                state.attempt = 1;
                Command::Do { step, item, attempt: 1, delay_ms: 0 }
            })
            .collect();
    }
    run.status = Status::Completed;
    vec![Command::Finish(Status::Completed)]
}

/// Finds the items of a step.
fn open(flow: &Flow, run: &mut Run, step: usize) -> Result<(), Reason> {
    let row = &flow.steps[step];
    let count = match row.over.and_then(|over| flow.steps.iter().position(|step| step.id == over)) {
        None => 1,
        Some(list) => run.output(flow, list).as_array().map(Vec::len).ok_or_else(|| Reason {
            step: Some(row.id.to_owned()),
            code: "bug".into(),
            message: format!("step `{}` gave no list to map over", flow.steps[list].id),
        })?,
    };
    let item = ItemRun { state: ItemState::Waiting, attempt: 0, is_tainted: false, output: Value::Null };
    run.steps[step] = StepRun { is_open: true, items: vec![item; count] };
    Ok(())
}

/// Undoes the last step that still has something to undo, once nothing is being done any more.
fn backward(flow: &Flow, run: &mut Run) -> Vec<Command> {
    let is_busy = |state: ItemState| run.steps.iter().flat_map(|step| &step.items).any(|item| item.state == state);
    if is_busy(ItemState::Doing) || is_busy(ItemState::Undoing) {
        return Vec::new();
    }
    for step in (0..flow.steps.len()).rev() {
        if !matches!(flow.steps[step].undo, Undo::By(_)) {
            continue;
        }
        let items = run.steps[step].items.iter_mut().enumerate();
        let undo: Vec<Command> = items
            .filter(|(_, item)| matches!(item.state, ItemState::Done | ItemState::Unknown))
            .map(|(item, state)| {
                state.state = ItemState::Undoing;
                state.attempt = 1;
                Command::Undo { step, item, attempt: 1, delay_ms: 0 }
            })
            .collect();
        if !undo.is_empty() {
            return undo;
        }
        if run.steps[step].items.iter().any(|item| item.state == ItemState::Stuck) {
            run.status = Status::UndoStuck;
            return vec![Command::Finish(Status::UndoStuck)];
        }
    }
    run.status = Status::Undone;
    vec![Command::Finish(Status::Undone)]
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
