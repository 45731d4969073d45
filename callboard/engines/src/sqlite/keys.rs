//! How long the texts may be that rows are found by: as long as they may be on the other engine.

use super::connection::fault;
use crate::INDEXED_BYTES_MAX;
use callboard::{Fault, Space};
use rusqlite::{Connection, params};

/// What the store says to longer ones.
pub(super) const TOO_LONG: &str = "texts of an index are too long";

/// Has this connection refuse rows with longer ones. Triggers of a connection leave nothing in the file.
pub(super) fn limit(connection: &Connection, space: &Space) -> Result<(), Fault> {
    let tables = space.services.iter().flat_map(|service| &service.tables);
    for (at, table) in tables.enumerate() {
        limit_table(connection, at, table.name).map_err(|error| fault(&error))?;
    }
    Ok(())
}

fn limit_table(connection: &Connection, at: usize, table: &str) -> rusqlite::Result<()> {
    let mut select = connection.prepare(
        "SELECT group_concat('ifnull(octet_length(NEW.\"' || i.name || '\"), 0)', ' + '), group_concat('\"' || i.name || '\"')
         FROM pragma_index_list(?1) l JOIN pragma_index_info(l.name) i JOIN pragma_table_info(?1) c ON c.name = i.name
         WHERE upper(c.type) IN ('TEXT', 'BLOB') GROUP BY l.name",
    )?;
    let indexes = select.query_map(params![table], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (lengths, columns): (Vec<String>, Vec<String>) =
        indexes.collect::<rusqlite::Result<Vec<_>>>()?.into_iter().unzip();
    if lengths.is_empty() {
        return Ok(());
    }
    let is_long: Vec<String> = lengths.iter().map(|length| format!("{length} > {INDEXED_BYTES_MAX}")).collect();
    for (name, event) in [("insert", "INSERT".to_owned()), ("update", format!("UPDATE OF {}", columns.join(", ")))] {
        connection.execute_batch(&format!(
            "CREATE TEMP TRIGGER keys_{name}_{at} AFTER {event} ON main.\"{table}\" WHEN {}
             BEGIN SELECT RAISE(ABORT, '{TOO_LONG}'); END",
            is_long.join(" OR "),
        ))?;
    }
    Ok(())
}
