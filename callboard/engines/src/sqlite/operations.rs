//! The operator's view: lists run on a reader thread, so that a long look holds up no commit.

use super::connection::fault;
use super::prepared::Db;
use super::writer::Job;
use super::{Sqlite, dead, outbox};
use callboard::ports::{
    BoxFuture, DeadFilter, DeadLetter, Operations, PAGE_MAX, Page, Queue, RunFilter, RunHistory, RunSummary, Tick,
};
use callboard::{Fault, Id, Tenant};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::de::DeserializeOwned;

impl Operations for Sqlite {
    fn queues(&self, _: i64) -> BoxFuture<'_, Result<Vec<Queue>, Fault>> {
        Box::pin(async {
            let mut queues = self.look(queues).await?;
            let targets = queues.iter().map(|queue| queue.target.clone()).collect();
            let in_flight = self.ask(|answer| Job::InFlight { targets, answer }).await?;
            for (queue, count) in queues.iter_mut().zip(in_flight) {
                queue.in_flight = count as u64;
            }
            Ok(queues)
        })
    }

    fn dead(&self, filter: DeadFilter, page: Page) -> BoxFuture<'_, Result<Vec<DeadLetter>, Fault>> {
        let page = Page { limit: page.limit.min(PAGE_MAX), ..page };
        Box::pin(self.look(move |connection| dead::list(connection, &filter, &page)))
    }

    fn redrive(
        &self,
        filter: DeadFilter,
        limit: u32,
        spread_ms: i64,
        now_ms: i64,
    ) -> BoxFuture<'_, Result<u64, Fault>> {
        Box::pin(self.change(move |connection| dead::redrive(connection, &filter, limit, spread_ms, now_ms)))
    }

    fn discard(&self, filter: DeadFilter, limit: u32, now_ms: i64) -> BoxFuture<'_, Result<u64, Fault>> {
        Box::pin(self.change(move |connection| dead::discard(connection, &filter, limit, now_ms)))
    }

    fn ticks(&self) -> BoxFuture<'_, Result<Vec<Tick>, Fault>> {
        Box::pin(self.look(ticks))
    }

    fn runs(&self, filter: RunFilter, page: Page) -> BoxFuture<'_, Result<Vec<RunSummary>, Fault>> {
        Box::pin(self.look(move |connection| runs(connection, &filter, &page)))
    }

    fn run(&self, tenant: Option<Tenant>, id: Id) -> BoxFuture<'_, Result<Option<RunHistory>, Fault>> {
        Box::pin(self.look(move |connection| history(connection, tenant.as_ref(), id)))
    }

    fn stale(&self) -> BoxFuture<'_, Result<u64, Fault>> {
        Box::pin(self.look(|connection| {
            connection.query_row("SELECT count(*) FROM kernel_stale", [], |row| row.get::<_, u32>(0)).map(u64::from)
        }))
    }
}

impl Sqlite {
    async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Fault> {
        self.read(move |connection| look(connection).map_err(|error| fault(&error))).await
    }

    /// Changes the kernel's tables in a transaction.
    pub(super) async fn change(
        &self,
        change: impl FnOnce(&Db<'_>) -> rusqlite::Result<u64> + Send + 'static,
    ) -> Result<u64, Fault> {
        let change = Box::new(move |connection: &Db<'_>| change(connection).map_err(|error| fault(&error)));
        self.ask(|answer| Job::Change { change, answer }).await
    }
}

fn queues(connection: &Connection) -> rusqlite::Result<Vec<Queue>> {
    let mut select = connection.prepare_cached(
        "SELECT service, target, sum(waiting), sum(held), min(oldest_ms), sum(dead) FROM (
           SELECT l.service, l.target, l.tail - l.head AS waiting, l.is_held AS held, e.time_ms AS oldest_ms, 0 AS dead
           FROM kernel_lane l JOIN kernel_message m ON m.lane = l.lane AND m.seq = l.head JOIN kernel_event e ON e.event = m.event
           UNION ALL SELECT service, target, 0, 0, NULL, 1 FROM kernel_dead)
         GROUP BY service, target ORDER BY target",
    )?;
    let rows = select.query_map([], |row| {
        Ok(Queue {
            service: row.get(0)?,
            target: row.get(1)?,
            waiting: count(row, 2)?,
            in_flight: 0,
            held: count(row, 3)?,
            oldest_ms: row.get(4)?,
            dead: count(row, 5)?,
        })
    })?;
    rows.collect()
}

fn count(row: &Row<'_>, at: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(at).map(i64::unsigned_abs)
}

fn ticks(connection: &Connection) -> rusqlite::Result<Vec<Tick>> {
    let mut select = connection.prepare_cached(
        "SELECT coalesce(l.due_ms, e.time_ms), e.envelope FROM kernel_lane l JOIN kernel_message m ON m.lane = l.lane AND m.seq = l.head
         JOIN kernel_event e ON e.event = m.event
         WHERE l.target >= 'schedule ' AND l.target < 'schedule!' AND l.is_held = 0 ORDER BY l.target",
    )?;
    let rows = select
        .query_map([], |row| Ok(Tick { due_ms: row.get(0)?, envelope: outbox::read(&row.get::<_, String>(1)?)? }))?;
    rows.collect()
}

fn runs(connection: &Connection, filter: &RunFilter, page: &Page) -> rusqlite::Result<Vec<RunSummary>> {
    let mut select = connection.prepare_cached(
        "SELECT run, tenant, flow, key, status, started_ms, changed_ms FROM kernel_flow
         WHERE (?1 IS NULL OR tenant = ?1) AND (?2 IS NULL OR flow = ?2) AND (?3 IS NULL OR status = ?3)
           AND (?4 IS NULL OR key = ?4) AND (?5 IS NULL OR run < ?5) ORDER BY run DESC LIMIT ?6",
    )?;
    let tenant = filter.tenant.as_ref().map(|tenant| tenant.as_str());
    let status = filter.status.map(|status| status.as_str());
    let limit = page.limit.min(PAGE_MAX);
    let rows = select.query_map(params![tenant, filter.flow, status, filter.key, page.after, limit], |row| {
        Ok(RunSummary {
            id: text(row, 0)?,
            tenant: text(row, 1)?,
            flow: row.get(2)?,
            key: row.get(3)?,
            status: text(row, 4)?,
            started_ms: row.get(5)?,
            changed_ms: row.get(6)?,
        })
    })?;
    rows.collect()
}

/// A value that is stored as its text.
fn text<T: DeserializeOwned>(row: &Row<'_>, at: usize) -> rusqlite::Result<T> {
    json(&serde_json::Value::String(row.get(at)?).to_string())
}

fn json<T: DeserializeOwned>(text: &str) -> rusqlite::Result<T> {
    serde_json::from_str(text).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

fn history(connection: &Connection, tenant: Option<&Tenant>, id: Id) -> rusqlite::Result<Option<RunHistory>> {
    let id = id.to_string();
    let tenant = tenant.map(|tenant| tenant.as_str());
    let state: Option<String> = connection
        .prepare_cached("SELECT state FROM kernel_flow WHERE run = ?1 AND (?2 IS NULL OR tenant = ?2)")?
        .query_row(params![id, tenant], |row| row.get(0))
        .optional()?;
    let Some(state) = state else { return Ok(None) };
    let mut select =
        connection.prepare_cached("SELECT at_ms, event FROM kernel_flow_event WHERE run = ?1 ORDER BY version")?;
    let rows = select.query_map([id], |row| Ok((row.get(0)?, json(&row.get::<_, String>(1)?)?)))?;
    Ok(Some(RunHistory { run: json(&state)?, events: rows.collect::<Result<_, _>>()? }))
}
