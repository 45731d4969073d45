//! What follows from where the items of a run stand: which steps begin, which are undone, and whether it has ended.

use super::machine::{Moving, failure, reason};
use super::planted::{Bug, is_planted};
use super::tree::{Block, Branching, Node};
use super::{Command, Flow, Goal, ItemRun, ItemState, Place, Reason, Status, StepKind, StepRun, Timer, Undo};
use crate::FaultKind;

/// How far a part of a flow is.
#[derive(Debug)]
enum Progress {
    /// It is where it should be.
    Complete,
    /// It goes on.
    Busy,
    /// It cannot be done.
    Failed(Reason),
    /// Only a person can move it.
    Blocked(Status),
}

impl Flow {
    pub(super) fn no_branch_given_up(&self) -> Vec<Vec<Option<Reason>>> {
        let mut branches = vec![Vec::new(); self.blocks];
        self.each_block(&mut |block| branches[block.at] = vec![None; block.branches.len()]);
        branches
    }
}

impl Moving<'_> {
    /// Begins whatever may begin now, and tells where the run has got.
    pub(super) fn go_on(&mut self) {
        let before = self.run.status;
        if before == Status::Killed || (before == Status::Queued && self.run.goal != Goal::Back) {
            return;
        }
        self.run.status = self.plan();
        if self.run.status != before && self.run.status.is_final() {
            self.commands.push(Command::Finish(self.run.status));
            if self.run.status.is_ended() && self.run.entity.is_some() {
                self.commands.push(Command::Turn);
            }
        }
    }

    fn plan(&mut self) -> Status {
        let flow = self.flow;
        loop {
            match self.run.goal.clone() {
                Goal::Forward => match self.forward(&flow.root) {
                    Progress::Complete => return Status::Completed,
                    Progress::Busy => return Status::Running,
                    Progress::Blocked(status) => return status,
                    Progress::Failed(reason) if self.is_past_pivot() => {
                        self.run.reason = Some(reason);
                        return Status::Parked;
                    }
                    Progress::Failed(reason) => {
                        self.run.reason = Some(reason);
                        self.run.goal = Goal::Back;
                    }
                },
                Goal::Back => {
                    let all: Vec<usize> = (0..flow.steps.len()).collect();
                    return match self.backward(&flow.root, &all) {
                        Progress::Busy => Status::Undoing,
                        Progress::Blocked(status) => status,
                        Progress::Complete | Progress::Failed(_) => Status::Undone,
                    };
                }
                Goal::Redo(steps) => match self.backward(&flow.root, &steps) {
                    Progress::Busy => return Status::Undoing,
                    Progress::Blocked(status) => return status,
                    Progress::Complete | Progress::Failed(_) => self.renew(&steps),
                },
            }
        }
    }

    /// Whether a step is still to be done: nobody has given up the run or a branch around it.
    pub(super) fn is_wanted(&self, step: usize) -> bool {
        let is_given_up = |&(block, branch): &(usize, usize)| self.run.given_up[block][branch].is_some();
        self.run.goal == Goal::Forward && !self.flow.around[step].iter().any(is_given_up)
    }

    fn forward(&mut self, nodes: &[Node]) -> Progress {
        for node in nodes {
            let progress = match node {
                Node::Step(step) => self.step_forward(*step),
                Node::Block(block) => self.block_forward(block),
            };
            if !matches!(progress, Progress::Complete) {
                return progress;
            }
        }
        Progress::Complete
    }

    fn block_forward(&mut self, block: &Block) -> Progress {
        match block.branching {
            Branching::Parallel { join, concurrency } => {
                let count = block.branches.len();
                self.parallel_forward(block, join.least(count).min(count), concurrency)
            }
            Branching::Choice(step) => {
                let label = self.run.output(self.flow, step);
                match block.branches.iter().find(|(name, _)| label.as_str() == Some(name)) {
                    Some((_, nodes)) => self.forward(nodes),
                    None => Progress::Complete,
                }
            }
            Branching::Expired(step) => match self.run.steps[step].items.first() {
                Some(item) if item.state == ItemState::Expired => self.forward(&block.branches[0].1),
                _ => Progress::Complete,
            },
        }
    }

    fn parallel_forward(&mut self, block: &Block, least: usize, concurrency: usize) -> Progress {
        let (mut done, mut active, mut blocked) = (0, 0, None);
        let count = block.branches.len();
        for (at, (_, nodes)) in block.branches.iter().enumerate() {
            let is_begun = first_step(nodes).is_some_and(|step| self.run.steps[step].is_open);
            if !is_begun && (done >= least || active >= concurrency) {
                continue;
            }
            let mut progress = Progress::Complete;
            if self.run.given_up[block.at][at].is_none() {
                progress = self.forward(nodes);
                if let Progress::Failed(reason) = progress {
                    let others = self.run.given_up[block.at].iter().flatten().count();
                    if others + 1 > count - least {
                        return Progress::Failed(reason);
                    }
                    self.run.given_up[block.at][at] = Some(reason);
                    progress = Progress::Complete;
                } else if matches!(progress, Progress::Complete) {
                    done += 1;
                    continue;
                }
            }
            if self.run.given_up[block.at][at].is_some() {
                let all: Vec<usize> = (0..self.flow.steps.len()).collect();
                progress = self.backward(nodes, &all);
            }
            match progress {
                Progress::Busy => active += 1,
                Progress::Blocked(status) => blocked = Some(status),
                _ => {}
            }
        }
        match blocked {
            _ if active > 0 => Progress::Busy,
            Some(status) => Progress::Blocked(status),
            None => Progress::Complete,
        }
    }

    fn step_forward(&mut self, step: usize) -> Progress {
        let row = &self.flow.steps[step];
        if !self.run.steps[step].is_open
            && let Err(reason) = self.open(step)
        {
            return Progress::Failed(reason);
        }
        self.undo_tolerated(step);
        let items = &self.run.steps[step].items;
        let tally = Tally::of(items, self.flow.handles_expiry(step));
        let least = if row.over.is_some() { row.join.least(items.len()) } else { items.len() };
        if tally.failed + least > items.len() {
            let failed = items.iter().find(|item| is_failed(item.state)).and_then(|item| item.failure.as_ref());
            let none =
                failure("flow.join", FaultKind::Conflict, format!("`{}` cannot be done {least} times", row.id), false);
            return Progress::Failed(reason(row, failed.unwrap_or(&none)));
        }
        if tally.done >= least && least < items.len() {
            self.run.steps[step].items.iter_mut().filter(|item| item.state == ItemState::Waiting).for_each(|item| {
                item.state = ItemState::Skipped;
            });
        } else if tally.blocked.is_none() {
            self.dispatch(step, row.concurrency.saturating_sub(tally.busy));
        }
        let tally = Tally::of(&self.run.steps[step].items, self.flow.handles_expiry(step));
        match tally.blocked {
            _ if is_planted(Bug::EarlyJoin) && tally.done > 0 => Progress::Complete,
            _ if tally.busy + tally.waiting > 0 => Progress::Busy,
            Some(status) => Progress::Blocked(status),
            None => Progress::Complete,
        }
    }

    /// Of a map that goes on without some items, those that may have happened are undone at once.
    fn undo_tolerated(&mut self, step: usize) {
        let row = &self.flow.steps[step];
        let StepRun { items, iteration, .. } = &mut self.run.steps[step];
        let failed = items.iter().filter(|item| is_failed(item.state)).count();
        if row.over.is_none() || failed + row.join.least(items.len()) > items.len() || !matches!(row.undo, Undo::By(_))
        {
            return;
        }
        for (at, item) in items.iter_mut().enumerate().filter(|(_, item)| item.state == ItemState::Unknown) {
            item.state = ItemState::Undoing;
            item.attempt = 1;
            let at = Place { step, item: at, iteration: *iteration, attempt: 1 };
            self.commands.push(Command::Undo { at, delay_ms: 0 });
        }
    }

    fn dispatch(&mut self, step: usize, free: usize) {
        let row = &self.flow.steps[step];
        let iteration = self.run.steps[step].iteration;
        let items = self.run.steps[step].items.iter().enumerate();
        let next = items.filter(|(_, item)| item.state == ItemState::Waiting).map(|(at, _)| at).take(free);
        for item in next.collect::<Vec<_>>() {
            let at = Place { step, item, iteration, attempt: 1 };
            let begun = &mut self.run.steps[step].items[item];
            begun.attempt = 1;
            begun.beat_ms = self.at_ms;
            begun.state = ItemState::Doing;
            // What gives a token away says first that it begins.
            begun.is_scheduled = row.kind == StepKind::Wait;
            if matches!(row.kind, StepKind::Decision | StepKind::Pause) {
                begun.state = ItemState::Asked;
            } else {
                self.commands.push(Command::Do { at, delay_ms: 0 });
            }
            self.beat_after(at, 0);
            if let Some(delay_ms) = row.expires_ms.filter(|_| !is_planted(Bug::LostTimer)) {
                self.commands.push(Command::Wake { timer: Timer::Expiry, at, delay_ms });
            }
        }
    }

    /// Finds the items of a step.
    fn open(&mut self, step: usize) -> Result<(), Reason> {
        let row = &self.flow.steps[step];
        let count = match row.over.and_then(|over| self.flow.position(over)) {
            None => 1,
            Some(list) => self.run.output(self.flow, list).as_array().map(Vec::len).ok_or_else(|| Reason {
                step: Some(row.id.to_owned()),
                code: "bug".into(),
                message: format!("step `{}` gave no list to map over", self.flow.steps[list].id),
            })?,
        };
        let opened = &mut self.run.steps[step];
        opened.is_open = true;
        opened.items = vec![ItemRun::default(); count];
        if let Some(delay_ms) = row.step_timeout_ms {
            let at = Place { step, iteration: opened.iteration, ..Place::default() };
            self.commands.push(Command::Wake { timer: Timer::Step, at, delay_ms });
        }
        Ok(())
    }

    /// Undoes these steps, the last first; branches side by side.
    fn backward(&mut self, nodes: &[Node], steps: &[usize]) -> Progress {
        let order: Vec<&Node> =
            if is_planted(Bug::WrongUndoOrder) { nodes.iter().collect() } else { nodes.iter().rev().collect() };
        for node in order {
            let progress = match node {
                Node::Step(step) if steps.contains(step) => self.step_backward(*step),
                Node::Step(_) => Progress::Complete,
                Node::Block(block) => {
                    let all = block.branches.iter().map(|(_, nodes)| self.backward(nodes, steps)).collect::<Vec<_>>();
                    all.into_iter().reduce(slowest).unwrap_or(Progress::Complete)
                }
            };
            if !matches!(progress, Progress::Complete) {
                return progress;
            }
        }
        Progress::Complete
    }

    fn step_backward(&mut self, step: usize) -> Progress {
        let row = &self.flow.steps[step];
        let StepRun { items, iteration, .. } = &mut self.run.steps[step];
        for item in items.iter_mut() {
            match item.state {
                // Nobody has begun this attempt, and when somebody wants to it is stale.
                ItemState::Doing if item.is_scheduled && !is_planted(Bug::UnstoppedRetry) => {
                    item.state = if item.is_tainted { ItemState::Unknown } else { ItemState::Failed };
                }
                ItemState::Parked => item.state = ItemState::Unknown,
                ItemState::Asked => item.state = ItemState::Done,
                _ => {}
            }
        }
        let is_busy = |state| matches!(state, ItemState::Doing | ItemState::Checking);
        if items.iter().any(|item| is_busy(item.state)) && !is_planted(Bug::HastyUndo) {
            return Progress::Busy;
        }
        let mut busy = items.iter().filter(|item| item.state == ItemState::Undoing).count();
        if matches!(row.undo, Undo::By(_)) {
            for (at, item) in items.iter_mut().enumerate().filter(|(_, item)| is_to_undo(item.state)) {
                if busy >= row.concurrency {
                    break;
                }
                busy += 1;
                item.state = ItemState::Undoing;
                item.attempt = 1;
                item.granted = 0;
                let at = Place { step, item: at, iteration: *iteration, attempt: 1 };
                self.commands.push(Command::Undo { at, delay_ms: 0 });
            }
        }
        match items.iter().any(|item| matches!(item.state, ItemState::Stuck | ItemState::Conflict)) {
            _ if busy > 0 => Progress::Busy,
            true => Progress::Blocked(Status::UndoStuck),
            false => Progress::Complete,
        }
    }

    /// What is to be done again begins a new iteration.
    fn renew(&mut self, steps: &[usize]) {
        for &step in steps {
            let renewed = &mut self.run.steps[step];
            *renewed = StepRun { id: renewed.id.clone(), iteration: renewed.iteration + 1, ..StepRun::default() };
            for &(block, branch) in &self.flow.around[step] {
                self.run.given_up[block][branch] = None;
            }
        }
        self.run.goal = Goal::Forward;
        self.run.reason = None;
    }
}

/// Whether an item of this state has or may have an effect that nobody has undone.
pub(super) fn is_to_undo(state: ItemState) -> bool {
    match state {
        ItemState::Unknown => !is_planted(Bug::ForgottenUnknown),
        ItemState::Undone => is_planted(Bug::UndoneTwice),
        state => matches!(state, ItemState::Done | ItemState::Expired),
    }
}

fn is_failed(state: ItemState) -> bool {
    matches!(state, ItemState::Failed | ItemState::Unknown | ItemState::Undoing | ItemState::Undone)
}

fn slowest(one: Progress, other: Progress) -> Progress {
    match (one, other) {
        (Progress::Busy, _) | (_, Progress::Busy) => Progress::Busy,
        (Progress::Complete, other) => other,
        (one, _) => one,
    }
}

fn first_step(nodes: &[Node]) -> Option<usize> {
    match nodes.first()? {
        Node::Step(step) => Some(*step),
        Node::Block(block) => block.branches.iter().find_map(|(_, nodes)| first_step(nodes)),
    }
}

/// How the items of a step stand.
struct Tally {
    done: usize,
    failed: usize,
    busy: usize,
    waiting: usize,
    blocked: Option<Status>,
}

impl Tally {
    fn of(items: &[ItemRun], handles_expiry: bool) -> Self {
        let mut tally = Self { done: 0, failed: 0, busy: 0, waiting: 0, blocked: None };
        for item in items {
            match item.state {
                ItemState::Done | ItemState::Skipped => tally.done += 1,
                ItemState::Expired if handles_expiry => tally.done += 1,
                ItemState::Expired | ItemState::Failed | ItemState::Unknown | ItemState::Undone => tally.failed += 1,
                ItemState::Doing | ItemState::Asked | ItemState::Checking => tally.busy += 1,
                ItemState::Undoing => {
                    tally.failed += 1;
                    tally.busy += 1;
                }
                ItemState::Waiting => tally.waiting += 1,
                ItemState::Parked => tally.blocked = Some(Status::Parked),
                ItemState::Stuck | ItemState::Conflict => {
                    tally.failed += 1;
                    tally.blocked = Some(Status::UndoStuck);
                }
            }
        }
        tally
    }
}
