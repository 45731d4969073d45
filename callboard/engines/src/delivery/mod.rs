//! The delivery loop: takes messages that are due, runs their targets, and waits without polling when nothing is.

mod everywhere;
mod work;

use callboard::{Fault, Host};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use work::{Bounds, Work};

/// Longest sleep: a safety net where a wake-up was lost.
const SLEEP_MS_MAX: i64 = 60_000;
/// Pause after the store failed.
const STORE_PAUSE: Duration = Duration::from_secs(1);
/// So many times claims are renewed before they end: two may fail before one is lost.
const RENEWALS: u64 = 3;
/// How often what is past its time is removed.
const SWEEP_PAUSE: Duration = Duration::from_secs(60);
/// How many of these pauses lie between two looks at blobs.
const BLOBS_EVERY: u32 = 60;

/// Delivers until `stop` is ready, then gives what is in work a moment to finish. What does not is dropped: nothing of it is
/// committed, and its message is due again.
pub async fn run(host: Host, stop: impl Future<Output = ()>) {
    let heard = Arc::new(Notify::new());
    let mut beside = JoinSet::new();
    beside.spawn(keep_house(host.clone()));
    if host.space().has_every_node() {
        beside.spawn(everywhere::follow(host.clone(), heard.clone()));
    }
    deliver(&host, stop, &heard).await;
}

/// What the loop waits for.
enum Wait {
    /// Nothing: there may be more.
    No,
    /// Until something in work is done.
    Work,
    /// At most so long.
    Time(Duration),
}

impl Wait {
    async fn over(self) {
        match self {
            Self::No => {}
            Self::Work => std::future::pending().await,
            Self::Time(time) => tokio::time::sleep(time).await,
        }
    }
}

async fn deliver(host: &Host, stop: impl Future<Output = ()>, heard: &Notify) {
    let mut stop = std::pin::pin!(stop);
    let mut work = Work::new(host.clone());
    let mut renewal =
        tokio::time::interval(Duration::from_millis(host.ports().records.lease_ms().unsigned_abs() / RENEWALS));
    loop {
        let wait = match work.take().await {
            Ok(_) if work.is_full() => Wait::Work,
            Ok(0) => Wait::Time(until_due(host, &work.busy()).await),
            Ok(_) => Wait::No,
            Err(fault) => {
                tracing::error!(fault.code = fault.code, fault.detail = fault.detail, "messages cannot be taken");
                Wait::Time(STORE_PAUSE)
            }
        };
        tokio::select! {
            biased;
            () = &mut stop => break,
            () = host.ports().records.changed() => heard.notify_one(),
            _ = renewal.tick() => work.renew().await,
            () = work.next_done() => {}
            () = wait.over() => {}
        }
    }
    work.finish().await;
}

/// Delivers until nothing is due now: for tests and for `call`.
///
/// # Errors
/// The store's fault.
pub async fn drain(host: &Host) -> Result<usize, Fault> {
    let mut delivered = 0;
    loop {
        let mut work = Work::new(host.clone());
        let taken = work.take().await?;
        delivered += taken;
        while work.len() > 0 {
            work.next_done().await;
        }
        let told = if host.space().has_every_node() { everywhere::tell(host, 1).await? } else { 0 };
        if taken + told == 0 {
            return Ok(delivered);
        }
    }
}

/// Most messages that a process in a hurry has in work at once.
const HURRY_MAX: usize = 16;
/// So much time before its end it takes nothing more.
const HURRY_END_MS: i64 = 500;

/// Delivers what is due, for a process that is stopped at `end_ms` and runs `whole_ms` when it runs again: nothing of it is left in
/// work. Messages for `except` are not taken, nor those that cannot finish in time. Gives how many were delivered.
///
/// # Errors
/// The store's fault.
pub async fn drain_until(host: &Host, except: &[String], end_ms: i64, whole_ms: u64) -> Result<usize, Fault> {
    let bounds = Bounds { in_work_max: HURRY_MAX, except: except.to_vec(), ends: Some((end_ms, whole_ms)) };
    let mut work = Work::bounded(host.clone(), bounds);
    let left = |host: &Host| {
        let left_ms = end_ms.saturating_sub(HURRY_END_MS).saturating_sub(host.ports().clock.now_ms());
        Duration::from_millis(u64::try_from(left_ms).unwrap_or(0))
    };
    let renew_every = Duration::from_millis(host.ports().records.lease_ms().unsigned_abs() / RENEWALS);
    let mut renewal = tokio::time::interval(renew_every);
    let mut delivered = 0;
    while !left(host).is_zero() {
        let excepted = work.excepted();
        let taken = work.take().await?;
        delivered += taken;
        if work.len() == 0 {
            // Behind what was given back there may be something that fits.
            match work.excepted() > excepted {
                true => continue,
                false => break,
            }
        }
        tokio::select! {
            biased;
            () = tokio::time::sleep(left(host)) => break,
            _ = renewal.tick() => work.renew().await,
            () = work.next_done() => {}
        }
    }
    work.finish_within(Duration::ZERO).await;
    Ok(delivered)
}

async fn until_due(host: &Host, busy: &[String]) -> Duration {
    let now_ms = host.ports().clock.now_ms();
    let due_ms = host.ports().records.next_due(busy).await.ok().flatten().unwrap_or(now_ms + SLEEP_MS_MAX);
    Duration::from_millis((due_ms - now_ms).clamp(1, SLEEP_MS_MAX).unsigned_abs())
}

/// Removes what is past its time, a batch at a time.
async fn keep_house(host: Host) {
    for round in 0_u32.. {
        tokio::time::sleep(SWEEP_PAUSE).await;
        let swept = async {
            while host.sweep().await? {
                // Commits go first.
                tokio::time::sleep(STORE_PAUSE / 10).await;
            }
            if round % BLOBS_EVERY == 0 {
                host.sweep_blobs().await?;
            }
            Ok::<_, Fault>(())
        };
        if let Err(fault) = swept.await {
            tracing::warn!(fault.code = fault.code, fault.detail = fault.detail, "old events cannot be removed");
        }
    }
}
