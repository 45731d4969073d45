//! The writer thread: takes whatever waits, runs it in one transaction with a savepoint for each, and syncs once.

use super::connection::fault;
use super::kernel::Kernel;
use super::reader::Query;
use callboard::ports::{Commit, CommitError, Committed, Delivery, Entropy, Fate, Settle};
use callboard::{Fault, Space};
use rusqlite::Connection;
use std::sync::{Arc, mpsc};
use tokio::sync::{Notify, oneshot};

/// Most jobs in one transaction.
const GROUP_MAX: usize = 256;

pub(super) type Answer<T> = oneshot::Sender<Result<T, Fault>>;

/// Something for the writer to do.
pub(super) enum Job {
    Commit(Box<Commit>, oneshot::Sender<Result<Committed, CommitError>>),
    Fail { settle: Settle, fate: Fate, answer: Answer<()> },
    Claim { limit: usize, now_ms: i64, answer: Answer<Vec<Delivery>> },
    NextDue(Answer<Option<i64>>),
    Query(Query),
    Plan { sql: &'static str, answer: Answer<Vec<String>> },
    Inspect { sql: &'static str, answer: Answer<Vec<String>> },
}

/// The thread; it ends when this is dropped and everything sent is done.
pub(super) struct Writer {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(
        connection: Connection,
        space: Arc<Space>,
        entropy: Arc<dyn Entropy>,
        changed: Arc<Notify>,
    ) -> Self {
        let (send, receive) = mpsc::channel();
        let thread = std::thread::Builder::new().name("records-write".into()).spawn(move || {
            let mut state = State { kernel: Kernel::new(space, entropy), connection, changed };
            while let Ok(first) = receive.recv() {
                let jobs = std::iter::once(first).chain(receive.try_iter().take(GROUP_MAX - 1)).collect();
                state.run(jobs);
            }
        });
        Self { jobs: Some(send), thread: thread.ok() }
    }

    pub(super) fn send(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            // Where the thread has ended, the answer's channel closes and the caller hears of it.
            drop(jobs.send(job));
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

struct State {
    connection: Connection,
    kernel: Kernel,
    changed: Arc<Notify>,
}

/// A job that is done but not yet synced: its answer waits for the commit of the group.
enum Done {
    Commit(oneshot::Sender<Result<Committed, CommitError>>, Result<Committed, CommitError>, Option<Settle>),
    Fail(Answer<()>, Result<(), Fault>, Settle),
}

impl State {
    fn run(&mut self, jobs: Vec<Job>) {
        let (writes, reads): (Vec<Job>, Vec<Job>) =
            jobs.into_iter().partition(|job| matches!(job, Job::Commit(..) | Job::Fail { .. }));
        if !writes.is_empty() {
            self.write(writes);
        }
        // Claims see only what is committed.
        reads.into_iter().for_each(|job| self.read(job));
    }

    fn write(&mut self, jobs: Vec<Job>) {
        let is_alone = jobs.len() == 1;
        if let Err(error) = self.connection.execute_batch("BEGIN IMMEDIATE") {
            return jobs.into_iter().for_each(|job| refuse(job, fault(&error)));
        }
        let done: Vec<Done> = jobs.into_iter().filter_map(|job| self.write_one(job, is_alone)).collect();
        // A lone job that was refused has rolled the transaction back already.
        let ended = if self.connection.is_autocommit() { Ok(()) } else { self.connection.execute_batch("COMMIT") };
        if ended.is_err() && !self.connection.is_autocommit() {
            drop(self.connection.execute_batch("ROLLBACK"));
        }
        let failed = ended.err().map(|error| fault(&error));
        for one in done {
            self.finish(one, failed.as_ref());
        }
        self.changed.notify_one();
    }

    fn write_one(&mut self, job: Job, is_alone: bool) -> Option<Done> {
        match job {
            Job::Commit(commit, answer) => {
                let settle = commit.settle;
                let result = self.guarded(is_alone, |state| state.kernel.commit(&state.connection, *commit));
                Some(Done::Commit(answer, result, settle))
            }
            Job::Fail { settle, fate, answer } => {
                let result = self.guarded(is_alone, |state| {
                    state.kernel.fail(&state.connection, settle, &fate).map_err(|error| fault(&error))
                });
                Some(Done::Fail(answer, result, settle))
            }
            _ => None,
        }
    }

    /// Runs a job so that a failure of it leaves nothing behind and does not touch the others of the group.
    fn guarded<T, E: From<Fault>>(
        &mut self,
        is_alone: bool,
        job: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        if !is_alone {
            self.connection.execute_batch("SAVEPOINT job").map_err(|error| fault(&error))?;
        }
        let result = job(self);
        let end = match (is_alone, result.is_ok()) {
            (true, true) => return result,
            (true, false) => "ROLLBACK",
            (false, true) => "RELEASE job",
            (false, false) => "ROLLBACK TO job; RELEASE job",
        };
        match self.connection.execute_batch(end) {
            Err(error) if result.is_ok() => Err(fault(&error).into()),
            _ => result,
        }
    }

    fn finish(&mut self, done: Done, failed: Option<&Fault>) {
        match done {
            Done::Commit(answer, result, settle) => {
                let result = match (failed, result) {
                    (Some(fault), Ok(_)) => Err(CommitError::from(fault.clone())),
                    (_, result) => result,
                };
                if matches!(result, Ok(_) | Err(CommitError::Stale))
                    && let Some(settle) = settle
                {
                    self.kernel.release(settle);
                }
                drop(answer.send(result));
            }
            Done::Fail(answer, result, settle) => {
                let result = failed.map_or(result, |fault| Err(fault.clone()));
                // Even where the failure could not be written the message is free again: it is tried once more.
                self.kernel.release(settle);
                drop(answer.send(result));
            }
        }
    }

    fn read(&mut self, job: Job) {
        match job {
            Job::Claim { limit, now_ms, answer } => {
                drop(answer.send(self.kernel.claim(&self.connection, limit, now_ms).map_err(|error| fault(&error))));
            }
            Job::NextDue(answer) => {
                drop(answer.send(self.kernel.next_due(&self.connection).map_err(|error| fault(&error))))
            }
            Job::Query(query) => query.run(&self.connection),
            Job::Plan { sql, answer } => {
                drop(answer.send(texts(&self.connection, &format!("EXPLAIN QUERY PLAN {sql}"), 3)))
            }
            Job::Inspect { sql, answer } => drop(answer.send(texts(&self.connection, sql, 0))),
            Job::Commit(..) | Job::Fail { .. } => {}
        }
    }
}

fn refuse(job: Job, fault: Fault) {
    match job {
        Job::Commit(_, answer) => drop(answer.send(Err(fault.into()))),
        Job::Fail { answer, .. } => drop(answer.send(Err(fault))),
        _ => {}
    }
}

fn texts(connection: &Connection, sql: &str, column: usize) -> Result<Vec<String>, Fault> {
    let read = || -> rusqlite::Result<Vec<String>> {
        let mut statement = connection.prepare(sql)?;
        let rows = statement
            .raw_query()
            .mapped(|row| row.get::<_, rusqlite::types::Value>(column))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(rows.into_iter().map(text).collect())
    };
    read().map_err(|error| fault(&error))
}

fn text(value: rusqlite::types::Value) -> String {
    use rusqlite::types::Value;
    match value {
        Value::Null => String::new(),
        Value::Integer(value) => value.to_string(),
        Value::Real(value) => value.to_string(),
        Value::Text(value) => value,
        Value::Blob(value) => format!("{} bytes", value.len()),
    }
}
