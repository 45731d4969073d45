//! The kernel's own calls: claim, renew, what becomes of a failure, the event log and what is swept from it.

use super::fault::fault;
use super::{Known, Open, Postgres};
use callboard::ports::{DeadReason, Delivery, Envelope, Fate, LogPart, OnceKey, Retention, Seen, Settle, TARGET_MAX};
use callboard::{Fault, KEY_AGE_MS};
use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_postgres::Row;

/// After how long the log is read again, where a transaction that is still open may put something before what is there.
const LOG_PAUSE: Duration = Duration::from_millis(20);

/// Which messages this process has in work: the targets by lane and epoch.
#[derive(Default)]
pub(super) struct InWork(Mutex<HashMap<(i64, i64), String>>);

impl InWork {
    fn all(&self) -> MutexGuard<'_, HashMap<(i64, i64), String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn release(&self, settle: Settle) {
        self.all().remove(&(settle.lane, settle.epoch));
    }

    /// How many of a target.
    pub(super) fn count(&self, target: &str) -> u64 {
        self.all().values().filter(|of| *of == target).count() as u64
    }
}

/// What the last claim saw. Whoever delivers claims until nothing is due and then asks when something will be: as long as nothing
/// was heard of since, this is known.
#[derive(Default)]
pub(super) struct Looked(Mutex<Option<Look>>);

struct Look {
    /// How often something had changed.
    changes: u64,
    busy: Vec<String>,
    next_ms: Option<i64>,
    /// Whether it took something, and all there was.
    has_taken_all: bool,
}

impl Looked {
    fn last(&self) -> MutexGuard<'_, Option<Look>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a claim would find nothing. Said once: another process may not have been heard of.
    fn has_just_taken_all(&self, changes: u64, busy: &[String], now_ms: i64) -> bool {
        self.last().as_mut().is_some_and(|look| {
            let is_early = look.next_ms.is_none_or(|next_ms| now_ms < next_ms);
            mem::take(&mut look.has_taken_all) && look.changes == changes && look.busy == busy && is_early
        })
    }

    /// When something is due, where that is known.
    fn next_ms(&self, changes: u64, busy: &[String]) -> Option<Option<i64>> {
        let last = self.last();
        last.as_ref().filter(|look| look.changes == changes && look.busy == busy).map(|look| look.next_ms)
    }
}

/// Reads a stored message.
pub(super) fn envelope(text: &str) -> Result<Envelope, Fault> {
    serde_json::from_str(text).map_err(|error| Fault::bug(format!("a stored message cannot be read: {error}")))
}

fn limited(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

impl Postgres {
    pub(super) async fn take(&self, limit: usize, busy: &[String], now_ms: i64) -> Result<Vec<Delivery>, Fault> {
        let changes = self.wake.count();
        if self.looked.has_just_taken_all(changes, busy, now_ms) {
            return Ok(Vec::new());
        }
        let mut rows = self
            .rows(
                "SELECT * FROM kernel_claim($1, $2, $3, $4, $5)",
                &[&limited(limit), &limited(TARGET_MAX), &busy, &now_ms, &(now_ms + self.options.lease_ms)],
            )
            .await?;
        let next_ms = rows.pop().and_then(|row| row.get(1));
        let deliveries = rows.iter().map(delivery).collect::<Result<Vec<_>, _>>()?;
        let has_taken_all = (1..limit.min(TARGET_MAX)).contains(&deliveries.len());
        // Who does not listen hears of nothing, and so knows nothing.
        if !self.is_deaf {
            *self.looked.last() = Some(Look { changes, busy: busy.to_vec(), next_ms, has_taken_all });
        }
        let mut in_work = self.in_work.all();
        for Delivery { settle, target, .. } in &deliveries {
            in_work.insert((settle.lane, settle.epoch), target.clone());
        }
        Ok(deliveries)
    }

    pub(super) async fn keep(&self, claims: &[Settle], now_ms: i64) -> Result<Vec<Settle>, Fault> {
        let lanes: Vec<i64> = claims.iter().map(|claim| claim.lane).collect();
        let epochs: Vec<i64> = claims.iter().map(|claim| claim.epoch).collect();
        let rows = self
            .rows(
                "UPDATE kernel_lane l SET due_ms = $3 FROM unnest($1::bigint[], $2::bigint[]) AS c (lane, epoch)
                 WHERE l.lane = c.lane AND l.epoch = c.epoch AND l.is_held = 0 RETURNING l.lane, l.epoch",
                &[&lanes, &epochs, &(now_ms + self.options.lease_ms)],
            )
            .await?;
        let kept: Vec<(i64, i64)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        let lost: Vec<Settle> =
            claims.iter().copied().filter(|claim| !kept.contains(&(claim.lane, claim.epoch))).collect();
        lost.iter().for_each(|claim| self.in_work.release(*claim));
        Ok(lost)
    }

    pub(super) async fn next(&self, busy: &[String]) -> Result<Option<i64>, Fault> {
        if let Some(next_ms) = self.looked.next_ms(self.wake.count(), busy) {
            return Ok(next_ms);
        }
        let sql = "SELECT min(o_due_ms) FROM kernel_waiting() WHERE o_target <> ALL ($1)";
        Ok(self.rows(sql, &[&busy]).await?.first().and_then(|row| row.get(0)))
    }

    pub(super) async fn end(&self, settle: Settle, fate: Fate, now_ms: i64) -> Result<(), Fault> {
        self.in_work.release(settle);
        let Settle { lane, seq, epoch } = settle;
        // A claim that has failed is over: its epoch is not good for a commit any more.
        let rows = match &fate {
            Fate::Retry { at_ms } => {
                let sql = "UPDATE kernel_lane SET due_ms = $4, epoch = epoch + 1
                           WHERE lane = $1 AND head = $2 AND epoch = $3 RETURNING true";
                self.rows(sql, &[&lane, &seq, &epoch, at_ms]).await?
            }
            Fate::Release => {
                let sql = "UPDATE kernel_lane SET due_ms = $4, epoch = epoch + 1, attempts = greatest(attempts - 1, 0)
                           WHERE lane = $1 AND head = $2 AND epoch = $3 RETURNING true";
                self.rows(sql, &[&lane, &seq, &epoch, &now_ms]).await?
            }
            Fate::Bury { reason: DeadReason { code, message }, hold } => {
                let sql = "SELECT kernel_bury($1, $2, $3, $4, $5, $6, $7)";
                self.rows(sql, &[&lane, &seq, &epoch, code, message, hold, &now_ms]).await?
            }
        };
        self.wake.here();
        match rows.first().is_some_and(|row| row.get(0)) || fate == Fate::Release {
            true => Ok(()),
            false => self.note_stale(settle, now_ms).await,
        }
    }

    /// Records that somebody answered for a claim that had gone to somebody else.
    pub(super) async fn note_stale(&self, settle: Settle, now_ms: i64) -> Result<(), Fault> {
        let Settle { lane, seq, epoch } = settle;
        let sql = "INSERT INTO kernel_stale (lane, seq, epoch, at_ms) VALUES ($1, $2, $3, $4)";
        self.rows(sql, &[&lane, &seq, &epoch, &now_ms]).await.map(drop)
    }

    /// The numbers of events are given before their transactions end, in any order. So the log is read in the order of
    /// transactions, up to the oldest one that is still open, and each of them whole.
    pub(super) async fn log(&self, after: Option<i64>, limit: u32) -> Result<LogPart, Fault> {
        let Some(after) = after else {
            let rows = self.rows("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1", &[]).await?;
            let end = rows.first().map_or(0, |row| row.get(0));
            return Ok(LogPart { events: Vec::new(), end });
        };
        let rows = self
            .rows(
                "SELECT xact, event, envelope, xact < pg_snapshot_xmin(pg_current_snapshot())::text::bigint FROM kernel_event
                 WHERE is_event = 1 AND xact > $1 ORDER BY xact FETCH FIRST ($2::bigint) ROWS WITH TIES",
                &[&after, &i64::from(limit)],
            )
            .await?;
        let (mut settled, open): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(|row| row.get(3));
        if !open.is_empty() {
            self.wake.here_after(LOG_PAUSE);
        }
        settled.sort_by_key(|row| (row.get::<_, i64>(0), row.get::<_, i64>(1)));
        let end = settled.last().map_or(after, |row| row.get(0));
        let events = settled.iter().map(|row| envelope(row.get(2))).collect::<Result<_, _>>()?;
        Ok(LogPart { events, end })
    }

    pub(super) async fn remembered(&self, key: &OnceKey, since_ms: i64) -> Result<Option<Seen>, Fault> {
        let OnceKey { tenant, principal, target, key } = key;
        let sql = "SELECT input, answer FROM kernel_once
                   WHERE tenant = $1 AND principal = $2 AND target = $3 AND key = $4 AND at_ms >= $5";
        let rows = self.rows(sql, &[&tenant.as_str(), principal, target, key, &since_ms]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let answer = row.get::<_, Option<&str>>(1).map(serde_json::from_str).transpose();
        let answer = answer.map_err(|error| Fault::bug(format!("an answer that was kept cannot be read: {error}")))?;
        Ok(Some(Seen { input: row.get(0), answer }))
    }

    /// Removes what is past its time and what no lane waits for.
    pub(super) async fn clean(&self, retention: &Retention, limit: u32, now_ms: i64) -> Result<u64, Fault> {
        let limit = i64::from(limit);
        let mut removed = 0;
        for (service, kind) in self.published().await? {
            let own = retention.kinds.iter().find(|(of, like, _)| *of == service && like.as_str() == kind);
            let keep_ms = own.map_or(retention.events_ms, |(.., keep_ms)| *keep_ms);
            let sql = "DELETE FROM kernel_event WHERE event = ANY (ARRAY(
                         SELECT e.event FROM kernel_event e
                         WHERE e.is_event = 1 AND e.service = $1 AND e.type = $2 AND e.time_ms < $3
                           AND NOT EXISTS (SELECT 1 FROM kernel_message m WHERE m.event = e.event)
                         ORDER BY e.time_ms LIMIT $4))";
            removed += self.execute(sql, &[&service, &kind, &now_ms.saturating_sub(keep_ms), &limit]).await?;
        }
        let runs = "WITH ended AS (
                      DELETE FROM kernel_flow WHERE run = ANY (ARRAY(
                        SELECT run FROM kernel_flow WHERE ended_ms < $1 ORDER BY ended_ms LIMIT $2)) RETURNING run),
                    events AS (DELETE FROM kernel_flow_event USING ended WHERE kernel_flow_event.run = ended.run)
                    SELECT run FROM ended";
        removed += self.execute(runs, &[&now_ms.saturating_sub(retention.runs_ms), &limit]).await?;
        let stale = "DELETE FROM kernel_stale WHERE ctid = ANY (ARRAY(SELECT ctid FROM kernel_stale WHERE at_ms < $1 LIMIT $2))";
        removed += self.execute(stale, &[&now_ms.saturating_sub(retention.events_ms), &limit]).await?;
        let keys = "DELETE FROM kernel_once WHERE ctid = ANY (ARRAY(
                      SELECT ctid FROM kernel_once WHERE at_ms < $1 ORDER BY at_ms LIMIT $2))";
        removed += self.execute(keys, &[&now_ms.saturating_sub(KEY_AGE_MS), &limit]).await?;
        Ok(removed)
    }

    /// Every service with the kinds of events it has in the log: one step through the index for each.
    async fn published(&self) -> Result<Vec<(String, String)>, Fault> {
        let sql = "WITH RECURSIVE step AS (
                     (SELECT service, type FROM kernel_event WHERE is_event = 1 ORDER BY service, type LIMIT 1)
                     UNION ALL
                     SELECT next.service, next.type FROM step CROSS JOIN LATERAL (
                       SELECT e.service, e.type FROM kernel_event e
                       WHERE e.is_event = 1 AND (e.service, e.type) > (step.service, step.type)
                       ORDER BY e.service, e.type LIMIT 1) next)
                   SELECT service, type FROM step";
        Ok(self.rows(sql, &[]).await?.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    pub(super) async fn still_needed(&self, blobs: Vec<String>) -> Result<Vec<String>, Fault> {
        let sql = "SELECT blob FROM kernel_event WHERE blob = ANY ($1) UNION SELECT blob FROM kernel_dead WHERE blob = ANY ($1)";
        Ok(self.rows(sql, &[&blobs]).await?.iter().map(|row| row.get(0)).collect())
    }

    /// Runs a statement of the kernel in a transaction of its own.
    pub(super) async fn rows(&self, sql: &str, params: Known<'_>) -> Result<Vec<Row>, Fault> {
        self.opened()?.rows(sql, params).await
    }

    async fn execute(&self, sql: &str, params: Known<'_>) -> Result<u64, Fault> {
        let mut lease = self.opened()?.pool.lease().await?;
        let session = lease.session();
        let call = session.prepare(sql).await.map_err(|error| fault(&error))?;
        let count = session.execute(&call, params).await;
        lease.give_back();
        count.map_err(|error| fault(&error))
    }
}

impl Open {
    pub(super) async fn rows(&self, sql: &str, params: Known<'_>) -> Result<Vec<Row>, Fault> {
        let mut lease = self.pool.lease().await?;
        let session = lease.session();
        let call = session.prepare(sql).await.map_err(|error| fault(&error))?;
        let rows = session.query(&call, params).await;
        // A statement on its own leaves nothing open, whether it failed or not.
        lease.give_back();
        rows.map_err(|error| fault(&error))
    }
}

fn delivery(row: &Row) -> Result<Delivery, Fault> {
    let settle = Settle { lane: row.get(0), seq: row.get(1), epoch: row.get(2) };
    let attempt = u32::try_from(row.get::<_, i64>(3)).unwrap_or(u32::MAX);
    Ok(Delivery { settle, target: row.get(4), attempt, envelope: Arc::new(envelope(row.get(5))?) })
}
