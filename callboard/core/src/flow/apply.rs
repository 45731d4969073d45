//! A move of a run inside the commit that carries it, the same for every engine: the engine finds what is stored, this
//! decides, the engine stores the outcome. It does no IO.

use super::{Command, Flow, FlowEvent, Operation, Run, Status, advance, begin};
use crate::operator::SERVICE as OPERATOR;
use crate::ports::{Commit, CommitError, Outgoing};
use crate::{Fault, Id, Space};
use serde_json::Value;

/// A run of a flow that starts or moves, as part of a commit.
#[derive(Clone, Debug)]
pub enum FlowMove {
    /// Starts, unless there is a run with this key: with the same input nothing happens, with another it is a conflict.
    Start(Box<Run>),
    /// Something happened to a run.
    Event {
        /// The run.
        run: Id,
        /// What.
        event: FlowEvent,
    },
    /// The run with this key is to be undone, if it is still going.
    Cancel {
        /// Name of the flow.
        flow: &'static str,
        /// Key of the run.
        key: String,
    },
    /// A wait of the run with this key is decided.
    Decide {
        /// Name of the flow.
        flow: &'static str,
        /// Key of the run.
        key: String,
        /// Position of the step.
        step: usize,
        /// The decision.
        value: Value,
    },
    /// A person intervenes.
    Operate {
        /// The run.
        run: Id,
        /// How.
        operation: Operation,
        /// Why.
        why: String,
    },
    /// The next run about this entity begins, if none is going.
    Turn {
        /// Name of the flow.
        flow: &'static str,
        /// The entity.
        entity: String,
    },
}

/// Which run a move is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// The run with this id.
    Run(Id),
    /// The run of the tenant with this key.
    Key {
        /// Name of the flow.
        flow: &'a str,
        /// Key of the run.
        key: &'a str,
    },
    /// Of the tenant's runs that have entered the queue of this entity: one that is not `queued`, where there is one, otherwise
    /// the one that was started first.
    Turn {
        /// Name of the flow.
        flow: &'a str,
        /// The entity.
        entity: &'a str,
    },
}

impl FlowMove {
    /// Which run to look for before the move is applied.
    pub fn subject(&self) -> Subject<'_> {
        match self {
            Self::Start(run) => Subject::Key { flow: &run.flow, key: &run.key },
            Self::Event { run, .. } | Self::Operate { run, .. } => Subject::Run(*run),
            Self::Cancel { flow, key } | Self::Decide { flow, key, .. } => Subject::Key { flow, key },
            Self::Turn { flow, entity } => Subject::Turn { flow, entity },
        }
    }
}

/// A run as it is stored.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The run as JSON.
    pub state: String,
    /// How often it has moved.
    pub version: i64,
}

/// What a move leaves to be stored.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The run as it is now.
    pub run: Run,
    /// The same as JSON.
    pub state: String,
    /// 1 for a run that is new, otherwise one more than what was found: the engine stores it only over that.
    pub version: i64,
    /// What happened, as JSON, for the log of the run; none where it is new.
    pub event: Option<String>,
    /// Whether the run enters or leaves the queue of its entity.
    pub queue: Option<Queue>,
    /// What to send.
    pub outbox: Vec<Outgoing>,
}

/// A change of the queue of an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// The run enters; where it is in already nothing changes.
    Enter,
    /// The run leaves.
    Leave,
}

/// Applies a move of a commit to what is stored; none where nothing changes.
///
/// # Errors
/// `Late` where the answer of a step does not fit any more: nothing of the commit may happen. `flow.started`, `flow.token`,
/// `flow.answered`, `flow.operation` for whoever asks; `flow.changed` where the definition is another by now.
pub fn apply(
    space: &Space,
    commit: &Commit,
    stored: Option<Stored>,
    step: FlowMove,
    random: &mut dyn FnMut() -> [u8; 10],
) -> Result<Option<Applied>, CommitError> {
    let Some(stored) = stored else {
        return match step {
            FlowMove::Start(mut run) => {
                let commands = begin(find(space, &run)?, &mut run, commit.now_ms);
                Moved { run: *run, version: 0, before: None, event: None, commands }.store(space, commit, random)
            }
            FlowMove::Event { event: FlowEvent::Answered { .. }, .. } | FlowMove::Decide { .. } => forged(commit),
            FlowMove::Operate { run, .. } => refuse(Fault::not_found("flow.unknown", format!("there is no run {run}"))),
            // An answer to a run that is not there changes nothing.
            FlowMove::Event { .. } | FlowMove::Cancel { .. } | FlowMove::Turn { .. } => Ok(None),
        };
    };
    let mut run: Run = serde_json::from_str(&stored.state)
        .map_err(|error| Fault::bug(format!("the state of a run cannot be read: {error}")))?;
    let flow = find(space, &run)?;
    let is_ours = run.tenant == commit.head.tenant;
    let event = match step {
        FlowMove::Start(wanted) if wanted.input == run.input => return Ok(None),
        FlowMove::Start(wanted) => {
            let message = format!("flow {} was started for `{}` with another input", wanted.flow, wanted.key);
            return refuse(Fault::conflict("flow.started", message));
        }
        // The operator's functions have looked themselves whose run it is.
        FlowMove::Operate { run: id, .. } if !is_ours && commit.service != OPERATOR => {
            return refuse(Fault::not_found("flow.unknown", format!("there is no run {id}")));
        }
        FlowMove::Operate { operation, why, .. } => {
            if commit.service != run.service && commit.service != OPERATOR {
                return Err(Fault::bug(format!("{} intervenes in a flow of {}", commit.service, run.service)).into());
            }
            FlowEvent::Operated { operation, by: who(commit), why }
        }
        FlowMove::Cancel { .. } => FlowEvent::Cancelled,
        FlowMove::Decide { step, value, .. } => FlowEvent::Answered { step: Some(step), token: None, value },
        FlowMove::Turn { .. } => FlowEvent::Turn,
        FlowMove::Event { event: FlowEvent::Answered { .. }, .. } if !is_ours => return forged(commit),
        FlowMove::Event { event, .. } => event,
    };
    let before = Some(run.status);
    let event = match definition(flow, &mut run, event)? {
        Definition::Fits(event) => event,
        Definition::Parked(event) => {
            return Moved { run, version: stored.version, before, event: Some(event), commands: Vec::new() }
                .store(space, commit, random);
        }
    };
    let dice = random();
    let jitter = u32::from_le_bytes([dice[0], dice[1], dice[2], dice[3]]);
    let (event, commands) = match advance(flow, &mut run, event.clone(), commit.now_ms, jitter) {
        Some(commands) => (event, commands),
        None if event.is_answer() => return Err(CommitError::Late),
        None => match unfit(commit, &run, event)? {
            Some(late) => (late, Vec::new()),
            None => return Ok(None),
        },
    };
    Moved { run, version: stored.version, before, event: Some(event), commands }.store(space, commit, random)
}

fn find<'a>(space: &'a Space, run: &Run) -> Result<&'a Flow, CommitError> {
    let gone = || Fault::bug(format!("there is no flow {} any more", run.flow)).into();
    space.flow(&run.flow).map(|(_, flow)| flow).ok_or_else(gone)
}

fn who(commit: &Commit) -> String {
    match &commit.head.principal {
        crate::Principal::Nobody => "nobody".to_owned(),
        crate::Principal::Person { id, .. } => id.to_string(),
        crate::Principal::Service(name) => format!("service {name}"),
    }
}

fn refuse(fault: Fault) -> Result<Option<Applied>, CommitError> {
    Err(CommitError::Refused(Box::new(fault)))
}

/// An answer that nobody was asked for. Behind a queue there is nobody to tell.
fn forged(commit: &Commit) -> Result<Option<Applied>, CommitError> {
    if commit.settle.is_some() {
        return Ok(None);
    }
    refuse(Fault::not_found("flow.token", "nobody waits for this answer; look whether the link is complete"))
}

enum Definition {
    Fits(FlowEvent),
    Parked(FlowEvent),
}

/// A run goes on under the definition that it began with, or under one that says how to get there.
fn definition(flow: &Flow, run: &mut Run, event: FlowEvent) -> Result<Definition, CommitError> {
    let hash = flow.hash();
    if run.hash == hash {
        return Ok(Definition::Fits(event));
    }
    if super::migrate::is_possible(flow, run) {
        let from = run.hash.clone();
        return Ok(Definition::Fits(FlowEvent::Migrated { from, to: hash.to_owned(), then: Box::new(event) }));
    }
    match &event {
        FlowEvent::Poisoned { code, message, .. } => {
            run.status = Status::Parked;
            run.reason = Some(super::Reason { step: None, code: code.clone(), message: message.clone() });
            Ok(Definition::Parked(event))
        }
        _ => {
            let message = format!("run {} of flow {} began with another definition of its steps", run.id, run.flow);
            Err(Fault::conflict("flow.changed", message).into())
        }
    }
}

/// What to record, if anything, where an event does not fit where the run stands.
fn unfit(commit: &Commit, run: &Run, event: FlowEvent) -> Result<Option<FlowEvent>, CommitError> {
    let refused = match &event {
        FlowEvent::Answered { step, token, .. } => {
            let mut tokens = run.steps.iter().flat_map(|step| &step.items).flat_map(|item| &item.tokens);
            let is_known = step.is_some() || tokens.any(|hash| Some(hash) == token.as_ref());
            match (is_known, commit.settle) {
                (true, Some(_)) => return Ok(Some(FlowEvent::Late { answer: Box::new(event) })),
                (false, _) => return forged(commit).map(|_| None),
                (true, None) => Fault::conflict("flow.answered", "this is decided already, or its time is over"),
            }
        }
        FlowEvent::Operated { operation, .. } => operation.refusal(run),
        _ => return Ok(None),
    };
    Err(CommitError::Refused(Box::new(refused)))
}

/// A run that has moved.
struct Moved {
    run: Run,
    version: i64,
    before: Option<Status>,
    event: Option<FlowEvent>,
    commands: Vec<Command>,
}

impl Moved {
    fn store(
        self,
        space: &Space,
        commit: &Commit,
        random: &mut dyn FnMut() -> [u8; 10],
    ) -> Result<Option<Applied>, CommitError> {
        let Self { run, version, before, event, commands } = self;
        let now_ms = commit.now_ms;
        let outbox = space.flow_messages(&run, &commands, now_ms, &mut || Id::from_parts(now_ms, random()));
        let state =
            serde_json::to_string(&run).map_err(|error| Fault::bug(format!("a run does not serialise: {error}")))?;
        let event = event.map(|event| serde_json::to_string(&event).expect("an event of a flow serialises to JSON"));
        let queue = run.entity.as_ref().and_then(|_| match (run.status.is_ended(), before) {
            (true, _) => Some(Queue::Leave),
            (false, before) => before.is_none_or(Status::is_ended).then_some(Queue::Enter),
        });
        Ok(Some(Applied { run, state, version: version + 1, event, queue, outbox }))
    }
}
