//! What a person may do to a run: called off, ended, done again, helped over what is stuck. Checked before, recorded with who and why.

use super::machine::Moving;
use super::{Command, Flow, Goal, ItemState, Place, Reason, Run, Status};
use crate::Fault;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An intervention.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "operation")]
pub enum Operation {
    /// Stop, settle what is in flight, undo.
    Cancel,
    /// Stop as it is; nothing is undone.
    Kill,
    /// Undo what is done, also where all is.
    Undo,
    /// Undo a step and what comes after it, then do them again.
    Redo {
        /// Id of the step.
        from: String,
    },
    /// Try again what gave up; all of it where no step is named.
    Retry {
        /// Id of the step.
        #[serde(default)]
        step: Option<String>,
    },
    /// A person has done, or undone, by hand what gave up.
    MarkDone {
        /// Id of the step.
        step: String,
        /// Index of the item; all where none is named.
        #[serde(default)]
        item: Option<usize>,
        /// What it gave.
        #[serde(default)]
        output: Value,
    },
    /// Go on without what gave up.
    Skip {
        /// Id of the step.
        step: String,
        /// Index of the item; all where none is named.
        #[serde(default)]
        item: Option<usize>,
    },
}

impl Operation {
    /// The word for it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Kill => "kill",
            Self::Undo => "undo",
            Self::Redo { .. } => "redo",
            Self::Retry { .. } => "retry",
            Self::MarkDone { .. } => "mark-done",
            Self::Skip { .. } => "skip",
        }
    }

    /// What the caller hears where it does not fit where the run stands.
    pub(super) fn refusal(&self, run: &Run) -> Fault {
        let fits = match run.status {
            Status::Queued | Status::Running => "cancel and kill fit",
            Status::Undoing => "kill fits",
            Status::Completed => "undo and redo fit, unless it is past its pivot",
            Status::Undone => "redo fits",
            Status::Parked => "retry, mark-done, skip, cancel, redo and kill fit",
            Status::UndoStuck => "retry, mark-done, skip and kill fit",
            Status::Killed => "nothing fits any more",
        };
        let (word, stands) = (self.as_str(), run.status.as_str());
        Fault::conflict("flow.operation", format!("`{word}` does not fit run {}, which is {stands}: {fits}", run.id))
    }

    /// The step that it names.
    pub(crate) fn step(&self) -> Option<&str> {
        match self {
            Self::Cancel | Self::Kill | Self::Undo => None,
            Self::Redo { from: step } | Self::MarkDone { step, .. } | Self::Skip { step, .. } => Some(step),
            Self::Retry { step } => step.as_deref(),
        }
    }
}

/// The steps that a redo from this one does again; none where it cannot be.
fn steps_to_redo(flow: &Flow, run: &Run, from: &str) -> Option<Vec<usize>> {
    let may = matches!(run.status, Status::Completed | Status::Undone | Status::Parked);
    let mut steps = flow.from(flow.position(from).filter(|_| may)?);
    let is_done = |step: usize| run.steps[step].items.iter().all(|item| is_settled(item.state));
    // Before the step there may be some that were undone: without them it cannot be done.
    steps.extend((0..flow.steps.len()).filter(|&step| run.steps[step].is_open && !is_done(step)));
    steps.sort_unstable();
    steps.dedup();
    let is_past = |&step: &usize| {
        flow.steps[step].is_pivot && run.steps[step].items.iter().any(|item| item.state == ItemState::Done)
    };
    (!steps.iter().any(is_past)).then_some(steps)
}

fn is_settled(state: ItemState) -> bool {
    matches!(state, ItemState::Done | ItemState::Skipped | ItemState::Expired)
}

/// What a redo would do, line by line, without doing it.
///
/// # Errors
/// `flow.operation` where it cannot be.
pub fn plan_redo(flow: &Flow, run: &Run, from: &str) -> Result<Vec<String>, Fault> {
    let refused = || Operation::Redo { from: from.to_owned() }.refusal(run);
    let steps = steps_to_redo(flow, run, from).ok_or_else(refused)?;
    let undo = steps.iter().rev().filter_map(|&step| {
        let row = &flow.steps[step];
        let count = run.steps[step].items.iter().filter(|item| super::plan::is_to_undo(item.state)).count();
        match row.undo_name() {
            _ if count == 0 => None,
            Some(name) => Some(format!("undo {} by {name}{}", row.id, times(count))),
            None => Some(format!("leave {} as it is: it has no undo", row.id)),
        }
    });
    let redo = steps.iter().map(|&step| {
        let row = &flow.steps[step];
        // People count from one, as the drawing does.
        format!("do {} by {}, iteration {}", row.id, row.function_name(), run.steps[step].iteration + 2)
    });
    Ok(undo.chain(redo).collect())
}

fn times(count: usize) -> String {
    if count == 1 { String::new() } else { format!(", {count} items") }
}

impl Moving<'_> {
    pub(super) fn operated(&mut self, operation: &Operation) -> Option<()> {
        let by_hand = |word: &str| Reason { step: None, code: "cancelled".into(), message: format!("a person {word}") };
        match operation {
            Operation::Cancel if self.run.status == Status::Parked => self.back(by_hand("called it off")),
            Operation::Cancel => self.turn_back(by_hand("called it off")),
            Operation::Undo if matches!(self.run.status, Status::Completed | Status::Parked) => {
                self.back(by_hand("had it undone"))
            }
            Operation::Undo => self.turn_back(by_hand("had it undone")),
            Operation::Kill => self.kill(),
            Operation::Redo { from } => {
                let steps = steps_to_redo(self.flow, self.run, from)?;
                self.run.goal = Goal::Redo(steps);
                self.run.status = Status::Undoing;
                if self.run.entity.is_some() {
                    self.run.status = Status::Queued;
                    self.commands.push(Command::Turn);
                }
                Some(())
            }
            Operation::Retry { step } => self.help(step.as_deref(), None, &Help::Retry),
            Operation::MarkDone { step, item, output } => self.help(Some(step), *item, &Help::Done(output)),
            Operation::Skip { step, item } => self.help(Some(step), *item, &Help::Skip),
        }
    }

    fn back(&mut self, reason: Reason) -> Option<()> {
        if self.is_past_pivot() {
            return None;
        }
        self.run.goal = Goal::Back;
        self.run.reason = Some(reason);
        Some(())
    }

    fn kill(&mut self) -> Option<()> {
        if self.run.status.is_ended() {
            return None;
        }
        self.run.status = Status::Killed;
        self.run.reason =
            Some(Reason { step: None, code: "flow.killed".into(), message: "a person ended it as it was".into() });
        self.commands.push(Command::Finish(Status::Killed));
        if self.run.entity.is_some() {
            self.commands.push(Command::Turn);
        }
        Some(())
    }

    /// Helps what gave up; none where nothing did.
    fn help(&mut self, step: Option<&str>, item: Option<usize>, help: &Help<'_>) -> Option<()> {
        let flow = self.flow;
        let goes_forward = self.run.goal == Goal::Forward;
        let mut is_helped = false;
        for (at, row) in flow.steps.iter().enumerate().filter(|(_, row)| step.is_none_or(|id| id == row.id)) {
            let is_parked = self.run.status == Status::Parked && goes_forward;
            let iteration = self.run.steps[at].iteration;
            let items = self.run.steps[at].items.iter_mut().enumerate();
            for (index, one) in items.filter(|(index, _)| item.is_none_or(|item| item == *index)) {
                let undoes = matches!(one.state, ItemState::Stuck | ItemState::Conflict);
                let does = is_parked
                    && matches!(
                        one.state,
                        ItemState::Parked | ItemState::Failed | ItemState::Unknown | ItemState::Expired
                    );
                if !undoes && !does {
                    continue;
                }
                is_helped = true;
                one.is_conflict = false;
                match help {
                    Help::Retry => {
                        one.attempt += 1;
                        let more = if undoes { row.retry.attempts.saturating_mul(4) } else { row.retry.attempts };
                        one.granted = one.granted.max(one.attempt).saturating_add(more);
                        one.state = if undoes { ItemState::Undoing } else { ItemState::Doing };
                        one.is_scheduled = does;
                        let at = Place { step: at, item: index, iteration, attempt: one.attempt };
                        self.commands.push(match undoes {
                            true => Command::Undo { at, delay_ms: 0 },
                            false => Command::Do { at, delay_ms: 0 },
                        });
                    }
                    Help::Done(output) if does => {
                        one.state = ItemState::Done;
                        one.output = (*output).clone();
                    }
                    Help::Done(_) => one.state = ItemState::Undone,
                    Help::Skip => one.state = ItemState::Skipped,
                }
            }
        }
        is_helped.then_some(())
    }
}

enum Help<'a> {
    Retry,
    Done(&'a Value),
    Skip,
}
