//! Runs of flows inside the transaction that moves them: finds what is stored, lets the framework decide, stores that.

use super::connection::fault;
use super::kernel::Kernel;
use super::prepared::Db;
use super::statement::check_texts;
use callboard::flow::{self, Applied, FlowMove, Queue, Stored, Subject};
use callboard::ports::{Commit, CommitError, Outgoing};
use rusqlite::{OptionalExtension, params};

/// Applies a move; gives the messages it causes.
pub(super) fn apply(
    kernel: &Kernel,
    connection: &Db<'_>,
    commit: &Commit,
    step: FlowMove,
) -> Result<Vec<Outgoing>, CommitError> {
    let stored = find(connection, commit, step.subject()).map_err(|error| fault(&error))?;
    match flow::apply(&kernel.space, commit, stored, step, &mut || kernel.random())? {
        None => Ok(Vec::new()),
        Some(applied) => {
            store(connection, &applied, commit.now_ms).map_err(|error| fault(&error))?;
            Ok(applied.outbox)
        }
    }
}

fn find(connection: &Db<'_>, commit: &Commit, subject: Subject<'_>) -> rusqlite::Result<Option<Stored>> {
    let stored = |row: &rusqlite::Row<'_>| Ok(Stored { state: row.get(0)?, version: row.get(1)? });
    match subject {
        Subject::Run(id) => connection
            .prepare_cached("SELECT state, version FROM kernel_flow WHERE run = ?1")?
            .query_row([id.to_string()], stored)
            .optional(),
        Subject::Key { key, .. } | Subject::Turn { entity: key, .. } if key.contains('\0') => {
            check_texts(&[key]).map(|()| None)
        }
        Subject::Key { flow, key } => connection
            .prepare_cached("SELECT state, version FROM kernel_flow WHERE tenant = ?1 AND flow = ?2 AND key = ?3")?
            .query_row(params![commit.head.tenant.as_str(), flow, key], stored)
            .optional(),
        Subject::Turn { flow, entity } => connection
            .prepare_cached(
                "SELECT f.state, f.version FROM kernel_flow_turn t JOIN kernel_flow f ON f.run = t.run
                 WHERE t.tenant = ?1 AND t.flow = ?2 AND t.entity = ?3 ORDER BY f.status = 'queued', t.run LIMIT 1",
            )?
            .query_row(params![commit.head.tenant.as_str(), flow, entity], stored)
            .optional(),
    }
}

fn store(connection: &Db<'_>, applied: &Applied, now_ms: i64) -> rusqlite::Result<()> {
    let Applied { run, state, version, event, queue, .. } = applied;
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
    let turn = params![run.tenant.as_str(), run.flow, run.entity, id];
    match queue {
        Some(Queue::Enter) => connection
            .prepare_cached("INSERT INTO kernel_flow_turn (tenant, flow, entity, run) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING")?
            .execute(turn)?,
        Some(Queue::Leave) => connection
            .prepare_cached("DELETE FROM kernel_flow_turn WHERE tenant = ?1 AND flow = ?2 AND entity = ?3 AND run = ?4")?
            .execute(turn)?,
        None => 0,
    };
    if let Some(event) = event {
        connection
            .prepare_cached("INSERT INTO kernel_flow_event (run, version, at_ms, event) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![id, version, now_ms, event])?;
    }
    Ok(())
}
