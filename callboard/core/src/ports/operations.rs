//! The operator's view of the records: what waits, what was given up, what runs. It decides nothing about who may look.

use super::{BoxFuture, Envelope};
use crate::flow::{FlowEvent, Run, Status};
use crate::{Fault, Id, Tenant};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most entries of one page of a list.
pub const PAGE_MAX: u32 = 200;

/// What an operator may see and repair in the records. Lists are paged by key.
pub trait Operations: Send + Sync {
    /// What waits, by target, sorted by its name.
    fn queues(&self, now_ms: i64) -> BoxFuture<'_, Result<Vec<Queue>, Fault>>;
    /// Dead letters, the newest first.
    fn dead(&self, filter: DeadFilter, page: Page) -> BoxFuture<'_, Result<Vec<DeadLetter>, Fault>>;
    /// Puts up to `limit` dead letters back to their lanes, the oldest first and spread evenly over a time; attempts count
    /// from the beginning and lanes they held go on. How many.
    fn redrive(&self, filter: DeadFilter, limit: u32, spread_ms: i64, now_ms: i64)
    -> BoxFuture<'_, Result<u64, Fault>>;
    /// Removes up to `limit` dead letters; lanes they held go on. How many.
    fn discard(&self, filter: DeadFilter, limit: u32, now_ms: i64) -> BoxFuture<'_, Result<u64, Fault>>;
    /// The message that stands for the next time of every schedule.
    fn ticks(&self) -> BoxFuture<'_, Result<Vec<Tick>, Fault>>;
    /// Runs of flows, the newest first.
    fn runs(&self, filter: RunFilter, page: Page) -> BoxFuture<'_, Result<Vec<RunSummary>, Fault>>;
    /// One run and what happened to it; none where it is not there or of another tenant.
    fn run(&self, tenant: Option<Tenant>, id: Id) -> BoxFuture<'_, Result<Option<RunHistory>, Fault>>;
    /// How many completions came after their claim had gone to somebody else, and changed nothing.
    fn stale(&self) -> BoxFuture<'_, Result<u64, Fault>>;
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The last id of the page before.
    pub after: Option<String>,
    /// Most entries, at most [`PAGE_MAX`].
    pub limit: u32,
}

/// What waits for one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Queue {
    /// Service that takes it.
    pub service: String,
    /// Name of the binding or step.
    pub target: String,
    /// Messages that are not settled.
    pub waiting: u64,
    /// Those of them that this process has in work.
    pub in_flight: u64,
    /// Lanes that wait for an operator.
    pub held: u64,
    /// When the oldest message that waits was made, in Unix milliseconds.
    pub oldest_ms: Option<i64>,
    /// Dead letters.
    pub dead: u64,
}

/// Why a message was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeadReason {
    /// Code of the last fault.
    pub code: String,
    /// Its message.
    pub message: String,
}

impl DeadReason {
    /// What a fault says. A message may repeat what somebody sent, and records keep no NUL.
    pub(crate) fn of(fault: &Fault) -> Self {
        Self { code: fault.code.to_owned(), message: fault.message.replace('\0', "\u{FFFD}") }
    }
}

/// A message that was given up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeadLetter {
    /// Its number.
    pub id: i64,
    /// Service that should have taken it.
    pub service: String,
    /// Name of the binding or step.
    pub target: String,
    /// Its lane's key.
    pub key: String,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it was given up.
    pub reason: DeadReason,
    /// When, in Unix milliseconds.
    pub died_ms: i64,
    /// Whether its lane waits for it.
    pub is_held: bool,
    /// The message.
    pub envelope: Envelope,
}

/// Which dead letters; everything where nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeadFilter {
    /// Of this tenant.
    pub tenant: Option<Tenant>,
    /// For this binding or step.
    pub target: Option<String>,
    /// With this code.
    pub code: Option<String>,
    /// This one.
    pub id: Option<i64>,
}

/// The next time of a schedule.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// When it is due, in Unix milliseconds.
    pub due_ms: i64,
    /// The message.
    pub envelope: Envelope,
}

/// Which runs; all where nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Of this tenant.
    pub tenant: Option<Tenant>,
    /// Of this flow.
    pub flow: Option<String>,
    /// That stand here.
    pub status: Option<Status>,
    /// With this key.
    pub key: Option<String>,
}

/// One run in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunSummary {
    /// Its id.
    pub id: Id,
    /// Its tenant.
    pub tenant: Tenant,
    /// Its flow.
    pub flow: String,
    /// Its key.
    pub key: String,
    /// Where it stands.
    pub status: Status,
    /// When it started, in Unix milliseconds.
    pub started_ms: i64,
    /// When it last moved, in Unix milliseconds.
    pub changed_ms: i64,
}

/// A run and what happened to it.
#[derive(Clone, Debug, PartialEq)]
pub struct RunHistory {
    /// As it stands.
    pub run: Run,
    /// What happened, in order, with the time in Unix milliseconds.
    pub events: Vec<(i64, FlowEvent)>,
}
