//! Who has which lane, in the writer's memory. In the file a lane that is taken has no time, so whoever looks for what is due
//! does not meet it; what was taken when the process died gets its time back at the next start.
//!
//! A message that finds its lane empty and a place free among those in work is taken by the transaction that stores it: it need
//! not be looked for, nor read again. Of a lane those behind the first are taken with it, up to the end of its turn.

use callboard::Space;
use callboard::ports::{Delivery, Envelope, Settle, TARGET_MAX};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Most messages that are taken as they are stored.
const READY_MAX: usize = 2_048;
/// So many messages of a target are in work at once where it only decides: it is brief, and the more there are, the more share one
/// wait for the disk.
const BRIEF_MAX: usize = 4 * TARGET_MAX;
/// Of so many messages that were stored last the text need not be read again,
const RECENT_MAX: usize = 2_048;
/// where it has at most so many bytes.
const RECENT_BYTES_MAX: usize = 4_096;
/// Most bytes of the text of a message that is taken before it is at the head of its lane.
pub(super) const BEHIND_BYTES_MAX: usize = RECENT_BYTES_MAX;
/// So many messages of a lane are taken one after another before it is the turn of others.
pub(super) const TURN: i64 = 16;

/// Most messages of a target in work at once.
pub(super) fn at_once(space: &Space, target: &str) -> usize {
    if space.decides_only(target) { BRIEF_MAX } else { TARGET_MAX }
}

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

    /// Fetches what is taken already of up to `limit` lanes, and whether nothing else is due.
    pub(super) fn fetch(&self, limit: usize, busy: &[String], now_ms: i64) -> (Vec<Delivery>, bool) {
        let mut waiting = self.lock();
        let is_quiet = now_ms < waiting.quiet_until_ms;
        let mut fetched: Vec<Delivery> = Vec::with_capacity(limit.min(waiting.deliveries.len()));
        let mut lanes = 0;
        for _ in 0..waiting.deliveries.len() {
            let Some(delivery) = waiting.deliveries.pop_front() else { break };
            let is_behind = fetched.last().is_some_and(|last| last.settle.lane == delivery.settle.lane);
            if busy.contains(&delivery.target) {
                waiting.deliveries.push_back(delivery);
            } else if is_behind || lanes < limit {
                lanes += usize::from(!is_behind);
                fetched.push(delivery);
            } else {
                waiting.deliveries.push_front(delivery);
                break;
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

/// A message that is taken.
#[derive(Clone, Copy)]
pub(super) struct Head {
    /// Number of the message in the log.
    pub(super) event: i64,
    /// Whether it stays in the log when it is settled.
    pub(super) is_event: bool,
}

/// Who has a lane: the message at its head and those behind it that were taken with it.
struct Claim {
    epoch: i64,
    target: String,
    /// Place of the message at the head.
    seq: i64,
    head: Head,
    behind: VecDeque<Head>,
}

/// A claim that is being written.
pub(super) struct Fresh {
    pub(super) delivery: Delivery,
    pub(super) head: Head,
    /// What is taken with it, in the order of the lane.
    pub(super) behind: Vec<(Delivery, Head)>,
}

/// A message of a claim that holds.
#[derive(Clone, Copy)]
pub(super) struct Held {
    pub(super) head: Head,
    /// Whether none was taken behind it.
    pub(super) is_last: bool,
}

/// All claims of this process.
pub(super) struct Claims {
    space: Arc<Space>,
    taken: HashMap<i64, Claim>,
    /// How many lanes of a target are taken.
    by_target: HashMap<String, usize>,
    epoch: i64,
    fresh: Vec<Fresh>,
    /// How many lanes of a target the present transaction gives free.
    freed: HashMap<String, usize>,
    /// When it did so last, in Unix milliseconds.
    freed_ms: i64,
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
    pub(super) fn new(space: Arc<Space>, ready: Ready) -> Self {
        Self {
            space,
            taken: HashMap::new(),
            by_target: HashMap::new(),
            epoch: 0,
            fresh: Vec::new(),
            freed: HashMap::new(),
            freed_ms: i64::MIN,
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

    /// Whether this claim still holds, and the message is next in its lane.
    pub(super) fn is_next(&self, settle: Settle) -> bool {
        self.taken.get(&settle.lane).is_some_and(|claim| claim.epoch == settle.epoch && claim.seq == settle.seq)
    }

    /// The message that this claim is for, while it holds.
    pub(super) fn held(&self, settle: Settle) -> Option<Held> {
        let claim = self.taken.get(&settle.lane).filter(|claim| claim.epoch == settle.epoch)?;
        let place = usize::try_from(settle.seq - claim.seq).ok()?;
        let head = place.checked_sub(1).map_or(Some(&claim.head), |behind| claim.behind.get(behind));
        Some(Held { head: *head?, is_last: place == claim.behind.len() })
    }

    /// How many messages of a target are taken.
    pub(super) fn in_flight(&self, target: &str) -> usize {
        self.by_target.get(target).copied().unwrap_or_default()
    }

    /// How many of these have been fetched.
    pub(super) fn in_work(&self, target: &str) -> usize {
        let of_target = |delivery: &&Delivery| delivery.target == target;
        let lane = |delivery: &Delivery| delivery.settle.lane;
        let mut waiting: Vec<i64> = self.ready.lock().deliveries.iter().filter(of_target).map(lane).collect();
        waiting.dedup();
        self.in_flight(target).saturating_sub(waiting.len())
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
            && self.in_flight(target) < at_once(&self.space, target)
            && now_ms < self.ready.lock().quiet_until_ms
    }

    /// Whether the message behind one that settles may be taken at once: somebody fetches, and it is not the turn of others.
    pub(super) fn may_go_on(&self, settled: Settle, now_ms: i64) -> bool {
        self.is_attended && (settled.seq % TURN != 0 || now_ms < self.ready.lock().quiet_until_ms)
    }

    /// The present transaction gives a lane free.
    pub(super) fn free(&mut self, settle: Settle, now_ms: i64) {
        self.freed_ms = now_ms;
        let Some(claim) = self.taken.get(&settle.lane) else { return };
        match self.freed.get_mut(&claim.target) {
            Some(count) => *count += 1,
            None => drop(self.freed.insert(claim.target.clone(), 1)),
        }
    }

    /// Whether the present transaction gives any lane free.
    pub(super) fn has_freed(&self) -> bool {
        self.freed.values().any(|count| *count > 0)
    }

    /// How many lanes of each target may be taken in place of those that the present transaction gives free: as many, where somebody
    /// fetches, something may be due, and there is room for other targets. And what time it is.
    pub(super) fn take_freed(&mut self) -> (Vec<(String, usize)>, i64) {
        let freed = self.freed.iter_mut().filter(|(_, count)| **count > 0);
        let freed = freed.map(|(target, count)| (target.clone(), std::mem::take(count))).collect();
        let has_room = self.taken.len() + self.fresh.len() < READY_MAX / 2;
        let may_take = self.is_attended && has_room && self.freed_ms >= self.ready.lock().quiet_until_ms;
        (if may_take { freed } else { Vec::new() }, self.freed_ms)
    }

    /// For whom the messages of this claim are, while it holds.
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
        self.freed.clear();
        self.is_telling = false;
        self.changed();
    }

    /// The transaction is on the disk: its claims hold, and can be fetched.
    pub(super) fn commit(&mut self) {
        if std::mem::take(&mut self.is_telling) {
            self.untold.clear();
        }
        self.freed.values_mut().for_each(|count| *count = 0);
        if self.fresh.is_empty() {
            return;
        }
        let mut waiting = self.ready.lock();
        for Fresh { delivery, head, behind } in self.fresh.drain(..) {
            let Settle { seq, epoch, .. } = delivery.settle;
            let heads = behind.iter().map(|(_, head)| *head).collect();
            let claim = Claim { epoch, target: delivery.target.clone(), seq, head, behind: heads };
            // The message before it in its lane is settled by this very transaction.
            if let Some(settled) = self.taken.insert(delivery.settle.lane, claim) {
                forget_one(&mut self.by_target, &settled.target);
            }
            waiting.deliveries.push_back(delivery);
            waiting.deliveries.extend(behind.into_iter().map(|(delivery, _)| delivery));
        }
    }

    /// A message is settled: the one behind it is next, or its lane is free.
    pub(super) fn go_on(&mut self, settled: Settle) {
        let Some(claim) = self.taken.get_mut(&settled.lane) else { return };
        if (claim.epoch, claim.seq) != (settled.epoch, settled.seq) {
            return;
        }
        match claim.behind.pop_front() {
            Some(next) => (claim.seq, claim.head) = (claim.seq + 1, next),
            None => self.release(settled),
        }
    }

    /// What was taken behind a message that is next in its lane is not any more.
    pub(super) fn drop_behind(&mut self, settle: Settle) {
        if self.has(settle)
            && let Some(claim) = self.taken.get_mut(&settle.lane)
        {
            claim.behind.clear();
        }
    }

    /// Gives a lane free, whatever was taken of it.
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
