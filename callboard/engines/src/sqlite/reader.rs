//! Reader threads: each has a connection of its own and takes the next query from one queue.

use super::connection;
use super::statement::run;
use callboard::ports::Read;
use callboard::{Fault, Rows, Tenant};
use rusqlite::Connection;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Something to do with a connection that only reads; it gives its answer itself.
pub(super) type Look = Box<dyn FnOnce(&Connection) + Send>;

/// Runs statements in one snapshot.
pub(super) fn read_all(connection: &Connection, tenant: &Tenant, reads: &[Read]) -> rusqlite::Result<Vec<Rows>> {
    let one =
        |read: &Read| run(&mut *connection.prepare_cached(read.statement.sql)?, read.statement, tenant, &read.params);
    if let [read] = reads {
        return one(read).map(|rows| vec![rows]);
    }
    let snapshot = connection.unchecked_transaction()?;
    let rows = reads.iter().map(one).collect();
    snapshot.rollback()?;
    rows
}

#[derive(Default)]
struct Queue {
    waiting: Mutex<(VecDeque<Look>, bool)>,
    arrived: Condvar,
}

/// The threads; they end when this is dropped.
pub(super) struct Readers {
    queue: Arc<Queue>,
}

impl Readers {
    pub(super) fn start(file: &Path, threads: usize) -> Result<Self, Fault> {
        let queue = Arc::new(Queue::default());
        for at in 0..threads {
            let (connection, queue) = (connection::open(Some(file), true)?, queue.clone());
            std::thread::Builder::new()
                .name(format!("records-read-{at}"))
                .spawn(move || {
                    while let Some(look) = queue.next() {
                        look(&connection);
                    }
                })
                .map_err(|error| {
                    Fault::unavailable("records.unavailable", "no thread can be started").detail(error.to_string())
                })?;
        }
        Ok(Self { queue })
    }

    pub(super) fn send(&self, look: Look) {
        self.queue.waiting.lock().unwrap_or_else(PoisonError::into_inner).0.push_back(look);
        self.queue.arrived.notify_one();
    }
}

impl Queue {
    fn next(&self) -> Option<Look> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(look) = waiting.0.pop_front() {
                return Some(look);
            }
            if waiting.1 {
                return None;
            }
            waiting = self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.queue.waiting.lock().unwrap_or_else(PoisonError::into_inner).1 = true;
        self.queue.arrived.notify_all();
    }
}
