//! Messages on their way in: the log, the lanes, and what came too late.

use super::claims::{Claims, Fresh, Head};
use super::prepared::Db;
use callboard::ports::{Delivery, Envelope, Lane, Outgoing, Settle};
use rusqlite::{ToSql, params};
use std::borrow::Cow;
use std::sync::Arc;

/// Reads a stored message.
pub(super) fn read(text: &str) -> rusqlite::Result<Envelope> {
    serde_json::from_str(text).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

/// Stores messages and puts them at the end of their lanes, or takes them at once.
pub(super) fn enqueue(
    connection: &Db<'_>,
    claims: &mut Claims,
    outbox: &[Outgoing],
    now_ms: i64,
) -> rusqlite::Result<()> {
    for Outgoing { envelope, lanes, is_event } in outbox {
        let (event, bytes) = store(connection, envelope, *is_event)?;
        let head = Head { event, is_event: *is_event };
        let mut placed = 0;
        for lane in lanes {
            placed += usize::from(place(connection, claims, envelope, lane, head, now_ms)?);
        }
        if placed == 0 && !*is_event {
            connection.prepare_cached("DELETE FROM kernel_event WHERE event = ?1")?.execute([event])?;
        } else if placed > 0 {
            claims.recent().keep(event, envelope, bytes);
        }
    }
    Ok(())
}

/// Stores a message; gives its number, and how many bytes its text has.
pub(super) fn store(connection: &Db<'_>, envelope: &Envelope, is_event: bool) -> rusqlite::Result<(i64, usize)> {
    let text =
        serde_json::to_string(envelope).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO kernel_event (id, service, type, tenant, time_ms, is_event, blob, envelope) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    insert.execute(params![
        envelope.id.to_string(),
        envelope.source.strip_prefix("service/").unwrap_or_default(),
        envelope.kind.as_str(),
        envelope.tenant.as_str(),
        envelope.time_ms,
        is_event,
        envelope.dataref,
        text
    ])?;
    Ok((connection.last_insert_rowid(), text.len()))
}

/// Puts a stored message at the end of a lane, or takes it where the lane is empty; false where the lane takes only one and has
/// it.
fn place(
    connection: &Db<'_>,
    claims: &mut Claims,
    envelope: &Arc<Envelope>,
    lane: &Lane,
    head: Head,
    now_ms: i64,
) -> rusqlite::Result<bool> {
    let Lane { service, target, key, at_ms, is_sole } = lane;
    // A message with a time gets a lane of its own, so that waiting never blocks FIFO.
    let is_apart = at_ms.is_some() && !is_sole;
    let key = if is_apart { Cow::Owned(format!("{key}@{}", envelope.id)) } else { Cow::Borrowed(key) };
    let may_take = at_ms.is_none() && claims.may_take(target, now_ms);
    let (due_ms, attempts) = if may_take { (None, 1) } else { (Some(at_ms.unwrap_or(now_ms)), 0) };
    let tenant = envelope.tenant.as_str();
    let (lane, seq) = match open(connection, params![service, target, tenant, key, due_ms, attempts])? {
        Some(lane) => (lane, 1),
        None if *is_sole => return Ok(false),
        None => append(connection, target, tenant, &key)?,
    };
    connection
        .prepare_cached("INSERT INTO kernel_message (lane, seq, event) VALUES (?1, ?2, ?3)")?
        .execute([lane, seq, head.event])?;
    if may_take && seq == 1 {
        let settle = Settle { lane, seq, epoch: claims.next_epoch() };
        let delivery = Delivery { settle, target: target.clone(), attempt: 1, envelope: envelope.clone() };
        claims.take(Fresh { delivery, head, behind: Vec::new() });
    } else if let Some(due_ms) = due_ms.filter(|_| seq == 1) {
        claims.wake(due_ms);
    }
    Ok(true)
}

/// Opens a lane for one message: service, target, tenant, key, when it is due, and how often it was taken. None where there is
/// one.
fn open(connection: &Db<'_>, lane: &[&dyn ToSql]) -> rusqlite::Result<Option<i64>> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO kernel_lane (service, target, tenant, key, head, tail, due_ms, attempts) VALUES (?1, ?2, ?3, ?4, 1, 2, ?5, ?6)
         ON CONFLICT (target, tenant, key) DO NOTHING",
    )?;
    Ok((insert.execute(lane)? > 0).then(|| connection.last_insert_rowid()))
}

/// Makes room for one more message in a lane: the lane's number, and the place. When its first message is due stays as it is.
fn append(connection: &Db<'_>, target: &str, tenant: &str, key: &str) -> rusqlite::Result<(i64, i64)> {
    let lane = params![target, tenant, key];
    let (number, seq) = connection
        .prepare_cached("SELECT lane, tail FROM kernel_lane WHERE target = ?1 AND tenant = ?2 AND key = ?3")?
        .query_row(lane, |row| Ok((row.get(0)?, row.get(1)?)))?;
    connection.prepare_cached("UPDATE kernel_lane SET tail = tail + 1 WHERE lane = ?1")?.execute([number])?;
    Ok((number, seq))
}

/// Queues a message that is stored at the end of a lane: service, target, tenant, key, and when it is due.
pub(super) fn queue(
    connection: &Db<'_>,
    lane: (&str, &str, &str, &str),
    due_ms: i64,
    event: i64,
) -> rusqlite::Result<()> {
    let (service, target, tenant, key) = lane;
    let (lane, seq) = match open(connection, params![service, target, tenant, key, due_ms, 0])? {
        Some(lane) => (lane, 1),
        None => append(connection, target, tenant, key)?,
    };
    connection
        .prepare_cached("INSERT INTO kernel_message (lane, seq, event) VALUES (?1, ?2, ?3)")?
        .execute([lane, seq, event])
        .map(drop)
}

/// Records that somebody answered for a claim that had gone to somebody else.
pub(super) fn note_stale(connection: &Db<'_>, settle: Settle, now_ms: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO kernel_stale (lane, seq, epoch, at_ms) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![settle.lane, settle.seq, settle.epoch, now_ms])
        .map(drop)
}
