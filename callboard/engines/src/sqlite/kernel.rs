//! The kernel inside a transaction: writes with their expectations, enqueue, claim, settle, retry, dead letter.

use super::connection::fault;
use super::{flows, statement};
use callboard::ports::{Commit, CommitError, Committed, Delivery, Entropy, Envelope, Fate, Outgoing, Settle};
use callboard::{Fault, Otherwise, Space, Statement, fill_slots};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// State of the writer beside the tables: which lanes are claimed, and which statements may run.
pub(super) struct Kernel {
    pub(super) space: Arc<Space>,
    pub(super) entropy: Arc<dyn Entropy>,
    claimed: HashMap<i64, i64>,
    epoch: i64,
    allowed: HashSet<(&'static str, usize)>,
}

fn address(statement: &'static Statement) -> usize {
    std::ptr::from_ref(statement).addr()
}

impl Kernel {
    pub(super) fn new(space: Arc<Space>, entropy: Arc<dyn Entropy>) -> Self {
        let own =
            space.services.iter().flat_map(|service| service.statements.iter().map(|one| (service.name, address(one))));
        let allowed = own.collect();
        Self { space, entropy, claimed: HashMap::new(), epoch: 0, allowed }
    }

    /// Does everything of a commit; the caller's transaction or savepoint makes it all or nothing.
    pub(super) fn commit(&mut self, connection: &Connection, mut commit: Commit) -> Result<Committed, CommitError> {
        if let Some(settle) = commit.settle {
            self.check_claim(settle)?;
            if !settle_message(connection, settle, commit.now_ms).map_err(|error| fault(&error))? {
                return Err(CommitError::Stale);
            }
        }
        let committed = self.write(connection, &commit)?;
        if commit.effects.has_slots() {
            for out in &mut commit.outbox {
                fill_slots(&mut out.envelope.data, &|at, column| committed.value(at, column));
            }
        }
        let mut outbox = std::mem::take(&mut commit.outbox);
        for step in std::mem::take(&mut commit.moves) {
            outbox.extend(flows::apply(self, connection, &commit, step)?);
        }
        enqueue(connection, outbox, commit.now_ms).map_err(|error| fault(&error))?;
        Ok(committed)
    }

    fn check_claim(&self, settle: Settle) -> Result<(), CommitError> {
        if self.claimed.get(&settle.lane) == Some(&settle.epoch) { Ok(()) } else { Err(CommitError::Stale) }
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

    /// Takes the next message of up to `limit` lanes that are due and that nobody has taken.
    pub(super) fn claim(
        &mut self,
        connection: &Connection,
        limit: usize,
        now_ms: i64,
    ) -> rusqlite::Result<Vec<Delivery>> {
        let most = i64::try_from(limit + self.claimed.len()).unwrap_or(i64::MAX);
        let mut select = connection.prepare_cached(
            "SELECT l.lane, l.head, l.attempts, l.target, e.envelope FROM
               (SELECT lane, head, attempts, target FROM kernel_lane WHERE due_ms <= ?1 ORDER BY due_ms LIMIT ?2) l
             JOIN kernel_message m ON m.lane = l.lane AND m.seq = l.head JOIN kernel_event e ON e.event = m.event",
        )?;
        let mut rows = select.query(params![now_ms, most])?;
        let mut deliveries = Vec::new();
        while let Some(row) = rows.next()? {
            let lane: i64 = row.get(0)?;
            if deliveries.len() == limit || self.claimed.contains_key(&lane) {
                continue;
            }
            let text: String = row.get(4)?;
            let envelope: Envelope =
                serde_json::from_str(&text).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
            self.epoch += 1;
            self.claimed.insert(lane, self.epoch);
            let attempts: u32 = row.get(2)?;
            let settle = Settle { lane, seq: row.get(1)?, epoch: self.epoch };
            deliveries.push(Delivery { settle, target: row.get(3)?, attempt: attempts + 1, envelope });
        }
        Ok(deliveries)
    }

    /// When the next message is due that nobody has taken.
    pub(super) fn next_due(&self, connection: &Connection) -> rusqlite::Result<Option<i64>> {
        let mut select = connection
            .prepare_cached("SELECT lane, due_ms FROM kernel_lane WHERE due_ms IS NOT NULL ORDER BY due_ms LIMIT ?1")?;
        let most = i64::try_from(self.claimed.len() + 1).unwrap_or(i64::MAX);
        let mut rows = select.query(params![most])?;
        while let Some(row) = rows.next()? {
            if !self.claimed.contains_key(&row.get::<_, i64>(0)?) {
                return row.get(1).map(Some);
            }
        }
        Ok(None)
    }

    /// Makes a claimed message due again later, or a dead letter.
    pub(super) fn fail(&self, connection: &Connection, settle: Settle, fate: &Fate) -> rusqlite::Result<()> {
        if self.check_claim(settle).is_err() {
            return Ok(());
        }
        match fate {
            Fate::Retry { at_ms } => {
                let mut update = connection
                    .prepare_cached("UPDATE kernel_lane SET attempts = attempts + 1, due_ms = ?2 WHERE lane = ?1")?;
                update.execute(params![settle.lane, at_ms]).map(drop)
            }
            Fate::Bury { reason } => {
                let mut bury = connection.prepare_cached(
                    "INSERT INTO kernel_dead (target, tenant, attempts, reason, died_ms, envelope)
                     SELECT l.target, l.tenant, l.attempts + 1, ?3, l.due_ms, e.envelope FROM kernel_lane l
                     JOIN kernel_message m ON m.lane = l.lane AND m.seq = ?2 JOIN kernel_event e ON e.event = m.event WHERE l.lane = ?1",
                )?;
                bury.execute(params![settle.lane, settle.seq, reason])?;
                let due: i64 = connection.query_row(
                    "SELECT coalesce(due_ms, 0) FROM kernel_lane WHERE lane = ?1",
                    [settle.lane],
                    |row| row.get(0),
                )?;
                settle_message(connection, settle, due).map(drop)
            }
        }
    }

    /// Gives a lane free: its message is settled, or waits for its next attempt.
    pub(super) fn release(&mut self, settle: Settle) {
        if self.claimed.get(&settle.lane) == Some(&settle.epoch) {
            self.claimed.remove(&settle.lane);
        }
    }

    pub(super) fn random(&self) -> [u8; 10] {
        let mut bytes = [0; 10];
        self.entropy.fill(&mut bytes);
        bytes
    }
}

/// Removes the message at the head of its lane; false where it is not there any more.
fn settle_message(connection: &Connection, settle: Settle, now_ms: i64) -> rusqlite::Result<bool> {
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
            .prepare_cached("UPDATE kernel_lane SET head = head + 1, attempts = 0, due_ms = ?2 WHERE lane = ?1")?
            .execute(params![settle.lane, now_ms])?;
    }
    Ok(true)
}

fn enqueue(connection: &Connection, outbox: Vec<Outgoing>, now_ms: i64) -> rusqlite::Result<()> {
    for out in outbox {
        let envelope = &out.envelope;
        let text =
            serde_json::to_string(envelope).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        let mut insert = connection.prepare_cached(
            "INSERT INTO kernel_event (id, type, tenant, time_ms, is_event, envelope) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        let id = envelope.id.to_string();
        insert.execute(params![
            id,
            envelope.kind.as_str(),
            envelope.tenant.as_str(),
            envelope.time_ms,
            out.is_event,
            text
        ])?;
        let event = connection.last_insert_rowid();
        for lane in out.lanes {
            // A message with a time gets a lane of its own, so that waiting never blocks FIFO.
            let key = if lane.at_ms.is_some() { format!("{}@{id}", lane.key) } else { lane.key };
            let mut place = connection.prepare_cached(
                "INSERT INTO kernel_lane (service, target, tenant, key, head, tail, due_ms) VALUES (?1, ?2, ?3, ?4, 1, 2, ?5)
                 ON CONFLICT (target, tenant, key) DO UPDATE SET tail = tail + 1, due_ms = coalesce(due_ms, excluded.due_ms)
                 RETURNING lane, tail - 1",
            )?;
            let due_ms = lane.at_ms.unwrap_or(now_ms);
            let (number, seq): (i64, i64) = place
                .query_row(params![lane.service, lane.target, envelope.tenant.as_str(), key, due_ms], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?;
            connection
                .prepare_cached("INSERT INTO kernel_message (lane, seq, event) VALUES (?1, ?2, ?3)")?
                .execute(params![number, seq, event])?;
        }
    }
    Ok(())
}
