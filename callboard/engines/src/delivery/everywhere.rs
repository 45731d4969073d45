//! Bindings that run in every process: this one reads on in the event log and tells its own.

use super::STORE_PAUSE;
use super::work::{attempt, complain};
use callboard::ports::Delivery;
use callboard::{Fault, Host};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// How often one binding is told of one event.
const ATTEMPTS_MAX: u32 = 3;

/// Tells of every event that is added to the log.
pub(super) async fn follow(host: Host, heard: Arc<Notify>) {
    loop {
        match tell(&host, ATTEMPTS_MAX).await {
            Ok(_) => heard.notified().await,
            Err(fault) => {
                tracing::error!(fault.code = fault.code, fault.detail = fault.detail, "the event log cannot be read");
                tokio::time::sleep(STORE_PAUSE).await;
            }
        }
    }
}

/// Tells of what is in the log by now: events in their order, the bindings of one at once, each at most so often. Gives how many were told.
pub(super) async fn tell(host: &Host, attempts_max: u32) -> Result<usize, Fault> {
    let mut told = 0;
    loop {
        let events = host.follow().await?;
        if events.is_empty() {
            return Ok(told);
        }
        for deliveries in events {
            told += deliveries.len();
            let mut telling: JoinSet<()> =
                deliveries.into_iter().map(|one| tell_one(host.clone(), one, attempts_max)).collect();
            while telling.join_next().await.is_some() {}
        }
    }
}

async fn tell_one(host: Host, mut delivery: Delivery, attempts_max: u32) {
    loop {
        let Err(fault) = attempt(&host, &delivery, host.deliver_here(&delivery)).await else { return };
        complain(&delivery, &fault);
        if delivery.attempt >= attempts_max || !fault.is_retryable() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(host.pause_ms(delivery.attempt))).await;
        delivery.attempt += 1;
    }
}
