//! A commit: writes with their expectations, moves of flows, messages, and the message it settles, in one transaction.
//!
//! It goes in two round trips, or two more for each flow that moves beside the first. Nothing of it is certain before the server
//! has answered the last one; where that answer is lost, the caller hears that nobody knows.

use super::fault::{fault, is_contended, is_gone, unknown};
use super::pool::Session;
use super::statement::{Call, LEAVE, Ran, Ready, Unready, enter, pipelined, tenant_datum};
use super::{Known, Open};
use callboard::flow::{self, Applied, FlowMove, Queue, Run, Stored, Subject};
use callboard::ports::{Commit, CommitError, Committed, Once, OnceKey, Outgoing, Settle};
use callboard::{Fault, KEY_AGE_MS, Otherwise};
use serde_json::Value;
use tokio_postgres::Error;
use tokio_postgres::types::ToSql;

/// How often a batch is run in all where others are in its way, or where its connection is lost before it ends.
const ATTEMPTS_MAX: usize = 4;

/// Why an attempt did not come to its end.
enum Trouble {
    /// The answer to the caller.
    Said(CommitError),
    /// The store failed, and nothing was changed.
    Store(Error, Option<&'static str>),
    /// The store failed while it was committing.
    Unknown(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Store(error, None)
    }
}

impl From<Unready> for Trouble {
    fn from(unready: Unready) -> Self {
        match unready {
            Unready::Fault(fault) => Self::Said(CommitError::Failed(fault)),
            Unready::Store(error) => Self::Store(error, None),
        }
    }
}

/// Commits, again where the store says that it may well go through then. What was settled already is stale, whatever else is wrong
/// with it: that it was done before may be what is wrong.
pub(super) async fn run(open: &Open, commit: Commit) -> Result<Committed, CommitError> {
    let error = match run_attempts(open, &commit).await {
        Err(Ended::Refused(error)) => error,
        Err(Ended::Unknown(fault)) => return Err(fault.into()),
        Ok(committed) => return Ok(committed),
    };
    match commit.settle {
        Some(settle) if !matches!(error, CommitError::Stale) && is_stale(open, settle).await => Err(CommitError::Stale),
        _ => Err(error),
    }
}

/// Why a commit did not go through.
enum Ended {
    /// Nothing was changed.
    Refused(CommitError),
    /// Nobody knows.
    Unknown(Fault),
}

async fn run_attempts(open: &Open, commit: &Commit) -> Result<Committed, Ended> {
    for attempt in 1.. {
        let error = match attempt_once(open, commit).await {
            Ok(committed) => return Ok(committed),
            Err(Trouble::Said(said)) => return Err(Ended::Refused(said)),
            Err(Trouble::Unknown(error)) => return Err(Ended::Unknown(unknown(&error))),
            Err(Trouble::Store(error, _)) if attempt < ATTEMPTS_MAX && (is_contended(&error) || is_gone(&error)) => {
                tracing::debug!(attempt, %error, "a commit is run again");
                continue;
            }
            Err(Trouble::Store(error, None)) => fault(&error),
            Err(Trouble::Store(error, Some(name))) => {
                let fault = fault(&error);
                let detail = format!("statement {name}: {}", fault.detail.clone().unwrap_or_default());
                fault.detail(detail)
            }
        };
        return Err(Ended::Refused(error.into()));
    }
    Err(Ended::Refused(Fault::bug("a commit was never run").into()))
}

/// Whether a message is not there any more, or somebody else's by now. Who cannot be asked has not said so.
async fn is_stale(open: &Open, settle: Settle) -> bool {
    let Settle { lane, seq, epoch } = settle;
    let sql = "SELECT NOT EXISTS (SELECT 1 FROM kernel_lane WHERE lane = $1 AND head = $2 AND epoch = $3)";
    let rows = open.rows(sql, &[&lane, &seq, &epoch]).await;
    rows.is_ok_and(|rows| rows.first().is_some_and(|row| row.get(0)))
}

async fn attempt_once(open: &Open, commit: &Commit) -> Result<Committed, Trouble> {
    let mut lease = open.pool.lease().await.map_err(|fault| Trouble::Said(fault.into()))?;
    let session = lease.session();
    let result = transact(open, session, commit).await;
    // What has failed is rolled back; a connection on which even that fails is not used again.
    if result.is_ok() || session.batch_execute("ROLLBACK").await.is_ok() {
        lease.give_back();
    }
    result
}

async fn transact(open: &Open, session: &mut Session, commit: &Commit) -> Result<Committed, Trouble> {
    let (committed, mut found) = write(open, session, commit).await?;
    let mut outbox = commit.filled_outbox(&committed);
    if let Some(once) = commit.filled_once(&committed) {
        remember(session, &once, commit.now_ms).await?;
    }
    // The last move is stored together with the end.
    let mut moved = None;
    for step in commit.moves.iter().cloned() {
        let stored = match (found.take(), moved.take()) {
            (Some(first), _) => first,
            (None, before) => {
                if let Some(before) = before {
                    Store::new(session, &before, commit.now_ms).await?.run(session).await?;
                }
                let find = Find::new(session, &step, commit).await?;
                find.run(session).await?
            }
        };
        let applied = flow::apply(&open.space, commit, stored, step, &mut || open.random()).map_err(Trouble::Said)?;
        if let Some(mut applied) = applied {
            outbox.to_mut().append(&mut applied.outbox);
            moved = Some(applied);
        }
    }
    finish(session, commit, moved, &outbox).await?;
    Ok(committed)
}

/// What an answer in the first round trip is.
enum Began {
    Ran(Ran),
    Found(Option<Stored>),
    Else,
}

/// Begins, runs the writes as their service, and finds the run that moves first.
async fn write(
    open: &Open,
    session: &mut Session,
    commit: &Commit,
) -> Result<(Committed, Option<Option<Stored>>), Trouble> {
    let tenant = tenant_datum(&commit.head.tenant);
    let mut ready = Vec::with_capacity(commit.effects.writes.len());
    let mut begin = "BEGIN".to_owned();
    for write in &commit.effects.writes {
        let known = open.statements.find(write.statement).map_err(|fault| Trouble::Said(fault.into()))?;
        if known.service != commit.service {
            let name = write.statement.name;
            let message = format!("statement {name} is not listed in `Service::statements` of {}", commit.service);
            return Err(Trouble::Said(Fault::bug(message).into()));
        }
        if ready.is_empty() {
            begin = format!("BEGIN; {}", enter(&known.role, &commit.head.tenant));
        }
        ready.push(Ready::new(session, known, write.statement, &write.params, &tenant).await?);
    }
    let find = match commit.moves.first() {
        None => None,
        Some(step) => Some(Find::new(session, step, commit).await?),
    };
    let session = &*session;
    let mut calls: Vec<Call<'_, Result<Began, Error>>> =
        vec![Box::pin(async { session.batch_execute(&begin).await.map(|()| Began::Else) })];
    for one in &ready {
        calls.push(Box::pin(async { one.run(session).await.map(Began::Ran) }));
    }
    if !ready.is_empty() {
        calls.push(Box::pin(async { session.batch_execute(LEAVE).await.map(|()| Began::Else) }));
    }
    if let Some(find) = &find {
        calls.push(Box::pin(async { find.run(session).await.map(Began::Found) }));
    }
    let mut writes = commit.effects.writes.iter();
    let mut committed = Committed::default();
    let mut found = None;
    for answer in pipelined(calls).await {
        let next = || writes.as_slice().first().map(|write| write.statement.name);
        let ran = match answer.map_err(|error| Trouble::Store(error, next()))? {
            Began::Ran(ran) => ran,
            Began::Found(stored) => {
                found = Some(stored);
                continue;
            }
            Began::Else => continue,
        };
        let Some(write) = writes.next() else { continue };
        if !write.expect.contains(&ran.changed) {
            return Err(Trouble::Said(match &write.otherwise {
                Otherwise::Refuse(fault) => CommitError::Refused(Box::new(fault.clone())),
                Otherwise::Retry => CommitError::Retry,
            }));
        }
        committed.returned.push(ran.rows);
    }
    Ok((committed, found))
}

const REMEMBER: &str =
    "INSERT INTO kernel_once (tenant, principal, target, key, input, answer, at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7)
     ON CONFLICT (tenant, principal, target, key) DO UPDATE
     SET input = excluded.input, answer = excluded.answer, at_ms = excluded.at_ms WHERE kernel_once.at_ms < $8";

/// Remembers the key of a message that may come again. Where another transaction has it this waits for how that ends.
async fn remember(session: &mut Session, once: &Once, now_ms: i64) -> Result<(), Trouble> {
    let Once { key: OnceKey { tenant, principal, target, key }, input, answer } = once;
    let answer = answer.as_ref().map(Value::to_string);
    let since_ms = now_ms.saturating_sub(KEY_AGE_MS);
    let insert = session.prepare(REMEMBER).await?;
    let params: Known<'_> = &[&tenant.as_str(), principal, target, key, input, &answer, &now_ms, &since_ms];
    if session.execute(&insert, params).await? == 1 { Ok(()) } else { Err(Trouble::Said(CommitError::Seen)) }
}

const FIND_RUN: &str = "SELECT state, version FROM kernel_flow WHERE run = $1 FOR UPDATE";
const FIND_KEY: &str = "SELECT state, version FROM kernel_flow WHERE tenant = $1 AND flow = $2 AND key = $3 FOR UPDATE";
const FIND_TURN: &str = "SELECT f.state, f.version FROM kernel_flow_turn t JOIN kernel_flow f ON f.run = t.run
     WHERE t.tenant = $1 AND t.flow = $2 AND t.entity = $3
     ORDER BY f.status = 'queued', t.run LIMIT 1 FOR UPDATE OF f";
const ENTER_QUEUE: &str =
    "INSERT INTO kernel_flow_turn (tenant, flow, entity, run) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
const LEAVE_QUEUE: &str = "DELETE FROM kernel_flow_turn WHERE tenant = $1 AND flow = $2 AND entity = $3 AND run = $4";
/// Stores a run that begins.
macro_rules! begin_run {
    () => {
        "INSERT INTO kernel_flow (run, tenant, flow, key, status, version, state, started_ms, changed_ms)
         VALUES ($1, $2, $3, $4, $5, 1, $6, $7, $7)"
    };
}
/// Stores a run that moves, and in the statement behind it what happened.
macro_rules! move_run {
    () => {
        "WITH moved AS (
           UPDATE kernel_flow SET state = $2, status = $3::text, version = $4::bigint, changed_ms = $5::bigint,
             ended_ms = CASE WHEN $3::text IN ('completed', 'undone') THEN $5::bigint END
           WHERE run = $1::text AND version + 1 = $4::bigint)"
    };
}
macro_rules! note_move {
    () => {
        "INSERT INTO kernel_flow_event (run, version, at_ms, event)
         SELECT $1::text, $4::bigint, $5::bigint, $6::text WHERE $6::text IS NOT NULL"
    };
}
const BEGIN_RUN: &str = begin_run!();
const MOVE_RUN: &str = concat!(move_run!(), " ", note_move!());

/// How to find the run that a move is about, and to hold it.
struct Find {
    statement: tokio_postgres::Statement,
    params: Vec<String>,
}

impl Find {
    async fn new(session: &mut Session, step: &FlowMove, commit: &Commit) -> Result<Self, Error> {
        let tenant = || commit.head.tenant.as_str().to_owned();
        let (sql, params) = match step.subject() {
            Subject::Run(id) => (FIND_RUN, vec![id.to_string()]),
            Subject::Key { flow, key } => (FIND_KEY, vec![tenant(), flow.to_owned(), key.to_owned()]),
            Subject::Turn { flow, entity } => (FIND_TURN, vec![tenant(), flow.to_owned(), entity.to_owned()]),
        };
        Ok(Self { statement: session.prepare(sql).await?, params })
    }

    async fn run(&self, session: &Session) -> Result<Option<Stored>, Error> {
        let params: Vec<&(dyn ToSql + Sync)> = self.params.iter().map(|param| param as _).collect();
        let found = session.query_opt(&self.statement, &params).await?;
        Ok(found.map(|row| Stored { state: row.get(0), version: row.get(1) }))
    }
}

/// How to store a run that has moved.
struct Store<'a> {
    id: String,
    tenant: &'a str,
    status: &'a str,
    now_ms: i64,
    applied: &'a Applied,
    turn: Option<tokio_postgres::Statement>,
}

impl<'a> Store<'a> {
    async fn new(session: &mut Session, applied: &'a Applied, now_ms: i64) -> Result<Self, Error> {
        let turn = match applied.queue {
            None => None,
            Some(Queue::Enter) => Some(session.prepare(ENTER_QUEUE).await?),
            Some(Queue::Leave) => Some(session.prepare(LEAVE_QUEUE).await?),
        };
        let Run { id, tenant, status, .. } = &applied.run;
        Ok(Self { id: id.to_string(), tenant: tenant.as_str(), status: status.as_str(), now_ms, applied, turn })
    }

    fn is_new(&self) -> bool {
        self.applied.version == 1
    }

    fn params(&self) -> Vec<&(dyn ToSql + Sync)> {
        let Applied { run, state, version, event, .. } = self.applied;
        match self.is_new() {
            true => vec![&self.id, &self.tenant, &run.flow, &run.key, &self.status, state, &self.now_ms],
            false => vec![&self.id, state, &self.status, version, &self.now_ms, event],
        }
    }

    /// Where the run stands in the queue of its entity.
    async fn take_turn(&self, session: &Session) -> Result<(), Error> {
        let (Some(turn), run) = (&self.turn, &self.applied.run) else { return Ok(()) };
        session.execute(turn, &[&self.tenant, &run.flow, &run.entity, &self.id]).await.map(drop)
    }

    /// Stores it where more follows.
    async fn run(&self, session: &mut Session) -> Result<(), Error> {
        let keep = session.prepare(if self.is_new() { BEGIN_RUN } else { MOVE_RUN }).await?;
        session.execute(&keep, &self.params()).await?;
        self.take_turn(session).await
    }
}

/// What the kernel says where the claim is somebody else's by now.
const STALE: &str = "CB001";
const FINISH: &str =
    "SELECT kernel_finish($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)";
const BEGIN_AND_FINISH: &str = concat!(
    "WITH begun AS (",
    begin_run!(),
    ") SELECT kernel_finish($8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25)"
);
const MOVE_AND_FINISH: &str = concat!(
    move_run!(),
    ", noted AS (",
    note_move!(),
    ") SELECT kernel_finish($7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)"
);

/// Stores the last move, settles, queues, and commits.
async fn finish(
    session: &mut Session,
    commit: &Commit,
    moved: Option<Applied>,
    outbox: &[Outgoing],
) -> Result<(), Trouble> {
    let columns = Columns::new(outbox, commit);
    let store = match &moved {
        None => None,
        Some(applied) => Some(Store::new(session, applied, commit.now_ms).await?),
    };
    let call = session.prepare(match &store {
        None => FINISH,
        Some(store) if store.is_new() => BEGIN_AND_FINISH,
        Some(_) => MOVE_AND_FINISH,
    });
    let call = call.await?;
    let session = &*session;
    let mut params = store.as_ref().map_or_else(Vec::new, Store::params);
    params.extend(columns.params());
    let mut calls: Vec<Call<'_, Result<(), Error>>> = Vec::new();
    if let Some(store) = store.as_ref().filter(|store| store.turn.is_some()) {
        calls.push(Box::pin(store.take_turn(session)));
    }
    if store.is_some() || commit.settle.is_some() || !outbox.is_empty() {
        calls.push(Box::pin(async { session.query_one(&call, &params).await.map(drop) }));
    }
    calls.push(Box::pin(session.batch_execute("COMMIT")));
    let last = calls.len();
    for (at, answer) in (1..).zip(pipelined(calls).await) {
        // After an error the COMMIT behind it is answered all the same, but it has rolled back.
        let Err(error) = answer else { continue };
        return Err(match error.code() {
            Some(code) if code.code() == STALE => Trouble::Said(CommitError::Stale),
            Some(_) if at < last || !is_gone(&error) => Trouble::Store(error, None),
            _ => Trouble::Unknown(error),
        });
    }
    Ok(())
}

/// What is settled, and messages with their lanes column by column, as the kernel takes them.
#[derive(Default)]
struct Columns {
    now_ms: i64,
    lane: Option<i64>,
    seq: i64,
    epoch: i64,
    ids: Vec<String>,
    services: Vec<String>,
    types: Vec<String>,
    tenants: Vec<String>,
    times: Vec<i64>,
    are_events: Vec<i64>,
    blobs: Vec<Option<String>>,
    envelopes: Vec<String>,
    of: Vec<i64>,
    takers: Vec<&'static str>,
    targets: Vec<String>,
    keys: Vec<String>,
    due: Vec<i64>,
    sole: Vec<bool>,
}

impl Columns {
    fn new(outbox: &[Outgoing], commit: &Commit) -> Self {
        let Settle { lane, seq, epoch } = commit.settle.unwrap_or(Settle { lane: 0, seq: 0, epoch: 0 });
        let (now_ms, lane) = (commit.now_ms, commit.settle.map(|_| lane));
        let (mut columns, mut lanes) = (Self { now_ms, lane, seq, epoch, ..Self::default() }, Vec::new());
        for (place, out) in (1_i64..).zip(outbox) {
            let envelope = &out.envelope;
            let text = serde_json::to_string(envelope).expect("a message of ours serialises to JSON");
            columns.ids.push(envelope.id.to_string());
            columns.services.push(envelope.source.strip_prefix("service/").unwrap_or_default().to_owned());
            columns.types.push(envelope.kind.as_str().to_owned());
            columns.tenants.push(envelope.tenant.as_str().to_owned());
            columns.times.push(envelope.time_ms);
            columns.are_events.push(i64::from(out.is_event));
            columns.blobs.push(envelope.dataref.clone());
            columns.envelopes.push(text);
            lanes.extend(out.lanes.iter().map(|lane| {
                // A message with a time gets a lane of its own, so that waiting never blocks FIFO.
                let is_apart = lane.at_ms.is_some() && !lane.is_sole;
                let key = if is_apart { format!("{}@{}", lane.key, envelope.id) } else { lane.key.clone() };
                (lane, envelope.tenant.as_str(), key, place)
            }));
        }
        // As the kernel wants them; several messages to one lane stay in their order.
        lanes.sort_by(|one, other| (&one.0.target, one.1, &one.2).cmp(&(&other.0.target, other.1, &other.2)));
        for (lane, _, key, place) in lanes {
            columns.of.push(place);
            columns.takers.push(lane.service);
            columns.targets.push(lane.target.clone());
            columns.keys.push(key);
            columns.due.push(lane.at_ms.unwrap_or(now_ms));
            columns.sole.push(lane.is_sole);
        }
        columns
    }

    fn params(&self) -> [&(dyn ToSql + Sync); 18] {
        [
            &self.now_ms,
            &self.lane,
            &self.seq,
            &self.epoch,
            &self.ids,
            &self.services,
            &self.types,
            &self.tenants,
            &self.times,
            &self.are_events,
            &self.blobs,
            &self.envelopes,
            &self.of,
            &self.takers,
            &self.targets,
            &self.keys,
            &self.due,
            &self.sole,
        ]
    }
}
