//! A small kernel with leases and epochs, a clock, and steps that write a ledger which no rollback reaches.

use super::shapes::new_run;
use crate::FaultKind;
use crate::flow::{Command, Failure, Flow, FlowEvent, Goal, ItemState, Place, Run, StepKind, Verdict, advance, begin};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};

/// How an attempt goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    Failed,
    UnknownHappened,
    UnknownNot,
    Timeout,
    Cancel,
}

pub(super) const OUTCOMES: [Outcome; 6] =
    [Outcome::Done, Outcome::Failed, Outcome::UnknownHappened, Outcome::UnknownNot, Outcome::Timeout, Outcome::Cancel];

/// A bug of the kernel rather than of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KernelBug {
    /// A completion counts whoever has the message by now.
    SkippedEpoch,
    /// A message is settled before its function ran.
    EarlySettle,
    /// What a transition commands is sent before it is committed, and is lost with it.
    LostCommands,
}

/// Something a step did outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) at: Place,
    pub(super) is_undo: bool,
}

struct Queued {
    seq: u64,
    due_ms: i64,
    command: Command,
    epoch: u32,
    is_taken: bool,
}

struct Pending {
    seq: u64,
    epoch: u32,
    event: FlowEvent,
    /// What happens outside only when the answer comes.
    effect: Option<Entry>,
}

/// Everything around one run.
pub(super) struct World<'a> {
    pub(super) flow: &'a Flow,
    pub(super) initial: Run,
    pub(super) run: Run,
    pub(super) log: Vec<(i64, FlowEvent)>,
    pub(super) ledger: Vec<Entry>,
    pub(super) wrongs: Vec<String>,
    /// The first answer that was accepted, by step.
    pub(super) decided: HashMap<usize, Value>,
    pub(super) kernel_bug: Option<KernelBug>,
    pub(super) transitions: usize,
    /// Whether effects may come late.
    pub(super) is_slow: bool,
    queue: Vec<Queued>,
    pending: Vec<Pending>,
    latest: HashMap<(usize, usize, bool), Place>,
    tokens: Vec<(usize, String)>,
    begun: HashSet<Place>,
    is_cancelled: bool,
    now_ms: i64,
    next: u64,
    seed: u64,
}

impl<'a> World<'a> {
    pub(super) fn new(flow: &'a Flow, seed: u64, kernel_bug: Option<KernelBug>) -> Self {
        let mut initial = new_run(flow);
        let commands = begin(flow, &mut initial, 0);
        let mut world = Self {
            flow,
            run: initial.clone(),
            initial,
            log: Vec::new(),
            ledger: Vec::new(),
            wrongs: Vec::new(),
            decided: HashMap::new(),
            kernel_bug,
            transitions: 0,
            is_slow: false,
            queue: Vec::new(),
            pending: Vec::new(),
            latest: HashMap::new(),
            tokens: Vec::new(),
            begun: HashSet::new(),
            is_cancelled: false,
            now_ms: 0,
            next: 0,
            seed: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
        };
        world.enqueue(commands);
        world
    }

    pub(super) fn pick(&mut self, most: u64) -> u64 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        (self.seed >> 11) % most
    }

    fn enqueue(&mut self, commands: Vec<Command>) {
        for command in commands {
            let (delay_ms, place) = match &command {
                Command::Do { at, delay_ms } => (*delay_ms, Some((false, *at))),
                Command::Undo { at, delay_ms } => (*delay_ms, Some((true, *at))),
                Command::Check { delay_ms, .. } | Command::Wake { delay_ms, .. } => (*delay_ms, None),
                Command::Turn | Command::Delay(_) | Command::Finish(_) => continue,
            };
            if let Some((is_undo, at)) = place {
                self.latest.insert((at.step, at.item, is_undo), at);
                if !is_undo && self.run.goal != Goal::Forward {
                    self.wrongs.push(format!("{at:?} is to be done although everything is being undone"));
                }
            }
            self.next += 1;
            let due_ms = self.now_ms + i64::try_from(delay_ms).expect("a short delay");
            self.queue.push(Queued { seq: self.next, due_ms, command, epoch: 0, is_taken: false });
        }
    }

    /// One transaction: the event moves the run and the message is settled, or nothing happens.
    fn commit(&mut self, settle: Option<(u64, u32)>, event: FlowEvent, at_ms: i64) -> bool {
        let is_any = self.kernel_bug == Some(KernelBug::SkippedEpoch);
        if let Some((seq, epoch)) = settle {
            let has = |one: &Queued| one.seq == seq && (is_any || one.epoch == epoch);
            if !self.queue.iter().any(has) && self.kernel_bug != Some(KernelBug::EarlySettle) {
                return false;
            }
        }
        let mut moved = self.run.clone();
        let commands = match advance(self.flow, &mut moved, event.clone(), at_ms, 1 << 30) {
            Some(commands) => {
                self.check_fence(&event);
                commands
            }
            None if event.is_answer() => return false,
            None => Vec::new(),
        };
        let before = std::mem::replace(&mut self.run, moved);
        if before != self.run || !commands.is_empty() || matches!(event, FlowEvent::Late { .. }) {
            self.log.push((at_ms, event));
        }
        self.transitions += 1;
        if let Some((seq, epoch)) = settle {
            if self.queue.iter().any(|one| one.seq == seq && one.epoch != epoch) {
                self.wrongs.push("an answer under a lost lease moved the run".to_owned());
            }
            self.queue.retain(|one| one.seq != seq);
        }
        let is_lost = self.kernel_bug == Some(KernelBug::LostCommands) && self.pick(20) == 0;
        self.enqueue(if is_lost { Vec::new() } else { commands });
        true
    }

    /// Only the attempt that was dispatched last may move the run.
    fn check_fence(&mut self, event: &FlowEvent) {
        let (at, is_undo) = match event {
            FlowEvent::Done { at, .. } | FlowEvent::Failed { at, .. } => (*at, false),
            FlowEvent::Undone { at } | FlowEvent::UndoFailed { at, .. } => (*at, true),
            _ => return,
        };
        if self.latest.get(&(at.step, at.item, is_undo)) != Some(&at) {
            self.wrongs.push(format!("a stale answer moved the run: {event:?}"));
        }
    }

    pub(super) fn cancel(&mut self) {
        self.commit(None, FlowEvent::Cancelled, self.now_ms);
        self.is_cancelled |= self.run.goal == Goal::Back;
    }

    /// Takes a message that is due and runs its function; the answer waits to be committed. `outcome` decides how a do goes.
    pub(super) fn take(&mut self, index: usize, outcome: Outcome, undo_fails: bool) {
        let one = &mut self.queue[index];
        one.epoch += 1;
        one.is_taken = true;
        let (seq, epoch, command) = (one.seq, one.epoch, one.command.clone());
        if self.kernel_bug == Some(KernelBug::EarlySettle) {
            self.queue.remove(index);
        }
        let event = match command {
            Command::Wake { timer, at, .. } => FlowEvent::Due { timer, at },
            Command::Check { at, check, .. } => {
                let is_done = self.ledger.iter().any(|entry| !entry.is_undo && same(entry.at, at));
                let verdict = if is_done { Verdict::Happened(Value::Null) } else { Verdict::Never };
                FlowEvent::Verified { at, check, verdict }
            }
            Command::Undo { at, .. } if undo_fails => FlowEvent::UndoFailed { at, message: "away".into() },
            Command::Undo { at, .. } => {
                self.ledger.push(Entry { at, is_undo: true });
                FlowEvent::Undone { at }
            }
            Command::Do { at, .. } => match self.attempt((seq, epoch), at, outcome) {
                Some(event) => event,
                None => return,
            },
            Command::Turn | Command::Delay(_) | Command::Finish(_) => return,
        };
        // Some take their time: the effect comes late.
        let is_slow = self.is_slow && self.pick(3) == 0;
        let effect = if is_slow { self.put_off(&event) } else { None };
        self.pending.push(Pending { seq, epoch, event, effect });
    }

    fn put_off(&mut self, event: &FlowEvent) -> Option<Entry> {
        let FlowEvent::Done { at, .. } = event else { return None };
        let is_known = self.flow.steps[at.step].verify.is_none();
        self.ledger.pop_if(|entry| is_known && entry.at == *at && !entry.is_undo)
    }

    fn attempt(&mut self, (seq, epoch): (u64, u32), at: Place, outcome: Outcome) -> Option<FlowEvent> {
        let kind = self.flow.steps[at.step].kind;
        if epoch > 1 && self.flow.steps[at.step].verify.is_some() {
            return Some(failed(at, "flow.interrupted", true));
        }
        if at.attempt > 1 || kind == StepKind::Wait {
            let token = (kind == StepKind::Wait).then(|| format!("token {seq} {}", self.next));
            self.next += 1;
            if !self.commit(None, FlowEvent::Began { at, token: token.clone() }, self.now_ms) {
                self.queue.retain(|one| one.seq != seq);
                return None;
            }
            self.tokens.extend(token.map(|token| (at.step, token)));
        }
        // What had begun before may be tried again by another process.
        if self.begun.insert(at) && at.attempt > 1 && self.is_cancelled {
            self.wrongs.push(format!("{at:?} begins although the run was cancelled"));
        }
        let happens = matches!(outcome, Outcome::Done | Outcome::UnknownHappened | Outcome::Timeout | Outcome::Cancel);
        if happens {
            self.ledger.push(Entry { at, is_undo: false });
        }
        if outcome == Outcome::Cancel {
            self.cancel();
        }
        Some(match outcome {
            Outcome::Done | Outcome::Cancel => FlowEvent::Done { at, output: self.output(at) },
            // Whoever had it before may have done it.
            Outcome::Failed => refused(at, epoch > 1),
            Outcome::UnknownHappened | Outcome::UnknownNot => failed(at, "test.away", true),
            Outcome::Timeout => failed(at, "timeout", true),
        })
    }

    fn output(&self, at: Place) -> Value {
        match self.flow.steps[at.step].id {
            "list" => json!(["x", "y", "z"]),
            _ if self.flow.steps[at.step].kind == StepKind::Choice => json!("no"),
            id => json!(id),
        }
    }

    /// Commits an answer that waits. Where the store says that it is stale, that is recorded.
    pub(super) fn complete(&mut self, index: usize, at_ms: i64) {
        let Pending { seq, epoch, event, effect } = self.pending.swap_remove(index);
        self.ledger.extend(effect);
        if self.commit(Some((seq, epoch)), event.clone(), at_ms) {
            return;
        }
        let late = FlowEvent::Late { answer: Box::new(event) };
        if !self.commit(Some((seq, epoch)), late.clone(), at_ms) {
            self.commit(None, late, at_ms);
        }
    }

    /// The answer was committed, and whoever sent it heard that it was not: it reports a failure.
    pub(super) fn complete_unheard(&mut self, index: usize, at_ms: i64) {
        let Pending { seq, epoch, event, .. } = &self.pending[index];
        let (settle, at) = (
            (*seq, *epoch),
            match event {
                FlowEvent::Done { at, .. } => Some(*at),
                _ => None,
            },
        );
        self.complete(index, at_ms);
        if let Some(at) = at {
            let event = failed(at, "records.unavailable", true);
            if !self.commit(Some(settle), event.clone(), at_ms) {
                self.commit(None, FlowEvent::Late { answer: Box::new(event) }, at_ms);
            }
        }
    }

    /// The process that has a message is gone, or slow: the message is due again. `is_gone` says that its answer never comes.
    pub(super) fn expire_lease(&mut self, index: usize, is_gone: bool) {
        let one = &mut self.queue[index];
        one.is_taken = false;
        let seq = one.seq;
        if is_gone {
            self.pending.retain(|pending| pending.seq != seq);
        }
    }

    /// Loses what waits to be committed: the process ends between the effect and the commit.
    pub(super) fn crash(&mut self) {
        self.pending.clear();
        self.queue.iter_mut().for_each(|one| one.is_taken = false);
    }

    /// Answers a wait, by token or by name.
    pub(super) fn answer(&mut self, choice: u64) {
        let value = json!(self.next);
        self.next += 1;
        let (step, token) = match self.tokens.get(usize::try_from(choice).expect("small") % self.tokens.len().max(1)) {
            Some((step, token)) if !choice.is_multiple_of(3) => (*step, Some(token.clone())),
            _ => match self.flow.steps.iter().position(|row| row.kind == StepKind::Decision) {
                Some(step) => (step, None),
                None => return,
            },
        };
        let event = FlowEvent::Answered { step: token.is_none().then_some(step), token, value: value.clone() };
        let item = self.run.steps[step].items.first();
        if item.is_some_and(|item| matches!(item.state, ItemState::Asked | ItemState::Doing)) {
            self.decided.entry(step).or_insert(value);
        }
        self.commit(None, event, self.now_ms);
    }

    /// Answers whatever nobody has answered, so that the run can end.
    pub(super) fn answer_all(&mut self) -> bool {
        let is_asked = |step: &crate::flow::StepRun| step.items.iter().any(|item| item.state == ItemState::Asked);
        let Some(step) = self.run.steps.iter().position(is_asked) else { return false };
        if self.flow.steps[step].kind == StepKind::Pause {
            return false;
        }
        let value = json!(self.next);
        let before = self.run.clone();
        self.commit(None, FlowEvent::Answered { step: Some(step), token: None, value: value.clone() }, self.now_ms);
        self.decided.entry(step).or_insert(value);
        before != self.run
    }

    pub(super) fn due(&self) -> Vec<usize> {
        let is_due = |one: &Queued| !one.is_taken && one.due_ms <= self.now_ms;
        self.queue.iter().enumerate().filter(|(_, one)| is_due(one)).map(|(at, _)| at).collect()
    }

    pub(super) fn taken(&self) -> Vec<usize> {
        self.queue.iter().enumerate().filter(|(_, one)| one.is_taken).map(|(at, _)| at).collect()
    }

    pub(super) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// An answer of whoever has its message still.
    pub(super) fn pending_with_lease(&self) -> Option<usize> {
        let has = |pending: &Pending| self.queue.iter().any(|one| one.seq == pending.seq && one.epoch == pending.epoch);
        self.pending.iter().position(has)
    }

    pub(super) fn is_delivered(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// The step whose do is the message at this place.
    pub(super) fn step_of(&self, index: usize) -> Option<usize> {
        match self.queue[index].command {
            Command::Do { at, .. } => Some(at.step),
            _ => None,
        }
    }

    /// Moves time to where something is due; false where nothing waits.
    pub(super) fn wait(&mut self) -> bool {
        let next = self.queue.iter().filter(|one| !one.is_taken).map(|one| one.due_ms).min();
        self.now_ms = self.now_ms.max(next.unwrap_or(self.now_ms));
        next.is_some()
    }

    pub(super) fn is_at_rest(&self) -> bool {
        self.queue.is_empty() && self.pending.is_empty()
    }
}

/// Whether two places are the same item of the same iteration.
pub(super) fn same(one: Place, other: Place) -> bool {
    (one.step, one.item, one.iteration) == (other.step, other.item, other.iteration)
}

fn refused(at: Place, is_unknown: bool) -> FlowEvent {
    let mut event = failed(at, "test.refused", is_unknown);
    if let FlowEvent::Failed { failure, .. } = &mut event {
        failure.is_retryable = false;
    }
    event
}

fn failed(at: Place, code: &str, is_unknown: bool) -> FlowEvent {
    let (code, message) = (code.to_owned(), String::new());
    let failure = Failure { code, kind: FaultKind::Unavailable, message, is_retryable: is_unknown, is_unknown };
    FlowEvent::Failed { at, failure }
}
