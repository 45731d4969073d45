//! The kernel inside a transaction: a commit with its expectations and messages, claim, settle, and what becomes of a failure.

use super::claims::{Claims, Fresh, Head, Ready};
use super::connection::fault;
use super::{dead, flows, once, outbox, statement};
use callboard::ports::{Commit, CommitError, Committed, Delivery, Entropy, Fate, Settle, TARGET_MAX};
use callboard::{Fault, Otherwise, Space, Statement};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashSet;
use std::sync::Arc;

/// State of the writer beside the tables: which lanes are taken, and which statements may run.
pub(super) struct Kernel {
    pub(super) space: Arc<Space>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) claims: Claims,
    allowed: HashSet<(&'static str, usize)>,
}

fn address(statement: &'static Statement) -> usize {
    std::ptr::from_ref(statement).addr()
}

impl Kernel {
    pub(super) fn new(space: Arc<Space>, entropy: Arc<dyn Entropy>, ready: Ready) -> Self {
        let own =
            space.services.iter().flat_map(|service| service.statements.iter().map(|one| (service.name, address(one))));
        let allowed = own.collect();
        Self { space, entropy, claims: Claims::new(ready), allowed }
    }

    /// Does everything of a commit; the caller's transaction or savepoint makes it all or nothing.
    pub(super) fn commit(&mut self, connection: &Connection, mut commit: Commit) -> Result<Committed, CommitError> {
        if let Some(settle) = commit.settle
            && !self.settle(connection, settle, commit.now_ms).map_err(|error| fault(&error))?
        {
            return Err(CommitError::Stale);
        }
        let committed = self.write(connection, &commit)?;
        if let Some(once) = commit.filled_once(&committed)
            && !once::remember(connection, &once, commit.now_ms).map_err(|error| fault(&error))?
        {
            return Err(CommitError::Seen);
        }
        let mut outbox = commit.filled_outbox(&committed).into_owned();
        for step in std::mem::take(&mut commit.moves) {
            outbox.extend(flows::apply(self, connection, &commit, step)?);
        }
        outbox::enqueue(connection, &mut self.claims, outbox, commit.now_ms).map_err(|error| fault(&error))?;
        Ok(committed)
    }

    /// Removes a message whose claim holds; false where it does not, or where the message is not there any more.
    fn settle(&self, connection: &Connection, settle: Settle, now_ms: i64) -> rusqlite::Result<bool> {
        let Some(head) = self.claims.head(settle) else { return Ok(false) };
        let mut delete = connection.prepare_cached("DELETE FROM kernel_message WHERE lane = ?1 AND seq = ?2")?;
        if delete.execute([settle.lane, settle.seq])? == 0 {
            return Ok(false);
        }
        if !head.is_event {
            connection.prepare_cached("DELETE FROM kernel_event WHERE event = ?1")?.execute([head.event])?;
        }
        if next_message(connection, settle.lane, now_ms)? {
            self.claims.wake(now_ms);
        }
        Ok(true)
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

    /// Takes the next message of up to `limit` lanes that are due and that nobody has taken, and counts the attempts. So many
    /// messages of a target are `fetched` already.
    pub(super) fn claim(
        &mut self,
        connection: &Connection,
        limit: usize,
        busy: &[String],
        fetched: &[Delivery],
        now_ms: i64,
    ) -> rusqlite::Result<()> {
        self.claims.attend();
        self.tell(connection, now_ms)?;
        let (mut due, mut next_ms) = (Vec::new(), i64::MAX);
        for (target, due_ms) in waiting_targets(connection)? {
            let most = TARGET_MAX - fetched.iter().filter(|one| one.target == target).count().min(TARGET_MAX);
            let is_taken = due_ms <= now_ms && most > 0 && !busy.contains(&target);
            if is_taken {
                due.push((due_ms, free_lanes(connection, &target, limit.min(most), now_ms)?, target));
            } else {
                next_ms = next_ms.min(due_ms);
            }
        }
        due.sort_by_key(|(due_ms, ..)| *due_ms);
        // Targets take turns, so one with a long queue does not keep the others waiting.
        let turns = (0..TARGET_MAX).flat_map(|turn| {
            due.iter().filter_map(move |(_, lanes, target)| lanes.get(turn).map(|lane| (*lane, target)))
        });
        for (lane, target) in turns.take(limit) {
            self.take(connection, lane, target)?;
        }
        for (_, _, target) in &due {
            next_ms = next_ms.min(first_due(connection, target)?.unwrap_or(i64::MAX));
        }
        self.claims.quiet_until(next_ms);
        Ok(())
    }

    /// Whether there is something to take. Where there is not, it is noted when there will be.
    pub(super) fn has_due(&mut self, connection: &Connection, busy: &[String], now_ms: i64) -> rusqlite::Result<bool> {
        self.claims.attend();
        let waiting = waiting_targets(connection)?;
        if waiting.iter().any(|(target, due_ms)| *due_ms <= now_ms && !busy.contains(target))
            || self.claims.has_untold()
        {
            return Ok(true);
        }
        self.claims.quiet_until(waiting.iter().map(|(_, due_ms)| *due_ms).min().unwrap_or(i64::MAX));
        Ok(false)
    }

    /// Takes the message at the head of a lane.
    fn take(&mut self, connection: &Connection, lane: i64, target: &str) -> rusqlite::Result<()> {
        let (seq, attempts, event, is_event) = connection
            .prepare_cached(
                "SELECT l.head, l.attempts + 1, m.event, e.is_event FROM kernel_lane l
                 JOIN kernel_message m ON m.lane = l.lane AND m.seq = l.head JOIN kernel_event e ON e.event = m.event WHERE l.lane = ?1",
            )?
            .query_row([lane], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
        connection
            .prepare_cached("UPDATE kernel_lane SET attempts = attempts + 1, due_ms = NULL WHERE lane = ?1")?
            .execute([lane])?;
        let envelope = match self.claims.recent().find(event) {
            Some(envelope) => envelope,
            None => {
                let text: String = connection
                    .prepare_cached("SELECT envelope FROM kernel_event WHERE event = ?1")?
                    .query_row([event], |row| row.get(0))?;
                let envelope = Arc::new(outbox::read(&text)?);
                self.claims.recent().keep(event, &envelope, text.len());
                envelope
            }
        };
        let settle = Settle { lane, seq, epoch: self.claims.next_epoch() };
        let delivery = Delivery { settle, target: target.to_owned(), attempt: attempts, envelope };
        self.claims.take(Fresh { delivery, head: Head { event, is_event } });
        Ok(())
    }

    /// Tells the file of lanes that are free, where it could not be told before.
    fn tell(&mut self, connection: &Connection, now_ms: i64) -> rusqlite::Result<()> {
        for lane in self.claims.tell() {
            connection
                .prepare_cached(
                    "UPDATE kernel_lane SET due_ms = ?2 WHERE lane = ?1 AND due_ms IS NULL AND is_held = 0",
                )?
                .execute(params![lane, now_ms])?;
        }
        Ok(())
    }

    /// When the next message is due that nobody has taken.
    pub(super) fn next_due(&self, connection: &Connection, busy: &[String]) -> rusqlite::Result<Option<i64>> {
        let waiting = waiting_targets(connection)?;
        Ok(waiting.into_iter().filter(|(target, _)| !busy.contains(target)).map(|(_, due_ms)| due_ms).min())
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
            Fate::Release if !self.claims.has(settle) => Ok(()),
            _ if !self.claims.has(settle) => outbox::note_stale(connection, settle, now_ms),
            Fate::Retry { at_ms } => {
                self.claims.wake(*at_ms);
                connection
                    .prepare_cached("UPDATE kernel_lane SET due_ms = ?2 WHERE lane = ?1")?
                    .execute(params![settle.lane, at_ms])
                    .map(drop)
            }
            Fate::Release => {
                self.claims.wake(now_ms);
                give_back(connection, settle.lane, now_ms)
            }
            Fate::Bury { reason, hold } => {
                dead::bury(connection, settle, reason, *hold, now_ms)?;
                if *hold {
                    return Ok(());
                }
                self.settle(connection, settle, now_ms).map(drop)
            }
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

/// When the first lane of a target is due that nobody has taken.
fn first_due(connection: &Connection, target: &str) -> rusqlite::Result<Option<i64>> {
    let mut select = connection.prepare_cached(
        "SELECT due_ms FROM kernel_lane INDEXED BY kernel_lane_due
         WHERE target = ?1 AND due_ms IS NOT NULL ORDER BY due_ms LIMIT 1",
    )?;
    select.query_row([target], |row| row.get(0)).optional()
}

/// Lanes of a target that are due and that nobody has taken, the oldest first.
fn free_lanes(connection: &Connection, target: &str, limit: usize, until_ms: i64) -> rusqlite::Result<Vec<i64>> {
    let mut select = connection.prepare_cached(
        "SELECT lane FROM kernel_lane INDEXED BY kernel_lane_due WHERE target = ?1 AND due_ms <= ?2 ORDER BY due_ms LIMIT ?3",
    )?;
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    select.query_map(params![target, until_ms, most], |row| row.get(0))?.collect()
}

/// Gives a lane back untried: this attempt does not count.
fn give_back(connection: &Connection, lane: i64, now_ms: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE kernel_lane SET attempts = max(attempts - 1, 0), due_ms = ?2 WHERE lane = ?1")?
        .execute(params![lane, now_ms])
        .map(drop)
}

/// Makes every lane due that was taken when the process before this one ended.
pub(super) fn give_all_back(connection: &Connection) -> rusqlite::Result<()> {
    let sql = "UPDATE kernel_lane SET due_ms = 0 WHERE due_ms IS NULL AND is_held = 0 AND tail > head";
    connection.execute(sql, []).map(drop)
}

/// Removes the message at the head of a lane that nobody has taken; false where it is not there any more.
pub(super) fn remove_head(connection: &Connection, lane: i64, seq: i64, now_ms: i64) -> rusqlite::Result<bool> {
    let mut delete = connection.prepare_cached(
        "DELETE FROM kernel_message WHERE lane = ?1 AND seq = ?2 AND seq = (SELECT head FROM kernel_lane WHERE lane = ?1) RETURNING event",
    )?;
    let Some(event) = delete.query_row([lane, seq], |row| row.get::<_, i64>(0)).optional()? else {
        return Ok(false);
    };
    connection.prepare_cached("DELETE FROM kernel_event WHERE event = ?1 AND is_event = 0")?.execute([event])?;
    next_message(connection, lane, now_ms).map(|_| true)
}

/// Goes on with the next message of a lane; false where there is none, and the lane is removed. AUTOINCREMENT never gives its
/// number again.
fn next_message(connection: &Connection, lane: i64, now_ms: i64) -> rusqlite::Result<bool> {
    let mut delete = connection.prepare_cached("DELETE FROM kernel_lane WHERE lane = ?1 AND tail = head + 1")?;
    if delete.execute([lane])? > 0 {
        return Ok(false);
    }
    let sql = "UPDATE kernel_lane SET head = head + 1, attempts = 0, is_held = 0, due_ms = ?2 WHERE lane = ?1";
    connection.prepare_cached(sql)?.execute(params![lane, now_ms]).map(|_| true)
}
