//! Opening a connection, and what its errors mean to a caller.

use super::keys::TOO_LONG;
use super::statement::Unstorable;
use crate::{too_long, unstorable};
use callboard::Fault;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, Error, ErrorCode, OpenFlags};
use std::path::Path;

/// Opens the records in WAL mode; how long a commit waits for the disk is the writer's to say.
pub(super) fn open(file: Option<&Path>, is_reader: bool) -> Result<Connection, Fault> {
    let connection = match file {
        None => Connection::open_in_memory(),
        Some(file) => {
            let access = if is_reader {
                OpenFlags::SQLITE_OPEN_READ_ONLY
            } else {
                OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE
            };
            Connection::open_with_flags(file, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        }
    };
    let connection = connection.map_err(|error| fault(&error))?;
    let settings = if is_reader {
        "PRAGMA query_only = ON; PRAGMA cache_size = -4000; PRAGMA temp_store = MEMORY;"
    } else {
        "PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -32000;
         PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = 4000;"
    };
    connection.execute_batch(settings).map_err(|error| fault(&error))?;
    // A plan must not depend on values: SQLite would prepare a statement anew whenever one of them changes.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(|error| fault(&error))?;
    connection.set_prepared_statement_cache_capacity(512);
    Ok(connection)
}

/// What an error of SQLite means to a caller.
pub(super) fn fault(error: &Error) -> Fault {
    match error {
        Error::ToSqlConversionFailure(why) if why.is::<Unstorable>() => return unstorable(),
        Error::SqliteFailure(_, Some(message)) if message == TOO_LONG => return too_long(),
        _ => {}
    }
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => {
            Fault::unavailable("disk.full", "the disk is full; nothing was changed, free some space and try again")
                .detail(error.to_string())
        }
        Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::DatabaseBusy) => {
            Fault::unavailable(
                "records.unavailable",
                "the records cannot be reached; nothing was changed, try again later",
            )
            .detail(error.to_string())
        }
        _ => Fault::bug(format!("SQLite: {error}")),
    }
}

/// The store rolled back a whole group because of another change in it.
pub(super) fn taken_back() -> Fault {
    Fault::unavailable(
        "records.unavailable",
        "the records could not take a change beside this one; nothing was changed, try again",
    )
}

/// The thread that should answer has ended.
pub(super) fn gone() -> Fault {
    Fault::unavailable("records.unavailable", "the records are being closed; try again later")
}
