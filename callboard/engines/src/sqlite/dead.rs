//! Dead letters: how a message becomes one, and how an operator puts it back or throws it away.

use super::kernel::remove_head;
use super::outbox;
use super::prepared::Db;
use callboard::ports::{DeadFilter, DeadLetter, DeadReason, Page, Settle};
use rusqlite::{Connection, Row, params};

/// Makes a dead letter of a message. Where its lane is held the message stays in it, and the lane waits.
pub(super) fn bury(
    connection: &Db<'_>,
    settle: Settle,
    reason: &DeadReason,
    hold: bool,
    now_ms: i64,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO kernel_dead (service, target, tenant, key, attempts, code, message, died_ms, lane, seq, blob, envelope)
             SELECT l.service, l.target, l.tenant, l.key, l.attempts, ?3, ?4, ?5, iif(?6, l.lane, NULL), iif(?6, m.seq, NULL), e.blob, e.envelope
             FROM kernel_lane l JOIN kernel_message m ON m.lane = l.lane AND m.seq = ?2 JOIN kernel_event e ON e.event = m.event
             WHERE l.lane = ?1 AND l.head = ?2",
        )?
        .execute(params![settle.lane, settle.seq, reason.code, reason.message, now_ms, hold])?;
    if hold {
        connection
            .prepare_cached("UPDATE kernel_lane SET due_ms = NULL, is_held = 1 WHERE lane = ?1")?
            .execute([settle.lane])?;
    }
    Ok(())
}

const MATCHING: &str = "(?1 IS NULL OR tenant = ?1) AND (?2 IS NULL OR target = ?2) AND (?3 IS NULL OR code = ?3) AND (?4 IS NULL OR dead = ?4)";

/// One page of dead letters, the newest first.
pub(super) fn list(connection: &Connection, filter: &DeadFilter, page: &Page) -> rusqlite::Result<Vec<DeadLetter>> {
    let before = page.after.as_deref().and_then(|after| after.parse::<i64>().ok()).unwrap_or(i64::MAX);
    let mut select = connection.prepare_cached(&format!(
        "SELECT dead, service, target, key, attempts, code, message, died_ms, lane IS NOT NULL, envelope FROM kernel_dead
         WHERE {MATCHING} AND dead < ?5 ORDER BY dead DESC LIMIT ?6"
    ))?;
    let rows = select.query_map(
        params![
            filter.tenant.as_ref().map(|tenant| tenant.as_str()),
            filter.target,
            filter.code,
            filter.id,
            before,
            page.limit
        ],
        letter,
    )?;
    rows.collect()
}

fn letter(row: &Row<'_>) -> rusqlite::Result<DeadLetter> {
    Ok(DeadLetter {
        id: row.get(0)?,
        service: row.get(1)?,
        target: row.get(2)?,
        key: row.get(3)?,
        attempts: row.get(4)?,
        reason: DeadReason { code: row.get(5)?, message: row.get(6)? },
        died_ms: row.get(7)?,
        is_held: row.get(8)?,
        envelope: outbox::read(&row.get::<_, String>(9)?)?,
    })
}

/// A dead letter that is taken out: its number, and lane and place in it where it holds one.
type Taken = (i64, Option<(i64, i64)>);

/// Dead letters, the oldest first.
fn oldest(connection: &Connection, filter: &DeadFilter, limit: u32) -> rusqlite::Result<Vec<Taken>> {
    let mut select = connection
        .prepare_cached(&format!("SELECT dead, lane, seq FROM kernel_dead WHERE {MATCHING} ORDER BY dead LIMIT ?5"))?;
    let tenant = filter.tenant.as_ref().map(|tenant| tenant.as_str());
    let rows = select.query_map(params![tenant, filter.target, filter.code, filter.id, limit], |row| {
        Ok((row.get(0)?, Option::zip(row.get(1)?, row.get(2)?)))
    })?;
    rows.collect()
}

/// Puts dead letters back to their lanes, spread evenly over a time. Attempts count from the beginning.
pub(super) fn redrive(
    connection: &Db<'_>,
    filter: &DeadFilter,
    limit: u32,
    spread_ms: i64,
    now_ms: i64,
) -> rusqlite::Result<u64> {
    let letters = oldest(connection, filter, limit)?;
    let count = i64::try_from(letters.len()).unwrap_or(i64::MAX);
    for (at, (dead, place)) in (0_i64..).zip(&letters) {
        let due_ms = now_ms + spread_ms.max(0) / count.max(1) * at;
        match place {
            Some((lane, _)) => {
                connection
                    .prepare_cached("UPDATE kernel_lane SET due_ms = ?2, is_held = 0, attempts = 0 WHERE lane = ?1")?
                    .execute(params![lane, due_ms])?;
            }
            None => put_back(connection, *dead, due_ms, due_ms > now_ms)?,
        }
        connection.prepare_cached("DELETE FROM kernel_dead WHERE dead = ?1")?.execute([dead])?;
    }
    Ok(letters.len() as u64)
}

/// Queues the message of a dead letter again: at the end of its lane, or with a time in a lane of its own.
fn put_back(connection: &Db<'_>, dead: i64, due_ms: i64, is_later: bool) -> rusqlite::Result<()> {
    let mut select =
        connection.prepare_cached("SELECT service, target, tenant, key, envelope FROM kernel_dead WHERE dead = ?1")?;
    let (service, target, tenant, mut key, text): (String, String, String, String, String) =
        select.query_row([dead], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))?;
    let (event, _) = outbox::store(connection, &outbox::read(&text)?, false)?;
    if is_later {
        key = format!("{key}@dead-{dead}");
    }
    outbox::queue(connection, (&service, &target, &tenant, &key), due_ms, event)
}

/// Removes dead letters; lanes they held go on with the next message.
pub(super) fn discard(connection: &Db<'_>, filter: &DeadFilter, limit: u32, now_ms: i64) -> rusqlite::Result<u64> {
    let letters = oldest(connection, filter, limit)?;
    for (dead, place) in &letters {
        if let Some((lane, seq)) = *place {
            remove_head(connection, lane, seq, now_ms)?;
        }
        connection.prepare_cached("DELETE FROM kernel_dead WHERE dead = ?1")?.execute([dead])?;
    }
    Ok(letters.len() as u64)
}
