//! What waits for the writer. Writes come in groups that share one sync; none waits for others in vain for long.

use super::writer::Job;
use std::collections::VecDeque;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

/// Most writes in one transaction.
pub(super) const GROUP_MAX: usize = 256;
/// Most writes under one savepoint.
const RUN_MAX: usize = 32;
/// Longest wait for writes that are likely to come.
const PATIENCE_MAX: Duration = Duration::from_micros(500);

/// The receiving end of the jobs.
pub(super) struct Inbox {
    jobs: Receiver<Job>,
    writes: VecDeque<Job>,
    reads: Vec<Job>,
    claims: VecDeque<Job>,
    /// How many writes the callers in flight are likely to make a group of.
    expected: usize,
    /// Until when they are worth waiting for.
    until: Instant,
}

impl Inbox {
    pub(super) fn new(jobs: Receiver<Job>) -> Self {
        Self {
            jobs,
            writes: VecDeque::new(),
            reads: Vec::new(),
            claims: VecDeque::new(),
            expected: 1,
            until: Instant::now(),
        }
    }

    /// Waits until there is something to do; false when nobody can send any more.
    pub(super) fn wait(&mut self) -> bool {
        loop {
            self.receive();
            if !self.writes.is_empty() || !self.reads.is_empty() || !self.claims.is_empty() {
                return true;
            }
            if self.expected > 1 && Instant::now() < self.until {
                // Somebody comes in a moment: sooner than a thread that sleeps could be woken.
                std::thread::yield_now();
                continue;
            }
            match self.jobs.recv() {
                Ok(job) => self.sort(job),
                Err(_) => return false,
            }
        }
    }

    /// Whether the write that waits is the only one, and no other is likely to come.
    pub(super) fn is_lone(&self) -> bool {
        self.writes.len() == 1 && (self.expected <= 1 || Instant::now() >= self.until)
    }

    /// Whether none of the writes that wait need wait for the disk, and all come from one lane. Among others they share their
    /// group: one for all costs less than two.
    pub(super) fn is_passing(&self) -> bool {
        let lane = |job: &Job| job.as_commit().and_then(|commit| commit.settle).map(|settle| settle.lane);
        let is_of_one =
            self.writes.iter().all(|job| job.is_passing() && lane(job) == self.writes.front().and_then(lane));
        is_of_one && (self.writes.len() > 1 || self.is_lone())
    }

    /// How many writes wait.
    pub(super) fn len(&self) -> usize {
        self.writes.len()
    }

    /// The next write of a group of at most so many, of which so many are done; none when it is time to sync.
    pub(super) fn next_write(&mut self, done: usize, most: usize) -> Option<Job> {
        if done >= most {
            return None;
        }
        loop {
            if let Some(job) = self.writes.pop_front() {
                return Some(job);
            }
            self.receive();
            if self.writes.is_empty() {
                // Who claims has more to write only afterwards.
                if done >= self.expected || !self.claims.is_empty() || Instant::now() >= self.until {
                    return None;
                }
                std::thread::yield_now();
            }
        }
    }

    /// A commit of a group with the commits behind it.
    pub(super) fn with_commits_behind(&mut self, first: Job) -> Vec<Job> {
        let mut run = vec![first];
        let behind = self.writes.iter().take(RUN_MAX - 1).take_while(|job| job.as_commit().is_some()).count();
        run.extend(self.writes.drain(..behind));
        run
    }

    /// Everything else that waits and does not write.
    pub(super) fn take_reads(&mut self) -> Vec<Job> {
        std::mem::take(&mut self.reads)
    }

    /// The next claim that waits.
    pub(super) fn next_claim(&mut self) -> Option<Job> {
        self.claims.pop_front()
    }

    pub(super) fn has_writes(&self) -> bool {
        !self.writes.is_empty()
    }

    /// Hears that so many writes are about to be answered, and how long their sync took. Callers who write again and again
    /// come back in a moment, beside those who wait already. To sync for only half of them each time would take twice the
    /// syncs, so the next group waits for them, but not longer than a sync takes.
    pub(super) fn before_answers(&mut self, count: usize, sync_time: Duration) {
        self.receive();
        self.expected = count + self.writes.len();
        self.until = Instant::now() + sync_time.min(PATIENCE_MAX);
    }

    fn receive(&mut self) {
        while let Ok(job) = self.jobs.try_recv() {
            self.sort(job);
        }
    }

    fn sort(&mut self, job: Job) {
        match job {
            Job::Claim { .. } => self.claims.push_back(job),
            _ if job.is_write() => self.writes.push_back(job),
            _ => self.reads.push(job),
        }
    }
}
