//! Ports: what engines offer. Business code never sees them; it sees [`Env`](crate::Env).

mod operations;

pub use operations::{
    DeadFilter, DeadLetter, DeadReason, Operations, PAGE_MAX, Page, Queue, RunFilter, RunHistory, RunSummary, Tick,
};

use crate::invocation::Traceparent;
use crate::outside::Outside;
use crate::{Datum, Id, fill_slots};
use crate::{Effects, Fault, FlowMove, Head, Kind, LiveMessage, Principal, Rows, Space, Statement, Tenant, Uri};
use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;
use std::future::Future;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

/// A boxed future, `Send`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
/// A boxed stream of bytes.
pub type ByteStream = Pin<Box<dyn futures_util::Stream<Item = Result<Bytes, Fault>> + Send>>;

/// The next bytes of a stream; none at its end.
pub async fn next_bytes(stream: &mut ByteStream) -> Option<Result<Bytes, Fault>> {
    futures_util::StreamExt::next(stream).await
}

/// A boxed stream of live messages.
pub type LiveStream = Pin<Box<dyn futures_util::Stream<Item = Arc<LiveMessage>> + Send>>;

/// Engines, chosen at start.
#[derive(Clone)]
pub struct Ports {
    /// Records and the delivery kernel.
    pub records: Arc<dyn Records>,
    /// Blobs.
    pub blobs: Arc<dyn Blobs>,
    /// Live messages.
    pub live: Arc<dyn Live>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Programs and long computations of this machine.
    pub machine: Arc<dyn Machine>,
    /// Other systems.
    pub outside: Arc<dyn Outside>,
}

/// Time, in Unix milliseconds.
pub trait Clock: Send + Sync {
    /// Now.
    fn now_ms(&self) -> i64;
    /// Nanoseconds since some moment, for durations: it never goes back.
    fn monotonic_ns(&self) -> u64 {
        static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
        u64::try_from(BEGIN.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Randomness.
pub trait Entropy: Send + Sync {
    /// Fills with bytes that a seeded run repeats: ids, jitter.
    fn fill(&self, bytes: &mut [u8]);
    /// Fills with randomness of the operating system, never seeded or recorded: tokens, salts.
    fn fill_secret(&self, bytes: &mut [u8]);
}

/// One statement to read with.
#[derive(Clone, Debug)]
pub struct Read {
    /// Which.
    pub statement: &'static Statement,
    /// Its parameters.
    pub params: Vec<Datum>,
}

/// Records, and the delivery kernel in the same store, so that a change and its messages are one commit.
pub trait Records: Send + Sync {
    /// Migrates, checks and prepares everything the space declares. Called once, before anything else.
    fn open(&self, space: Arc<Space>) -> BoxFuture<'_, Result<(), Fault>>;
    /// Runs statements in one snapshot.
    fn query<'a>(&'a self, tenant: &'a Tenant, reads: Vec<Read>) -> BoxFuture<'a, Result<Vec<Rows>, Fault>>;
    /// Commits all or nothing.
    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Committed, CommitError>>;
    /// What is remembered under a key that was committed at `since_ms` or later.
    fn seen<'a>(&'a self, key: &'a OnceKey, since_ms: i64) -> BoxFuture<'a, Result<Option<Seen>, Fault>>;
    /// How long a claim lasts unless it is renewed, in milliseconds.
    fn lease_ms(&self) -> i64 {
        LEASE_MS
    }
    /// Most messages of a target that are in work in this process at once.
    fn at_once(&self, _target: &str) -> usize {
        TARGET_MAX
    }
    /// Takes the first messages of up to `limit` lanes that are due, until [`Records::lease_ms`] from now: targets in turn, at most
    /// [`Records::at_once`] of one, and none of those that are `busy`. More may be due than it gives: only where it gives none there is no
    /// more. Taking counts the attempt, so a message that ends the process is counted too. Where it gives several of a lane, they
    /// come one after another in their order, and each can be settled only behind the one before it: see [`Turn`](crate::Turn).
    fn claim<'a>(
        &'a self,
        limit: usize,
        busy: &'a [String],
        now_ms: i64,
    ) -> BoxFuture<'a, Result<Vec<Delivery>, Fault>>;
    /// Keeps what is still being worked on. Gives the claims that are this process's no longer.
    fn renew<'a>(&'a self, claims: &'a [Settle], now_ms: i64) -> BoxFuture<'a, Result<Vec<Settle>, Fault>>;
    /// When the next message is due that nobody has taken and whose target is not `busy`, in Unix milliseconds.
    fn next_due<'a>(&'a self, busy: &'a [String]) -> BoxFuture<'a, Result<Option<i64>, Fault>>;
    /// What becomes of a message that was not settled.
    fn fail(&self, delivery: Settle, fate: Fate, now_ms: i64) -> BoxFuture<'_, Result<(), Fault>>;
    /// Removes events, ended runs and idle lanes that are past their time, about `limit` of each. How many.
    fn sweep<'a>(&'a self, retention: &'a Retention, limit: u32, now_ms: i64) -> BoxFuture<'a, Result<u64, Fault>>;
    /// Those of these blobs that an event, a message or a dead letter still needs.
    fn needed(&self, blobs: Vec<String>) -> BoxFuture<'_, Result<Vec<String>, Fault>>;
    /// Events of the log after a position, in order; without a position none, but where the log ends.
    fn events(&self, after: Option<i64>, limit: u32) -> BoxFuture<'_, Result<LogPart, Fault>>;
    /// Waits until something may have become due.
    fn changed(&self) -> BoxFuture<'_, ()>;
    /// The operator's view of the same store.
    fn operations(&self) -> &dyn Operations;
}

/// How long a claim usually lasts unless it is renewed, in milliseconds.
pub const LEASE_MS: i64 = 30_000;
/// Most messages of a target that usually are in work at once.
pub const TARGET_MAX: usize = 64;

/// What becomes of a message that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Again, not before this time.
    Retry {
        /// Unix milliseconds.
        at_ms: i64,
    },
    /// A dead letter.
    Bury {
        /// Why.
        reason: DeadReason,
        /// Whether its lane waits until somebody has looked; otherwise the next message is due.
        hold: bool,
    },
    /// Given back untried: this attempt does not count.
    Release,
}

/// How long what has ended is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Events of one kind by the service that published them, in milliseconds.
    pub kinds: Vec<(&'static str, Kind, i64)>,
    /// Every other event, in milliseconds.
    pub events_ms: i64,
    /// Runs of flows that have ended, in milliseconds.
    pub runs_ms: i64,
}

/// A part of the event log.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogPart {
    /// Events in order.
    pub events: Vec<Envelope>,
    /// Where to read on.
    pub end: i64,
}

/// A batch with everything that belongs to it.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Service that asks; it may touch its own tables only.
    pub service: &'static str,
    /// The message whose function asks.
    pub head: Arc<Head>,
    /// Writes, and what they stand for; events and sends are in `outbox`.
    pub effects: Effects,
    /// Messages to store and queue.
    pub outbox: Vec<Outgoing>,
    /// The delivered message that this commit settles.
    pub settle: Option<Settle>,
    /// Runs of flows that start, move or are cancelled.
    pub moves: Vec<FlowMove>,
    /// The key under which the message may come again.
    pub once: Option<Once>,
    /// Whether nobody waits for the disk: it settles a message and does no more than write, or moves a run on, and what it leads to
    /// changes nothing but records either. It may reach the disk together with a later commit, in order: a power cut in between takes
    /// back both, and its message is due again.
    pub is_passing: bool,
    /// Now, in Unix milliseconds.
    pub now_ms: i64,
}

impl Commit {
    /// The messages to store, with what its writes have given in their slots.
    pub fn filled_outbox(&self, committed: &Committed) -> Cow<'_, [Outgoing]> {
        if !self.effects.has_slots() {
            return Cow::Borrowed(&self.outbox);
        }
        let mut outbox = self.outbox.clone();
        for out in &mut outbox {
            fill_slots(&mut Arc::make_mut(&mut out.envelope).data, &|at, column| committed.value(at, column));
        }
        Cow::Owned(outbox)
    }

    /// The key and its answer, with what its writes have given in their slots.
    pub fn filled_once(&self, committed: &Committed) -> Option<Cow<'_, Once>> {
        let once = self.once.as_ref()?;
        if !self.effects.has_slots() {
            return Some(Cow::Borrowed(once));
        }
        let mut once = once.clone();
        if let Some(answer) = &mut once.answer {
            fill_slots(answer, &|at, column| committed.value(at, column));
        }
        Some(Cow::Owned(once))
    }
}

/// Whose key it is, and for what.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OnceKey {
    /// In which tenant.
    pub tenant: Tenant,
    /// Who sends.
    pub principal: String,
    /// Name of the binding.
    pub target: String,
    /// The sender's key.
    pub key: String,
}

/// What to remember of a message that may come again, for [`KEY_AGE_MS`](crate::KEY_AGE_MS).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    /// Its key.
    pub key: OnceKey,
    /// Hash of what it carries.
    pub input: String,
    /// The answer, with slots to fill; none where it is not kept.
    pub answer: Option<Value>,
}

/// What is remembered of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Hash of what it carried.
    pub input: String,
    /// The answer.
    pub answer: Option<Value>,
}

/// What a commit gives back.
#[derive(Clone, Debug, Default)]
pub struct Committed {
    /// Rows of RETURNING, one entry a write.
    pub returned: Vec<Rows>,
}

/// Why a batch was not committed. Nothing of it was.
#[derive(Clone, Debug)]
pub enum CommitError {
    /// An expectation failed, and this is what the caller should hear.
    Refused(Box<Fault>),
    /// An expectation failed, and the function should run again.
    Retry,
    /// The delivered message was settled by somebody else.
    Stale,
    /// The message before the delivered one in its lane is not settled. Both are still whose they were.
    Behind,
    /// The answer of a step does not fit any more where its run stands. The message is still whose it was.
    Late,
    /// The same key was committed before.
    Seen,
    /// The store failed.
    Failed(Box<Fault>),
}

impl From<Fault> for CommitError {
    fn from(fault: Fault) -> Self {
        Self::Failed(Box::new(fault))
    }
}

/// A message as it is stored: a CloudEvents 1.0 event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Envelope {
    /// Its id.
    pub id: Id,
    /// Where it came from.
    pub source: String,
    /// What happens.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// On which URI.
    #[serde(rename = "subject")]
    pub uri: Uri,
    /// When, in Unix milliseconds.
    pub time_ms: i64,
    /// In which tenant.
    pub tenant: Tenant,
    /// On whose behalf.
    pub principal: Principal,
    /// Ties together what belongs together.
    #[serde(rename = "correlationid")]
    pub correlation: Id,
    /// What caused it.
    #[serde(rename = "causationid")]
    pub causation: Option<Id>,
    /// Where it stands in its trace, where somebody looks at that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<Traceparent>,
    /// How many messages led here.
    pub hops: u8,
    /// What it carries; nothing where a blob carries it.
    pub data: Value,
    /// Key of the blob that carries the data, where that is large.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataref: Option<String>,
}

/// A message to store, with the lanes it goes to.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The message.
    pub envelope: Arc<Envelope>,
    /// Where it goes; an event that nobody bound goes nowhere and is only logged.
    pub lanes: Vec<Lane>,
    /// Whether it is kept in the event log (an event) or only until it is delivered (a message to one function).
    pub is_event: bool,
}

/// A lane: FIFO per (target, tenant, key).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// Service that takes it.
    pub service: &'static str,
    /// Name of the binding or step, as [`Space`] gives it.
    pub target: String,
    /// FIFO key.
    pub key: String,
    /// Not before, in Unix milliseconds.
    pub at_ms: Option<i64>,
    /// Only where nothing waits in the lane. Its time does not give it a lane of its own.
    pub is_sole: bool,
}

/// A message taken for delivery.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// How to settle it.
    pub settle: Settle,
    /// Name of the binding or step.
    pub target: String,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// The message; several targets of one event share it.
    pub envelope: Arc<Envelope>,
}

/// Names one claim of one message; a claim that was given to somebody else since is stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Settle {
    /// The lane.
    pub lane: i64,
    /// The message's place in it.
    pub seq: i64,
    /// The claim.
    pub epoch: i64,
}

/// What is known of a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobMeta {
    /// Its key.
    pub key: String,
    /// Its size.
    pub size_bytes: u64,
    /// When it was last written, in Unix milliseconds.
    pub modified_ms: i64,
    /// Changes whenever the content does.
    pub etag: String,
}

/// Blobs: bytes under a key such as `media/demo/…`. Keys have no empty, `.` or `..` segment.
pub trait Blobs: Send + Sync {
    /// Stores bytes.
    fn put<'a>(&'a self, key: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<(), Fault>>;
    /// Stores a file of this machine.
    fn put_file<'a>(&'a self, key: &'a str, file: &'a Path) -> BoxFuture<'a, Result<(), Fault>>;
    /// What is known of a blob; none where there is none.
    fn meta<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<BlobMeta>, Fault>>;
    /// Its bytes, or a part of them.
    fn read<'a>(&'a self, key: &'a str, range: Option<Range<u64>>) -> BoxFuture<'a, Result<ByteStream, Fault>>;
    /// Every blob whose key starts with `{prefix}/`, sorted.
    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<BlobMeta>, Fault>>;
    /// Removes a blob, and every blob below `{key}/`. What is not there is no error.
    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), Fault>>;
    /// The file behind a key, where the engine keeps files on this machine.
    fn file(&self, key: &str) -> Option<PathBuf>;
}

/// Live messages between those who look at this moment. Lossy: nobody stores them.
pub trait Live: Send + Sync {
    /// Sends.
    fn publish(&self, tenant: &Tenant, message: LiveMessage);
    /// Receives what happens on a URI and in the subtree below it.
    fn subscribe(&self, tenant: &Tenant, above: Uri) -> LiveStream;
}

/// Called with every line a program prints.
pub type OnLine = Box<dyn FnMut(&str) + Send>;

/// A program to run: arguments as they are, no shell.
pub struct Exec {
    /// Its name; the service must have declared it.
    pub tool: &'static str,
    /// Its arguments.
    pub args: Vec<String>,
    /// Where it runs; it should write nowhere else.
    pub folder: PathBuf,
    /// Killed after so long.
    pub timeout_ms: u64,
    /// Most memory it may take.
    pub memory_bytes_max: u64,
    /// Priority, 0 normal to 19 lowest.
    pub nice: i32,
    /// Hears of every line on its standard output.
    pub on_line: Option<OnLine>,
}

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exited {
    /// Its exit code; none where a signal ended it.
    pub code: Option<i32>,
    /// Standard output, the first 4 MiB, unless `on_line` took it.
    pub stdout: Vec<u8>,
    /// The last 8 KiB of standard error.
    pub stderr: String,
}

/// A folder for the files of one step; removed when dropped.
pub trait Folder: Send + Sync {
    /// Where it is.
    fn path(&self) -> &Path;
}

/// Programs, long computations and scratch folders of this machine.
pub trait Machine: Send + Sync {
    /// Runs a program to its end.
    fn exec(&self, exec: Exec) -> BoxFuture<'_, Result<Exited, Fault>>;
    /// Runs a computation where it does not hold up others.
    fn compute(&self, work: Box<dyn FnOnce() + Send>);
    /// A scratch folder.
    fn folder(&self) -> Result<Box<dyn Folder>, Fault>;
}
