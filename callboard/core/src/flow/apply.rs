//! A move of a run inside the commit that carries it, the same for every engine: the engine finds what is stored, this
//! decides, the engine stores the outcome. It does no IO.

use super::{FlowEvent, Run, advance, begin};
use crate::ports::{CommitError, Outgoing};
use crate::{Fault, Id, Space};

/// A run of a flow that starts, moves or is cancelled, as part of a commit.
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
}

impl FlowMove {
    /// Which run to look for before the move is applied.
    pub fn subject(&self) -> Subject<'_> {
        match self {
            Self::Start(run) => Subject::Key { flow: &run.flow, key: &run.key },
            Self::Event { run, .. } => Subject::Run(*run),
            Self::Cancel { flow, key } => Subject::Key { flow, key },
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
    /// What to send.
    pub outbox: Vec<Outgoing>,
}

/// Applies a move to what is stored; none where nothing changes.
///
/// # Errors
/// `flow.started` where the key is taken by another input; `flow.changed` where the definition is another by now.
pub fn apply(
    space: &Space,
    stored: Option<Stored>,
    step: FlowMove,
    now_ms: i64,
    random: &mut dyn FnMut() -> [u8; 10],
) -> Result<Option<Applied>, CommitError> {
    let find = |run: &Run| {
        let gone = || Fault::bug(format!("there is no flow {} any more", run.flow));
        space.flow(&run.flow).map(|(_, flow)| flow).ok_or_else(gone)
    };
    let (stored, event) = match (stored, step) {
        (None, FlowMove::Start(mut run)) => {
            let commands = begin(find(&run)?, &mut run);
            return done(space, (*run, 0), None, &commands, now_ms, random);
        }
        // An answer to a run that is not there changes nothing.
        (None, _) => return Ok(None),
        (Some(stored), FlowMove::Start(wanted)) => {
            if read(&stored.state)?.input == wanted.input {
                return Ok(None);
            }
            let message = format!("flow {} was started for `{}` with another input", wanted.flow, wanted.key);
            return Err(CommitError::Refused(Box::new(Fault::conflict("flow.started", message))));
        }
        (Some(stored), FlowMove::Cancel { .. }) => (stored, FlowEvent::Cancelled),
        (Some(stored), FlowMove::Event { event, .. }) => (stored, event),
    };
    let mut run = read(&stored.state)?;
    let flow = find(&run)?;
    if flow.hash() != run.hash {
        let message = format!("run {} of flow {} began with another definition of its steps", run.id, run.flow);
        return Err(Fault::conflict("flow.changed", message).into());
    }
    let dice = random();
    let recorded = serde_json::to_string(&event).expect("an event of a flow serialises to JSON");
    let jitter = u32::from_le_bytes([dice[0], dice[1], dice[2], dice[3]]);
    let commands = advance(flow, &mut run, event, jitter);
    done(space, (run, stored.version), Some(recorded), &commands, now_ms, random)
}

fn done(
    space: &Space,
    (run, version): (Run, i64),
    event: Option<String>,
    commands: &[super::Command],
    now_ms: i64,
    random: &mut dyn FnMut() -> [u8; 10],
) -> Result<Option<Applied>, CommitError> {
    let outbox = space.flow_messages(&run, commands, now_ms, &mut || Id::from_parts(now_ms, random()));
    let state =
        serde_json::to_string(&run).map_err(|error| Fault::bug(format!("a run does not serialise: {error}")))?;
    Ok(Some(Applied { run, state, version: version + 1, event, outbox }))
}

fn read(state: &str) -> Result<Run, CommitError> {
    serde_json::from_str(state)
        .map_err(|error| Fault::bug(format!("the state of a run cannot be read: {error}")).into())
}
