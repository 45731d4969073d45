//! The last invocations of this process, in a ring of memory that does not grow.

use super::{Capture, Invocation, Observer, Recorder};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many invocations are kept unless somebody says otherwise.
const KEPT: usize = 4096;

/// What the host knows of invocations.
pub(crate) struct Log {
    /// Spans of this process differ from those of others by this.
    seed: u64,
    begun_ms: i64,
    spans: AtomicU64,
    pub(super) observers: Vec<Arc<dyn Observer>>,
    pub(crate) capture: Option<Capture>,
    ring: Mutex<Ring>,
}

struct Ring {
    kept: VecDeque<Box<Invocation>>,
    next: u64,
}

impl Log {
    pub(crate) fn new(seed: u64, begun_ms: i64, observers: Vec<Arc<dyn Observer>>, capture: Option<Capture>) -> Self {
        let ring = Mutex::new(Ring { kept: VecDeque::new(), next: 1 });
        Self { seed, begun_ms, spans: AtomicU64::new(0), observers, capture, ring }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new span, never 0: a counter, mixed so that spans of several processes do not meet.
    pub(super) fn span(&self) -> u64 {
        let count = self.spans.fetch_add(1, Ordering::Relaxed);
        let mut mixed = self.seed.wrapping_add(count.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).max(1)
    }

    /// Keeps what has ended.
    pub(super) fn keep(&self, mut invocation: Box<Invocation>) {
        for observer in &self.observers {
            observer.ended(&invocation);
        }
        let mut ring = self.ring();
        invocation.seq = ring.next;
        ring.next += 1;
        if ring.kept.len() == KEPT {
            // Of what was kept the memory is freed behind the lock.
            let oldest = ring.kept.pop_front();
            ring.kept.push_back(invocation);
            drop(ring);
            drop(oldest);
        } else {
            ring.kept.push_back(invocation);
        }
    }

    /// The place of the newest; 0 where there is none.
    pub(crate) fn newest(&self) -> u64 {
        self.ring().next - 1
    }

    /// Who keeps what is captured.
    pub(crate) fn recorder(&self) -> Option<&Arc<dyn Recorder>> {
        self.capture.as_ref().map(|capture| &capture.recorder)
    }

    /// When this process began, in Unix milliseconds.
    pub(crate) fn begun_ms(&self) -> i64 {
        self.begun_ms
    }

    /// Those that fit, the newest first.
    pub(crate) fn find(&self, fits: impl Fn(&Invocation) -> bool, limit: usize) -> Vec<Invocation> {
        self.ring().kept.iter().rev().map(|one| &**one).filter(|one| fits(one)).take(limit).cloned().collect()
    }
}
