//! Messages on their way in: the log, the lanes, and what came too late.

use callboard::ports::{Envelope, Lane, Outgoing, Settle};
use rusqlite::{Connection, OptionalExtension, params};

/// Reads a stored message.
pub(super) fn read(text: &str) -> rusqlite::Result<Envelope> {
    serde_json::from_str(text).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

/// Stores messages and puts them at the end of their lanes.
pub(super) fn enqueue(connection: &Connection, outbox: Vec<Outgoing>, now_ms: i64) -> rusqlite::Result<()> {
    for out in outbox {
        let event = store(connection, &out.envelope, out.is_event)?;
        let mut placed = 0;
        for lane in &out.lanes {
            placed += usize::from(place(connection, &out.envelope, lane, event, now_ms)?);
        }
        if placed == 0 && !out.is_event {
            connection.prepare_cached("DELETE FROM kernel_event WHERE event = ?1")?.execute([event])?;
        }
    }
    Ok(())
}

/// Stores a message; gives its number.
pub(super) fn store(connection: &Connection, envelope: &Envelope, is_event: bool) -> rusqlite::Result<i64> {
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
    Ok(connection.last_insert_rowid())
}

/// Puts a stored message at the end of a lane; false where the lane takes only one and has it.
fn place(connection: &Connection, envelope: &Envelope, lane: &Lane, event: i64, now_ms: i64) -> rusqlite::Result<bool> {
    let (key, sql) = match (lane.is_sole, lane.at_ms) {
        (true, _) => (
            lane.key.clone(),
            "INSERT INTO kernel_lane (service, target, tenant, key, head, tail, due_ms) VALUES (?1, ?2, ?3, ?4, 1, 2, ?5)
             ON CONFLICT (target, tenant, key) DO NOTHING RETURNING lane, tail - 1",
        ),
        // A message with a time gets a lane of its own, so that waiting never blocks FIFO.
        (false, Some(_)) => (format!("{}@{}", lane.key, envelope.id), PLACE),
        (false, None) => (lane.key.clone(), PLACE),
    };
    let due_ms = lane.at_ms.unwrap_or(now_ms);
    let placed: Option<(i64, i64)> = connection
        .prepare_cached(sql)?
        .query_row(params![lane.service, lane.target, envelope.tenant.as_str(), key, due_ms], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let Some((number, seq)) = placed else { return Ok(false) };
    connection
        .prepare_cached("INSERT INTO kernel_message (lane, seq, event) VALUES (?1, ?2, ?3)")?
        .execute(params![number, seq, event])?;
    Ok(true)
}

/// Opens a lane with one message, or adds one to it. A held lane stays held.
pub(super) const PLACE: &str =
    "INSERT INTO kernel_lane (service, target, tenant, key, head, tail, due_ms) VALUES (?1, ?2, ?3, ?4, 1, 2, ?5)
     ON CONFLICT (target, tenant, key) DO UPDATE
     SET tail = tail + 1, due_ms = CASE WHEN is_held THEN NULL ELSE coalesce(due_ms, excluded.due_ms) END
     RETURNING lane, tail - 1";

/// Records that somebody answered for a claim that had gone to somebody else.
pub(super) fn note_stale(connection: &Connection, settle: Settle, now_ms: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO kernel_stale (lane, seq, epoch, at_ms) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![settle.lane, settle.seq, settle.epoch, now_ms])
        .map(drop)
}
