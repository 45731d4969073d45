//! Flows that wait: for an answer from outside, for a decision, for a time, for their turn; and that go on under another definition.

use crate::start::open;
use callboard::flow::{Flow, Verdict};
use callboard::{
    Data, Effects, Empty, Env, Fault, Host, Kind, Msg, Reply, Retry, Service, Step, Stranger, Tenant, Uri, Who,
};
use callboard_bench::Bench;
use callboard_engines::delivery::drain;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::Semaphore;

/// What tests see and hold of the office.
#[derive(Clone)]
struct Office {
    /// What was done outside, in order.
    log: Arc<Mutex<Vec<String>>>,
    /// The letters that carry tokens.
    letters: Arc<Mutex<Vec<String>>>,
    /// Whoever asks goes on when there is a permit.
    desk: Arc<Semaphore>,
    /// Whether the bank loses its answers.
    is_lossy: Arc<AtomicBool>,
    asked: Arc<AtomicU32>,
}

#[derive(Deserialize, JsonSchema)]
struct Answer {
    token: String,
    value: Value,
}

impl Office {
    fn new() -> Self {
        Self {
            log: Arc::default(),
            letters: Arc::default(),
            desk: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
            is_lossy: Arc::default(),
            asked: Arc::default(),
        }
    }

    fn note(&self, line: impl Into<String>) {
        self.log.lock().expect("nobody panicked").push(line.into());
    }

    fn lines(&self) -> Vec<String> {
        self.log.lock().expect("nobody panicked").clone()
    }

    fn letter(&self) -> String {
        self.letters.lock().expect("nobody panicked").last().expect("a letter was sent").clone()
    }

    fn does(
        &self,
        what: &'static str,
    ) -> impl Fn(Env, Msg<Step>) -> std::future::Ready<Result<Reply<Value>, Fault>> + Send + Sync + 'static + use<>
    {
        let office = self.clone();
        move |_, msg| {
            let about = msg.data.input["about"].as_str().unwrap_or_default().to_owned();
            office.note(format!("{what} {about}").trim().to_owned());
            std::future::ready(Ok(Reply::ok(json!(what))))
        }
    }

    fn service(&self) -> Service {
        let office = self.clone();
        let ask = move |_: Env, msg: Msg<Step>| {
            let office = office.clone();
            async move {
                let token = msg.data.token.clone().ok_or_else(|| Fault::bug("whoever asks has a token"))?;
                office.letters.lock().expect("nobody panicked").push(token);
                office.desk.acquire().await.map_err(|error| Fault::bug(error.to_string()))?.forget();
                Ok::<_, Fault>(Reply::ok(Value::Null))
            }
        };
        let bank = self.clone();
        let pay = move |_: Env, _: Msg<Step>| {
            bank.note("pay");
            let lost = bank.is_lossy.swap(false, Ordering::SeqCst);
            std::future::ready(match lost {
                true => Err(Fault::unavailable("bank.away", "the answer is lost")),
                false => Ok(Reply::ok(json!("paid"))),
            })
        };
        let bank = self.clone();
        let look = move |_: Env, _: Msg<Step>| {
            bank.asked.fetch_add(1, Ordering::SeqCst);
            std::future::ready(Ok::<_, Fault>(Reply::ok(Verdict::Happened(json!("paid, as the bank says")))))
        };
        let once = Retry { attempts: 1, base_ms: 1_000, cap_ms: 1_000 };
        Service::new("office")
            .on(Kind::Post, "/requests/{key}", begin_request, Who::Anyone, Stranger::Denied)
            .on(Kind::Post, "/answers", answer, Who::Anyone, Stranger::Denied)
            .on(Kind::Post, "/payments/{key}", begin_payment, Who::Anyone, Stranger::Denied)
            .on(Kind::Post, "/turns/{key}", begin_turn, Who::Anyone, Stranger::Denied)
            .on(Kind::Post, "/turns/{key}/decision", decide, Who::Anyone, Stranger::Denied)
            .flow(
                Flow::new("request")
                    .wait("ask", ask)
                    .no_undo("a question harms nobody")
                    .expires_ms(60_000)
                    .expired()
                    .step("remind", self.does("remind"))
                    .no_undo("nor does a reminder")
                    .end()
                    .step("file", self.does("file"))
                    .no_undo("filed is filed"),
            )
            .flow(Flow::new("payment").step("pay", pay).undo(self.does("give back")).verify(look).retry(once))
            .flow(
                Flow::new("turn")
                    .entity("/about")
                    .step("open", self.does("open"))
                    .no_undo("nothing is changed")
                    .wait_for_decision("decide")
                    .step("close", self.does("close"))
                    .no_undo("nothing is changed"),
            )
    }
}

async fn begin_request(_: Env, msg: Msg<Value>) -> Result<Reply, Fault> {
    Ok(Reply::nothing().start("request", msg.param("key"), &msg.data))
}

async fn begin_payment(_: Env, msg: Msg<Value>) -> Result<Reply, Fault> {
    Ok(Reply::nothing().start("payment", msg.param("key"), &msg.data))
}

async fn begin_turn(_: Env, msg: Msg<Value>) -> Result<Reply, Fault> {
    Ok(Reply::nothing().start("turn", msg.param("key"), &msg.data))
}

async fn answer(_: Env, msg: Msg<Answer>) -> Result<Reply, Fault> {
    Ok(Reply::nothing().with(Effects::new().answer(msg.data.token.clone(), &msg.data.value)))
}

async fn decide(_: Env, msg: Msg<Empty>) -> Result<Reply, Fault> {
    Ok(Reply::nothing().with(Effects::new().decide("turn", msg.param("key"), "decide", true)))
}

async fn say(bench: &Bench, token: &str, value: Value) -> Result<callboard::Answer, Fault> {
    bench.nobody().post("/answers", json!({"token": token, "value": value})).await
}

async fn output(bench: &Bench, step: usize) -> Value {
    let state = bench.inspect("SELECT state FROM kernel_flow").await.remove(0);
    let state: Value = serde_json::from_str(&state).expect("a run is JSON");
    state["steps"][step]["items"][0]["output"].clone()
}

#[tokio::test]
async fn the_first_answer_counts_and_forged_repeated_and_late_ones_are_told_so() {
    let office = Office::new();
    let bench = Bench::new(vec![office.service()]).await;
    bench.nobody().post("/requests/one", json!({})).await.expect("begun");
    bench.settle().await;
    let token = office.letter();
    let (run, _) = token.split_once('.').expect("a token names its run");
    for forged in ["", "nonsense", &format!("{run}.00"), &format!("{token}0")] {
        assert_eq!(say(&bench, forged, json!("yes")).await.expect_err(forged).code, "flow.token", "{forged}");
    }
    let stored = bench.inspect("SELECT state FROM kernel_flow").await.remove(0);
    assert!(!stored.contains(&token[run.len()..]), "only its hash is stored");
    say(&bench, &token, json!("yes")).await.expect("the first");
    assert_eq!(say(&bench, &token, json!("no")).await.expect_err("the second").code, "flow.answered");
    bench.settle().await;
    assert_eq!((office.lines(), output(&bench, 0).await), (vec!["file".to_owned()], json!("yes")));
    bench.wait_ms(120_000).await;
    assert_eq!(say(&bench, &token, json!("no")).await.expect_err("late").code, "flow.answered");
    assert_eq!(office.lines(), ["file"], "the time that was over meanwhile changes nothing");
}

#[tokio::test]
async fn an_answer_that_is_earlier_than_its_question_is_kept() {
    let office = Office { desk: Arc::new(Semaphore::new(0)), ..Office::new() };
    let bench = Bench::new(vec![office.service()]).await;
    bench.nobody().post("/requests/one", json!({})).await.expect("begun");
    let asking = bench.settle();
    let answering = async {
        while office.letters.lock().expect("nobody panicked").is_empty() {
            tokio::task::yield_now().await;
        }
        say(&bench, &office.letter(), json!("at once")).await.expect("early");
        office.desk.add_permits(1);
    };
    tokio::join!(asking, answering);
    bench.settle().await;
    assert_eq!((office.lines(), output(&bench, 0).await), (vec!["file".to_owned()], json!("at once")));
}

#[tokio::test]
async fn a_wait_that_is_over_takes_the_branch_for_it() {
    let office = Office::new();
    let bench = Bench::new(vec![office.service()]).await;
    bench.nobody().post("/requests/one", json!({})).await.expect("begun");
    bench.settle().await;
    bench.wait_ms(59_000).await;
    assert_eq!(office.lines(), Vec::<String>::new());
    bench.wait_ms(2_000).await;
    assert_eq!(office.lines(), ["remind", "file"]);
    assert_eq!(say(&bench, &office.letter(), json!("yes")).await.expect_err("late").code, "flow.answered");
}

#[tokio::test]
async fn an_outcome_that_nobody_knows_is_looked_into_before_anything_is_done_again_or_undone() {
    let office = Office::new();
    let bench = Bench::new(vec![office.service()]).await;
    office.is_lossy.store(true, Ordering::SeqCst);
    bench.nobody().post("/payments/one", json!({})).await.expect("begun");
    bench.settle().await;
    bench.wait_ms(600_000).await;
    assert_eq!((office.lines(), office.asked.load(Ordering::SeqCst)), (vec!["pay".to_owned()], 1));
    assert_eq!(output(&bench, 0).await, "paid, as the bank says");
    assert_eq!(bench.inspect("SELECT status FROM kernel_flow").await, ["completed"]);
}

#[tokio::test]
async fn runs_about_the_same_thing_take_turns_and_others_do_not_wait() {
    let office = Office::new();
    let bench = Bench::new(vec![office.service()]).await;
    for (key, about) in [("1", "house"), ("2", "house"), ("3", "garden")] {
        bench.nobody().post(&format!("/turns/{key}"), json!({"about": about})).await.expect("begun");
        bench.settle().await;
    }
    assert_eq!(office.lines(), ["open house", "open garden"]);
    bench.nobody().post("/turns/1/decision", json!({})).await.expect("decided");
    bench.settle().await;
    assert_eq!(office.lines()[2..], ["close house", "open house"]);
    bench.nobody().post("/turns/2/decision", json!({})).await.expect("decided");
    bench.settle().await;
    assert_eq!(office.lines()[4..], ["close house"]);
}

/// The flow as one release has it, and as a later one has it, with and without the map from the one to the other.
fn release(office: &Office, version: u32) -> Service {
    let first = || {
        Flow::new("order")
            .step("take", office.does("take"))
            .undo(office.does("put back"))
            .wait_for_decision("decide")
            .step("send", office.does("send"))
            .no_undo("it is on its way")
    };
    let second = || {
        Flow::new("order")
            .step("reserve", office.does("reserve"))
            .undo(office.does("release"))
            .wait_for_decision("decide")
            .step("pack", office.does("pack"))
            .no_undo("a parcel harms nobody")
            .step("send", office.does("send"))
            .no_undo("it is on its way")
    };
    let flow = match version {
        1 => first(),
        2 => second(),
        _ => second().migrate(Box::leak(first().hash().into()), &[("take", "reserve")]),
    };
    Service::new("orders")
        .on(Kind::Post, "/orders/{key}", begin_order, Who::Anyone, Stranger::Denied)
        .on(Kind::Post, "/orders/{key}/decision", decide_order, Who::Anyone, Stranger::Denied)
        .flow(flow)
}

async fn begin_order(_: Env, msg: Msg<Value>) -> Result<Reply, Fault> {
    Ok(Reply::nothing().start("order", msg.param("key"), &msg.data))
}

async fn decide_order(_: Env, msg: Msg<Empty>) -> Result<Reply, Fault> {
    Ok(Reply::nothing().with(Effects::new().decide("order", msg.param("key"), "decide", true)))
}

async fn post(host: &Host, uri: &str) -> Result<callboard::Answer, Fault> {
    let uri = Uri::parse(uri).expect("a URI");
    let answer = host.run(host.message(Kind::Post, uri, Tenant::only()).with_data(Data::json(&json!({})))).await;
    drain(host).await.expect("delivered");
    answer
}

#[tokio::test]
async fn a_release_in_the_middle_of_a_run_goes_on_by_its_map_and_refuses_without_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let office = Office::new();
    let host = open(folder.path(), release(&office, 1)).await.expect("the first release");
    post(&host, "/orders/one").await.expect("begun");
    drop(host);
    let host = open(folder.path(), release(&office, 2)).await.expect("a release without a map");
    let refused = post(&host, "/orders/one/decision").await.expect_err("it began with another definition");
    assert_eq!(refused.code, "flow.changed");
    assert_eq!(office.lines(), ["take"], "nothing is done by a definition that does not fit");
    drop(host);
    let host = open(folder.path(), release(&office, 3)).await.expect("a release with a map");
    post(&host, "/orders/one/decision").await.expect("decided");
    assert_eq!(office.lines(), ["take", "pack", "send"]);
}
