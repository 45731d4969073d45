//! What functions give is held against what their service describes: answers, events, and live messages.

use callboard::contract::Held;
use callboard::{Empty, Env, Fault, Flow, Kind, Msg, Reply, Service, Stranger, Who, event, uri};
use callboard_bench::{Bench, Kept};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

#[derive(Serialize, JsonSchema)]
struct Tea {
    name: String,
    /// Its schema says less than its type may hold.
    #[schemars(range(max = 100))]
    warm: u32,
}

#[derive(Serialize, JsonSchema)]
struct Pot {
    cups: Vec<Tea>,
}

/// Pours what the path says: the degrees of its second cup.
async fn pour(msg: Msg<Empty>) -> Result<Reply<Pot>, Fault> {
    let tea = |warm| Tea { name: "green".to_owned(), warm };
    Ok(Reply::ok(Pot { cups: vec![tea(80), tea(msg.param("warm").parse().unwrap_or_default())] }))
}

/// Tells of tea as the path says: an event, a live message, one in a step, or one that nobody declared.
async fn tell(env: Env, msg: Msg<Value>) -> Result<Reply, Fault> {
    let (tea, reply) = (uri!("/tea")?, Reply::nothing());
    Ok(match msg.param("how") {
        "event" => reply.emit(event("poured"), tea, msg.data),
        "live" => reply.with(callboard::Effects::new().live(event("steam"), tea, msg.data)),
        "step" => reply.start("steam", env.id().to_string(), msg.data),
        _ => reply.with(callboard::Effects::new().live(event("whistle"), tea, msg.data)),
    })
}

async fn steam(env: Env, msg: Msg<Value>) -> Result<Reply, Fault> {
    env.live(event("steam"), uri!("/tea")?, &msg.data["input"]);
    Ok(Reply::nothing())
}

fn teapot() -> Service {
    Service::new("teapot")
        .on(Kind::Get, "/tea/{warm}", pour, Who::Anyone, Stranger::Denied)
        .on(Kind::Post, "/tea/{how}", tell, Who::Anyone, Stranger::Denied)
        .publishes::<Tea>(event("poured"), "/tea")
        .shows::<Tea>(event("steam"), "/tea")
        .flow(Flow::new("steam").step("steam", steam).no_undo("it is only air").retry(callboard::Retry::times(1)))
}

#[tokio::test]
async fn an_answer_that_is_otherwise_than_described_is_a_defect_and_its_place_is_named() {
    let bench = Bench::new(vec![teapot()]).await;
    assert_eq!(bench.nobody().get("/tea/100").await.expect("it is described").json()["cups"][1]["warm"], 100);
    let fault = bench.nobody().get("/tea/101").await.expect_err("it is not");
    assert_eq!((fault.code, fault.status()), ("answer.invalid", 500));
    let detail = fault.detail.expect("its author is told");
    assert!(detail.contains("its answer at `cups[1].warm`: use a number from 0 to 100, not 101"), "{detail}");
}

#[tokio::test]
async fn events_and_live_messages_are_held_too_and_live_ones_have_to_be_declared() {
    let bench = Bench::new(vec![teapot()]).await;
    let (good, bad) = (json!({"name": "green", "warm": 80}), json!({"name": 7, "warm": 80}));
    for how in ["event", "live", "step"] {
        bench.nobody().post(&format!("/tea/{how}"), good.clone()).await.expect(how);
    }
    for (how, wrong) in [
        ("event", "its event `poured` on /tea at `name`: write a text, not a number"),
        ("live", "its live message `steam` on /tea at `name`: write a text, not a number"),
    ] {
        let fault = bench.nobody().post(&format!("/tea/{how}"), bad.clone()).await.expect_err(how);
        assert!(fault.detail.as_ref().is_some_and(|detail| detail.contains(wrong)), "{fault:?}");
    }
    let fault = bench.nobody().post("/tea/otherwise", good).await.expect_err("it is not declared");
    let wrong = "its live message `whistle` on /tea is not declared; add `.shows::<T>(…)` to its table";
    assert!(fault.detail.as_ref().is_some_and(|detail| detail.contains(wrong)), "{fault:?}");
}

#[tokio::test]
async fn a_step_that_shows_something_else_fails() {
    let bench = Bench::new(vec![teapot()]).await;
    bench.nobody().post("/tea/step", json!({"name": 7, "warm": 80})).await.expect("it starts");
    bench.settle().await;
    let messages = bench.messages().await;
    let undone = messages.iter().find(|message| message["type"] == "undone").expect("the run was undone");
    assert_eq!(undone["data"]["reason"]["code"], "answer.invalid", "{undone}");
}

#[tokio::test]
async fn where_nobody_looks_it_is_given_as_it_is() {
    for held in [Held::Not, Held::Logged] {
        let bench = Bench::shaped(vec![teapot()], Kept::InMemory, |host| host.held(held)).await;
        assert_eq!(bench.nobody().get("/tea/101").await.expect("nobody looks").json()["cups"][1]["warm"], 101);
    }
}
