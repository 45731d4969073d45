//! Messages in work: each in a task of its own, bounded in all and by target, so that a slow target holds up only itself.

use callboard::ports::{Delivery, Fate, Settle, TARGET_MAX};
use callboard::{Fault, Host};
use futures_util::FutureExt;
use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::task::{AbortHandle, Id, JoinSet};

/// Most messages in work at once.
const IN_WORK_MAX: usize = 512;
/// How long a task whose claim is gone may still tell of what it has settled.
const LOST_MS: i64 = 5_000;
/// How long what is in work may go on when the loop is told to stop.
const GRACE: Duration = Duration::from_secs(5);
/// Pause before a message is tried again whose failure could not be recorded.
const RECORD_PAUSE_MS: i64 = 5_000;

/// What is in work.
pub(super) struct Work {
    host: Host,
    tasks: JoinSet<()>,
    claims: HashMap<Id, Claim>,
    by_target: HashMap<String, usize>,
}

struct Claim {
    settle: Settle,
    target: String,
    task: AbortHandle,
    /// Since when it is known to be gone, in Unix milliseconds.
    lost_ms: Option<i64>,
}

impl Work {
    pub(super) fn new(host: Host) -> Self {
        Self { host, tasks: JoinSet::new(), claims: HashMap::new(), by_target: HashMap::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.tasks.len() >= IN_WORK_MAX
    }

    /// Targets that have as many messages in work as they may.
    pub(super) fn busy(&self) -> Vec<String> {
        self.by_target.iter().filter(|(_, count)| **count >= TARGET_MAX).map(|(target, _)| target.clone()).collect()
    }

    /// Takes what is due and begins it. Gives how many.
    pub(super) async fn take(&mut self) -> Result<usize, Fault> {
        if self.is_full() {
            return Ok(0);
        }
        let free = IN_WORK_MAX - self.tasks.len();
        let now_ms = self.host.ports().clock.now_ms();
        let deliveries = self.host.ports().records.claim(free, &self.busy(), now_ms).await?;
        let count = deliveries.len();
        for delivery in deliveries {
            *self.by_target.entry(delivery.target.clone()).or_default() += 1;
            let (settle, target) = (delivery.settle, delivery.target.clone());
            let task = self.tasks.spawn(handle(self.host.clone(), delivery));
            self.claims.insert(task.id(), Claim { settle, target, task, lost_ms: None });
        }
        Ok(count)
    }

    /// Waits until one is done, and notes whatever else is done by then; for ever where nothing is in work.
    pub(super) async fn next_done(&mut self) {
        let mut done = match self.tasks.join_next_with_id().await {
            None => return std::future::pending().await,
            done => done,
        };
        while let Some(ended) = done {
            self.forget(ended.map_or_else(|error| error.id(), |(id, ())| id));
            done = self.tasks.try_join_next_with_id();
        }
    }

    fn forget(&mut self, id: Id) {
        if let Some(claim) = self.claims.remove(&id)
            && let Some(count) = self.by_target.get_mut(&claim.target)
        {
            *count -= 1;
            if *count == 0 {
                self.by_target.remove(&claim.target);
            }
        }
    }

    /// Keeps the claims. What has gone to somebody else meanwhile is stopped: it could not settle any more. A claim that has
    /// just gone may have been settled this moment by its own task, which then still has to tell of it.
    pub(super) async fn renew(&mut self) {
        if self.claims.is_empty() {
            return;
        }
        let claims: Vec<Settle> = self.claims.values().map(|claim| claim.settle).collect();
        let now_ms = self.host.ports().clock.now_ms();
        match self.host.ports().records.renew(&claims, now_ms).await {
            Ok(lost) => {
                let lost: HashSet<Settle> = lost.into_iter().collect();
                for claim in self.claims.values_mut().filter(|claim| lost.contains(&claim.settle)) {
                    if now_ms - *claim.lost_ms.get_or_insert(now_ms) >= LOST_MS {
                        tracing::warn!(message.target = claim.target, "a claim was lost to another process");
                        claim.task.abort();
                    }
                }
            }
            Err(fault) => {
                tracing::warn!(fault.code = fault.code, fault.detail = fault.detail, "claims cannot be renewed");
            }
        }
    }

    /// Lets what is in work finish for a moment, and gives the rest back untried.
    pub(super) async fn finish(mut self) {
        let all_done = async {
            while self.len() > 0 {
                self.next_done().await;
            }
        };
        if tokio::time::timeout(GRACE, all_done).await.is_ok() {
            return;
        }
        tracing::info!(messages.dropped = self.len(), "what is still in work begins anew at the next start");
        self.tasks.shutdown().await;
        let now_ms = self.host.ports().clock.now_ms();
        for claim in self.claims.values() {
            // Where this fails the lease ends by itself, and one attempt too many is counted.
            drop(self.host.ports().records.fail(claim.settle, Fate::Release, now_ms).await);
        }
    }
}

/// Runs something of a delivery within its time. A panic of a function is its failure and not ours.
pub(super) async fn attempt(
    host: &Host,
    delivery: &Delivery,
    work: impl Future<Output = Result<(), Fault>> + Send,
) -> Result<(), Fault> {
    let limit = Duration::from_millis(host.timeout_ms(delivery));
    // What a panic leaves behind is dropped with the future; nothing of it was committed.
    match AssertUnwindSafe(tokio::time::timeout(limit, work)).catch_unwind().await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(Fault::unavailable("timeout", format!("it took longer than {} s", limit.as_secs()))),
        Err(panic) => Err(Fault::bug(format!("a function panicked: {}", words(&*panic)))),
    }
}

/// What a panic says.
fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a word")
}

async fn handle(host: Host, delivery: Delivery) {
    let Err(fault) = attempt(&host, &delivery, host.deliver(&delivery)).await else { return };
    complain(&delivery, &fault);
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

pub(super) fn complain(delivery: &Delivery, fault: &Fault) {
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blobs::LocalBlobs;
    use crate::clock::SystemClock;
    use crate::entropy::SystemEntropy;
    use crate::live::LocalLive;
    use crate::machine::LocalMachine;
    use crate::sqlite::{Options, Sqlite};
    use callboard::outside::Nobody;
    use callboard::ports::Ports;
    use callboard::{Effects, Empty, Kind, Msg, Reply, Service, Stranger, Tenant, Uri, Who, event, uri};
    use futures_util::{FutureExt, StreamExt};
    use std::sync::Arc;

    const MESSAGES: usize = 200;

    async fn send(_: Msg<Empty>) -> Result<Reply, Fault> {
        let send = |effects: Effects, at| Ok(effects.send(Kind::Post, uri!("/letters/{}", at)?, ()));
        (0..MESSAGES).try_fold(Effects::new(), send).map(|effects| Reply::nothing().with(effects))
    }

    async fn tell(msg: Msg<Empty>) -> Result<Reply, Fault> {
        Ok(Reply::nothing().with(Effects::new().live(event("came"), msg.uri.clone(), ())))
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_claim_renewed_while_its_task_settles_still_tells_what_happened() {
        let folder = tempfile::tempdir().expect("a folder");
        let (entropy, live) = (Arc::new(SystemEntropy::new()), LocalLive::new());
        let ports = Ports {
            records: Arc::new(Sqlite::new(Options { file: None, readers: 0 }, entropy.clone())),
            blobs: Arc::new(LocalBlobs::in_memory()),
            live: Arc::new(live.clone()),
            clock: Arc::new(SystemClock),
            entropy,
            machine: Arc::new(LocalMachine::new(folder.path()).expect("a place to work")),
            outside: Arc::new(Nobody),
        };
        let service = Service::new("letters").on(Kind::Post, "/letters", send, Who::Anyone, Stranger::Denied).on(
            Kind::Post,
            "/letters/{at}",
            tell,
            Who::Services,
            Stranger::Denied,
        );
        let host = Host::builder(ports).service(service).build().await.expect("a host");
        let tenant = Tenant::new("demo");
        let mut heard = callboard::ports::Live::subscribe(&live, &tenant, Uri::root());
        let msg = host.message(Kind::Post, Uri::parse("/letters").expect("a URI"), tenant);
        host.dispatch(msg).await.expect("they are sent");

        let mut work = Work::new(host);
        while work.take().await.expect("a claim") + work.len() > 0 {
            work.renew().await;
            work.next_done().now_or_never();
        }
        let count =
            std::iter::from_fn(|| heard.next().now_or_never().flatten()).filter(|one| one.kind == event("came"));
        assert_eq!(count.count(), MESSAGES);
    }
}
