//! The writer thread: takes whatever waits, runs it in one transaction with a savepoint for each, and syncs once.

use super::claims::Ready;
use super::connection::{fault, taken_back};
use super::inbox::{GROUP_MAX, Inbox};
use super::kernel::Kernel;
use super::outbox;
use super::prepared::Db;
use super::reader::Look;
use callboard::ports::{Commit, CommitError, Committed, Delivery, Entropy, Fate, Settle};
use callboard::{Fault, Space};
use rusqlite::Connection;
use std::sync::{Arc, mpsc};
use std::time::Instant;
use tokio::sync::{Notify, oneshot};

pub(super) type Answer<T> = oneshot::Sender<Result<T, Fault>>;
pub(super) type Change = Box<dyn FnOnce(&Db<'_>) -> Result<u64, Fault> + Send>;

/// Something for the writer to do.
pub(super) enum Job {
    Commit(Box<Commit>, oneshot::Sender<Result<Committed, CommitError>>),
    Fail {
        settle: Settle,
        fate: Fate,
        now_ms: i64,
        answer: Answer<()>,
    },
    /// Changes the kernel's tables.
    Change {
        change: Change,
        answer: Answer<u64>,
    },
    Claim {
        limit: usize,
        busy: Vec<String>,
        now_ms: i64,
        answer: Answer<Vec<Delivery>>,
    },
    /// Which of these claims do not hold any more.
    Lost {
        claims: Vec<Settle>,
        answer: Answer<Vec<Settle>>,
    },
    NextDue {
        busy: Vec<String>,
        answer: Answer<Option<i64>>,
    },
    /// How many messages of each target are in work.
    InFlight {
        targets: Vec<String>,
        answer: Answer<Vec<usize>>,
    },
    Look(Look),
    Plan {
        sql: &'static str,
        answer: Answer<Vec<String>>,
    },
    Inspect {
        sql: &'static str,
        answer: Answer<Vec<String>>,
    },
}

impl Job {
    /// Whether its answer need not wait until the disk has it.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self, Job::Commit(commit, _) if commit.is_passing)
    }

    pub(super) fn as_commit(&self) -> Option<&Commit> {
        match self {
            Job::Commit(commit, _) => Some(commit),
            _ => None,
        }
    }

    pub(super) fn is_write(&self) -> bool {
        matches!(self, Job::Commit(..) | Job::Fail { .. } | Job::Change { .. })
    }
}

/// The thread; it ends when this is dropped and everything sent is done.
pub(super) struct Writer {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<std::thread::JoinHandle<()>>,
    ready: Ready,
}

impl Writer {
    pub(super) fn start(
        connection: Connection,
        space: Arc<Space>,
        entropy: Arc<dyn Entropy>,
        changed: Arc<Notify>,
        synchronous: &'static str,
    ) -> Self {
        let (send, receive) = mpsc::channel();
        let ready = Ready::new();
        let for_kernel = ready.clone();
        let thread = std::thread::Builder::new().name("records-write".into()).spawn(move || {
            let mut state = State {
                kernel: Kernel::new(space, entropy, for_kernel.clone()),
                db: Db::new(&connection),
                changed,
                ready: for_kernel,
                synchronous,
                waits_for_disk: true,
            };
            let mut inbox = Inbox::new(receive);
            while inbox.wait() {
                state.run(&mut inbox);
            }
        });
        Self { jobs: Some(send), thread: thread.ok(), ready }
    }

    /// What is taken and waits to be fetched.
    pub(super) fn ready(&self) -> &Ready {
        &self.ready
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

struct State<'c> {
    db: Db<'c>,
    kernel: Kernel,
    changed: Arc<Notify>,
    ready: Ready,
    /// How commits wait for the disk where they do.
    synchronous: &'static str,
    waits_for_disk: bool,
}

/// A job that is done but not yet synced: its answer waits for the commit of the group.
enum Done {
    Commit(oneshot::Sender<Result<Committed, CommitError>>, Result<Committed, CommitError>, Option<Settle>),
    /// Names the claim where it ends.
    Fail(Answer<()>, Result<(), Fault>, Option<Settle>),
    Change(Answer<u64>, Result<u64, Fault>),
    Claim(Wish, Result<(), Fault>),
}

/// What somebody waits for who claims.
struct Wish {
    limit: usize,
    busy: Vec<String>,
    now_ms: i64,
    answer: Answer<Vec<Delivery>>,
}

impl State<'_> {
    fn run(&mut self, inbox: &mut Inbox) {
        if inbox.has_writes() {
            self.write(inbox);
        }
        // What came too late for the group, or came alone.
        while let Some(job) = inbox.next_claim() {
            self.claim_alone(job);
        }
        inbox.take_reads().into_iter().for_each(|job| self.read(job));
    }

    /// Begins, saves or ends, by a statement that is prepared once.
    fn control(&self, sql: &'static str) -> rusqlite::Result<()> {
        self.db.prepare_cached(sql)?.execute([]).map(drop)
    }

    fn write(&mut self, inbox: &mut Inbox) {
        let is_alone = inbox.is_lone();
        // Where all that waits only passes, and is of one lane, it is written without waiting for the disk: the next group takes it along, in order.
        let is_passing = inbox.is_passing();
        let most = if is_passing { inbox.len() } else { GROUP_MAX };
        let begun = self.wait_for_disk(!is_passing).and_then(|()| self.control("BEGIN IMMEDIATE"));
        let mut done = Vec::new();
        // Those who come while others are done already still get into the group.
        while let Some(job) = inbox.next_write(done.len(), most) {
            match &begun {
                Ok(()) if !is_alone && job.as_commit().is_some() => {
                    done.extend(self.write_run(inbox.with_commits_behind(job)));
                }
                Ok(()) => done.extend(self.write_one(job, is_alone)),
                Err(error) => refuse(job, fault(error)),
            }
            // Alone it is over; without a transaction there is nothing to go on with.
            if is_alone || self.db.is_autocommit() {
                break;
            }
        }
        if begun.is_ok() && !is_alone && !self.db.is_autocommit() {
            // One only: what it takes is noted once it is on the disk.
            done.extend(inbox.next_claim().and_then(|job| self.write_one(job, false)));
            if self.kernel.claims.has_freed() {
                // Where this fails it is taken by whoever asks.
                drop(self.guarded(false, |state| state.kernel.take_over(&state.db).map_err(|error| fault(&error))));
            }
        }
        let start = Instant::now();
        let failed = self.end(is_alone);
        match failed.is_none() {
            true => self.kernel.claims.commit(),
            false => self.kernel.claims.back_to(0),
        }
        inbox.before_answers(done.iter().filter(|one| !matches!(one, Done::Claim(..))).count(), start.elapsed());
        for one in done {
            self.finish(one, failed.as_ref());
        }
        self.changed.notify_one();
    }

    /// Says whether commits wait for the disk from now on.
    fn wait_for_disk(&mut self, wants_disk: bool) -> rusqlite::Result<()> {
        if self.waits_for_disk != wants_disk {
            let level = if wants_disk { self.synchronous } else { "NORMAL" };
            self.db.pragma_update(None, "synchronous", level)?;
            self.waits_for_disk = wants_disk;
        }
        Ok(())
    }

    /// Ends the transaction. Gives what those hear who thought that they were done.
    fn end(&self, is_alone: bool) -> Option<Fault> {
        if self.db.is_autocommit() {
            // A lone job that was refused has rolled back itself. From a group only the store takes back everything: where
            // the disk is full, for one.
            return (!is_alone).then(taken_back);
        }
        let error = self.control("COMMIT").err()?;
        if !self.db.is_autocommit() {
            drop(self.control("ROLLBACK"));
        }
        Some(fault(&error))
    }

    fn write_one(&mut self, job: Job, is_alone: bool) -> Option<Done> {
        match job {
            Job::Commit(commit, answer) => {
                let (settle, now_ms) = (commit.settle, commit.now_ms);
                let result = self.guarded(is_alone, |state| state.kernel.commit(&state.db, &commit));
                if let (Err(CommitError::Stale), Some(settle)) = (&result, settle) {
                    tracing::warn!(
                        message.lane = settle.lane,
                        message.epoch = settle.epoch,
                        "a completion came too late"
                    );
                    // What it wanted is not applied either way; without the note only the count is short.
                    drop(outbox::note_stale(&self.db, settle, now_ms));
                }
                Some(Done::Commit(answer, result, settle))
            }
            Job::Fail { settle, fate, now_ms, answer } => {
                let result = self.guarded(is_alone, |state| {
                    state.kernel.fail(&state.db, settle, &fate, now_ms).map_err(|error| fault(&error))
                });
                let ends = matches!(fate, Fate::Release) || self.kernel.claims.is_next(settle);
                Some(Done::Fail(answer, result, ends.then_some(settle)))
            }
            Job::Change { change, answer } => {
                let result = self.guarded(is_alone, |state| change(&state.db));
                self.kernel.claims.changed();
                Some(Done::Change(answer, result))
            }
            // Takes also what the group itself has put in line: nobody hears of it before it is on the disk.
            Job::Claim { limit, busy, now_ms, answer } => {
                let result = self.guarded(is_alone, |state| {
                    state.kernel.claim(&state.db, limit, &busy, now_ms).map_err(|error| fault(&error))
                });
                Some(Done::Claim(Wish { limit, busy, now_ms, answer }, result))
            }
            _ => None,
        }
    }

    /// Writes commits under one savepoint for all of them: one costs as much as a write. Where a commit fails, each gets its own
    /// after all.
    fn write_run(&mut self, run: Vec<Job>) -> Vec<Done> {
        let together = self.guarded(false, |state| {
            let commits = run.iter().filter_map(Job::as_commit);
            commits.map(|commit| state.kernel.commit(&state.db, commit)).collect::<Result<Vec<_>, _>>()
        });
        match together {
            Ok(committed) => {
                let done = |(job, committed)| match job {
                    Job::Commit(commit, answer) => Some(Done::Commit(answer, Ok(committed), commit.settle)),
                    _ => None,
                };
                run.into_iter().zip(committed).filter_map(done).collect()
            }
            Err(_) => run.into_iter().filter_map(|job| self.write_again(job)).collect(),
        }
    }

    /// Writes a job of a run that was taken back, unless the store took back the whole group.
    fn write_again(&mut self, job: Job) -> Option<Done> {
        if self.db.is_autocommit() {
            refuse(job, taken_back());
            return None;
        }
        self.write_one(job, false)
    }

    /// Runs a job so that a failure of it leaves nothing behind and does not touch the others of the group.
    fn guarded<T, E: From<Fault>>(
        &mut self,
        is_alone: bool,
        job: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        if !is_alone {
            self.control("SAVEPOINT job").map_err(|error| fault(&error))?;
        }
        let mark = self.kernel.claims.mark();
        let result = job(self);
        if result.is_err() {
            self.kernel.claims.back_to(mark);
        }
        let ended = match (is_alone, result.is_ok()) {
            (true, true) => return result,
            (true, false) => self.control("ROLLBACK"),
            (false, true) => self.control("RELEASE job"),
            (false, false) => self.control("ROLLBACK TO job").and_then(|()| self.control("RELEASE job")),
        };
        match ended {
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
                match (&result, settle) {
                    (Ok(_), Some(settle)) => self.kernel.claims.go_on(settle),
                    (Err(CommitError::Stale), Some(settle)) if self.kernel.claims.is_next(settle) => {
                        self.kernel.claims.release(settle);
                    }
                    _ => {}
                }
                drop(answer.send(result));
            }
            Done::Fail(answer, result, settle) => {
                let result = failed.map_or(result, |fault| Err(fault.clone()));
                match (&result, settle) {
                    (Ok(()), Some(settle)) => self.kernel.claims.release(settle),
                    // Even where the failure could not be written the message is free again: it is tried once more.
                    (Err(_), Some(settle)) => self.kernel.claims.release_untold(settle),
                    (_, None) => {}
                }
                drop(answer.send(result));
            }
            Done::Change(answer, result) => drop(answer.send(failed.map_or(result, |fault| Err(fault.clone())))),
            Done::Claim(wish, result) => self.hand_out(wish, failed.map_or(result, |fault| Err(fault.clone()))),
        }
    }

    /// Answers who claims.
    fn hand_out(&mut self, wish: Wish, result: Result<(), Fault>) {
        let Wish { limit, busy, now_ms, answer } = wish;
        let (fetched, _) = self.ready.fetch(limit, &busy, now_ms);
        let result = match result {
            Err(fault) if fetched.is_empty() => Err(fault),
            _ => Ok(fetched),
        };
        if let Err(Ok(unwanted)) = answer.send(result) {
            self.ready.put_back(unwanted);
        }
    }

    fn claim_alone(&mut self, job: Job) {
        if let Job::Claim { limit, busy, now_ms, answer } = job {
            let claimed = self.claim(limit, &busy, now_ms).map_err(|error| fault(&error));
            self.hand_out(Wish { limit, busy, now_ms, answer }, claimed);
        }
    }

    /// Takes messages and counts their attempts. Nobody waits for the disk here: a count need only outlive this process, and the
    /// next commit takes it along.
    fn claim(&mut self, limit: usize, busy: &[String], now_ms: i64) -> rusqlite::Result<()> {
        if !self.kernel.has_due(&self.db, busy, now_ms)? {
            return Ok(());
        }
        self.wait_for_disk(false)?;
        self.control("BEGIN IMMEDIATE")?;
        let claimed = self.kernel.claim(&self.db, limit, busy, now_ms);
        let ended = self.control(if claimed.is_ok() { "COMMIT" } else { "ROLLBACK" });
        if !self.db.is_autocommit() {
            drop(self.control("ROLLBACK"));
        }
        match claimed.is_ok() && ended.is_ok() {
            true => self.kernel.claims.commit(),
            false => self.kernel.claims.back_to(0),
        }
        claimed.and(ended)
    }

    fn read(&mut self, job: Job) {
        match job {
            Job::NextDue { busy, answer } => {
                drop(answer.send(self.kernel.next_due(&self.db, &busy).map_err(|error| fault(&error))));
            }
            Job::Lost { claims, answer } => {
                drop(answer.send(Ok(claims.into_iter().filter(|claim| !self.kernel.claims.has(*claim)).collect())));
            }
            Job::InFlight { targets, answer } => {
                drop(answer.send(Ok(targets.iter().map(|target| self.kernel.claims.in_work(target)).collect())));
            }
            Job::Look(look) => look(&self.db),
            Job::Plan { sql, answer } => drop(answer.send(texts(&self.db, &format!("EXPLAIN QUERY PLAN {sql}"), 3))),
            Job::Inspect { sql, answer } => drop(answer.send(texts(&self.db, sql, 0))),
            Job::Commit(..) | Job::Fail { .. } | Job::Change { .. } | Job::Claim { .. } => {}
        }
    }
}

fn refuse(job: Job, fault: Fault) {
    match job {
        Job::Commit(_, answer) => drop(answer.send(Err(fault.into()))),
        Job::Fail { answer, .. } => drop(answer.send(Err(fault))),
        Job::Change { answer, .. } => drop(answer.send(Err(fault))),
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
