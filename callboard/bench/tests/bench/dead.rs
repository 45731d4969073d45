//! Messages that were given up: they say why, hold their lane where that is wanted, and go back or away when an operator says so.

use crate::{shop, start};
use callboard::ports::{DeadFilter, DeadLetter, Page};
use callboard::{Env, Fault, Kind, Msg, OnDead, Reply, Service, Stranger, Uri, Who, event, uri};
use callboard_bench::Bench;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// A desk that files letters in order, and cannot file any that is torn until somebody has mended it.
#[derive(Clone, Default)]
struct Desk {
    filed: Arc<Mutex<Vec<String>>>,
    is_mended: Arc<AtomicBool>,
}

impl Desk {
    fn service(&self, on_dead: OnDead) -> Service {
        let desk = self.clone();
        let file = move |env: Env, msg: Msg<Value>| {
            let desk = desk.clone();
            async move {
                // Whoever reads does so in turn, and so notes what was filed in its order.
                env.blobs().meta("desk").await?;
                let text = msg.data["text"].as_str().unwrap_or_default().to_owned();
                if text.starts_with("torn") && !desk.is_mended.load(Ordering::SeqCst) {
                    return Err(Fault::bad_input("desk.torn", "this letter is torn"));
                }
                desk.filed.lock().expect("nobody panicked").push(text);
                Ok(Reply::<()>::nothing())
            }
        };
        Service::new("desk")
            .on(Kind::Post, "/letters/{box}", write, Who::Anyone, Stranger::Denied)
            .on(event("letter"), "/letters/{box}", file, Who::Services, Stranger::NotFound)
            .on_dead(on_dead)
    }

    fn filed(&self) -> Vec<String> {
        self.filed.lock().expect("nobody panicked").clone()
    }
}

async fn write(_: Env, msg: Msg<Value>) -> Result<Reply, Fault> {
    Ok(Reply::nothing().emit(event("letter"), uri!("/letters/{}", msg.param("box"))?, &msg.data))
}

async fn letters(bench: &Bench) -> Vec<DeadLetter> {
    let page = Page { after: None, limit: 200 };
    bench.host().ports().records.operations().dead(DeadFilter::default(), page).await.expect("a list")
}

async fn send(bench: &Bench, place: &str, text: &str) {
    bench.nobody().post(&format!("/letters/{place}"), json!({"text": text})).await.expect("sent");
}

async fn redrive(bench: &Bench, filter: DeadFilter, spread_ms: i64) -> u64 {
    let ports = bench.host().ports();
    ports.records.operations().redrive(filter, 100, spread_ms, ports.clock.now_ms()).await.expect("put back")
}

#[tokio::test]
async fn a_dead_letter_tells_what_it_was_why_and_after_how_many_attempts() {
    let desk = Desk::default();
    let bench = Bench::new(vec![desk.service(OnDead::Skip)]).await;
    send(&bench, "a", "torn 1").await;
    bench.settle().await;
    let dead = letters(&bench).await.remove(0);
    assert_eq!((dead.reason.code.as_str(), dead.reason.message.as_str()), ("desk.torn", "this letter is torn"));
    assert_eq!((dead.attempts, dead.service.as_str(), dead.key.as_str()), (1, "desk", "/letters/a"));
    assert_eq!((dead.envelope.data, dead.is_held), (json!({"text": "torn 1"}), false));
}

#[tokio::test]
async fn a_lane_that_skips_goes_on_and_one_that_holds_waits_until_it_is_mended() {
    let (skipping, holding) = (Desk::default(), Desk::default());
    for (desk, on_dead) in [(&skipping, OnDead::Skip), (&holding, OnDead::Hold)] {
        let bench = Bench::new(vec![desk.service(on_dead)]).await;
        for (place, text) in [("a", "torn"), ("a", "second"), ("b", "other")] {
            send(&bench, place, text).await;
        }
        bench.settle().await;
        send(&bench, "a", "third").await;
        bench.settle().await;
        let queue = bench.host().ports().records.operations().queues(0).await.expect("queues").remove(0);
        assert_eq!((queue.held, queue.dead), (u64::from(on_dead == OnDead::Hold), 1));
        desk.is_mended.store(true, Ordering::SeqCst);
        assert_eq!(redrive(&bench, DeadFilter::default(), 0).await, 1);
        bench.settle().await;
        assert!(letters(&bench).await.is_empty());
        assert_eq!(bench.inspect("SELECT count(*) FROM kernel_lane").await, ["0"]);
    }
    let of_a = |desk: &Desk| desk.filed().into_iter().filter(|text| text != "other").collect::<Vec<_>>();
    assert_eq!(of_a(&skipping), ["second", "third", "torn"]);
    assert_eq!(of_a(&holding), ["torn", "second", "third"], "the order is kept");
    assert_eq!(holding.filed()[0], "other", "another lane did not wait");
}

#[tokio::test]
async fn a_letter_that_is_thrown_away_lets_its_lane_go_on() {
    let desk = Desk::default();
    let bench = Bench::new(vec![desk.service(OnDead::Hold)]).await;
    send(&bench, "a", "torn").await;
    send(&bench, "a", "second").await;
    bench.settle().await;
    let other = DeadFilter { code: Some("another".to_owned()), ..DeadFilter::default() };
    let operations = bench.host().ports().records.operations();
    assert_eq!(operations.discard(other, 100, 0).await.expect("none"), 0);
    assert_eq!(operations.discard(DeadFilter::default(), 100, 0).await.expect("one"), 1);
    bench.settle().await;
    assert_eq!(desk.filed(), ["second"]);
    assert_eq!(bench.inspect("SELECT count(*) FROM kernel_message").await, ["0"]);
}

#[tokio::test]
async fn many_letters_go_back_spread_over_a_time() {
    let desk = Desk::default();
    let bench = Bench::new(vec![desk.service(OnDead::Skip)]).await;
    for at in 0..10 {
        send(&bench, "a", &format!("torn {at}")).await;
    }
    bench.settle().await;
    desk.is_mended.store(true, Ordering::SeqCst);
    assert_eq!(redrive(&bench, DeadFilter::default(), 10_000).await, 10);
    bench.settle().await;
    assert_eq!(desk.filed().len(), 1, "the first at once, then one a second");
    bench.wait_ms(4_000).await;
    assert_eq!(desk.filed().len(), 5);
    bench.wait_ms(5_000).await;
    assert_eq!(desk.filed().len(), 10);
}

#[tokio::test]
async fn a_message_that_ends_the_process_each_time_is_given_up() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let service = || shop::service();
    let host = start::open(folder.path(), service()).await.expect("a host");
    start::call(&host, Kind::Put, "/boxes/tea", json!(1)).await;
    start::call(&host, Kind::Post, "/boxes/tea/take", json!({})).await;
    drop(host);
    let now_ms = callboard_engines::clock::SystemClock;
    for attempt in 1..=8 {
        let host = start::open(folder.path(), service()).await.expect("a host");
        let now_ms = callboard::ports::Clock::now_ms(&now_ms);
        let taken = host.ports().records.claim(10, &[], now_ms).await.expect("a claim");
        assert_eq!(taken[0].attempt, attempt, "the process ends with the message in its hands");
    }
    let host = start::open(folder.path(), service()).await.expect("a host");
    callboard_engines::delivery::drain(&host).await.expect("delivered");
    assert_eq!(start::call(&host, Kind::Get, "/log", json!({})).await, json!([]));
    let page = Page { after: None, limit: 10 };
    let dead = host.ports().records.operations().dead(DeadFilter::default(), page).await.expect("a list");
    assert_eq!((dead[0].reason.code.as_str(), dead[0].attempts), ("poison", 9));
}

#[tokio::test]
async fn a_slow_target_with_a_long_queue_keeps_nobody_else_waiting() {
    let (slow, quick) = (Desk::default(), Desk::default());
    let other = {
        let quick = quick.clone();
        let note = move |_: Env, msg: Msg<Value>| {
            quick.filed.lock().expect("nobody panicked").push(msg.uri.to_string());
            async { Ok(Reply::<()>::nothing()) }
        };
        Service::new("other").on(event("letter"), "/letters/{box}", note, Who::Services, Stranger::NotFound)
    };
    let bench = Bench::new(vec![slow.service(OnDead::Skip), other]).await;
    for at in 0..200 {
        send(&bench, &format!("{at}"), "x").await;
    }
    let records = &bench.host().ports().records;
    let taken = records.claim(100, &[], callboard_bench::START_MS).await.expect("messages");
    let of_desk = taken.iter().filter(|one| one.target.starts_with("desk")).count();
    assert_eq!((taken.len(), of_desk), (100, 50), "targets take turns");
    let busy = vec![taken.iter().find(|one| one.target.starts_with("desk")).expect("one").target.clone()];
    let more = records.claim(100, &busy, callboard_bench::START_MS).await.expect("messages");
    assert!(!more.is_empty() && more.iter().all(|one| one.target.starts_with("other")));
}

#[tokio::test]
async fn data_too_large_for_a_message_travels_in_a_blob_until_nobody_needs_it() {
    let desk = Desk::default();
    let bench = Bench::new(vec![desk.service(OnDead::Skip).body_bytes_max_of_write()]).await;
    let text = "x".repeat(300_000);
    send(&bench, "a", &text).await;
    let blobs = &bench.host().ports().blobs;
    assert_eq!(blobs.list("messages").await.expect("blobs").len(), 1);
    assert!(bench.inspect("SELECT max(length(envelope)) FROM kernel_event").await[0].len() < 6);
    bench.settle().await;
    assert_eq!(desk.filed(), [text]);
    let clock = callboard_engines::clock::SystemClock;
    let real_ms = callboard::ports::Clock::now_ms(&clock);
    bench.clock().set(real_ms + 2 * 3_600_000);
    assert_eq!(bench.host().sweep_blobs().await.expect("swept"), 0, "the event is still in the log");
    bench.clock().set(real_ms + 40 * 86_400_000);
    send(&bench, "a", "small").await;
    bench.settle().await;
    bench.host().sweep().await.expect("swept");
    assert_eq!(bench.host().sweep_blobs().await.expect("swept"), 1);
    assert!(blobs.list("messages").await.expect("blobs").is_empty());
}

trait Wide {
    fn body_bytes_max_of_write(self) -> Self;
}

impl Wide for Service {
    /// Lets letters be larger than other bodies.
    fn body_bytes_max_of_write(mut self) -> Self {
        self.bindings[0].body_bytes_max = 1 << 20;
        self
    }
}

#[tokio::test]
async fn events_are_kept_as_long_as_their_service_says() {
    let desk = Desk::default();
    let service = desk.service(OnDead::Skip).retention(event("letter"), 2);
    let bench = Bench::new(vec![service, shop::service()]).await;
    let day_ms = 86_400_000;
    send(&bench, "a", "one").await;
    bench.viewer().post("/boxes/tea/events/unheard", json!({})).await.expect("published to nobody");
    bench.wait_ms(3 * day_ms).await;
    bench.viewer().post("/boxes/tea/events/unheard", json!({})).await.expect("published to nobody");
    bench.host().sweep().await.expect("swept");
    assert_eq!(bench.inspect("SELECT type FROM kernel_event ORDER BY event").await, ["unheard", "unheard"]);
    bench.wait_ms(30 * day_ms).await;
    bench.host().sweep().await.expect("swept");
    assert_eq!(bench.inspect("SELECT count(*) FROM kernel_event").await, ["1"], "the newest stays");
}

#[tokio::test]
async fn an_event_that_still_waits_is_not_swept() {
    let desk = Desk::default();
    let bench = Bench::new(vec![desk.service(OnDead::Hold).retention(event("letter"), 1)]).await;
    for text in ["torn", "second", "third"] {
        send(&bench, "a", text).await;
    }
    bench.settle().await;
    bench.clock().advance(5 * 86_400_000);
    bench.host().sweep().await.expect("swept");
    desk.is_mended.store(true, Ordering::SeqCst);
    redrive(&bench, DeadFilter::default(), 0).await;
    bench.settle().await;
    assert_eq!(desk.filed(), ["torn", "second", "third"]);
}

/// A cache that every process keeps for itself.
#[tokio::test]
async fn a_binding_of_every_node_hears_each_event_in_order_and_changes_nothing() {
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let listener = {
        let heard = heard.clone();
        move |_: Env, msg: Msg<Value>| {
            heard.lock().expect("nobody panicked").push(msg.data["text"].to_string());
            async { Ok(Reply::<()>::nothing()) }
        }
    };
    let meddler = |_: Env, msg: Msg<Value>| {
        let reply = Reply::<()>::nothing().emit(event("meddled"), msg.uri.clone(), json!({}));
        async { Ok(reply) }
    };
    let caches = Service::new("caches")
        .on(event("letter"), "/letters/{box}", listener, Who::Services, Stranger::NotFound)
        .every_node();
    let wrong = Service::new("wrong")
        .on(event("letter"), "/letters/{box}", meddler, Who::Services, Stranger::NotFound)
        .every_node();
    let desk = Desk::default();
    let bench = Bench::new(vec![desk.service(OnDead::Skip), caches, wrong]).await;
    for at in 0..5 {
        send(&bench, "a", &at.to_string()).await;
    }
    // Where several share a server, the log goes on when the oldest transaction of all of them has ended.
    for _ in 0..10_000 {
        bench.settle().await;
        if heard.lock().expect("nobody panicked").len() == 5 {
            break;
        }
    }
    assert_eq!(*heard.lock().expect("nobody panicked"), ["\"0\"", "\"1\"", "\"2\"", "\"3\"", "\"4\""]);
    assert_eq!(bench.inspect("SELECT count(*) FROM kernel_event WHERE type = 'meddled'").await, ["0"]);
    assert!(letters(&bench).await.is_empty() && desk.filed().len() == 5);
}

#[tokio::test]
async fn a_completion_that_comes_too_late_is_noted_and_changes_nothing() {
    let desk = Desk::default();
    let bench = Bench::new(vec![desk.service(OnDead::Skip)]).await;
    send(&bench, "a", "one").await;
    let records = &bench.host().ports().records;
    let taken = records.claim(1, &[], callboard_bench::START_MS).await.expect("a message").remove(0);
    assert_eq!(records.renew(&[taken.settle], 0).await.expect("renewed"), []);
    bench.host().deliver(&taken).await.expect("delivered");
    assert_eq!(records.renew(&[taken.settle], 0).await.expect("renewed"), [taken.settle]);
    bench.host().deliver(&taken).await.expect("too late, and no failure");
    assert_eq!(records.operations().stale().await.expect("a count"), 1);
}

#[tokio::test]
async fn an_event_on_a_uri_that_nobody_bound_is_in_the_log_and_waits_nowhere() {
    let bench = Bench::new(vec![shop::service()]).await;
    bench.viewer().post("/boxes/tea/events/unheard", json!({})).await.expect("published");
    assert_eq!(bench.settle().await, 0);
    assert_eq!(bench.inspect("SELECT type FROM kernel_event").await, ["unheard"]);
    assert!(Uri::parse("/boxes/tea").is_ok() && letters(&bench).await.is_empty());
}

#[tokio::test]
async fn a_reason_may_repeat_what_records_cannot_keep() {
    let file = |_: Env, msg: Msg<Value>| async move {
        let text = msg.data["text"].as_str().unwrap_or_default();
        Err::<Reply, Fault>(Fault::bad_input("desk.torn", format!("nobody can read `{text}`")))
    };
    let desk = Service::new("desk").on(Kind::Post, "/letters/{box}", write, Who::Anyone, Stranger::Denied).on(
        event("letter"),
        "/letters/{box}",
        file,
        Who::Services,
        Stranger::NotFound,
    );
    let bench = Bench::new(vec![desk]).await;
    send(&bench, "a", "a\0b").await;
    bench.settle().await;
    let dead = letters(&bench).await;
    let told: Vec<_> = dead.iter().map(|letter| (&*letter.reason.message, &letter.envelope.data)).collect();
    assert_eq!(told, [("nobody can read `a\u{FFFD}b`", &json!({"text": "a\0b"}))]);
    assert_eq!(redrive(&bench, DeadFilter::default(), 0).await, 1);
}
