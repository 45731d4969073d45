//! Runs of flows inside the transaction that moves them: load, let the pure machine decide, store, queue what it commands.

use super::connection::fault;
use super::kernel::Kernel;
use callboard::flow::{self, FlowEvent, Run, Status};
use callboard::ports::{CommitError, Outgoing};
use callboard::{Fault, Id, Tenant};
use rusqlite::{Connection, OptionalExtension, params};

fn failed(error: &rusqlite::Error) -> CommitError {
    fault(error).into()
}

/// Starts a run, unless its key is taken: by the same input it is the same run, by another it is a conflict.
pub(super) fn start(
    kernel: &mut Kernel,
    connection: &Connection,
    mut run: Run,
    now_ms: i64,
) -> Result<Vec<Outgoing>, CommitError> {
    let taken: Option<String> = connection
        .prepare_cached("SELECT state FROM kernel_flow WHERE tenant = ?1 AND flow = ?2 AND key = ?3")
        .and_then(|mut select| {
            select.query_row(params![run.tenant.as_str(), run.flow, run.key], |row| row.get(0)).optional()
        })
        .map_err(|error| failed(&error))?;
    if let Some(state) = taken {
        return if read(&state)?.input == run.input {
            Ok(Vec::new())
        } else {
            let message = format!("flow {} was started for `{}` with another input", run.flow, run.key);
            Err(CommitError::Refused(Box::new(Fault::conflict("flow.started", message))))
        };
    }
    let space = kernel.space.clone();
    let (_, definition) = space.flow(&run.flow).ok_or_else(|| Fault::bug(format!("there is no flow {}", run.flow)))?;
    let commands = flow::begin(definition, &mut run);
    connection
        .prepare_cached("INSERT INTO kernel_flow (run, tenant, flow, key, status, version, state, started_ms, changed_ms) VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7, ?7)")
        .and_then(|mut insert| {
            let state = serde_json::to_string(&run).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
            insert.execute(params![run.id.to_string(), run.tenant.as_str(), run.flow, run.key, run.status.as_str(), state, now_ms])
        })
        .map_err(|error| failed(&error))?;
    Ok(messages(kernel, &run, &commands, now_ms))
}

/// Moves a run on. An answer to a run that is not there, or that does not fit any more, changes nothing but is recorded.
pub(super) fn advance(
    kernel: &mut Kernel,
    connection: &Connection,
    id: &str,
    event: FlowEvent,
    now_ms: i64,
) -> Result<Vec<Outgoing>, CommitError> {
    let found: Option<(String, i64)> = connection
        .prepare_cached("SELECT state, version FROM kernel_flow WHERE run = ?1")
        .and_then(|mut select| select.query_row([id], |row| Ok((row.get(0)?, row.get(1)?))).optional())
        .map_err(|error| failed(&error))?;
    let Some((state, version)) = found else { return Ok(Vec::new()) };
    let mut run = read(&state)?;
    let space = kernel.space.clone();
    let (_, definition) =
        space.flow(&run.flow).ok_or_else(|| Fault::bug(format!("there is no flow {} any more", run.flow)))?;
    if definition.hash() != run.hash {
        let message = format!("run {id} of flow {} began with another definition of its steps", run.flow);
        return Err(Fault::conflict("flow.changed", message).into());
    }
    let random = kernel.random();
    let jitter = u32::from_le_bytes([random[0], random[1], random[2], random[3]]);
    let recorded = serde_json::to_string(&event).expect("an event of a flow serialises to JSON");
    let commands = flow::advance(definition, &mut run, event, jitter);
    let store = || -> rusqlite::Result<()> {
        let state =
            serde_json::to_string(&run).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        connection
            .prepare_cached(
                "UPDATE kernel_flow SET state = ?2, status = ?3, version = version + 1, changed_ms = ?4 WHERE run = ?1",
            )?
            .execute(params![id, state, run.status.as_str(), now_ms])?;
        connection
            .prepare_cached("INSERT INTO kernel_flow_event (run, version, at_ms, event) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![id, version + 1, now_ms, recorded])
            .map(drop)
    };
    store().map_err(|error| failed(&error))?;
    Ok(messages(kernel, &run, &commands, now_ms))
}

/// Cancels the run with a key, where there is one that is still going.
pub(super) fn cancel(
    kernel: &mut Kernel,
    connection: &Connection,
    tenant: &Tenant,
    flow: &str,
    key: &str,
    now_ms: i64,
) -> Result<Vec<Outgoing>, CommitError> {
    let found: Option<String> = connection
        .prepare_cached("SELECT run FROM kernel_flow WHERE tenant = ?1 AND flow = ?2 AND key = ?3 AND status = ?4")
        .and_then(|mut select| {
            select.query_row(params![tenant.as_str(), flow, key, Status::Running.as_str()], |row| row.get(0)).optional()
        })
        .map_err(|error| failed(&error))?;
    match found {
        Some(run) => advance(kernel, connection, &run, FlowEvent::Cancelled, now_ms),
        None => Ok(Vec::new()),
    }
}

fn read(state: &str) -> Result<Run, CommitError> {
    serde_json::from_str(state)
        .map_err(|error| Fault::bug(format!("the state of a run cannot be read: {error}")).into())
}

fn messages(kernel: &Kernel, run: &Run, commands: &[flow::Command], now_ms: i64) -> Vec<Outgoing> {
    let space = kernel.space.clone();
    space.flow_messages(run, commands, now_ms, &mut || Id::from_parts(now_ms, kernel.random()))
}
