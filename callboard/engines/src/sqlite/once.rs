//! Keys under which messages may come again.

use super::prepared::Db;
use super::statement;
use callboard::KEY_AGE_MS;
use callboard::ports::{Once, OnceKey, Seen};
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

fn unreadable(error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error.into())
}

/// Remembers a key; false where it is remembered already.
pub(super) fn remember(connection: &Db<'_>, once: &Once, now_ms: i64) -> rusqlite::Result<bool> {
    let Once { key: OnceKey { tenant, principal, target, key }, input, answer } = once;
    statement::check_texts(&[principal, target, key])?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO kernel_once (tenant, principal, target, key, input, answer, at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (tenant, principal, target, key) DO UPDATE
         SET input = excluded.input, answer = excluded.answer, at_ms = excluded.at_ms WHERE at_ms < ?8",
    )?;
    let answer = answer.as_ref().map(Value::to_string);
    let since_ms = now_ms.saturating_sub(KEY_AGE_MS);
    let changed = insert.execute(params![tenant.as_str(), principal, target, key, input, answer, now_ms, since_ms])?;
    Ok(changed == 1)
}

/// What is remembered under a key.
pub(super) fn seen(connection: &Connection, key: &OnceKey, since_ms: i64) -> rusqlite::Result<Option<Seen>> {
    let OnceKey { tenant, principal, target, key } = key;
    statement::check_texts(&[principal, target, key])?;
    let mut select = connection.prepare_cached(
        "SELECT input, answer FROM kernel_once
         WHERE tenant = ?1 AND principal = ?2 AND target = ?3 AND key = ?4 AND at_ms >= ?5",
    )?;
    let read = |row: &rusqlite::Row<'_>| {
        let answer: Option<String> = row.get(1)?;
        let answer = answer.map(|text| serde_json::from_str(&text)).transpose().map_err(unreadable)?;
        Ok(Seen { input: row.get(0)?, answer })
    };
    select.query_row(params![tenant.as_str(), principal, target, key, since_ms], read).optional()
}

/// Forgets about `limit` keys from before a time. How many.
pub(super) fn forget(connection: &Connection, before_ms: i64, limit: u32) -> rusqlite::Result<usize> {
    let mut delete = connection.prepare_cached(
        "DELETE FROM kernel_once WHERE (tenant, principal, target, key) IN
           (SELECT tenant, principal, target, key FROM kernel_once INDEXED BY kernel_once_age
            WHERE at_ms < ?1 ORDER BY at_ms LIMIT ?2)",
    )?;
    delete.execute(params![before_ms, limit])
}
