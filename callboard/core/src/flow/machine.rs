//! The machine: `(run, event) → (run, commands)`, pure. Here is what each event means for the item it is about; `plan` finds what
//! follows from where all items stand. An event that does not fit where the run stands is stale and changes nothing.

use super::planted::{Bug, is_planted};
use super::{
    Command, Failure, Flow, FlowEvent, Goal, ItemRun, ItemState, Place, Reason, Run, Status, StepKind, StepRow,
    StepRun, Timer, Verdict,
};
use crate::FaultKind;
use serde_json::Value;

/// A run about to move, at a time.
pub(super) struct Moving<'a> {
    pub(super) flow: &'a Flow,
    pub(super) run: &'a mut Run,
    pub(super) at_ms: i64,
    pub(super) jitter: u32,
    pub(super) commands: Vec<Command>,
}

/// Starts a run whose steps are all still to do.
pub fn begin(flow: &Flow, run: &mut Run, at_ms: i64) -> Vec<Command> {
    run.status = if run.entity.is_some() { Status::Queued } else { Status::Running };
    run.goal = Goal::Forward;
    run.steps = flow.steps.iter().map(|row| StepRun { id: row.id.to_owned(), ..StepRun::default() }).collect();
    run.given_up = flow.no_branch_given_up();
    let mut moving = Moving { flow, run, at_ms, jitter: 0, commands: Vec::new() };
    if let Some(delay_ms) = flow.timeout_ms {
        moving.commands.push(Command::Wake { timer: Timer::Flow, at: Place::default(), delay_ms });
    }
    if moving.run.entity.is_some() {
        moving.commands.push(Command::Turn);
    }
    moving.go_on();
    moving.commands
}

/// Moves a run on; none where the event does not fit. `jitter` is uniform in 0..=u32::MAX and decides nothing but delays.
pub fn advance(flow: &Flow, run: &mut Run, event: FlowEvent, at_ms: i64, jitter: u32) -> Option<Vec<Command>> {
    if run.status == Status::Killed && !matches!(event, FlowEvent::Late { .. }) {
        return None;
    }
    let mut moving = Moving { flow, run, at_ms, jitter, commands: Vec::new() };
    moving.take(event)?;
    moving.go_on();
    Some(moving.commands)
}

impl Moving<'_> {
    fn take(&mut self, event: FlowEvent) -> Option<()> {
        match event {
            FlowEvent::Turn => {
                if self.run.status != Status::Queued {
                    return None;
                }
                self.run.status = Status::Running;
            }
            FlowEvent::Began { at, token } => self.began(at, token)?,
            FlowEvent::Beat { at } => {
                let at_ms = self.at_ms;
                self.current(at, &[ItemState::Doing, ItemState::Asked])?.beat_ms = at_ms;
            }
            FlowEvent::Done { at, output } => self.done(at, output)?,
            FlowEvent::Failed { at, failure } => {
                self.current(at, &[ItemState::Doing, ItemState::Parked])?;
                self.failed(at, failure);
            }
            FlowEvent::Verified { at, check, verdict } => self.verified(at, check, verdict)?,
            FlowEvent::Undone { at } => {
                let item = self.current(at, &[ItemState::Undoing, ItemState::Stuck])?;
                item.state = if item.is_conflict { ItemState::Conflict } else { ItemState::Undone };
            }
            FlowEvent::UndoFailed { at, .. } => self.undo_failed(at)?,
            FlowEvent::Answered { step, token, value } => self.answered(step, token.as_deref(), value)?,
            FlowEvent::Due { timer, at } => self.due(timer, at)?,
            FlowEvent::Poisoned { at, is_undo, code, message } => {
                let wanted = if is_undo { ItemState::Undoing } else { ItemState::Doing };
                let id = self.flow.steps.get(at.step).map(|row| row.id.to_owned());
                let item = self.current(at, &[wanted, ItemState::Checking])?;
                item.state = if is_undo { ItemState::Stuck } else { ItemState::Parked };
                item.is_tainted = true;
                self.run.reason = Some(Reason { step: id, code, message });
            }
            FlowEvent::Late { answer } => self.late(&answer),
            FlowEvent::Cancelled => {
                let message = "somebody called it off".to_owned();
                self.turn_back(Reason { step: None, code: "cancelled".into(), message })?;
            }
            FlowEvent::Operated { operation, .. } => self.operated(&operation)?,
            FlowEvent::Migrated { then, .. } => {
                super::migrate::migrate(self.flow, self.run);
                return self.take(*then);
            }
        }
        Some(())
    }

    /// The item an answer belongs to, unless the answer is stale.
    pub(super) fn current(&mut self, at: Place, states: &[ItemState]) -> Option<&mut ItemRun> {
        let step = self.run.steps.get_mut(at.step)?;
        if step.iteration != at.iteration && !is_planted(Bug::SkippedIteration) {
            return None;
        }
        let item = step.items.get_mut(at.item)?;
        let is_attempt = item.attempt == at.attempt || is_planted(Bug::SkippedFence);
        (states.contains(&item.state) && is_attempt).then_some(item)
    }

    fn row(&self, at: Place) -> &StepRow {
        &self.flow.steps[at.step]
    }

    fn began(&mut self, at: Place, token: Option<String>) -> Option<()> {
        let at_ms = self.at_ms;
        let item = self.current(at, &[ItemState::Doing])?;
        item.is_scheduled = false;
        item.beat_ms = at_ms;
        item.tokens.extend(token);
        Some(())
    }

    fn done(&mut self, at: Place, output: Value) -> Option<()> {
        let row = self.flow.steps.get(at.step)?;
        self.current(at, &[ItemState::Doing, ItemState::Parked])?;
        if row.kind == StepKind::Choice
            && !output.as_str().is_some_and(|label| self.flow.labels(at.step).contains(&label))
        {
            let message = format!("`{}` chose {output}, and there is no such branch", row.id);
            self.failed(at, failure("flow.branch", FaultKind::Bug, message, false));
            return Some(());
        }
        let item = self.current(at, &[ItemState::Doing, ItemState::Parked])?;
        item.is_scheduled = false;
        item.is_tainted = false;
        match (row.kind, item.answer.take()) {
            (StepKind::Wait, None) => item.state = ItemState::Asked,
            (StepKind::Wait, Some(answer)) => {
                item.state = ItemState::Done;
                item.output = answer;
            }
            _ => {
                item.state = ItemState::Done;
                item.output = output;
            }
        }
        Some(())
    }

    /// An attempt failed: its outcome is asked for where that can be, then it is tried again or given up.
    pub(super) fn failed(&mut self, at: Place, failure: Failure) {
        let row = &self.flow.steps[at.step];
        let (is_unknown, can_ask) = (failure.is_unknown && !row.is_records_only, row.verify.is_some());
        let item = &mut self.run.steps[at.step].items[at.item];
        item.is_tainted |= is_unknown;
        item.is_scheduled = false;
        item.failure = Some(failure);
        if item.is_tainted && can_ask {
            item.state = ItemState::Checking;
            item.checks += 1;
            let check = item.checks;
            self.commands.push(Command::Check { at, check, delay_ms: 0 });
        } else {
            self.retry_or_give_up(at);
        }
    }

    fn retry_or_give_up(&mut self, at: Place) {
        let row = &self.flow.steps[at.step];
        let is_wanted = self.is_wanted(at.step);
        let item = &mut self.run.steps[at.step].items[at.item];
        let Some(failure) = item.failure.clone() else { return };
        let (retry, may) = row.retry_for(&failure);
        if is_wanted && may && item.attempt < retry.attempts.saturating_add(item.granted) {
            let delay_ms = retry.pause_ms(at.attempt, self.jitter);
            item.state = ItemState::Doing;
            item.attempt += 1;
            item.is_scheduled = true;
            if is_planted(Bug::ForgottenTaint) {
                item.is_tainted = false;
            }
            let next = Place { attempt: item.attempt, ..at };
            if !is_planted(Bug::LostRetry) {
                self.commands.push(Command::Do { at: next, delay_ms });
            }
            self.beat_after(next, delay_ms);
            self.commands.push(Command::Delay(reason(row, &failure)));
        } else {
            item.state = if item.is_tainted { ItemState::Unknown } else { ItemState::Failed };
        }
    }

    fn verified(&mut self, at: Place, check: u32, verdict: Verdict) -> Option<()> {
        let row = self.flow.steps.get(at.step)?;
        let jitter = self.jitter;
        let item = self.current(at, &[ItemState::Checking])?;
        if item.checks != check {
            return None;
        }
        match verdict {
            Verdict::Happened(output) => {
                item.state = ItemState::Doing;
                return self.done(at, output);
            }
            Verdict::Never => item.is_tainted = false,
            Verdict::Unknown if check < row.retry.attempts => {
                item.checks += 1;
                let again = Command::Check { at, check: check + 1, delay_ms: row.retry.pause_ms(check, jitter) };
                self.commands.push(again);
                return Some(());
            }
            Verdict::Unknown => {}
        }
        self.retry_or_give_up(at);
        Some(())
    }

    fn undo_failed(&mut self, at: Place) -> Option<()> {
        let retry = self.flow.steps.get(at.step)?.retry;
        let jitter = self.jitter;
        let item = self.current(at, &[ItemState::Undoing, ItemState::Stuck])?;
        // An undo is tried longer than a do: what is left behind costs more than a late answer.
        if item.attempt < retry.attempts.saturating_mul(4).saturating_add(item.granted) {
            item.state = ItemState::Undoing;
            item.attempt += 1;
            let at = Place { attempt: item.attempt, ..at };
            self.commands.push(Command::Undo { at, delay_ms: retry.pause_ms(at.attempt - 1, jitter) });
        } else {
            item.state = if is_planted(Bug::SilentUndoFailure) { ItemState::Undone } else { ItemState::Stuck };
        }
        Some(())
    }

    fn answered(&mut self, step: Option<usize>, token: Option<&str>, value: Value) -> Option<()> {
        let steps = self.run.steps.iter_mut().enumerate();
        let mut items = steps.flat_map(|(at, step)| step.items.iter_mut().map(move |item| (at, item)));
        let item = items.find_map(|(at, item)| {
            let is_named = step == Some(at) && self.flow.steps[at].kind.is_wait();
            (is_named || token.is_some_and(|token| item.tokens.iter().any(|hash| hash == token))).then_some(item)
        })?;
        let may_replace = is_planted(Bug::SecondDecision);
        match item.state {
            ItemState::Asked => {
                item.state = ItemState::Done;
                item.output = value;
            }
            ItemState::Done if may_replace => item.output = value,
            ItemState::Doing if item.answer.is_none() || may_replace => {
                item.answer = (!is_planted(Bug::DroppedEarlyAnswer)).then_some(value);
            }
            _ => return None,
        }
        Some(())
    }

    fn due(&mut self, timer: Timer, at: Place) -> Option<()> {
        match timer {
            Timer::Flow => {
                let message = "it took longer than a run of this flow may".to_owned();
                self.turn_back(Reason { step: None, code: "flow.timeout".into(), message })
            }
            Timer::Expiry => self.expire(at),
            Timer::Step => self.end_step(at),
            Timer::Beat => self.look_for_beat(at),
        }
    }

    fn expire(&mut self, at: Place) -> Option<()> {
        let row = self.flow.steps.get(at.step)?;
        let step = self.run.steps.get_mut(at.step).filter(|step| step.iteration == at.iteration)?;
        let item = step.items.get_mut(at.item)?;
        if !matches!(item.state, ItemState::Asked | ItemState::Doing) || item.answer.is_some() {
            return None;
        }
        item.is_tainted = item.state == ItemState::Doing && !item.is_scheduled;
        item.state = if row.kind == StepKind::Pause { ItemState::Done } else { ItemState::Expired };
        let message = format!("nobody answered `{}` in time", row.id);
        item.failure = Some(failure("flow.expired", FaultKind::Unavailable, message, false));
        Some(())
    }

    fn end_step(&mut self, at: Place) -> Option<()> {
        let row = self.flow.steps.get(at.step)?;
        let is_wanted = self.is_wanted(at.step);
        let step = self.run.steps.get_mut(at.step).filter(|step| step.iteration == at.iteration && is_wanted)?;
        let mut is_ended = false;
        for item in &mut step.items {
            let is_begun = match item.state {
                ItemState::Doing => !item.is_scheduled && !row.is_records_only,
                ItemState::Asked | ItemState::Checking => true,
                ItemState::Waiting => false,
                _ => continue,
            };
            is_ended = true;
            item.is_tainted |= is_begun;
            item.state = if item.is_tainted { ItemState::Unknown } else { ItemState::Failed };
            let message = format!("`{}` took longer than all its attempts may", row.id);
            item.failure = Some(failure("flow.step_timeout", FaultKind::Unavailable, message, true));
        }
        is_ended.then_some(())
    }

    fn look_for_beat(&mut self, at: Place) -> Option<()> {
        let limit_ms = self.flow.steps.get(at.step)?.heartbeat_ms?;
        let at_ms = self.at_ms;
        let item = self.current(at, &[ItemState::Doing, ItemState::Asked])?;
        let silent_ms = u64::try_from(at_ms.saturating_sub(item.beat_ms)).unwrap_or(0);
        if item.is_scheduled || silent_ms < limit_ms {
            let delay_ms = if item.is_scheduled { limit_ms } else { limit_ms - silent_ms };
            self.commands.push(Command::Wake { timer: Timer::Beat, at, delay_ms });
        } else {
            let message = format!("it gave no sign of life for {} s", limit_ms / 1000);
            let mut silent = failure("flow.heartbeat", FaultKind::Unavailable, message, true);
            silent.is_retryable = true;
            self.failed(at, silent);
        }
        Some(())
    }

    pub(super) fn beat_after(&mut self, at: Place, delay_ms: u64) {
        if let Some(limit_ms) = self.row(at).heartbeat_ms {
            let delay_ms = limit_ms.saturating_add(delay_ms);
            self.commands.push(Command::Wake { timer: Timer::Beat, at, delay_ms });
        }
    }

    /// A do that answers after its undo may stand: nobody may take the run for undone.
    fn late(&mut self, answer: &FlowEvent) {
        let at = match answer {
            FlowEvent::Done { at, .. } => at,
            FlowEvent::Failed { at, failure } if failure.is_unknown => at,
            _ => return,
        };
        let Some(row) = self.flow.steps.get(at.step).filter(|row| !row.is_records_only) else { return };
        if is_planted(Bug::UnseenConflict) || !matches!(row.undo, super::Undo::By(_)) {
            return;
        }
        let key = self.run.step_key(self.flow, *at, "do");
        let Some(step) = self.run.steps.get_mut(at.step) else { return };
        let Some(item) = step.items.get_mut(at.item).filter(|_| step.iteration == at.iteration) else {
            return self.run.conflicts.push(key);
        };
        match item.state {
            ItemState::Undoing | ItemState::Stuck => item.is_conflict = true,
            ItemState::Undone => {
                item.is_conflict = true;
                item.state = ItemState::Conflict;
            }
            ItemState::Doing | ItemState::Checking | ItemState::Parked => return item.is_tainted = true,
            // A later attempt was refused, this one was not.
            ItemState::Failed => {
                item.is_tainted = true;
                return item.state = ItemState::Unknown;
            }
            _ => return,
        }
        self.run.conflicts.push(key);
    }

    /// From now on everything is undone; none where it is too late for that.
    pub(super) fn turn_back(&mut self, reason: Reason) -> Option<()> {
        let may = matches!(self.run.status, Status::Queued | Status::Running) && self.run.goal == Goal::Forward;
        if !may || self.is_past_pivot() {
            return None;
        }
        self.run.goal = Goal::Back;
        self.run.reason = Some(reason);
        Some(())
    }

    pub(super) fn is_past_pivot(&self) -> bool {
        let is_past = |(row, step): (&StepRow, &StepRun)| {
            row.is_pivot && step.items.first().is_some_and(|item| item.state == ItemState::Done)
        };
        !is_planted(Bug::UndonePastPivot) && self.flow.steps.iter().zip(&self.run.steps).any(is_past)
    }
}

pub(super) fn failure(code: &str, kind: FaultKind, message: String, is_unknown: bool) -> Failure {
    Failure { code: code.into(), kind, message, is_retryable: false, is_unknown }
}

pub(super) fn reason(row: &StepRow, failure: &Failure) -> Reason {
    Reason { step: Some(row.id.to_owned()), code: failure.code.clone(), message: failure.message.clone() }
}
