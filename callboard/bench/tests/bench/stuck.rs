//! An undo that keeps failing is shown with its reason, waits for a person, and goes on as that person says.

use callboard::{Empty, Env, Fault, Flow, Kind, Msg, Reply, Retry, Service, Step, Stranger, Who, operator};
use callboard_bench::Bench;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// A desk where something can be laid down, and cannot be picked up again while it is locked.
#[derive(Clone, Default)]
struct Desk {
    is_locked: Arc<AtomicBool>,
    picked_up: Arc<AtomicU32>,
    tried: Arc<AtomicU32>,
}

async fn begin(_: Env, _: Msg<Empty>) -> Result<Reply, Fault> {
    Ok(Reply::nothing().start("desk", "one", json!({})))
}

async fn refuse(_: Env, _: Msg<Step<Value>>) -> Result<Reply, Fault> {
    Err(Fault::bad_input("desk.refused", "this is not taken"))
}

impl Desk {
    async fn bench(&self) -> Bench {
        let desk = self.clone();
        let pick_up = move |_: Env, _: Msg<Step<Value>>| {
            let desk = desk.clone();
            async move {
                desk.tried.fetch_add(1, Ordering::SeqCst);
                if desk.is_locked.load(Ordering::SeqCst) {
                    return Err(Fault::unavailable("desk.locked", "the desk is locked"));
                }
                desk.picked_up.fetch_add(1, Ordering::SeqCst);
                Ok::<Reply, Fault>(Reply::nothing())
            }
        };
        let lay_down = async |_: Env, _: Msg<Step<Value>>| Ok::<Reply, Fault>(Reply::nothing());
        let flow = Flow::new("desk")
            .step("lay_down", lay_down)
            .undo(pick_up)
            .retry(Retry { attempts: 2, base_ms: 1_000, cap_ms: 1_000 })
            .step("hand_over", refuse)
            .no_undo("nothing is handed over where it is refused");
        let service = Service::new("office").on(Kind::Post, "/begin", begin, Who::Anyone, Stranger::Denied).flow(flow);
        Bench::new(vec![service, operator::service()]).await
    }
}

/// Lets everything happen that can, and gives the run as an operator sees it.
async fn seen(bench: &Bench) -> Value {
    for _ in 0..20 {
        bench.wait_ms(2_000).await;
    }
    let runs = bench.owner().get("/-/flows?flow=desk").await.expect("a list").json();
    let id = runs[0]["id"].as_str().expect("an id");
    bench.owner().get(&format!("/-/flows/{id}")).await.expect("a run").json()
}

#[tokio::test]
async fn an_undo_that_keeps_failing_waits_for_a_person_who_is_told_why() {
    for (word, more, picked_up) in [
        ("retry", json!({}), 1),
        ("mark-done", json!({"step": "lay_down"}), 0),
        ("skip", json!({"step": "lay_down"}), 0),
    ] {
        let desk = Desk::default();
        desk.is_locked.store(true, Ordering::SeqCst);
        let bench = desk.bench().await;
        bench.nobody().post("/begin", json!({})).await.expect("started");
        let stuck = seen(&bench).await;
        assert_eq!(stuck["run"]["status"], "undo_stuck", "{stuck:#}");
        let trouble = stuck["trouble"].as_str().expect("why");
        assert!(
            trouble.starts_with("the undo of lay_down failed 8 times") && trouble.contains("desk is locked"),
            "{trouble}"
        );
        let sentence = stuck["sentence"].as_str().expect("a sentence");
        assert!(sentence.contains("the undo of lay_down is stuck and needs a person"), "{sentence}");
        assert_eq!(stuck["left_behind"], json!(["lay_down may not be undone"]));
        desk.is_locked.store(false, Ordering::SeqCst);
        assert_eq!(seen(&bench).await["run"]["status"], "undo_stuck", "it does not go on by itself");
        let mut body = json!({"why": "the key was found"});
        body.as_object_mut().expect("fields").extend(more.as_object().expect("fields").clone());
        let place = format!("/-/flows/{}/{word}", stuck["run"]["id"].as_str().expect("an id"));
        bench.owner().post(&place, body).await.expect("a person helps");
        let ended = seen(&bench).await;
        assert_eq!((&ended["run"]["status"], &ended["trouble"]), (&json!("undone"), &json!(null)), "{word}: {ended:#}");
        assert_eq!(desk.picked_up.load(Ordering::SeqCst), picked_up, "{word}");
        let helped = ended["events"].as_array().expect("a list").iter().find(|event| event["event"] == "operated");
        let helped = helped.expect("the history keeps it");
        assert_eq!((&helped["by"], &helped["why"]), (&json!("owner"), &json!("the key was found")));
    }
}

#[tokio::test]
async fn a_killed_run_undoes_nothing_more_and_leaves_no_message() {
    let desk = Desk::default();
    desk.is_locked.store(true, Ordering::SeqCst);
    let bench = desk.bench().await;
    bench.nobody().post("/begin", json!({})).await.expect("started");
    bench.settle().await;
    let runs = bench.owner().get("/-/flows?flow=desk").await.expect("a list").json();
    let id = runs[0]["id"].as_str().expect("an id");
    assert_eq!((&runs[0]["status"], desk.tried.load(Ordering::SeqCst)), (&json!("undoing"), 1));
    bench.owner().post(&format!("/-/flows/{id}/kill"), json!({"why": "the desk burns"})).await.expect("it is killed");
    desk.is_locked.store(false, Ordering::SeqCst);
    assert_eq!(seen(&bench).await["left_behind"], json!(["lay_down may not be undone"]));
    assert_eq!(desk.tried.load(Ordering::SeqCst), 1, "nothing is undone any more");
    assert_eq!(bench.owner().get("/-/dead").await.expect("a list").json(), json!([]));
    assert_eq!(bench.inspect("SELECT count(*) FROM kernel_message").await, ["0"]);
}

#[tokio::test]
async fn an_answer_that_comes_after_the_run_was_ended_is_recorded_and_its_message_goes() {
    let desk = Desk::default();
    let bench = desk.bench().await;
    bench.nobody().post("/begin", json!({})).await.expect("started");
    let records = &bench.host().ports().records;
    // Somebody has the first step in hand while the run is ended.
    let taken = records.claim(1, &[], callboard_bench::START_MS).await.expect("a message").remove(0);
    let runs = bench.owner().get("/-/flows?flow=desk").await.expect("a list").json();
    let place = format!("/-/flows/{}/kill", runs[0]["id"].as_str().expect("an id"));
    bench.owner().post(&place, json!({"why": "the desk burns"})).await.expect("it is killed");
    bench.host().deliver(&taken).await.expect("too late, and no failure");
    let ended = seen(&bench).await;
    assert_eq!(ended["run"]["status"], "killed");
    let kinds: Vec<&Value> = ended["events"].as_array().expect("a list").iter().map(|event| &event["event"]).collect();
    assert_eq!(kinds, ["operated", "late"], "{ended:#}");
    assert_eq!(bench.inspect("SELECT count(*) FROM kernel_message").await, ["0"]);
    assert_eq!(records.operations().stale().await, Ok(0), "it was its own to settle");
}
