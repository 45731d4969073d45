//! The operator's view.

use super::Postgres;
use super::kernel::envelope;
use callboard::ports::{
    BoxFuture, DeadFilter, DeadLetter, DeadReason, Operations, PAGE_MAX, Page, Queue, RunFilter, RunHistory,
    RunSummary, Tick,
};
use callboard::{Fault, Id, Tenant};
use serde::de::DeserializeOwned;
use tokio_postgres::Row;

impl Operations for Postgres {
    fn queues(&self, _: i64) -> BoxFuture<'_, Result<Vec<Queue>, Fault>> {
        Box::pin(async {
            let sql = "SELECT service, target, sum(waiting)::bigint, sum(held)::bigint, min(oldest_ms), sum(dead)::bigint FROM (
                         SELECT l.service, l.target, l.tail - l.head AS waiting, l.is_held AS held, e.time_ms AS oldest_ms, 0 AS dead
                         FROM kernel_lane l JOIN kernel_message m ON m.lane = l.lane AND m.seq = l.head
                         JOIN kernel_event e ON e.event = m.event
                         UNION ALL SELECT service, target, 0, 0, NULL, 1 FROM kernel_dead) AS every
                       GROUP BY service, target ORDER BY target";
            let rows = self.rows(sql, &[]).await?;
            Ok(rows.iter().map(|row| self.queue(row)).collect())
        })
    }

    fn dead(&self, filter: DeadFilter, page: Page) -> BoxFuture<'_, Result<Vec<DeadLetter>, Fault>> {
        Box::pin(async move {
            let before = page.after.as_deref().and_then(|after| after.parse::<i64>().ok()).unwrap_or(i64::MAX);
            let sql = "SELECT dead, service, target, key, attempts, code, message, died_ms, lane IS NOT NULL, envelope
                       FROM kernel_dead
                       WHERE ($1::text IS NULL OR tenant = $1) AND ($2::text IS NULL OR target = $2)
                         AND ($3::text IS NULL OR code = $3) AND ($4::bigint IS NULL OR dead = $4) AND dead < $5
                       ORDER BY dead DESC LIMIT $6";
            let limit = i64::from(page.limit.min(PAGE_MAX));
            let DeadFilter { tenant, target, code, id } = &filter;
            let tenant = tenant.as_ref().map(Tenant::as_str);
            let rows = self.rows(sql, &[&tenant, target, code, id, &before, &limit]).await?;
            rows.iter().map(letter).collect()
        })
    }

    fn redrive(
        &self,
        filter: DeadFilter,
        limit: u32,
        spread_ms: i64,
        now_ms: i64,
    ) -> BoxFuture<'_, Result<u64, Fault>> {
        Box::pin(async move {
            let DeadFilter { tenant, target, code, id } = &filter;
            let tenant = tenant.as_ref().map(Tenant::as_str);
            let sql = "SELECT kernel_redrive($1, $2, $3, $4, $5, $6, $7)";
            let params: super::Known<'_> = &[&tenant, target, code, id, &i64::from(limit), &spread_ms, &now_ms];
            let rows = self.rows(sql, params).await?;
            self.wake.everywhere();
            Ok(rows.first().map_or(0, |row| count(row, 0)))
        })
    }

    fn discard(&self, filter: DeadFilter, limit: u32, now_ms: i64) -> BoxFuture<'_, Result<u64, Fault>> {
        Box::pin(async move {
            let DeadFilter { tenant, target, code, id } = &filter;
            let tenant = tenant.as_ref().map(Tenant::as_str);
            let sql = "SELECT kernel_discard($1, $2, $3, $4, $5, $6)";
            let rows = self.rows(sql, &[&tenant, target, code, id, &i64::from(limit), &now_ms]).await?;
            self.wake.everywhere();
            Ok(rows.first().map_or(0, |row| count(row, 0)))
        })
    }

    fn ticks(&self) -> BoxFuture<'_, Result<Vec<Tick>, Fault>> {
        Box::pin(async {
            let sql = "SELECT l.due_ms, e.envelope FROM kernel_lane l
                       JOIN kernel_message m ON m.lane = l.lane AND m.seq = l.head JOIN kernel_event e ON e.event = m.event
                       WHERE l.target >= 'schedule ' AND l.target < 'schedule!' AND l.due_ms IS NOT NULL ORDER BY l.target";
            let rows = self.rows(sql, &[]).await?;
            rows.iter().map(|row| Ok(Tick { due_ms: row.get(0), envelope: envelope(row.get(1))? })).collect()
        })
    }

    fn runs(&self, filter: RunFilter, page: Page) -> BoxFuture<'_, Result<Vec<RunSummary>, Fault>> {
        Box::pin(async move {
            let sql = "SELECT run, tenant, flow, key, status, started_ms, changed_ms FROM kernel_flow
                       WHERE ($1::text IS NULL OR tenant = $1) AND ($2::text IS NULL OR flow = $2)
                         AND ($3::text IS NULL OR status = $3) AND ($4::text IS NULL OR key = $4)
                         AND ($5::text IS NULL OR run < $5) ORDER BY run DESC LIMIT $6";
            let tenant = filter.tenant.as_ref().map(Tenant::as_str);
            let status = filter.status.map(|status| status.as_str());
            let limit = i64::from(page.limit.min(PAGE_MAX));
            let rows = self.rows(sql, &[&tenant, &filter.flow, &status, &filter.key, &page.after, &limit]).await?;
            rows.iter().map(summary).collect()
        })
    }

    fn run(&self, tenant: Option<Tenant>, id: Id) -> BoxFuture<'_, Result<Option<RunHistory>, Fault>> {
        Box::pin(async move {
            let (id, tenant) = (id.to_string(), tenant.as_ref().map(Tenant::as_str));
            let sql = "SELECT state FROM kernel_flow WHERE run = $1 AND ($2::text IS NULL OR tenant = $2)";
            let found = self.rows(sql, &[&id, &tenant]).await?;
            let Some(found) = found.first() else { return Ok(None) };
            let sql = "SELECT at_ms, event FROM kernel_flow_event WHERE run = $1 ORDER BY version";
            let rows = self.rows(sql, &[&id]).await?;
            let events = rows.iter().map(|row| Ok((row.get(0), json(row.get(1))?))).collect::<Result<_, Fault>>()?;
            Ok(Some(RunHistory { run: json(found.get(0))?, events }))
        })
    }

    fn stale(&self) -> BoxFuture<'_, Result<u64, Fault>> {
        Box::pin(async {
            let rows = self.rows("SELECT count(*) FROM kernel_stale", &[]).await?;
            Ok(rows.first().map_or(0, |row| count(row, 0)))
        })
    }
}

impl Postgres {
    fn queue(&self, row: &Row) -> Queue {
        let target: String = row.get(1);
        Queue {
            service: row.get(0),
            waiting: count(row, 2),
            in_flight: self.in_work.count(&target),
            held: count(row, 3),
            oldest_ms: row.get(4),
            dead: count(row, 5),
            target,
        }
    }
}

fn count(row: &Row, at: usize) -> u64 {
    row.get::<_, i64>(at).unsigned_abs()
}

fn letter(row: &Row) -> Result<DeadLetter, Fault> {
    Ok(DeadLetter {
        id: row.get(0),
        service: row.get(1),
        target: row.get(2),
        key: row.get(3),
        attempts: u32::try_from(row.get::<_, i64>(4)).unwrap_or(u32::MAX),
        reason: DeadReason { code: row.get(5), message: row.get(6) },
        died_ms: row.get(7),
        is_held: row.get(8),
        envelope: envelope(row.get(9))?,
    })
}

fn summary(row: &Row) -> Result<RunSummary, Fault> {
    Ok(RunSummary {
        id: text(row, 0)?,
        tenant: text(row, 1)?,
        flow: row.get(2),
        key: row.get(3),
        status: text(row, 4)?,
        started_ms: row.get(5),
        changed_ms: row.get(6),
    })
}

/// A value that is stored as its text.
fn text<T: DeserializeOwned>(row: &Row, at: usize) -> Result<T, Fault> {
    json(&serde_json::Value::from(row.get::<_, &str>(at)).to_string())
}

fn json<T: DeserializeOwned>(text: &str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|error| Fault::bug(format!("what is stored of a run cannot be read: {error}")))
}
