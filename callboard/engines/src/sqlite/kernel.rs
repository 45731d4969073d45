//! The kernel inside a transaction: a commit with its expectations and messages, claim, settle, and what becomes of a failure.

use super::claims::{BEHIND_BYTES_MAX, Claims, Fresh, Head, Held, Ready, TURN, at_once};
use super::connection::fault;
use super::prepared::Db;
use super::{dead, flows, once, outbox, statement};
use callboard::ports::{Commit, CommitError, Committed, Delivery, Entropy, Fate, Settle};
use callboard::{Fault, Otherwise, Space, Statement};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashSet;
use std::sync::Arc;

/// So many messages that have left a lane are removed together, a multiple of [`TURN`].
const REMOVED_AT_ONCE: i64 = 4 * TURN;
/// Lanes whose turn ends within so many milliseconds wait in the order of their numbers for the next one, beside what has come
/// meanwhile. What was sent to them one after another lies side by side, so fewer pages are written where they go on together.
const ROUND_MS: i64 = 128;

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
        Self { claims: Claims::new(space.clone(), ready), space, entropy, allowed }
    }

    /// Does everything of a commit; the caller's transaction or savepoint makes it all or nothing.
    pub(super) fn commit(&mut self, connection: &Db<'_>, commit: &Commit) -> Result<Committed, CommitError> {
        if let Some(settle) = commit.settle
            && !self.settle(connection, settle, commit.now_ms).map_err(|error| fault(&error))?
        {
            let is_next = self.claims.held(settle).is_none() || self.claims.is_next(settle);
            return Err(if is_next { CommitError::Stale } else { CommitError::Behind });
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

    /// Settles a message whose claim holds: its lane goes on with the next one, which is taken already, or now where it may be.
    /// False where the claim does not hold, or where the message is not at the head of its lane.
    fn settle(&mut self, connection: &Db<'_>, settle: Settle, now_ms: i64) -> rusqlite::Result<bool> {
        let Some(Held { head, is_last }) = self.claims.held(settle) else { return Ok(false) };
        let takes_next = is_last && self.claims.may_go_on(settle, now_ms);
        let next = if takes_next || !is_last { Next::Taken } else { Next::Due(now_ms - now_ms.rem_euclid(ROUND_MS)) };
        match leave(connection, settle.lane, settle.seq, next)? {
            Left::Nothing => return Ok(false),
            Left::Waiting if takes_next => {
                let target = self.claims.target(settle).unwrap_or_default();
                self.hold(connection, &target, settle.lane, settle.seq + 1, 1)?;
            }
            Left::Waiting if is_last => {
                self.claims.wake(now_ms);
                self.claims.free(settle, now_ms);
            }
            Left::Waiting => {}
            Left::Closed => self.claims.free(settle, now_ms),
        }
        if !head.is_event {
            connection.prepare_cached("DELETE FROM kernel_event WHERE event = ?1")?.execute([head.event])?;
        }
        Ok(true)
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
                let most = limit.min(at_once(&self.space, &target));
                due.push((due_ms, free_lanes(connection, &target, most, now_ms)?, target));
            } else {
                next_ms = next_ms.min(due_ms);
            }
        }
        due.sort_by_key(|(due_ms, ..)| *due_ms);
        // Targets take turns, so one with a long queue does not keep the others waiting.
        let longest = due.iter().map(|(_, lanes, _)| lanes.len()).max().unwrap_or_default();
        let turns = (0..longest).flat_map(|turn| {
            due.iter().filter_map(move |(_, lanes, target)| lanes.get(turn).map(|first| (*first, target)))
        });
        for (first, target) in turns.take(limit) {
            self.take(connection, target, first)?;
        }
        for (_, _, target) in &due {
            next_ms = next_ms.min(first_due(connection, target)?.unwrap_or(i64::MAX));
        }
        self.claims.quiet_until(next_ms);
        Ok(())
    }

    /// Takes a lane that is due in place of each that the present transaction gives free: whoever had that one need not ask.
    pub(super) fn take_over(&mut self, connection: &Db<'_>) -> rusqlite::Result<()> {
        let (freed, now_ms) = self.claims.take_freed();
        for (target, count) in freed {
            for first in free_lanes(connection, &target, count, now_ms)? {
                self.take(connection, &target, first)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, connection: &Db<'_>, target: &str, first: First) -> rusqlite::Result<()> {
        let First { lane, seq, attempts } = first;
        connection
            .prepare_cached("UPDATE kernel_lane SET attempts = attempts + 1, due_ms = NULL WHERE lane = ?1")?
            .execute([lane])?;
        self.hold(connection, target, lane, seq, attempts + 1)
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

    /// Notes who has the message at the head of a lane, and reads it. At its first attempt those behind it are taken too, up to the
    /// end of the lane's turn: each then need not wait until somebody hears of the one before it. At another attempt it is alone, so
    /// that a message that ends the process is found.
    fn hold(&mut self, connection: &Db<'_>, target: &str, lane: i64, head: i64, attempt: u32) -> rusqlite::Result<()> {
        let last = if attempt == 1 { (head - 1) / TURN * TURN + TURN } else { head };
        let epoch = self.claims.next_epoch();
        let mut select = connection.prepare_cached(
            "SELECT m.seq, m.event, e.is_event, e.envelope FROM kernel_message m JOIN kernel_event e ON e.event = m.event
             WHERE m.lane = ?1 AND m.seq BETWEEN ?2 AND ?3 ORDER BY m.seq",
        )?;
        let mut rows = select.query([lane, head, last])?;
        let (mut first, mut behind) = (None, Vec::new());
        while let Some(row) = rows.next()? {
            let head = Head { event: row.get(1)?, is_event: row.get(2)? };
            let envelope = match self.claims.recent().find(head.event) {
                Some(envelope) => envelope,
                None => {
                    let text = row.get_ref(3)?.as_str()?;
                    if first.is_some() && text.len() > BEHIND_BYTES_MAX {
                        break;
                    }
                    let envelope = Arc::new(outbox::read(text)?);
                    if head.is_event {
                        // It may have other subscribers.
                        self.claims.recent().keep(head.event, &envelope, text.len());
                    }
                    envelope
                }
            };
            let settle = Settle { lane, seq: row.get(0)?, epoch };
            let delivery = Delivery { settle, target: target.to_owned(), attempt, envelope };
            match first {
                None => first = Some((delivery, head)),
                Some(_) => behind.push((delivery, head)),
            }
        }
        let (delivery, head) = first.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
        self.claims.take(Fresh { delivery, head, behind });
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
        if !matches!(fate, Fate::Release) && !self.claims.is_next(settle) {
            return outbox::note_stale(connection, settle, now_ms);
        }
        // Whatever becomes of it, its claim ends.
        self.claims.drop_behind(settle);
        match fate {
            Fate::Release if !self.claims.has(settle) => Ok(()),
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
}

/// What is due for a target and nobody has taken: the first message of each lane, the oldest first.
fn free_lanes(connection: &Db<'_>, target: &str, limit: usize, until_ms: i64) -> rusqlite::Result<Vec<First>> {
    let mut select = connection.prepare_cached(
        "SELECT lane, head, attempts FROM kernel_lane INDEXED BY kernel_lane_due
         WHERE target = ?1 AND due_ms <= ?2 ORDER BY due_ms LIMIT ?3",
    )?;
    let first = |row: &rusqlite::Row<'_>| Ok(First { lane: row.get(0)?, seq: row.get(1)?, attempts: row.get(2)? });
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
        Left::Waiting if seq % REMOVED_AT_ONCE != 0 => {}
        _ => {
            connection.prepare_cached("DELETE FROM kernel_message WHERE lane = ?1 AND seq <= ?2")?.execute(place)?;
        }
    }
    Ok(left)
}
