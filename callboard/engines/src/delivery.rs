//! The delivery loop: takes messages that are due, runs their targets, and waits without polling when nothing is.

use callboard::ports::{Delivery, Fate};
use callboard::{Fault, Host};
use std::future::Future;
use std::time::Duration;
use tokio::task::JoinSet;

/// Most messages in work at once.
const IN_WORK_MAX: usize = 64;
/// How long what is in work may go on when the loop is told to stop.
const GRACE: Duration = Duration::from_secs(5);
/// Longest sleep: a safety net where a wake-up was lost.
const SLEEP_MS_MAX: i64 = 60_000;
/// Pause before a message is tried again whose failure could not be recorded.
const RECORD_PAUSE_MS: i64 = 5_000;

/// Delivers until `stop` is ready, then gives what is in work a moment to finish. What does not is dropped: nothing of it is
/// committed, and its message is due again at the next start.
pub async fn run(host: Host, stop: impl Future<Output = ()>) {
    let mut stop = std::pin::pin!(stop);
    let mut in_work = JoinSet::new();
    loop {
        let due = match take(&host, IN_WORK_MAX - in_work.len()).await {
            Ok(deliveries) => {
                let found = !deliveries.is_empty();
                for delivery in deliveries {
                    in_work.spawn(handle(host.clone(), delivery));
                }
                if found { continue } else { until_due(&host).await }
            }
            Err(fault) => {
                tracing::error!(fault.code = fault.code, fault.detail = fault.detail, "messages cannot be taken");
                Duration::from_secs(1)
            }
        };
        tokio::select! {
            () = &mut stop => break,
            () = host.ports().records.changed() => {}
            () = tokio::time::sleep(due) => {}
            Some(_) = in_work.join_next() => {}
        }
    }
    let finish = async { while in_work.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, finish).await.is_err() {
        tracing::info!(messages.dropped = in_work.len(), "what is still in work begins anew at the next start");
    }
}

/// Delivers until nothing is due now: for tests and for `call`.
///
/// # Errors
/// The store's fault.
pub async fn drain(host: &Host) -> Result<usize, Fault> {
    let mut delivered = 0;
    loop {
        let deliveries = take(host, IN_WORK_MAX).await?;
        if deliveries.is_empty() {
            return Ok(delivered);
        }
        delivered += deliveries.len();
        let mut in_work: JoinSet<()> = deliveries.into_iter().map(|delivery| handle(host.clone(), delivery)).collect();
        while in_work.join_next().await.is_some() {}
    }
}

async fn take(host: &Host, limit: usize) -> Result<Vec<Delivery>, Fault> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    host.ports().records.claim(limit, &[], host.ports().clock.now_ms()).await
}

async fn until_due(host: &Host) -> Duration {
    let now_ms = host.ports().clock.now_ms();
    let due_ms = host.ports().records.next_due(&[]).await.ok().flatten().unwrap_or(now_ms + SLEEP_MS_MAX);
    Duration::from_millis((due_ms - now_ms).clamp(1, SLEEP_MS_MAX).unsigned_abs())
}

async fn handle(host: Host, delivery: Delivery) {
    let limit = Duration::from_millis(host.timeout_ms(&delivery));
    let work = {
        let (host, delivery) = (host.clone(), delivery.clone());
        async move { tokio::time::timeout(limit, host.deliver(&delivery)).await }
    };
    // A task of its own, so that a panic of a function is its failure and not ours; in a set, so that it ends with us.
    let mut task = JoinSet::new();
    task.spawn(work);
    let fault = match task.join_next().await {
        None | Some(Ok(Ok(Ok(())))) => return,
        Some(Ok(Ok(Err(fault)))) => fault,
        Some(Ok(Err(_))) => Fault::unavailable("timeout", format!("it took longer than {} s", limit.as_secs())),
        Some(Err(panic)) => Fault::bug(format!("a function panicked: {panic}")),
    };
    tracing::warn!(
        tenant.id = %delivery.envelope.tenant,
        message.id = %delivery.envelope.id,
        message.target = delivery.target,
        message.attempt = delivery.attempt,
        fault.code = fault.code,
        fault.detail = fault.detail,
        "a message failed: {}",
        fault.message
    );
    if let Err(fault) = host.fail(&delivery, &fault).await {
        tracing::error!(
            fault.code = fault.code,
            fault.detail = fault.detail,
            "the failure of a message cannot be recorded"
        );
        let now_ms = host.ports().clock.now_ms();
        let later = Fate::Retry { at_ms: now_ms + RECORD_PAUSE_MS };
        // Where even this fails, the message is free again in memory and due as it was.
        drop(host.ports().records.fail(delivery.settle, later, now_ms).await);
    }
}
