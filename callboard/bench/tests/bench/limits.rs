//! Times that a step of a flow has: for an attempt, for all its attempts, and between signs of life. And a do that answers although
//! it was given up and undone meanwhile.

use callboard::{Empty, Env, Fault, Flow, Kind, Msg, Reply, Retry, Service, Step, Stranger, Who, operator};
use callboard_bench::{Bench, START_MS};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::Notify;

/// Long enough to write what a step did, on a busy machine.
const TIMEOUT_MS: u64 = 500;
const TWICE: Retry = Retry { attempts: 2, base_ms: 1_000, cap_ms: 1_000 };

/// A parcel that is packed and sent; how often it was packed, unpacked and called back.
#[derive(Clone, Default)]
struct Parcel {
    packed: Arc<AtomicU32>,
    unpacked: Arc<AtomicU32>,
    called_back: Arc<AtomicU32>,
}

async fn begin(_: Env, _: Msg<Empty>) -> Result<Reply, Fault> {
    Ok(Reply::nothing().start("parcel", "one", json!({})))
}

fn up(count: &AtomicU32) -> Result<Reply, Fault> {
    count.fetch_add(1, Ordering::SeqCst);
    Ok(Reply::nothing())
}

impl Parcel {
    /// A run in which the parcel is packed, and then sent by this function.
    async fn bench<Sent>(
        &self,
        send: impl Fn() -> Sent + Clone + Send + Sync + 'static,
        limits: impl FnOnce(Flow) -> Flow,
    ) -> Bench
    where
        Sent: Future<Output = Result<Reply, Fault>> + Send + 'static,
    {
        let (packing, unpacking, calling) = (self.clone(), self.clone(), self.clone());
        let pack = move |_: Env, _: Msg<Step<Value>>| std::future::ready(up(&packing.packed));
        let unpack = move |_: Env, _: Msg<Step<Value>>| std::future::ready(up(&unpacking.unpacked));
        let call_back = move |_: Env, _: Msg<Step<Value>>| std::future::ready(up(&calling.called_back));
        let flow = Flow::new("parcel")
            .step("pack", pack)
            .undo(unpack)
            .step("send", move |_: Env, _: Msg<Step<Value>>| send())
            .undo(call_back)
            .retry(TWICE);
        let service =
            Service::new("office").on(Kind::Post, "/begin", begin, Who::Anyone, Stranger::Denied).flow(limits(flow));
        let bench = Bench::new(vec![service, operator::service()]).await;
        bench.nobody().post("/begin", json!({})).await.expect("started");
        bench
    }

    fn counts(&self) -> [u32; 3] {
        [&self.packed, &self.unpacked, &self.called_back].map(|count| count.load(Ordering::SeqCst))
    }
}

/// The run as an operator sees it.
async fn seen(bench: &Bench) -> Value {
    let runs = bench.owner().get("/-/flows?flow=parcel").await.expect("a list").json();
    let id = runs[0]["id"].as_str().expect("an id");
    bench.owner().get(&format!("/-/flows/{id}")).await.expect("a run").json()
}

/// Lets so much time pass, in which everything happens that can.
async fn after_seconds(bench: &Bench, seconds: u32) -> Value {
    for _ in 0..seconds.div_ceil(2) {
        bench.wait_ms(2_000).await;
    }
    seen(bench).await
}

#[tokio::test]
async fn an_attempt_that_takes_too_long_is_made_again() {
    let (parcel, tried) = (Parcel::default(), Arc::new(AtomicU32::new(0)));
    let counted = tried.clone();
    let send = move || {
        let is_first = counted.fetch_add(1, Ordering::SeqCst) == 0;
        async move { if is_first { std::future::pending().await } else { Ok(Reply::nothing()) } }
    };
    let bench = parcel.bench(send, |flow| flow.timeout_ms(TIMEOUT_MS)).await;
    let ended = after_seconds(&bench, 60).await;
    assert_eq!((&ended["run"]["status"], tried.load(Ordering::SeqCst)), (&json!("completed"), 2), "{ended:#}");
    assert_eq!(parcel.counts(), [1, 0, 0]);
}

#[tokio::test]
async fn where_every_attempt_takes_too_long_what_may_have_happened_is_undone() {
    let parcel = Parcel::default();
    let bench = parcel.bench(std::future::pending, |flow| flow.timeout_ms(TIMEOUT_MS)).await;
    let ended = after_seconds(&bench, 60).await;
    assert_eq!(ended["run"]["status"], "undone", "{ended:#}");
    assert_eq!(parcel.counts(), [1, 1, 1], "nobody knows whether it was sent, so it is called back");
}

#[tokio::test]
async fn a_step_has_an_end_whatever_attempts_are_left() {
    let (parcel, tried) = (Parcel::default(), Arc::new(AtomicU32::new(0)));
    let counted = tried.clone();
    let send = move || {
        counted.fetch_add(1, Ordering::SeqCst);
        std::future::ready(Err(Fault::unavailable("office.closed", "the office is closed")))
    };
    let patient = Retry { attempts: u32::MAX, base_ms: 4_000, cap_ms: 4_000 };
    let bench = parcel.bench(send, |flow| flow.retry(patient).step_timeout_ms(20_000)).await;
    let ended = after_seconds(&bench, 60).await;
    assert_eq!(ended["run"]["status"], "undone", "{ended:#}");
    assert!(ended["run"]["reason"].to_string().contains("flow.step_timeout"), "{ended:#}");
    let attempts = tried.load(Ordering::SeqCst);
    assert!((2..20).contains(&attempts), "{attempts} attempts in 20 s");
    assert_eq!(parcel.counts(), [1, 1, 1]);
    after_seconds(&bench, 60).await;
    assert_eq!(tried.load(Ordering::SeqCst), attempts, "it has ended");
}

#[tokio::test]
async fn a_do_that_gives_no_sign_of_life_is_undone_and_shown_where_it_answers_after_all() {
    let (parcel, begun, go_on) = (Parcel::default(), Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (says_begun, hears) = (begun.clone(), go_on.clone());
    let send = move || {
        let (begun, go_on) = (says_begun.clone(), hears.clone());
        async move {
            begun.notify_one();
            go_on.notified().await;
            Ok(Reply::nothing())
        }
    };
    let once = Retry { attempts: 1, base_ms: 1_000, cap_ms: 1_000 };
    let bench = parcel.bench(send, |flow| flow.retry(once).heartbeat_ms(5_000)).await;
    let (host, records) = (bench.host().clone(), &bench.host().ports().records);
    // Somebody packs, and another has the sending in hand for longer than it may be silent.
    let packing = records.claim(1, &[], START_MS).await.expect("a message").remove(0);
    host.deliver(&packing).await.expect("packed");
    let sending = records.claim(1, &[], START_MS).await.expect("a message").remove(0);
    let at_work = tokio::spawn(async move { host.deliver(&sending).await });
    begun.notified().await;
    // Longer than it may be silent, and not so long that its claim ends.
    let undone = after_seconds(&bench, 12).await;
    assert_eq!(undone["run"]["status"], "undone", "{undone:#}");
    assert!(undone["run"]["reason"].to_string().contains("no sign of life for 5 s"), "{undone:#}");
    assert_eq!((parcel.counts(), &undone["left_behind"]), ([1, 1, 1], &json!([])));
    go_on.notify_one();
    at_work.await.expect("no panic").expect("too late, and no failure");
    let late = seen(&bench).await;
    assert_eq!((&late["run"]["status"], parcel.counts()), (&json!("undo_stuck"), [1, 1, 1]), "{late:#}");
    assert_eq!(late["left_behind"], json!(["send done again after it was undone"]));
    assert!(late["sentence"].as_str().expect("a sentence").contains("needs a person"), "{late:#}");
    assert_eq!(bench.inspect("SELECT count(*) FROM kernel_message").await, ["0"]);
}
