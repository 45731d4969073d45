//! Runs of flows inside the transaction that moves them: finds what is stored, lets the framework decide, stores that.

use super::connection::fault;
use super::kernel::Kernel;
use callboard::flow::{self, Applied, FlowMove, Stored, Subject};
use callboard::ports::{Commit, CommitError, Outgoing};
use rusqlite::{Connection, OptionalExtension, params};

/// Applies a move; gives the messages it causes.
pub(super) fn apply(
    kernel: &Kernel,
    connection: &Connection,
    commit: &Commit,
    step: FlowMove,
) -> Result<Vec<Outgoing>, CommitError> {
    let stored = find(connection, commit, step.subject()).map_err(|error| fault(&error))?;
    match flow::apply(&kernel.space, stored, step, commit.now_ms, &mut || kernel.random())? {
        None => Ok(Vec::new()),
        Some(applied) => {
            store(connection, &applied, commit.now_ms).map_err(|error| fault(&error))?;
            Ok(applied.outbox)
        }
    }
}

fn find(connection: &Connection, commit: &Commit, subject: Subject<'_>) -> rusqlite::Result<Option<Stored>> {
    let stored = |row: &rusqlite::Row<'_>| Ok(Stored { state: row.get(0)?, version: row.get(1)? });
    match subject {
        Subject::Run(id) => connection
            .prepare_cached("SELECT state, version FROM kernel_flow WHERE run = ?1")?
            .query_row([id.to_string()], stored)
            .optional(),
        Subject::Key { flow, key } => connection
            .prepare_cached("SELECT state, version FROM kernel_flow WHERE tenant = ?1 AND flow = ?2 AND key = ?3")?
            .query_row(params![commit.head.tenant.as_str(), flow, key], stored)
            .optional(),
    }
}

fn store(connection: &Connection, applied: &Applied, now_ms: i64) -> rusqlite::Result<()> {
    let Applied { run, state, version, event, .. } = applied;
    let id = run.id.to_string();
    if *version == 1 {
        connection
            .prepare_cached("INSERT INTO kernel_flow (run, tenant, flow, key, status, version, state, started_ms, changed_ms) VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7, ?7)")?
            .execute(params![id, run.tenant.as_str(), run.flow, run.key, run.status.as_str(), state, now_ms])?;
    } else {
        connection
            .prepare_cached(
                "UPDATE kernel_flow SET state = ?2, status = ?3, version = ?4, changed_ms = ?5 WHERE run = ?1",
            )?
            .execute(params![id, state, run.status.as_str(), version, now_ms])?;
    }
    if let Some(event) = event {
        connection
            .prepare_cached("INSERT INTO kernel_flow_event (run, version, at_ms, event) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![id, version, now_ms, event])?;
    }
    Ok(())
}
