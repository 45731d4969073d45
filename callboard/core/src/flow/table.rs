//! A flow as a table: one line a step with what is done, how it is undone and how it is retried.

use super::call::Part;
use super::tree::{Block, Branching, Node};
use super::{Join, Retry, StepKind, StepRow, Undo, UndoFunction};
use crate::function::{Erased, Function, Input, erase};
use crate::{Empty, Env, Fault, FaultKind, Msg, Reply};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::sync::OnceLock;

/// A flow of a service: its steps in order.
#[derive(Clone)]
pub struct Flow {
    /// Name, unique within the application.
    pub name: &'static str,
    /// The steps, in the order of the table.
    pub steps: Vec<StepRow>,
    /// How long a run may take before it is undone, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// Where the input names what a run is about, as a JSON pointer: such runs take turns.
    pub entity: Option<&'static str>,
    pub(super) root: Vec<Node>,
    /// The blocks around each step, outermost first, with the branch it stands in.
    pub(super) around: Vec<Vec<(usize, usize)>>,
    pub(super) blocks: usize,
    /// Hashes of former definitions, and how their steps are called now.
    pub(super) formers: Vec<(&'static str, Vec<(&'static str, &'static str)>)>,
    pub(crate) mistakes: Vec<String>,
    open: Vec<Block>,
    /// Computed once the table is whole.
    hash: OnceLock<String>,
}

/// A step that only waits needs no function.
async fn ask_nobody(_: Env, _: Msg<Empty>) -> Result<Reply, Fault> {
    Ok(Reply::nothing())
}

impl Flow {
    /// A flow without steps yet.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            steps: Vec::new(),
            timeout_ms: None,
            entity: None,
            root: Vec::new(),
            around: Vec::new(),
            blocks: 0,
            formers: Vec::new(),
            mistakes: Vec::new(),
            open: Vec::new(),
            hash: OnceLock::new(),
        }
    }

    /// A run that takes longer is undone.
    #[must_use]
    pub fn flow_timeout_ms(mut self, timeout_ms: u64) -> Self {
        self.timeout_ms = Some(timeout_ms);
        self
    }

    /// Runs whose inputs have the same value at this JSON pointer take turns, in the order in which they were started.
    #[must_use]
    pub fn entity(mut self, pointer: &'static str) -> Self {
        self.entity = Some(pointer);
        self
    }

    /// Runs that began with the definition of this hash go on with this one; steps whose names changed are in `renamed`.
    #[must_use]
    pub fn migrate(mut self, hash: &'static str, renamed: &[(&'static str, &'static str)]) -> Self {
        self.formers.push((hash, renamed.to_vec()));
        self
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
        self.push(id, StepKind::Work, None, erase(work))
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
        self.push(id, StepKind::Work, Some(over), erase(work))
    }

    /// Adds a step that asks somebody: its function gives `Step::token` away, and whoever returns it answers.
    #[must_use]
    pub fn wait<F, In, Out, Shape>(self, id: &'static str, ask: F) -> Self
    where
        Shape: 'static,
        F: Function<In, Out, Shape>,
        In: Input,
        Out: Serialize + Send + 'static,
    {
        self.push(id, StepKind::Wait, None, erase(ask))
    }

    /// Adds a step that waits until its service decides it by name.
    #[must_use]
    pub fn wait_for_decision(self, id: &'static str) -> Self {
        self.push(id, StepKind::Decision, None, erase(ask_nobody)).no_undo("it only waits")
    }

    /// Adds a step that waits for a time.
    #[must_use]
    pub fn pause_ms(self, id: &'static str, time_ms: u64) -> Self {
        let flow = self.push(id, StepKind::Pause, None, erase(ask_nobody)).no_undo("it only waits");
        flow.last(|step| step.expires_ms = Some(time_ms))
    }

    /// Adds a step whose function answers the label of the branch to go on with; branches follow, until `end`.
    #[must_use]
    pub fn choice<F, In, Out, Shape>(self, id: &'static str, decide: F) -> Self
    where
        Shape: 'static,
        F: Function<In, Out, Shape>,
        In: Input,
        Out: Serialize + Send + 'static,
    {
        let flow = self.push(id, StepKind::Choice, None, erase(decide)).no_undo("it only decides");
        let step = flow.steps.len() - 1;
        flow.begin_block(Branching::Choice(step), id)
    }

    /// Branches follow, done side by side, until `end`.
    #[must_use]
    pub fn parallel(self, id: &'static str) -> Self {
        self.begin_block(Branching::Parallel { join: Join::All, concurrency: usize::MAX }, id)
    }

    /// What follows, until `end`, is done where nobody answered the wait before it in time.
    #[must_use]
    pub fn expired(mut self) -> Self {
        let step = self.steps.len().saturating_sub(1);
        if !self.steps.last().is_some_and(|step| step.kind.is_wait() && step.expires_ms.is_some()) {
            self.mistakes
                .push(format!("flow {}: `.expired()` stands only after a wait with `.expires_ms(…)`", self.name));
        }
        self.begin_block(Branching::Expired(step), "expired").branch("expired")
    }

    /// Begins a branch of the choice or of what is done in parallel.
    #[must_use]
    pub fn branch(mut self, label: &'static str) -> Self {
        match self.open.last_mut() {
            Some(block) => block.branches.push((label, Vec::new())),
            None => {
                self.mistakes.push(format!("flow {} branch {label}: it stands in no choice or parallel", self.name))
            }
        }
        self
    }

    /// Ends the branches.
    #[must_use]
    pub fn end(mut self) -> Self {
        match self.open.pop() {
            Some(block) => self.place(Node::Block(block)),
            None => self.mistakes.push(format!("flow {}: `.end()` without branches before it", self.name)),
        }
        self
    }

    fn begin_block(mut self, branching: Branching, id: &'static str) -> Self {
        self.hash = OnceLock::new();
        self.open.push(Block { id, at: self.blocks, branching, branches: Vec::new() });
        self.blocks += 1;
        self
    }

    fn place(&mut self, node: Node) {
        match self.open.last_mut() {
            None => self.root.push(node),
            Some(block) => match block.branches.last_mut() {
                Some((_, nodes)) => nodes.push(node),
                None => {
                    self.mistakes.push(format!("flow {} {}: begin a branch before its steps", self.name, block.id));
                }
            },
        }
    }

    fn push(mut self, id: &'static str, kind: StepKind, over: Option<&'static str>, work: Erased) -> Self {
        self.hash = OnceLock::new();
        self.place(Node::Step(self.steps.len()));
        self.around.push(self.open.iter().map(|block| (block.at, block.branches.len().saturating_sub(1))).collect());
        self.steps.push(StepRow {
            id,
            kind,
            over,
            join: Join::All,
            concurrency: 4,
            retry: Retry::times(3),
            classes: Vec::new(),
            timeout_ms: 60_000,
            heartbeat_ms: None,
            step_timeout_ms: None,
            needs_ms: 0,
            expires_ms: None,
            undo: Undo::Unsaid,
            is_pivot: false,
            is_records_only: false,
            uses: Vec::new(),
            verify: None,
            work,
        });
        self
    }

    pub(crate) fn last(mut self, change: impl FnOnce(&mut StepRow)) -> Self {
        self.hash = OnceLock::new();
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

    /// Asked what became of an attempt of the last step whose outcome is unknown, before it is redone or undone: answers a
    /// [`Verdict`](super::Verdict).
    #[must_use]
    pub fn verify<F, In, Out, Shape>(self, function: F) -> Self
    where
        Shape: 'static,
        F: Function<In, Out, Shape>,
        In: Input,
        Out: Serialize + Send + 'static,
    {
        self.last(|step| step.verify = Some(erase(function)))
    }

    /// Once the last step is done nothing before it is undone: from there a run only goes forward.
    #[must_use]
    pub fn pivot(self) -> Self {
        self.last(|step| step.is_pivot = true)
    }

    /// The last step only writes records, in the same commit: where it fails it certainly had no effect.
    #[must_use]
    pub fn records_only(self) -> Self {
        self.last(|step| step.is_records_only = true)
    }

    /// The last step is retried so.
    #[must_use]
    pub fn retry(self, retry: Retry) -> Self {
        self.last(|step| step.retry = retry)
    }

    /// The last step is retried so where it fails with this code.
    #[must_use]
    pub fn retry_on(self, code: &'static str, retry: Retry) -> Self {
        self.last(|step| step.classes.push((On::Code(code), retry)))
    }

    /// The last step is retried so where it fails in this way.
    #[must_use]
    pub fn retry_on_kind(self, kind: FaultKind, retry: Retry) -> Self {
        self.last(|step| step.classes.push((On::Kind(kind), retry)))
    }

    /// One attempt of the last step may take so long.
    #[must_use]
    pub fn timeout_ms(self, timeout_ms: u64) -> Self {
        self.last(|step| step.timeout_ms = timeout_ms)
    }

    /// An attempt of the last step needs so long to finish: where less time is left in this process it is not begun.
    #[must_use]
    pub fn needs_ms(self, needs_ms: u64) -> Self {
        self.last(|step| step.needs_ms = needs_ms)
    }

    /// An attempt of the last step that gives no sign of life for so long counts as failed.
    #[must_use]
    pub fn heartbeat_ms(self, heartbeat_ms: u64) -> Self {
        self.last(|step| step.heartbeat_ms = Some(heartbeat_ms))
    }

    /// All attempts of the last step together may take so long.
    #[must_use]
    pub fn step_timeout_ms(self, timeout_ms: u64) -> Self {
        self.last(|step| step.step_timeout_ms = Some(timeout_ms))
    }

    /// The last wait ends after so long.
    #[must_use]
    pub fn expires_ms(self, time_ms: u64) -> Self {
        self.last(|step| step.expires_ms = Some(time_ms))
    }

    /// So many items of the last map, or branches of the parallel that just began, run at once.
    #[must_use]
    pub fn concurrency(mut self, items: usize) -> Self {
        match self.begun_parallel() {
            Some((_, concurrency)) => *concurrency = items.max(1),
            None => return self.last(|step| step.concurrency = items.max(1)),
        }
        self
    }

    /// How many items of the last map, or branches of the parallel that just began, must be done.
    #[must_use]
    pub fn join(mut self, policy: Join) -> Self {
        match self.begun_parallel() {
            Some((join, _)) => *join = policy,
            None => return self.last(|step| step.join = policy),
        }
        self
    }

    fn begun_parallel(&mut self) -> Option<(&mut Join, &mut usize)> {
        match self.open.last_mut() {
            Some(Block { branching: Branching::Parallel { join, concurrency }, branches, .. })
                if branches.is_empty() =>
            {
                Some((join, concurrency))
            }
            _ => None,
        }
    }

    /// Position of a step.
    pub fn position(&self, id: &str) -> Option<usize> {
        self.steps.iter().position(|step| step.id == id)
    }

    pub(super) fn is_unended(&self) -> Option<&'static str> {
        self.open.last().map(|block| block.id)
    }

    /// A hash of the definition: a run pins it. How often and how patiently is no part of it.
    pub fn hash(&self) -> &str {
        self.hash.get_or_init(|| {
            let mut hash = Sha256::new();
            for step in &self.steps {
                let undo = matches!(step.undo, Undo::By(_));
                hash.update(format!("{}\0{:?}\0{:?}\0{undo}\0{}\0", step.id, step.kind, step.over, step.is_pivot));
            }
            hash.update(format!("{:?}", self.root));
            hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
        })
    }

    /// Whether what a step has done is only a move on to others that change nothing but records.
    pub(crate) fn is_passing(&self, step: usize, part: Part) -> bool {
        let is_inner = |row: &StepRow| row.is_records_only && row.kind == StepKind::Work;
        part == Part::Do && step + 1 < self.steps.len() && self.steps[step..].iter().all(is_inner)
    }
}

/// Which faults a retry is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// Those with this code.
    Code(&'static str),
    /// Those of this kind.
    Kind(FaultKind),
}
