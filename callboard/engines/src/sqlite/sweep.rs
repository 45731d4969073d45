//! The event log: reading on from a position, and removing in small batches what is past its time.

use super::{once, outbox};
use callboard::KEY_AGE_MS;
use callboard::ports::{LogPart, Retention};
use rusqlite::{Connection, OptionalExtension, params};

/// Removes about `limit` each of events, ended runs, notes of stale completions and keys that are past their time. How many.
pub(super) fn sweep(connection: &Connection, retention: &Retention, limit: u32, now_ms: i64) -> rusqlite::Result<u64> {
    let mut removed = 0;
    for (service, kind) in published(connection)? {
        let keep_ms = retention
            .kinds
            .iter()
            .find(|(of, like, _)| *of == service && like.as_str() == kind)
            .map_or(retention.events_ms, |(.., keep_ms)| *keep_ms);
        removed += sweep_events(connection, &service, &kind, now_ms.saturating_sub(keep_ms), limit)?;
    }
    removed += sweep_runs(connection, now_ms.saturating_sub(retention.runs_ms), limit)?;
    removed += connection
        .prepare_cached(
            "DELETE FROM kernel_stale WHERE rowid IN (SELECT rowid FROM kernel_stale WHERE at_ms < ?1 LIMIT ?2)",
        )?
        .execute(params![now_ms.saturating_sub(retention.events_ms), limit])?;
    removed += once::forget(connection, now_ms.saturating_sub(KEY_AGE_MS), limit)?;
    Ok(removed as u64)
}

/// Every service with the kinds of events it has in the log: one step through the index for each.
fn published(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    let mut select = connection.prepare_cached(
        "SELECT service, type FROM kernel_event INDEXED BY kernel_event_age
         WHERE is_event = 1 AND (service, type) > (?1, ?2) ORDER BY service, type LIMIT 1",
    )?;
    let mut found: Vec<(String, String)> = Vec::new();
    loop {
        let (service, kind) = found.last().map_or(("", ""), |(service, kind)| (service, kind));
        match select.query_row([service, kind], |row| Ok((row.get(0)?, row.get(1)?))).optional()? {
            Some(next) => found.push(next),
            None => return Ok(found),
        }
    }
}

/// Removes old events that no lane waits for. The newest of the log stays, so that its number is not given again.
fn sweep_events(
    connection: &Connection,
    service: &str,
    kind: &str,
    before_ms: i64,
    limit: u32,
) -> rusqlite::Result<usize> {
    let mut delete = connection.prepare_cached(
        "WITH old AS MATERIALIZED (
           SELECT event FROM kernel_event INDEXED BY kernel_event_age
           WHERE is_event = 1 AND service = ?1 AND type = ?2 AND time_ms < ?3 ORDER BY time_ms LIMIT ?4)
         DELETE FROM kernel_event WHERE event IN old AND event < (SELECT max(event) FROM kernel_event)
           AND event NOT IN (SELECT event FROM kernel_message WHERE event IN old)",
    )?;
    delete.execute(params![service, kind, before_ms, limit])
}

fn sweep_runs(connection: &Connection, before_ms: i64, limit: u32) -> rusqlite::Result<usize> {
    let mut delete = connection.prepare_cached(
        "DELETE FROM kernel_flow WHERE run IN (SELECT run FROM kernel_flow INDEXED BY kernel_flow_ended
           WHERE status IN ('completed', 'undone') AND changed_ms < ?1 ORDER BY changed_ms LIMIT ?2) RETURNING run",
    )?;
    let runs: Vec<String> = delete.query_map(params![before_ms, limit], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for run in &runs {
        connection.prepare_cached("DELETE FROM kernel_flow_event WHERE run = ?1")?.execute([run])?;
    }
    Ok(runs.len())
}

/// Those of these blobs that an event, a message or a dead letter still needs.
pub(super) fn needed(connection: &Connection, blobs: Vec<String>) -> rusqlite::Result<Vec<String>> {
    let mut select = connection.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM kernel_event WHERE blob = ?1) OR EXISTS (SELECT 1 FROM kernel_dead WHERE blob = ?1)",
    )?;
    let mut needed = Vec::new();
    for blob in blobs {
        if select.query_row([&blob], |row| row.get::<_, bool>(0))? {
            needed.push(blob);
        }
    }
    Ok(needed)
}

/// Events of the log after a position, in order.
pub(super) fn events(connection: &Connection, after: Option<i64>, limit: u32) -> rusqlite::Result<LogPart> {
    let Some(after) = after else {
        let end =
            connection.query_row("SELECT coalesce(max(event), 0) FROM kernel_event WHERE is_event = 1", [], |row| {
                row.get(0)
            })?;
        return Ok(LogPart { events: Vec::new(), end });
    };
    let mut part = LogPart { events: Vec::new(), end: after };
    let mut select = connection.prepare_cached(
        "SELECT event, envelope FROM kernel_event WHERE event > ?1 AND is_event = 1 ORDER BY event LIMIT ?2",
    )?;
    let mut rows = select.query(params![after, limit])?;
    while let Some(row) = rows.next()? {
        part.end = row.get(0)?;
        part.events.push(outbox::read(&row.get::<_, String>(1)?)?);
    }
    Ok(part)
}
