//! Reader threads: each has a connection of its own and takes the next query from one queue.

use super::connection;
use super::statement::run;
use callboard::ports::Read;
use callboard::{Fault, Rows, Tenant};
use rusqlite::Connection;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use tokio::sync::oneshot;

/// Statements to run in one snapshot, and where the rows go.
pub(super) struct Query {
    pub(super) tenant: Tenant,
    pub(super) reads: Vec<Read>,
    pub(super) answer: oneshot::Sender<Result<Vec<Rows>, Fault>>,
}

impl Query {
    pub(super) fn run(self, connection: &Connection) {
        let rows = read_all(connection, &self.tenant, &self.reads).map_err(|error| connection::fault(&error));
        // A caller that has gone away needs no rows.
        drop(self.answer.send(rows));
    }
}

fn read_all(connection: &Connection, tenant: &Tenant, reads: &[Read]) -> rusqlite::Result<Vec<Rows>> {
    let one = |read: &Read| run(connection, read.statement, tenant, &read.params).map(|ran| ran.rows);
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
    waiting: Mutex<(VecDeque<Query>, bool)>,
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
                    while let Some(query) = queue.next() {
                        query.run(&connection);
                    }
                })
                .map_err(|error| {
                    Fault::unavailable("records.unavailable", "no thread can be started").detail(error.to_string())
                })?;
        }
        Ok(Self { queue })
    }

    pub(super) fn send(&self, query: Query) {
        self.queue.waiting.lock().unwrap_or_else(PoisonError::into_inner).0.push_back(query);
        self.queue.arrived.notify_one();
    }
}

impl Queue {
    fn next(&self) -> Option<Query> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(query) = waiting.0.pop_front() {
                return Some(query);
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
