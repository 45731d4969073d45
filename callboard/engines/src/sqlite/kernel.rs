//! The kernel inside a transaction: a commit with its expectations and messages, claim, settle, and what becomes of a failure.

use super::connection::fault;
use super::{dead, flows, once, outbox, statement};
use callboard::ports::{Commit, CommitError, Committed, Delivery, Entropy, Envelope, Fate, Settle, TARGET_MAX};
use callboard::{Fault, Otherwise, Space, Statement, fill_slots};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// State of the writer beside the tables: which lanes are claimed, and which statements may run.
pub(super) struct Kernel {
    pub(super) space: Arc<Space>,
    pub(super) entropy: Arc<dyn Entropy>,
    claimed: HashMap<i64, Claim>,
    /// How many lanes of a target are claimed.
    by_target: HashMap<String, usize>,
    epoch: i64,
    allowed: HashSet<(&'static str, usize)>,
}

/// Who has a lane.
struct Claim {
    epoch: i64,
    target: String,
}

fn address(statement: &'static Statement) -> usize {
    std::ptr::from_ref(statement).addr()
}

impl Kernel {
    pub(super) fn new(space: Arc<Space>, entropy: Arc<dyn Entropy>) -> Self {
        let own =
            space.services.iter().flat_map(|service| service.statements.iter().map(|one| (service.name, address(one))));
        let allowed = own.collect();
        Self { space, entropy, claimed: HashMap::new(), by_target: HashMap::new(), epoch: 0, allowed }
    }

    /// Does everything of a commit; the caller's transaction or savepoint makes it all or nothing.
    pub(super) fn commit(&mut self, connection: &Connection, mut commit: Commit) -> Result<Committed, CommitError> {
        if let Some(settle) = commit.settle
            && !(self.has(settle)
                && settle_message(connection, settle, commit.now_ms).map_err(|error| fault(&error))?)
        {
            return Err(CommitError::Stale);
        }
        let committed = self.write(connection, &commit)?;
        if commit.effects.has_slots() {
            for out in &mut commit.outbox {
                fill_slots(&mut out.envelope.data, &|at, column| committed.value(at, column));
            }
        }
        if let Some(mut once) = commit.once.take() {
            if let Some(answer) = &mut once.answer {
                fill_slots(answer, &|at, column| committed.value(at, column));
            }
            if !once::remember(connection, &once, commit.now_ms).map_err(|error| fault(&error))? {
                return Err(CommitError::Seen);
            }
        }
        let mut outbox = std::mem::take(&mut commit.outbox);
        for step in std::mem::take(&mut commit.moves) {
            outbox.extend(flows::apply(self, connection, &commit, step)?);
        }
        outbox::enqueue(connection, outbox, commit.now_ms).map_err(|error| fault(&error))?;
        Ok(committed)
    }

    /// Whether this claim still holds.
    pub(super) fn has(&self, settle: Settle) -> bool {
        self.claimed.get(&settle.lane).is_some_and(|claim| claim.epoch == settle.epoch)
    }

    fn write(&self, connection: &Connection, commit: &Commit) -> Result<Committed, CommitError> {
        let mut committed = Committed::default();
        for write in &commit.effects.writes {
            if !self.allowed.contains(&(commit.service, address(write.statement))) {
                let message = format!(
                    "statement {} is not listed in `Service::statements` of {}",
                    write.statement.name, commit.service
                );
                return Err(Fault::bug(message).into());
            }
            let ran =
                statement::run(connection, write.statement, &commit.head.tenant, &write.params).map_err(|error| {
                    let detail = format!("statement {}: {error}", write.statement.name);
                    fault(&error).detail(detail)
                })?;
            if !write.expect.contains(&ran.changed) {
                return Err(match &write.otherwise {
                    Otherwise::Refuse(fault) => CommitError::Refused(Box::new(fault.clone())),
                    Otherwise::Retry => CommitError::Retry,
                });
            }
            committed.returned.push(ran.rows);
        }
        Ok(committed)
    }

    /// Takes the next message of up to `limit` lanes that are due and that nobody has taken, and counts the attempts.
    pub(super) fn claim(
        &mut self,
        connection: &Connection,
        limit: usize,
        busy: &[String],
        now_ms: i64,
    ) -> rusqlite::Result<Vec<Delivery>> {
        let mut due = Vec::new();
        for (target, due_ms) in waiting_targets(connection)? {
            if due_ms <= now_ms && !busy.contains(&target) {
                due.push((due_ms, self.free_lanes(connection, &target, limit.min(TARGET_MAX), now_ms)?, target));
            }
        }
        due.sort_by_key(|(due_ms, ..)| *due_ms);
        // Targets take turns, so one with a long queue does not keep the others waiting.
        let turns = (0..TARGET_MAX).flat_map(|turn| {
            due.iter().filter_map(move |(_, lanes, target)| lanes.get(turn).map(|lane| (*lane, target)))
        });
        let mut deliveries = Vec::new();
        for (lane, target) in turns.take(limit) {
            let (settle, attempt, envelope) = take(connection, lane, self.epoch + 1)?;
            self.epoch += 1;
            deliveries.push(Delivery { settle, target: target.clone(), attempt, envelope });
        }
        Ok(deliveries)
    }

    /// Notes who has the lanes, once that is committed.
    pub(super) fn claimed(&mut self, deliveries: &[Delivery]) {
        for Delivery { settle, target, .. } in deliveries {
            *self.by_target.entry(target.clone()).or_default() += 1;
            self.claimed.insert(settle.lane, Claim { epoch: settle.epoch, target: target.clone() });
        }
    }

    /// Lanes of a target that are due and that nobody has taken, the oldest first.
    fn free_lanes(
        &self,
        connection: &Connection,
        target: &str,
        limit: usize,
        until_ms: i64,
    ) -> rusqlite::Result<Vec<i64>> {
        let most = i64::try_from(limit + self.in_flight(target)).unwrap_or(i64::MAX);
        let mut select = connection.prepare_cached(
            "SELECT lane FROM kernel_lane INDEXED BY kernel_lane_due WHERE target = ?1 AND due_ms <= ?2 ORDER BY due_ms LIMIT ?3",
        )?;
        let lanes = select.query_map(params![target, until_ms, most], |row| row.get(0))?;
        let free = lanes.filter(|lane| lane.as_ref().map_or(true, |lane| !self.claimed.contains_key(lane)));
        free.take(limit).collect()
    }

    /// How many messages of a target are in work.
    pub(super) fn in_flight(&self, target: &str) -> usize {
        self.by_target.get(target).copied().unwrap_or_default()
    }

    /// When the next message is due that nobody has taken.
    pub(super) fn next_due(&self, connection: &Connection, busy: &[String]) -> rusqlite::Result<Option<i64>> {
        let mut next = None;
        for (target, _) in waiting_targets(connection)? {
            if busy.contains(&target) {
                continue;
            }
            if let Some(lane) = self.free_lanes(connection, &target, 1, i64::MAX)?.first() {
                let due_ms: Option<i64> = connection
                    .prepare_cached("SELECT due_ms FROM kernel_lane WHERE lane = ?1")?
                    .query_row([lane], |row| row.get(0))?;
                next = next.into_iter().chain(due_ms).min();
            }
        }
        Ok(next)
    }

    /// What becomes of a claimed message that was not settled.
    pub(super) fn fail(
        &self,
        connection: &Connection,
        settle: Settle,
        fate: &Fate,
        now_ms: i64,
    ) -> rusqlite::Result<()> {
        match fate {
            Fate::Release if !self.has(settle) => Ok(()),
            _ if !self.has(settle) => outbox::note_stale(connection, settle, now_ms),
            Fate::Retry { at_ms } => connection
                .prepare_cached("UPDATE kernel_lane SET due_ms = ?2 WHERE lane = ?1")?
                .execute(params![settle.lane, at_ms])
                .map(drop),
            Fate::Release => connection
                .prepare_cached("UPDATE kernel_lane SET attempts = max(attempts - 1, 0) WHERE lane = ?1")?
                .execute([settle.lane])
                .map(drop),
            Fate::Bury { reason, hold } => {
                dead::bury(connection, settle, reason, *hold, now_ms)?;
                if *hold {
                    return Ok(());
                }
                settle_message(connection, settle, now_ms).map(drop)
            }
        }
    }

    /// Gives a lane free: its message is settled, or waits for its next attempt.
    pub(super) fn release(&mut self, settle: Settle) {
        if self.has(settle)
            && let Some(claim) = self.claimed.remove(&settle.lane)
            && let Some(count) = self.by_target.get_mut(&claim.target)
        {
            *count -= 1;
        }
    }

    pub(super) fn random(&self) -> [u8; 10] {
        let mut bytes = [0; 10];
        self.entropy.fill(&mut bytes);
        bytes
    }
}

/// Every target that has a lane with a time, and the earliest of these times: one step through the index for each.
fn waiting_targets(connection: &Connection) -> rusqlite::Result<Vec<(String, i64)>> {
    let mut select = connection.prepare_cached(
        "SELECT target, due_ms FROM kernel_lane INDEXED BY kernel_lane_due
         WHERE due_ms IS NOT NULL AND target > ?1 ORDER BY target, due_ms LIMIT 1",
    )?;
    let mut found: Vec<(String, i64)> = Vec::new();
    loop {
        let last = found.last().map_or("", |(target, _)| target);
        match select.query_row([last], |row| Ok((row.get(0)?, row.get(1)?))).optional()? {
            Some(next) => found.push(next),
            None => return Ok(found),
        }
    }
}

/// Takes the message at the head of a lane.
fn take(connection: &Connection, lane: i64, epoch: i64) -> rusqlite::Result<(Settle, u32, Envelope)> {
    let (seq, attempts) = connection
        .prepare_cached("UPDATE kernel_lane SET attempts = attempts + 1 WHERE lane = ?1 RETURNING head, attempts")?
        .query_row([lane], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let text: String = connection
        .prepare_cached(
            "SELECT e.envelope FROM kernel_message m JOIN kernel_event e ON e.event = m.event WHERE m.lane = ?1 AND m.seq = ?2",
        )?
        .query_row(params![lane, seq], |row| row.get(0))?;
    Ok((Settle { lane, seq, epoch }, attempts, outbox::read(&text)?))
}

/// Removes the message at the head of its lane; false where it is not there any more.
pub(super) fn settle_message(connection: &Connection, settle: Settle, now_ms: i64) -> rusqlite::Result<bool> {
    let mut delete = connection.prepare_cached(
        "DELETE FROM kernel_message WHERE lane = ?1 AND seq = ?2 AND seq = (SELECT head FROM kernel_lane WHERE lane = ?1) RETURNING event",
    )?;
    let Some(event) = delete.query_row(params![settle.lane, settle.seq], |row| row.get::<_, i64>(0)).optional()? else {
        return Ok(false);
    };
    connection.prepare_cached("DELETE FROM kernel_event WHERE event = ?1 AND is_event = 0")?.execute([event])?;
    // An idle lane is removed at once; AUTOINCREMENT never gives its number again.
    let idle = connection
        .prepare_cached("DELETE FROM kernel_lane WHERE lane = ?1 AND tail = head + 1")?
        .execute([settle.lane])?;
    if idle == 0 {
        connection
            .prepare_cached(
                "UPDATE kernel_lane SET head = head + 1, attempts = 0, is_held = 0, due_ms = ?2 WHERE lane = ?1",
            )?
            .execute(params![settle.lane, now_ms])?;
    }
    Ok(true)
}
