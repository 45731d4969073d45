//! The kernel inside a transaction: a commit with its expectations and messages, claim, settle, and what becomes of a failure.

use super::claims::{Claims, Fresh, Head, Ready, TURN};
use super::connection::fault;
use super::prepared::Db;
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
    pub(super) fn commit(&mut self, connection: &Db<'_>, commit: &Commit) -> Result<Committed, CommitError> {
        if let Some(settle) = commit.settle
            && !self.settle(connection, settle, commit.now_ms).map_err(|error| fault(&error))?
        {
            return Err(CommitError::Stale);
        }
        let committed = self.write(connection, commit)?;
        if let Some(once) = commit.filled_once(&committed)
            && !once::remember(connection, &once, commit.now_ms).map_err(|error| fault(&error))?
        {
            return Err(CommitError::Seen);
        }
        let outbox = commit.filled_outbox(&committed);
        outbox::enqueue(connection, &mut self.claims, &outbox, commit.now_ms).map_err(|error| fault(&error))?;
        for step in commit.moves.iter().cloned() {
            let outbox = flows::apply(self, connection, commit, step)?;
            outbox::enqueue(connection, &mut self.claims, &outbox, commit.now_ms).map_err(|error| fault(&error))?;
        }
        Ok(committed)
    }

    /// Settles a message whose claim holds: its lane goes on with the next one, which is taken at once where it may be. False
    /// where the claim does not hold, or where the message is not there any more.
    fn settle(&mut self, connection: &Db<'_>, settle: Settle, now_ms: i64) -> rusqlite::Result<bool> {
        let Some(head) = self.claims.head(settle) else { return Ok(false) };
        let goes_on = self.claims.may_go_on(settle, now_ms);
        let next = if goes_on { Next::Taken } else { Next::Due(now_ms) };
        match leave(connection, settle.lane, settle.seq, next)? {
            Left::Nothing => return Ok(false),
            Left::Closed => {}
            Left::Waiting if goes_on => self.hand_on(connection, settle)?,
            Left::Waiting => self.claims.wake(now_ms),
        }
        if !head.is_event {
            connection.prepare_cached("DELETE FROM kernel_event WHERE event = ?1")?.execute([head.event])?;
        }
        Ok(true)
    }

    /// Takes the message behind one that is settled.
    fn hand_on(&mut self, connection: &Db<'_>, settled: Settle) -> rusqlite::Result<()> {
        let target = self.claims.target(settled).unwrap_or_default();
        let (event, is_event) = connection
            .prepare_cached(
                "SELECT m.event, e.is_event FROM kernel_message m JOIN kernel_event e ON e.event = m.event
                 WHERE m.lane = ?1 AND m.seq = ?2",
            )?
            .query_row([settled.lane, settled.seq + 1], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let place = (settled.lane, settled.seq + 1);
        self.hold(connection, place, &target, 1, Head { event, is_event })
    }

    fn write(&self, connection: &Db<'_>, commit: &Commit) -> Result<Committed, CommitError> {
        let mut committed = Committed::default();
        for write in &commit.effects.writes {
            if !self.allowed.contains(&(commit.service, address(write.statement))) {
                let message = format!(
                    "statement {} is not listed in `Service::statements` of {}",
                    write.statement.name, commit.service
                );
                return Err(Fault::bug(message).into());
            }
            let ran = connection.prepare_cached(write.statement.sql).and_then(|mut prepared| {
                let rows = statement::run(&mut prepared, write.statement, &commit.head.tenant, &write.params)?;
                Ok((rows, if write.statement.writes.is_empty() { 0 } else { connection.changes() }))
            });
            let (rows, changed) = ran.map_err(|error| {
                let detail = format!("statement {}: {error}", write.statement.name);
                fault(&error).detail(detail)
            })?;
            if !write.expect.contains(&changed) {
                return Err(match &write.otherwise {
                    Otherwise::Refuse(fault) => CommitError::Refused(Box::new(fault.clone())),
                    Otherwise::Retry => CommitError::Retry,
                });
            }
            committed.returned.push(rows);
        }
        Ok(committed)
    }

    /// Takes the next message of up to `limit` lanes that are due and that nobody has taken, and counts the attempts.
    pub(super) fn claim(
        &mut self,
        connection: &Db<'_>,
        limit: usize,
        busy: &[String],
        now_ms: i64,
    ) -> rusqlite::Result<()> {
        self.claims.attend();
        self.tell(connection, now_ms)?;
        let (mut due, mut next_ms) = (Vec::new(), i64::MAX);
        for (target, due_ms) in waiting_targets(connection)? {
            if due_ms <= now_ms && !busy.contains(&target) {
                due.push((due_ms, free_lanes(connection, &target, limit.min(TARGET_MAX), now_ms)?, target));
            } else {
                next_ms = next_ms.min(due_ms);
            }
        }
        due.sort_by_key(|(due_ms, ..)| *due_ms);
        // Targets take turns, so one with a long queue does not keep the others waiting.
        let turns = (0..TARGET_MAX).flat_map(|turn| {
            due.iter().filter_map(move |(_, lanes, target)| lanes.get(turn).map(|first| (*first, target)))
        });
        for (First { lane, seq, attempts, head }, target) in turns.take(limit) {
            connection
                .prepare_cached("UPDATE kernel_lane SET attempts = attempts + 1, due_ms = NULL WHERE lane = ?1")?
                .execute([lane])?;
            self.hold(connection, (lane, seq), target, attempts + 1, head)?;
        }
        for (_, _, target) in &due {
            next_ms = next_ms.min(first_due(connection, target)?.unwrap_or(i64::MAX));
        }
        self.claims.quiet_until(next_ms);
        Ok(())
    }

    /// Whether there is something to take. Where there is not, it is noted when there will be.
    pub(super) fn has_due(&mut self, connection: &Db<'_>, busy: &[String], now_ms: i64) -> rusqlite::Result<bool> {
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

    /// Notes who has the message at this place, and reads it.
    fn hold(
        &mut self,
        connection: &Db<'_>,
        (lane, seq): (i64, i64),
        target: &str,
        attempt: u32,
        head: Head,
    ) -> rusqlite::Result<()> {
        let envelope = match self.claims.recent().find(head.event) {
            Some(envelope) => envelope,
            None => {
                let text: String = connection
                    .prepare_cached("SELECT envelope FROM kernel_event WHERE event = ?1")?
                    .query_row([head.event], |row| row.get(0))?;
                let envelope = Arc::new(outbox::read(&text)?);
                self.claims.recent().keep(head.event, &envelope, text.len());
                envelope
            }
        };
        let settle = Settle { lane, seq, epoch: self.claims.next_epoch() };
        let delivery = Delivery { settle, target: target.to_owned(), attempt, envelope };
        self.claims.take(Fresh { delivery, head });
        Ok(())
    }

    /// Tells the file of lanes that are free, where it could not be told before.
    fn tell(&mut self, connection: &Db<'_>, now_ms: i64) -> rusqlite::Result<()> {
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
    pub(super) fn next_due(&self, connection: &Db<'_>, busy: &[String]) -> rusqlite::Result<Option<i64>> {
        let waiting = waiting_targets(connection)?;
        Ok(waiting.into_iter().filter(|(target, _)| !busy.contains(target)).map(|(_, due_ms)| due_ms).min())
    }

    /// What becomes of a claimed message that was not settled.
    pub(super) fn fail(
        &mut self,
        connection: &Db<'_>,
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
fn waiting_targets(connection: &Db<'_>) -> rusqlite::Result<Vec<(String, i64)>> {
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
fn first_due(connection: &Db<'_>, target: &str) -> rusqlite::Result<Option<i64>> {
    let mut select = connection.prepare_cached(
        "SELECT due_ms FROM kernel_lane INDEXED BY kernel_lane_due
         WHERE target = ?1 AND due_ms IS NOT NULL ORDER BY due_ms LIMIT 1",
    )?;
    select.query_row([target], |row| row.get(0)).optional()
}

/// The message at the head of a lane, and how often it was taken.
#[derive(Clone, Copy)]
struct First {
    lane: i64,
    seq: i64,
    attempts: u32,
    head: Head,
}

/// What is due for a target and nobody has taken: the first message of each lane, the oldest first.
fn free_lanes(connection: &Db<'_>, target: &str, limit: usize, until_ms: i64) -> rusqlite::Result<Vec<First>> {
    let mut select = connection.prepare_cached(
        "SELECT l.lane, l.head, l.attempts, m.event, e.is_event FROM kernel_lane l INDEXED BY kernel_lane_due
         CROSS JOIN kernel_message m ON m.lane = l.lane AND m.seq = l.head CROSS JOIN kernel_event e ON e.event = m.event
         WHERE l.target = ?1 AND l.due_ms <= ?2 ORDER BY l.due_ms LIMIT ?3",
    )?;
    let first = |row: &rusqlite::Row<'_>| {
        let head = Head { event: row.get(3)?, is_event: row.get(4)? };
        Ok(First { lane: row.get(0)?, seq: row.get(1)?, attempts: row.get(2)?, head })
    };
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    select.query_map(params![target, until_ms, most], first)?.collect()
}

/// Gives a lane back untried: this attempt does not count.
fn give_back(connection: &Db<'_>, lane: i64, now_ms: i64) -> rusqlite::Result<()> {
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
pub(super) fn remove_head(connection: &Db<'_>, lane: i64, seq: i64, now_ms: i64) -> rusqlite::Result<bool> {
    let mut select = connection.prepare_cached("SELECT event FROM kernel_message WHERE lane = ?1 AND seq = ?2")?;
    let Some(event) = select.query_row([lane, seq], |row| row.get::<_, i64>(0)).optional()? else {
        return Ok(false);
    };
    if let Left::Nothing = leave(connection, lane, seq, Next::Due(now_ms))? {
        return Ok(false);
    }
    connection.prepare_cached("DELETE FROM kernel_event WHERE event = ?1 AND is_event = 0")?.execute([event])?;
    Ok(true)
}

/// What becomes of the message behind one that leaves its lane.
#[derive(Clone, Copy)]
enum Next {
    /// Whoever had that one has it now, for the first time.
    Taken,
    /// Anybody may take it from this time on, in Unix milliseconds.
    Due(i64),
}

/// What is left of a lane.
enum Left {
    /// The message was not at its head: nothing has changed.
    Nothing,
    /// No lane: AUTOINCREMENT never gives its number again.
    Closed,
    /// The next message.
    Waiting,
}

/// The message at the head of a lane leaves it. What has left is removed when the lane has gone on so far, or is empty: messages of
/// a lane lie side by side, so the page is written once for all of them.
fn leave(connection: &Db<'_>, lane: i64, seq: i64, next: Next) -> rusqlite::Result<Left> {
    let place = [lane, seq];
    let mut close =
        connection.prepare_cached("DELETE FROM kernel_lane WHERE lane = ?1 AND head = ?2 AND tail = head + 1")?;
    let left = if close.execute(place)? > 0 {
        Left::Closed
    } else {
        let (attempts, due_ms) = match next {
            Next::Taken => (1, None),
            Next::Due(due_ms) => (0, Some(due_ms)),
        };
        let mut go_on = connection.prepare_cached(
            "UPDATE kernel_lane SET head = head + 1, attempts = ?3, is_held = 0, due_ms = ?4 WHERE lane = ?1 AND head = ?2",
        )?;
        match go_on.execute(params![lane, seq, attempts, due_ms])? {
            0 => return Ok(Left::Nothing),
            _ => Left::Waiting,
        }
    };
    match left {
        Left::Closed if seq == 1 => {
            connection.prepare_cached("DELETE FROM kernel_message WHERE lane = ?1 AND seq = ?2")?.execute(place)?;
        }
        Left::Waiting if seq % TURN != 0 => {}
        _ => {
            connection.prepare_cached("DELETE FROM kernel_message WHERE lane = ?1 AND seq <= ?2")?.execute(place)?;
        }
    }
    Ok(left)
}
