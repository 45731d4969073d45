//! What a process that stays does all the time, for one that is only invoked: hearing what happened elsewhere, before it answers, and
//! removing what is past its time, in what is left of an invocation that nobody waits for.

use callboard::ports::Delivery;
use callboard::{Fault, Host};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// How long what happened may be heard of late, where invocations follow each other closely.
const HEAR_EVERY_MS: i64 = 1_000;
/// How often it is looked for what is past its time, and how often among blobs, which are all listed for it.
const SWEEP_EVERY_MS: i64 = 60_000;
const BLOBS_EVERY_MS: i64 = 3_600_000;
/// How often one binding is told of one event: there is no time to wait between attempts.
const ATTEMPTS_MAX: u32 = 3;

/// When what was done last.
#[derive(Default)]
pub(crate) struct Upkeep {
    heard_ms: AtomicI64,
    swept_ms: AtomicI64,
    blobs_ms: AtomicI64,
}

impl Upkeep {
    /// Tells bindings of every process what happened since this one heard last, as far as there is time for it. Gives how many were
    /// told.
    ///
    /// # Errors
    /// The store's fault.
    pub(crate) async fn hear(&self, host: &Host, end_ms: i64) -> Result<usize, Fault> {
        let mut told = 0;
        let has_time = host.space().has_every_node() && left(host, end_ms).is_some();
        if !has_time || !is_time(&self.heard_ms, HEAR_EVERY_MS, host) {
            return Ok(told);
        }
        while left(host, end_ms).is_some() {
            let events = host.follow().await?;
            if events.is_empty() {
                break;
            }
            for delivery in events.into_iter().flatten() {
                tell(host, delivery).await;
                told += 1;
            }
        }
        Ok(told)
    }

    /// Removes what is past its time, a batch at a time, as far as there is time for it.
    ///
    /// # Errors
    /// The store's fault.
    pub(crate) async fn tidy(&self, host: &Host, end_ms: i64) -> Result<(), Fault> {
        if left(host, end_ms).is_none() {
            return Ok(());
        }
        if is_time(&self.swept_ms, SWEEP_EVERY_MS, host) {
            while left(host, end_ms).is_some() && host.sweep().await? {}
        }
        let Some(left) = left(host, end_ms) else { return Ok(()) };
        if is_time(&self.blobs_ms, BLOBS_EVERY_MS, host) {
            // What it does not come to now is still there for the next time.
            return tokio::time::timeout(left, host.sweep_blobs()).await.map_or(Ok(()), |removed| removed.map(drop));
        }
        Ok(())
    }
}

/// Whether so much time has gone by since it was done last; then it is done now.
fn is_time(last_ms: &AtomicI64, every_ms: i64, host: &Host) -> bool {
    let now_ms = host.ports().clock.now_ms();
    let is_time = now_ms.saturating_sub(last_ms.load(Ordering::Relaxed)) >= every_ms;
    if is_time {
        last_ms.store(now_ms, Ordering::Relaxed);
    }
    is_time
}

fn left(host: &Host, end_ms: i64) -> Option<Duration> {
    let left_ms = end_ms.saturating_sub(host.ports().clock.now_ms());
    u64::try_from(left_ms).ok().filter(|left_ms| *left_ms > 0).map(Duration::from_millis)
}

async fn tell(host: &Host, delivery: Delivery) {
    let limit = Duration::from_millis(host.timeout_ms(&delivery));
    for attempt in 1..=ATTEMPTS_MAX {
        let (host, delivery) = (host.clone(), Delivery { attempt, ..delivery.clone() });
        let target = delivery.target.clone();
        // In a task of its own, so that a panic ends nothing else.
        let telling = tokio::spawn(async move { host.deliver_here(&delivery).await });
        let fault = match tokio::time::timeout(limit, telling).await {
            Ok(Ok(Ok(()))) => return,
            Ok(Ok(Err(fault))) => fault,
            Ok(Err(panic)) => Fault::bug(panic.to_string()),
            Err(_) => Fault::unavailable("timeout", format!("it took longer than {} s", limit.as_secs())),
        };
        tracing::warn!(
            message.target = target,
            message.attempt = attempt,
            fault.code = fault.code,
            fault.detail = fault.detail,
            "this process could not be told of an event: {}",
            fault.message
        );
        if !fault.is_retryable() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use callboard::{Empty, Env, Kind, Msg, Reply, Service, Stranger, Who, event, uri};
    use callboard_bench::{Bench, START_MS};
    use serde_json::json;
    use std::sync::{Arc, Mutex};

    type Heard = Arc<Mutex<Vec<String>>>;

    /// A board that tells whatever is put on it; who hears of it hears nothing the first time.
    async fn board(heard: &Heard) -> Bench {
        let heard = heard.clone();
        let put = |_: Env, msg: Msg<Empty>| async move {
            Ok::<Reply, Fault>(Reply::nothing().emit(event("noted"), uri!("/notes/{}", msg.param("id"))?, json!({})))
        };
        let hear = move |_: Env, msg: Msg<Empty>| {
            let heard = heard.clone();
            async move {
                heard.lock().expect("nobody panicked").push(msg.param("id").to_owned());
                match msg.head.attempt {
                    1 => Err::<Reply, Fault>(Fault::unavailable("ear.away", "say it again")),
                    _ => Ok(Reply::nothing()),
                }
            }
        };
        let service = Service::new("board")
            .on(Kind::Post, "/notes/{id}", put, Who::Anyone, Stranger::Denied)
            .on(event("noted"), "/notes/{id}", hear, Who::Services, Stranger::NotFound)
            .every_node();
        Bench::new(vec![service]).await
    }

    async fn put(bench: &Bench, id: &str) {
        bench.nobody().post(&format!("/notes/{id}"), json!({})).await.expect("put");
    }

    #[tokio::test]
    async fn what_happened_elsewhere_is_heard_of_before_the_next_answer() {
        let (heard, upkeep) = (Heard::default(), Upkeep::default());
        let bench = board(&heard).await;
        let told = async |end_ms| upkeep.hear(bench.host(), START_MS + end_ms).await.expect("it hears");
        put(&bench, "a").await;
        assert_eq!(told(30_000).await, 1);
        assert_eq!(*heard.lock().expect("nobody panicked"), ["a", "a"], "what did not arrive is told again");
        put(&bench, "b").await;
        assert_eq!(told(30_000).await, 0, "it has just been looked");
        bench.clock().advance(HEAR_EVERY_MS);
        assert_eq!(told(HEAR_EVERY_MS).await, 0, "there is no time for it");
        assert_eq!(told(30_000).await, 1);
        assert_eq!(heard.lock().expect("nobody panicked").last().map(String::as_str), Some("b"));
    }

    #[tokio::test]
    async fn what_is_past_its_time_is_removed_while_there_is_time() {
        const DAYS_31_MS: i64 = 31 * 86_400_000;
        let upkeep = Upkeep::default();
        let bench = board(&Heard::default()).await;
        for id in ["a", "b", "c"] {
            put(&bench, id).await;
        }
        let left = async || bench.messages().await.iter().filter(|message| message["type"] == "noted").count();
        let tidy = async |end_ms| upkeep.tidy(bench.host(), START_MS + end_ms).await.expect("removed");
        tidy(30_000).await;
        assert_eq!(left().await, 3, "nothing is old");
        bench.clock().advance(DAYS_31_MS);
        tidy(DAYS_31_MS).await;
        assert_eq!(left().await, 3, "there is no time for it");
        tidy(DAYS_31_MS + 30_000).await;
        // The newest may have to stay.
        assert!(left().await <= 1);
        put(&bench, "d").await;
        bench.clock().advance(SWEEP_EVERY_MS - 1);
        tidy(DAYS_31_MS + SWEEP_EVERY_MS + 30_000).await;
        assert!(left().await >= 1, "what is new stays");
    }
}
