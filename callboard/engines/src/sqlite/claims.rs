//! Who has which lane, in the writer's memory. In the file a lane that is taken has no time, so whoever looks for what is due
//! does not meet it; what was taken when the process died gets its time back at the next start.
//!
//! A message that finds its lane empty and a place free among those in work is taken by the transaction that stores it: it need
//! not be looked for, nor read again.

use callboard::ports::{Delivery, Envelope, Settle, TARGET_MAX};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Most messages that are taken as they are stored.
const READY_MAX: usize = 512;
/// Of so many messages that were stored last the text need not be read again,
const RECENT_MAX: usize = 2_048;
/// where it has at most so many bytes.
const RECENT_BYTES_MAX: usize = 4_096;
/// So many messages of a lane are taken one after another before it is the turn of others.
pub(super) const TURN: i64 = 16;

/// What is taken and waits to be fetched, shared with those who fetch it.
#[derive(Clone)]
pub(super) struct Ready(Arc<Mutex<Waiting>>);

struct Waiting {
    deliveries: VecDeque<Delivery>,
    /// Nothing that nobody has taken is due before this time; unknown where it is the beginning of time.
    quiet_until_ms: i64,
}

impl Ready {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Waiting { deliveries: VecDeque::new(), quiet_until_ms: i64::MIN })))
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fetches up to `limit` of what is taken already, and whether nothing else is due.
    pub(super) fn fetch(&self, limit: usize, busy: &[String], now_ms: i64) -> (Vec<Delivery>, bool) {
        let mut waiting = self.lock();
        let is_quiet = now_ms < waiting.quiet_until_ms;
        let mut fetched = Vec::with_capacity(limit.min(waiting.deliveries.len()));
        for _ in 0..waiting.deliveries.len() {
            if fetched.len() == limit {
                break;
            }
            let Some(delivery) = waiting.deliveries.pop_front() else { break };
            match busy.contains(&delivery.target) {
                true => waiting.deliveries.push_back(delivery),
                false => fetched.push(delivery),
            }
        }
        (fetched, is_quiet)
    }

    /// Puts back what was fetched by somebody who is gone.
    pub(super) fn put_back(&self, deliveries: Vec<Delivery>) {
        let mut waiting = self.lock();
        deliveries.into_iter().rev().for_each(|delivery| waiting.deliveries.push_front(delivery));
    }
}

/// Who has a lane, and which message is at its head.
#[derive(Clone, Copy)]
pub(super) struct Head {
    /// Number of the message in the log.
    pub(super) event: i64,
    /// Whether it stays in the log when it is settled.
    pub(super) is_event: bool,
}

struct Claim {
    epoch: i64,
    target: String,
    head: Head,
}

/// A claim that is being written.
pub(super) struct Fresh {
    pub(super) delivery: Delivery,
    pub(super) head: Head,
}

/// All claims of this process.
pub(super) struct Claims {
    taken: HashMap<i64, Claim>,
    /// How many lanes of a target are taken.
    by_target: HashMap<String, usize>,
    epoch: i64,
    fresh: Vec<Fresh>,
    ready: Ready,
    /// Whether somebody in this process fetches what is taken.
    is_attended: bool,
    /// Lanes that are free again, while the file could not be told.
    untold: Vec<i64>,
    /// Whether the present transaction tells the file of these.
    is_telling: bool,
    recent: Recent,
}

impl Claims {
    pub(super) fn new(ready: Ready) -> Self {
        Self {
            taken: HashMap::new(),
            by_target: HashMap::new(),
            epoch: 0,
            fresh: Vec::new(),
            ready,
            is_attended: false,
            untold: Vec::new(),
            is_telling: false,
            recent: Recent::default(),
        }
    }

    /// Whether this claim still holds.
    pub(super) fn has(&self, settle: Settle) -> bool {
        self.taken.get(&settle.lane).is_some_and(|claim| claim.epoch == settle.epoch)
    }

    /// The message that this claim is for, while it holds.
    pub(super) fn head(&self, settle: Settle) -> Option<Head> {
        self.taken.get(&settle.lane).filter(|claim| claim.epoch == settle.epoch).map(|claim| claim.head)
    }

    /// How many messages of a target are taken.
    pub(super) fn in_flight(&self, target: &str) -> usize {
        self.by_target.get(target).copied().unwrap_or_default()
    }

    /// How many of these have been fetched.
    pub(super) fn in_work(&self, target: &str) -> usize {
        let waiting = self.ready.lock().deliveries.iter().filter(|delivery| delivery.target == target).count();
        self.in_flight(target).saturating_sub(waiting)
    }

    /// A number for a claim, never given before in this process.
    pub(super) fn next_epoch(&mut self) -> i64 {
        self.epoch += 1;
        self.epoch
    }

    /// Somebody fetches from now on.
    pub(super) fn attend(&mut self) {
        self.is_attended = true;
    }

    /// Whether a message of this target that finds its lane empty may be taken at once: somebody fetches, there is room, and
    /// nothing waits whose turn it is.
    pub(super) fn may_take(&self, target: &str, now_ms: i64) -> bool {
        self.is_attended
            && self.taken.len() + self.fresh.len() < READY_MAX
            && self.in_flight(target) < TARGET_MAX
            && now_ms < self.ready.lock().quiet_until_ms
    }

    /// Whether the message behind one that settles may be taken at once: somebody fetches, and it is not the turn of others.
    pub(super) fn may_go_on(&self, settled: Settle, now_ms: i64) -> bool {
        self.is_attended && (settled.seq % TURN != 0 || now_ms < self.ready.lock().quiet_until_ms)
    }

    /// For whom the message of this claim is, while it holds.
    pub(super) fn target(&self, settle: Settle) -> Option<String> {
        self.taken.get(&settle.lane).filter(|claim| claim.epoch == settle.epoch).map(|claim| claim.target.clone())
    }

    /// Notes a claim that the present transaction writes.
    pub(super) fn take(&mut self, fresh: Fresh) {
        match self.by_target.get_mut(&fresh.delivery.target) {
            Some(count) => *count += 1,
            None => drop(self.by_target.insert(fresh.delivery.target.clone(), 1)),
        }
        self.fresh.push(fresh);
    }

    /// How many claims the present transaction has written so far.
    pub(super) fn mark(&self) -> usize {
        self.fresh.len()
    }

    /// A part of the transaction was taken back: forgets what it has claimed and stored.
    pub(super) fn back_to(&mut self, mark: usize) {
        for fresh in self.fresh.drain(mark..) {
            forget_one(&mut self.by_target, &fresh.delivery.target);
        }
        self.is_telling = false;
        self.changed();
    }

    /// The transaction is on the disk: its claims hold, and can be fetched.
    pub(super) fn commit(&mut self) {
        if std::mem::take(&mut self.is_telling) {
            self.untold.clear();
        }
        if self.fresh.is_empty() {
            return;
        }
        let mut waiting = self.ready.lock();
        for Fresh { delivery, head } in self.fresh.drain(..) {
            let claim = Claim { epoch: delivery.settle.epoch, target: delivery.target.clone(), head };
            // The message before it in its lane is settled by this very transaction.
            if let Some(settled) = self.taken.insert(delivery.settle.lane, claim) {
                forget_one(&mut self.by_target, &settled.target);
            }
            waiting.deliveries.push_back(delivery);
        }
    }

    /// Gives a lane free: its message is settled, or waits for its next attempt.
    pub(super) fn release(&mut self, settle: Settle) {
        if self.has(settle)
            && let Some(claim) = self.taken.remove(&settle.lane)
        {
            forget_one(&mut self.by_target, &claim.target);
        }
    }

    /// A lane is free, but the file still says that it is taken.
    pub(super) fn release_untold(&mut self, settle: Settle) {
        if self.has(settle) {
            self.untold.push(settle.lane);
            self.wake(i64::MIN);
        }
        self.release(settle);
    }

    /// Whether there are lanes that are free, while the file could not be told.
    pub(super) fn has_untold(&self) -> bool {
        !self.untold.is_empty()
    }

    /// Lanes that are free, of which the present transaction tells the file.
    pub(super) fn tell(&mut self) -> &[i64] {
        self.is_telling = true;
        &self.untold
    }

    /// Something that nobody has taken is due at this time.
    pub(super) fn wake(&self, at_ms: i64) {
        let mut waiting = self.ready.lock();
        waiting.quiet_until_ms = waiting.quiet_until_ms.min(at_ms);
    }

    /// Nothing that nobody has taken is due before this time.
    pub(super) fn quiet_until(&self, at_ms: i64) {
        self.ready.lock().quiet_until_ms = at_ms;
    }

    /// Something was changed beside the kernel: anything may be due, and stored anew.
    pub(super) fn changed(&mut self) {
        self.recent = Recent::default();
        self.wake(i64::MIN);
    }

    /// What was stored last.
    pub(super) fn recent(&mut self) -> &mut Recent {
        &mut self.recent
    }
}

fn forget_one(by_target: &mut HashMap<String, usize>, target: &str) {
    if let Some(count) = by_target.get_mut(target) {
        *count -= 1;
    }
}

/// Messages that were stored last, by their number in the log.
#[derive(Default)]
pub(super) struct Recent {
    envelopes: HashMap<i64, Arc<Envelope>>,
    order: VecDeque<i64>,
}

impl Recent {
    /// Keeps a message whose text has so many bytes, unless that is too much.
    pub(super) fn keep(&mut self, event: i64, envelope: &Arc<Envelope>, bytes: usize) {
        if bytes > RECENT_BYTES_MAX {
            // The number of a message that is gone may be given again.
            self.envelopes.remove(&event);
            return;
        }
        self.envelopes.insert(event, envelope.clone());
        self.order.push_back(event);
        if self.order.len() > RECENT_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.envelopes.remove(&oldest);
        }
    }

    pub(super) fn find(&self, event: i64) -> Option<Arc<Envelope>> {
        self.envelopes.get(&event).cloned()
    }
}
