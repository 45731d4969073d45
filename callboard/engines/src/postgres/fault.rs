//! What an error of PostgreSQL means to a caller.

use super::schema::KEY_LIMIT;
use crate::{too_long, unstorable};
use callboard::Fault;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

/// What an error means where nothing was changed.
pub(super) fn fault(error: &Error) -> Fault {
    let detail = detail(error);
    match error.code() {
        Some(code) if *code == SqlState::DISK_FULL => Fault::unavailable(
            "disk.full",
            "the disk of the records is full; nothing was changed, free some space and try again",
        )
        .detail(detail),
        Some(code) if *code == SqlState::QUERY_CANCELED || *code == SqlState::LOCK_NOT_AVAILABLE => {
            Fault::unavailable("records.unavailable", "the records took too long; nothing was changed, try again later")
                .detail(detail)
        }
        Some(code) if *code == SqlState::CHARACTER_NOT_IN_REPERTOIRE || *code == SqlState::UNTRANSLATABLE_CHARACTER => {
            unstorable().detail(detail)
        }
        Some(code) if *code == SqlState::PROGRAM_LIMIT_EXCEEDED || is_key_limit(error) => too_long().detail(detail),
        _ if is_gone(error) || is_overrun(error) => unavailable().detail(detail),
        _ => Fault::bug(format!("PostgreSQL: {detail}")),
    }
}

/// The server cannot be reached.
pub(super) fn unavailable() -> Fault {
    Fault::unavailable("records.unavailable", "the records cannot be reached; nothing was changed, try again later")
}

/// All connections were in use for too long.
pub(super) fn overrun() -> Fault {
    let message = "the records have too much to do; nothing was changed, try again later";
    Fault::unavailable("records.unavailable", message).detail("all connections are in use")
}

/// The server went away while it was committing.
pub(super) fn unknown(error: &Error) -> Fault {
    Fault::unavailable(
        "records.unknown",
        "the records went away during the change; look whether it was made before you try again",
    )
    .detail(detail(error))
}

/// Whether the connection is lost, or the server is about to end it.
pub(super) fn is_gone(error: &Error) -> bool {
    match error.code() {
        None => error.is_closed() || source_is_io(error),
        Some(code) => [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::CANNOT_CONNECT_NOW].contains(code),
    }
}

/// Whether there is no TLS with the server as it was wanted.
pub(super) fn is_tls(error: &Error) -> bool {
    // The library does not say it otherwise.
    error.to_string().contains("TLS handshake")
}

/// Whether the same batch may well go through when it is run again: others were in its way, and it was rolled back.
pub(super) fn is_contended(error: &Error) -> bool {
    let is_taken = |code: &SqlState| {
        // Two nodes began the same run at the same moment; the second one finds it when it looks again.
        *code == SqlState::UNIQUE_VIOLATION
            && error.as_db_error().and_then(|error| error.table()) == Some("kernel_flow")
    };
    error.code().is_some_and(|code| {
        *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED || is_taken(code)
    })
}

/// Whether the texts of an index are longer than the other engine lets them be.
fn is_key_limit(error: &Error) -> bool {
    error.as_db_error().and_then(|error| error.constraint()) == Some(KEY_LIMIT)
}

fn is_overrun(error: &Error) -> bool {
    error.code().is_some_and(|code| {
        *code == SqlState::TOO_MANY_CONNECTIONS
            || *code == SqlState::READ_ONLY_SQL_TRANSACTION
            || code.code().starts_with("58")
    })
}

fn source_is_io(error: &Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<std::io::Error>())
}

/// All that the server says, for the log: it never holds the password.
pub(super) fn detail(error: &Error) -> String {
    match error.as_db_error() {
        Some(said) => {
            let more = said.detail().map(|more| format!("; {more}")).unwrap_or_default();
            format!("{} ({}){more}", said.message(), said.code().code())
        }
        None => match std::error::Error::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        },
    }
}
