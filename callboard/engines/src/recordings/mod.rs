//! Recordings of invocations in files of their own, beside the records: a few megabytes in segments, the oldest removed first,
//! nothing older than seven days. Whoever records never waits; a thread writes.

mod segments;

use callboard::invocation::{Recorder, Recording};
use callboard::ports::Clock;
use callboard::{BoxFuture, Fault};
use segments::Segments;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;
use tokio::sync::oneshot;

/// Most recordings that wait to be written.
const WAITING_MAX: usize = 256;
/// How often what is too old is looked for.
const SWEEP_PAUSE: Duration = Duration::from_secs(600);

/// How much is kept, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest segment, in bytes.
    pub segment_bytes: u64,
    /// All segments together, in bytes.
    pub total_bytes: u64,
    /// Age of the oldest recording, in milliseconds.
    pub age_ms: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { segment_bytes: 4 << 20, total_bytes: 64 << 20, age_ms: 7 * 86_400_000 }
    }
}

enum Task {
    Keep(Box<Recording>),
    Find(String, oneshot::Sender<Option<Recording>>),
    List(usize, oneshot::Sender<Vec<Recording>>),
    Erase(String, oneshot::Sender<Result<u64, Fault>>),
}

/// Recordings in a folder.
pub struct FileRecordings {
    tasks: SyncSender<Task>,
    dropped: AtomicU64,
}

impl FileRecordings {
    /// Opens a folder of recordings, making it where it is not there.
    ///
    /// # Errors
    /// `data.unwritable`.
    pub fn open(folder: &Path, limits: Limits, clock: Arc<dyn Clock>) -> Result<Self, Fault> {
        let segments = Segments::open(folder, limits, clock).map_err(|error| unwritable(folder, &error))?;
        let (tasks, receive) = sync_channel(WAITING_MAX);
        let thread = std::thread::Builder::new().name("recordings".to_owned());
        thread.spawn(move || work(segments, &receive)).map_err(|error| unwritable(folder, &error))?;
        Ok(Self { tasks, dropped: AtomicU64::new(0) })
    }

    /// Asks the thread. It takes one thing after the other, so what was kept before is seen.
    async fn ask<T>(&self, task: impl FnOnce(oneshot::Sender<T>) -> Task) -> Result<T, Fault> {
        let gone = || Fault::unavailable("data.unwritable", "the recordings are not written any more; start again");
        let (send, receive) = oneshot::channel();
        let mut task = task(send);
        loop {
            match self.tasks.try_send(task) {
                Ok(()) => return receive.await.map_err(|_| gone()),
                Err(TrySendError::Disconnected(_)) => return Err(gone()),
                Err(TrySendError::Full(back)) => task = back,
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Recorder for FileRecordings {
    fn keep(&self, recording: Recording) {
        if self.tasks.try_send(Task::Keep(Box::new(recording))).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn find<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Recording>, Fault>> {
        Box::pin(self.ask(|to| Task::Find(id.to_owned(), to)))
    }

    fn list(&self, limit: usize) -> BoxFuture<'_, Result<Vec<Recording>, Fault>> {
        Box::pin(self.ask(move |to| Task::List(limit, to)))
    }

    fn erase<'a>(&'a self, person: &'a str) -> BoxFuture<'a, Result<u64, Fault>> {
        Box::pin(async { self.ask(|to| Task::Erase(person.to_owned(), to)).await? })
    }
}

fn unwritable(folder: &Path, error: &std::io::Error) -> Fault {
    Fault::unavailable("data.unwritable", format!("recordings cannot be kept in {}: {error}", folder.display()))
}

fn work(mut segments: Segments, tasks: &Receiver<Task>) {
    let mut has_failed = false;
    let mut tell = |result: std::io::Result<()>| match result {
        Ok(()) => has_failed = false,
        // Said once until it works again: a full disk would fill the log too.
        Err(error) if !has_failed => {
            has_failed = true;
            tracing::warn!(%error, "recordings of invocations cannot be written");
        }
        Err(_) => {}
    };
    loop {
        // Whoever asked may have gone away.
        match tasks.recv_timeout(SWEEP_PAUSE) {
            Ok(Task::Keep(recording)) => tell(segments.keep(&recording)),
            Ok(Task::Find(id, to)) => drop(to.send(segments.find(&id))),
            Ok(Task::List(limit, to)) => drop(to.send(segments.list(limit))),
            Ok(Task::Erase(person, to)) => {
                let erased = segments.erase(&person);
                let fault = |error: std::io::Error| {
                    Fault::unavailable("data.unwritable", format!("recordings cannot be erased: {error}"))
                };
                drop(to.send(erased.map_err(fault)));
            }
            Err(RecvTimeoutError::Timeout) => tell(segments.sweep()),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

#[cfg(test)]
mod tests;
