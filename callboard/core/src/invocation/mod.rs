//! Invocations: what ran, for whom, how long it computed and what it waited for. The last ones are kept in memory; whoever wants
//! more observes them as they end.

mod blobs;
mod capture;
mod log;
mod open;
mod player;
mod reads;
mod recording;
mod redact;
mod replay;
mod tape;
mod trace;

pub(crate) use capture::Capture;
pub(crate) use log::Log;
pub(crate) use open::{Ending, Open};
pub use recording::{Entry, Message, Recorder, Recording};
pub use replay::{Difference, Replayed};
pub use trace::{Trace, Traceparent};

use crate::ports::Read;
use crate::space::At;
use crate::{Effects, Id, Kind, Space, Tenant};
use serde::{Serialize, Serializer};
use std::fmt;

/// One run of a function, without what went in and came out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Invocation {
    /// Its place among all of this process, from 1.
    pub seq: u64,
    /// Id of the message.
    pub id: Id,
    /// Its span in the trace of its correlation id, as W3C wants it.
    #[serde(serialize_with = "trace::as_hex")]
    pub span: u64,
    /// The span that caused it; 0 where there is none.
    #[serde(serialize_with = "trace::as_hex")]
    pub parent: u64,
    /// Ties together everything that one outside request led to.
    pub correlation: Id,
    /// The message that caused this one.
    pub causation: Option<Id>,
    /// In which tenant.
    pub tenant: Tenant,
    /// The function's service.
    pub service: &'static str,
    /// The function.
    pub function: &'static str,
    /// How it was reached: `http`, `cli`, `call`, `queue`, `event`, `flow`, `schedule` …
    pub trigger: &'static str,
    /// What happened.
    pub kind: Kind,
    /// The pattern of its binding; empty where there is none.
    pub pattern: &'static str,
    /// The flow whose step it was.
    pub flow: Option<&'static str>,
    /// When it began, in Unix milliseconds.
    pub started_ms: i64,
    /// How long it took, in nanoseconds.
    pub duration_ns: u64,
    /// How much of that it waited, in nanoseconds; the rest it computed.
    pub waiting_ns: u64,
    /// For what it waited. What it waited for at the same time counts for each.
    pub waits: Vec<Wait>,
    /// Which attempt.
    pub attempt: u32,
    /// How it ended.
    pub ended: Ended,
    /// Memory that the function was given, in megabytes: its own, or what its deployment says; none where nobody says.
    pub memory_mb: Option<u64>,
    /// Size of what went in.
    pub in_bytes: u64,
    /// Size of the answer.
    pub out_bytes: u64,
    /// Events it published.
    pub events: u32,
    /// Messages it sent to single functions.
    pub sends: u32,
    /// Flows it started.
    pub starts: u32,
    /// Whether whoever asked wanted to see this trace.
    pub is_asked: bool,
}

impl Invocation {
    /// How long it computed, in nanoseconds.
    pub fn computing_ns(&self) -> u64 {
        self.duration_ns.saturating_sub(self.waiting_ns)
    }
}

/// How an invocation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It is still at work.
    Running,
    /// With an answer.
    Answered,
    /// With a fault of this code.
    Failed(&'static str),
    /// Nobody waited for it any more, or its time was over.
    Abandoned,
    /// It panicked.
    Panicked,
}

impl Ended {
    /// Whether it is the fault of somebody.
    pub fn is_fault(self) -> bool {
        matches!(self, Self::Failed(_) | Self::Panicked)
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Answered => "answered",
            Self::Failed(code) => code,
            Self::Abandoned => "abandoned",
            Self::Panicked => "panicked",
        })
    }
}

impl Serialize for Ended {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// How often and how long an invocation waited for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Wait {
    /// For what.
    pub on: Dependency,
    /// How often.
    pub count: u32,
    /// How long in all, in nanoseconds.
    pub time_ns: u64,
}

/// What a function can wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dependency {
    /// Records.
    Records,
    /// Blobs that are read.
    Blobs,
    /// Blobs that are changed.
    BlobChanges,
    /// Another service of the application.
    Service(&'static str),
    /// A system outside, by its setting.
    Outside(&'static str),
    /// A program of this machine.
    Tool(&'static str),
}

impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Records => f.write_str("records"),
            Self::Blobs => f.write_str("blobs"),
            Self::BlobChanges => f.write_str("blob changes"),
            Self::Service(name) => write!(f, "service {name}"),
            Self::Outside(name) => write!(f, "outside {name}"),
            Self::Tool(name) => write!(f, "tool {name}"),
        }
    }
}

impl Serialize for Dependency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What a function uses.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Used<'a> {
    /// Statements that read.
    Records(&'a [Read]),
    /// Blobs, and whether they are changed.
    Blobs { is_change: bool },
    /// A function of the application; none where nobody answers.
    Call(Option<At>),
    /// A system outside, by its setting.
    Outside(&'static str),
    /// A program of this machine.
    Tool(&'static str),
    /// What it returned, where that is about to be committed.
    Effects(&'a Effects),
}

impl Used<'_> {
    /// For what it is waited.
    fn dependency(self, space: &Space) -> Dependency {
        match self {
            Self::Records(_) | Self::Effects(_) => Dependency::Records,
            Self::Blobs { is_change: true } => Dependency::BlobChanges,
            Self::Blobs { is_change: false } => Dependency::Blobs,
            Self::Call(at) => Dependency::Service(at.map_or("", |at| space.binding(at).0.name)),
            Self::Outside(setting) => Dependency::Outside(setting),
            Self::Tool(name) => Dependency::Tool(name),
        }
    }
}

/// Hears of invocations as they end. It is called in their way, so it must be quick and never block.
pub trait Observer: Send + Sync {
    /// Whether this trace is wanted, so that messages carry it on.
    fn wants(&self, trace: Id) -> bool {
        let _ = trace;
        false
    }

    /// An invocation ended.
    fn ended(&self, invocation: &Invocation) {
        let _ = invocation;
    }
}
