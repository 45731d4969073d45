//! Messages in work: each in a task of its own, or with those of its lane that were taken with it; bounded in all and by target, so
//! that a slow target holds up only itself.

use callboard::ports::{Delivery, Fate, Settle};
use callboard::{BoxFuture, Fault, Host, Turn};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::task::{AbortHandle, Id, JoinSet};

/// Most messages in work at once.
const IN_WORK_MAX: usize = 2_048;
/// How long a task whose claim is gone may still tell of what it has settled.
const LOST_MS: i64 = 5_000;
/// How long what is in work may go on when the loop is told to stop.
const GRACE: Duration = Duration::from_secs(5);
/// Code of the fault of a message that took too long.
const TIMEOUT: &str = "timeout";
/// Pause before a message is tried again whose failure could not be recorded.
const RECORD_PAUSE_MS: i64 = 5_000;

/// What is in work.
pub(super) struct Work {
    host: Host,
    tasks: JoinSet<()>,
    claims: HashMap<Id, Claim>,
    by_target: HashMap<String, usize>,
    bounds: Bounds,
}

/// What is taken at most, and until when.
pub(super) struct Bounds {
    /// Most messages in work at once.
    pub(super) in_work_max: usize,
    /// Targets that are not taken.
    pub(super) except: Vec<String>,
    /// When this process is stopped, in Unix milliseconds, and how long it runs in all where it does so again.
    pub(super) ends: Option<(i64, u64)>,
}

impl Bounds {
    pub(super) const NONE: Self = Self { in_work_max: IN_WORK_MAX, except: Vec::new(), ends: None };
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
        Self::bounded(host, Bounds::NONE)
    }

    pub(super) fn bounded(host: Host, bounds: Bounds) -> Self {
        Self { host, tasks: JoinSet::new(), claims: HashMap::new(), by_target: HashMap::new(), bounds }
    }

    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.tasks.len() >= self.bounds.in_work_max
    }

    /// Targets that have as many messages in work as they may.
    pub(super) fn busy(&self) -> Vec<String> {
        let most = |target| self.host.ports().records.at_once(target);
        let full = self.by_target.iter().filter(|(target, count)| **count >= most(target)).map(|(target, _)| target);
        full.chain(&self.bounds.except).cloned().collect()
    }

    /// Takes what is due and begins it. Gives how many.
    pub(super) async fn take(&mut self) -> Result<usize, Fault> {
        if self.is_full() {
            return Ok(0);
        }
        let free = self.bounds.in_work_max - self.tasks.len();
        let now_ms = self.host.ports().clock.now_ms();
        let deliveries = self.host.ports().records.claim(free, &self.busy(), now_ms).await?;
        let mut begun = 0;
        let mut deliveries = deliveries.into_iter().peekable();
        while let Some(first) = deliveries.next() {
            let lane = first.settle.lane;
            let behind: Vec<_> = std::iter::from_fn(|| deliveries.next_if(|next| next.settle.lane == lane)).collect();
            if self.is_too_long(&first, now_ms) {
                self.bounds.except.push(first.target.clone());
                self.host.ports().records.fail(first.settle, Fate::Release, now_ms).await?;
                continue;
            }
            *self.by_target.entry(first.target.clone()).or_default() += 1;
            begun += 1 + behind.len();
            let (settle, target) = (first.settle, first.target.clone());
            let (host, end_ms) = (self.host.clone(), self.bounds.ends.map(|(end_ms, _)| end_ms));
            // A task is moved several times before it begins, and again when it ends; these are large.
            let work: BoxFuture<'_, ()> = match behind.is_empty() {
                true => Box::pin(async move { handle(&host, &first, end_ms).await }),
                false => Box::pin(handle_all(host, first, behind, end_ms)),
            };
            let task = self.tasks.spawn(work);
            self.claims.insert(task.id(), Claim { settle, target, task, lost_ms: None });
        }
        Ok(begun)
    }

    /// For how many targets nothing is taken.
    pub(super) fn excepted(&self) -> usize {
        self.bounds.except.len()
    }

    /// Whether it cannot finish any more, and another time of this process would be long enough.
    fn is_too_long(&self, delivery: &Delivery, now_ms: i64) -> bool {
        let Some((end_ms, whole_ms)) = self.bounds.ends else { return false };
        let needs_ms = self.host.needs_ms(delivery);
        needs_ms <= whole_ms && end_ms.saturating_sub(now_ms) < i64::try_from(needs_ms).unwrap_or(i64::MAX)
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
    pub(super) async fn finish(self) {
        self.finish_within(GRACE).await;
    }

    /// As [`Work::finish`], after another moment.
    pub(super) async fn finish_within(mut self, grace: Duration) {
        let all_done = async {
            while self.len() > 0 {
                self.next_done().await;
            }
        };
        if tokio::time::timeout(grace, all_done).await.is_ok() {
            return;
        }
        tracing::info!(messages.dropped = self.len(), "what is still in work begins anew");
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
        Ok(Err(_)) => Err(Fault::unavailable(TIMEOUT, format!("it took longer than {} s", limit.as_secs()))),
        Err(panic) => Err(Fault::bug(format!("a function panicked: {}", words(&*panic)))),
    }
}

/// What a panic says.
fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a word")
}

/// Handles messages of one lane. Each begins at once, and waits for its turn where it must.
async fn handle_all(host: Host, first: Delivery, behind: Vec<Delivery>, end_ms: Option<i64>) {
    let (host, claim, mut turn) = (&host, first.settle, Turn::first());
    let mut all = FuturesUnordered::new();
    for delivery in std::iter::once(first).chain(behind) {
        let behind = turn.behind();
        all.push(async move { handle_in_turn(host, &delivery, &turn, end_ms).await });
        turn = behind;
    }
    while all.next().await.is_some() {}
    if !turn.comes().await {
        // Where the claim has not ended with the one that failed, since that was settled after all.
        drop(host.ports().records.fail(claim, Fate::Release, host.ports().clock.now_ms()).await);
    }
}

/// Handles a message in its turn, and says what came of it. Where one before it in its lane failed nothing comes of it: its claim has
/// ended with that one's.
async fn handle_in_turn(host: &Host, delivery: &Delivery, turn: &Turn, end_ms: Option<i64>) {
    let deadline_ms = || end_ms.unwrap_or_else(|| host.deadline_ms(delivery));
    let is_early = !turn.has_come() && host.may_begin_early(delivery);
    if !is_early && !turn.comes().await {
        return turn.end(false);
    }
    let mut result = attempt(host, delivery, host.deliver_early(delivery, turn, deadline_ms())).await;
    if is_early && let Err(fault) = &result {
        if !turn.comes().await {
            return turn.end(false);
        }
        // The time it waited for its turn was not its own.
        if fault.is_behind() || fault.code == TIMEOUT {
            result = attempt(host, delivery, host.deliver_by(delivery, deadline_ms())).await;
        }
    }
    // Those behind it hear of it before their claim ends.
    turn.end(result.is_ok());
    if let Err(fault) = result {
        fail(host, delivery, &fault).await;
    }
}

/// Handles a message that was taken alone.
async fn handle(host: &Host, delivery: &Delivery, end_ms: Option<i64>) {
    let deadline_ms = end_ms.unwrap_or_else(|| host.deadline_ms(delivery));
    if let Err(fault) = attempt(host, delivery, host.deliver_by(delivery, deadline_ms)).await {
        fail(host, delivery, &fault).await;
    }
}

/// Records that a message failed.
async fn fail(host: &Host, delivery: &Delivery, fault: &Fault) {
    complain(delivery, fault);
    if let Err(fault) = host.fail(delivery, fault).await {
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
    if fault.is_told {
        return;
    }
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
