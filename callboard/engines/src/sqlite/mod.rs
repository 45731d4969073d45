//! Records and kernel on SQLite: one writer thread with group commit, reader threads, one process per data folder.
//!
//! Claims live in the writer's memory: what was claimed when the process died is due again when it starts. That it was tried
//! is in the file, so a message that ends the process every time is not tried for ever.

mod claims;
mod connection;
mod dead;
mod flows;
mod inbox;
mod kernel;
mod keys;
mod once;
mod operations;
mod outbox;
mod prepared;
mod reader;
mod schema;
mod statement;
mod sweep;
mod writer;

use callboard::ports::{
    BoxFuture, Commit, CommitError, Committed, Delivery, Entropy, Fate, LogPart, OnceKey, Operations, Read, Records,
    Retention, Seen, Settle, TARGET_MAX,
};
use callboard::{Fault, Rows, Space, Tenant};
use reader::Readers;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use tokio::sync::{Notify, oneshot};
use writer::{Job, Writer};

/// Where the records are, and how many threads read them.
#[derive(Clone, Debug)]
pub struct Options {
    /// The file; none keeps everything in memory until the process ends.
    pub file: Option<PathBuf>,
    /// Reader threads; the writer reads where the records are in memory.
    pub readers: usize,
}

/// Records and kernel on SQLite.
pub struct Sqlite {
    options: Options,
    synchronous: &'static str,
    entropy: Arc<dyn Entropy>,
    changed: Arc<Notify>,
    open: OnceLock<Open>,
}

struct Open {
    space: Arc<Space>,
    writer: Writer,
    readers: Option<Readers>,
}

impl Sqlite {
    /// Records that are not opened yet: the host opens them with the space.
    pub fn new(options: Options, entropy: Arc<dyn Entropy>) -> Self {
        Self { options, synchronous: "FULL", entropy, changed: Arc::default(), open: OnceLock::new() }
    }

    /// Acknowledges before the disk has a change, so that a power cut takes the last ones back: for data that may be
    /// lost, and to show what waiting for the disk is worth.
    #[must_use]
    pub fn acknowledging_unsynced(self) -> Self {
        Self { synchronous: "NORMAL", ..self }
    }

    /// The query plan of a statement: for tests that no list scans a table.
    ///
    /// # Errors
    /// The store's fault.
    pub async fn plan(&self, sql: &'static str) -> Result<Vec<String>, Fault> {
        self.ask(|answer| Job::Plan { sql, answer }).await
    }

    /// Runs SQL of an operator or a test on the kernel's tables and gives the first column of its rows as text.
    ///
    /// # Errors
    /// The store's fault.
    pub async fn inspect(&self, sql: &'static str) -> Result<Vec<String>, Fault> {
        self.ask(|answer| Job::Inspect { sql, answer }).await
    }

    fn opened(&self) -> Result<&Open, Fault> {
        self.open.get().ok_or_else(|| Fault::bug("the records are used before they are open"))
    }

    /// Does something on a reader thread, or on the writer's where everything is in memory.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&rusqlite::Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let open = self.opened()?;
        let (answer, receive) = oneshot::channel();
        // A caller that has gone away needs no answer.
        let look = Box::new(move |connection: &rusqlite::Connection| drop(answer.send(read(connection))));
        match &open.readers {
            Some(readers) => readers.send(look),
            None => open.writer.send(Job::Look(look)),
        }
        receive.await.map_err(|_| connection::gone())?
    }

    async fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<Result<T, Fault>>) -> Job) -> Result<T, Fault> {
        let (send, receive) = oneshot::channel();
        self.opened()?.writer.send(job(send));
        receive.await.map_err(|_| connection::gone())?
    }
}

impl Records for Sqlite {
    fn open(&self, space: Arc<Space>) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(async move {
            let (options, synchronous) = (self.options.clone(), self.synchronous);
            let (entropy, changed, for_writer) = (self.entropy.clone(), self.changed.clone(), space.clone());
            let opening = move || -> Result<Open, Fault> {
                let mut connection = connection::open(options.file.as_deref(), false)?;
                let set = connection.pragma_update(None, "synchronous", synchronous);
                set.map_err(|error| connection::fault(&error))?;
                schema::migrate(&mut connection, &for_writer)?;
                schema::check(&mut connection, &for_writer)?;
                keys::limit(&connection, &for_writer)?;
                kernel::give_all_back(&connection).map_err(|error| connection::fault(&error))?;
                let readers = match &options.file {
                    Some(file) => Some(Readers::start(file, options.readers.max(1))?),
                    None => None,
                };
                let writer = Writer::start(connection, for_writer, entropy, changed, synchronous);
                Ok(Open { space, writer, readers })
            };
            let open = tokio::task::spawn_blocking(opening).await.map_err(|error| Fault::bug(error.to_string()))??;
            self.open.set(open).map_err(|_| Fault::bug("the records were opened twice"))
        })
    }

    fn query<'a>(&'a self, tenant: &'a Tenant, reads: Vec<Read>) -> BoxFuture<'a, Result<Vec<Rows>, Fault>> {
        let tenant = tenant.clone();
        Box::pin(
            self.read(move |open| reader::read_all(open, &tenant, &reads).map_err(|error| connection::fault(&error))),
        )
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Committed, CommitError>> {
        Box::pin(async move {
            let (answer, receive) = oneshot::channel();
            self.opened().map_err(CommitError::from)?.writer.send(Job::Commit(Box::new(commit), answer));
            receive.await.map_err(|_| CommitError::from(connection::gone()))?
        })
    }

    fn seen<'a>(&'a self, key: &'a OnceKey, since_ms: i64) -> BoxFuture<'a, Result<Option<Seen>, Fault>> {
        let key = key.clone();
        Box::pin(self.read(move |open| once::seen(open, &key, since_ms).map_err(|error| connection::fault(&error))))
    }

    fn at_once(&self, target: &str) -> usize {
        self.open.get().map_or(TARGET_MAX, |open| claims::at_once(&open.space, target))
    }

    fn claim<'a>(
        &'a self,
        limit: usize,
        busy: &'a [String],
        now_ms: i64,
    ) -> BoxFuture<'a, Result<Vec<Delivery>, Fault>> {
        Box::pin(async move {
            let (fetched, is_quiet) = self.opened()?.writer.ready().fetch(limit, busy, now_ms);
            // What is taken already need not wait for what is due.
            if !fetched.is_empty() || is_quiet {
                return Ok(fetched);
            }
            let busy = busy.to_vec();
            self.ask(move |answer| Job::Claim { limit, busy, now_ms, answer }).await
        })
    }

    fn renew<'a>(&'a self, claims: &'a [Settle], _: i64) -> BoxFuture<'a, Result<Vec<Settle>, Fault>> {
        let claims = claims.to_vec();
        Box::pin(self.ask(move |answer| Job::Lost { claims, answer }))
    }

    fn next_due<'a>(&'a self, busy: &'a [String]) -> BoxFuture<'a, Result<Option<i64>, Fault>> {
        let busy = busy.to_vec();
        Box::pin(self.ask(move |answer| Job::NextDue { busy, answer }))
    }

    fn fail(&self, settle: Settle, fate: Fate, now_ms: i64) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(self.ask(move |answer| Job::Fail { settle, fate, now_ms, answer }))
    }

    fn sweep<'a>(&'a self, retention: &'a Retention, limit: u32, now_ms: i64) -> BoxFuture<'a, Result<u64, Fault>> {
        let retention = retention.clone();
        Box::pin(self.change(move |connection| sweep::sweep(connection, &retention, limit, now_ms)))
    }

    fn needed(&self, blobs: Vec<String>) -> BoxFuture<'_, Result<Vec<String>, Fault>> {
        Box::pin(self.read(move |open| sweep::needed(open, blobs).map_err(|error| connection::fault(&error))))
    }

    fn events(&self, after: Option<i64>, limit: u32) -> BoxFuture<'_, Result<LogPart, Fault>> {
        Box::pin(self.read(move |open| sweep::events(open, after, limit).map_err(|error| connection::fault(&error))))
    }

    fn operations(&self) -> &dyn Operations {
        self
    }

    fn changed(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.changed.notified())
    }
}
