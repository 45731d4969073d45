//! Records and kernel on SQLite: one writer thread with group commit, reader threads, one process per data folder.
//!
//! Claims live in the writer's memory: what was claimed when the process died is due again when it starts.

mod connection;
mod flows;
mod inbox;
mod kernel;
mod reader;
mod schema;
mod statement;
mod writer;

use callboard::ports::{BoxFuture, Commit, CommitError, Committed, Delivery, Entropy, Fate, Read, Records, Settle};
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
    entropy: Arc<dyn Entropy>,
    changed: Arc<Notify>,
    open: OnceLock<Open>,
}

struct Open {
    writer: Writer,
    readers: Option<Readers>,
}

impl Sqlite {
    /// Records that are not opened yet: the host opens them with the space.
    pub fn new(options: Options, entropy: Arc<dyn Entropy>) -> Self {
        Self { options, entropy, changed: Arc::default(), open: OnceLock::new() }
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

    async fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<Result<T, Fault>>) -> Job) -> Result<T, Fault> {
        let (send, receive) = oneshot::channel();
        self.opened()?.writer.send(job(send));
        receive.await.map_err(|_| connection::gone())?
    }
}

impl Records for Sqlite {
    fn open(&self, space: Arc<Space>) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(async move {
            let options = self.options.clone();
            let (entropy, changed, for_writer) = (self.entropy.clone(), self.changed.clone(), space.clone());
            let opening = move || -> Result<Open, Fault> {
                let mut connection = connection::open(options.file.as_deref(), false)?;
                schema::migrate(&mut connection, &for_writer)?;
                schema::check(&mut connection, &for_writer)?;
                let readers = match &options.file {
                    Some(file) => Some(Readers::start(file, options.readers.max(1))?),
                    None => None,
                };
                Ok(Open { writer: Writer::start(connection, for_writer, entropy, changed), readers })
            };
            let open = tokio::task::spawn_blocking(opening).await.map_err(|error| Fault::bug(error.to_string()))??;
            self.open.set(open).map_err(|_| Fault::bug("the records were opened twice"))
        })
    }

    fn query<'a>(&'a self, tenant: &'a Tenant, reads: Vec<Read>) -> BoxFuture<'a, Result<Vec<Rows>, Fault>> {
        Box::pin(async move {
            let open = self.opened()?;
            let (answer, receive) = oneshot::channel();
            match &open.readers {
                Some(readers) => readers.send(reader::Query { tenant: tenant.clone(), reads, answer }),
                None => open.writer.send(Job::Query(reader::Query { tenant: tenant.clone(), reads, answer })),
            }
            receive.await.map_err(|_| connection::gone())?
        })
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Committed, CommitError>> {
        Box::pin(async move {
            let (answer, receive) = oneshot::channel();
            self.opened().map_err(CommitError::from)?.writer.send(Job::Commit(Box::new(commit), answer));
            receive.await.map_err(|_| CommitError::from(connection::gone()))?
        })
    }

    fn claim(&self, limit: usize, now_ms: i64) -> BoxFuture<'_, Result<Vec<Delivery>, Fault>> {
        Box::pin(self.ask(move |answer| Job::Claim { limit, now_ms, answer }))
    }

    fn next_due(&self) -> BoxFuture<'_, Result<Option<i64>, Fault>> {
        Box::pin(self.ask(Job::NextDue))
    }

    fn fail(&self, settle: Settle, fate: Fate) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(self.ask(move |answer| Job::Fail { settle, fate, answer }))
    }

    fn changed(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.changed.notified())
    }
}
