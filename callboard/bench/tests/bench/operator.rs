//! The operator's functions: who may look and repair, and that what was done is told.

use crate::shop;
use callboard::{Service, operator};
use callboard_bench::Bench;
use serde_json::{Value, json};

async fn bench() -> Bench {
    let clock = Service::new("clock").cron("nightly", "0 3 * * *", "Europe/Zurich", tick);
    let bench = Bench::new(vec![shop::service(), operator::service(), clock]).await;
    for tenant in ["demo", "other"] {
        let viewer = bench.viewer().in_tenant(tenant);
        viewer.post("/boxes/tea/events/refused", json!({})).await.expect("published");
    }
    bench.settle().await;
    bench
}

async fn tick(_: callboard::Msg<callboard::Due>) -> Result<callboard::Reply, callboard::Fault> {
    Ok(callboard::Reply::nothing())
}

fn count(list: &Value) -> usize {
    list.as_array().map_or(0, Vec::len)
}

#[tokio::test]
async fn owners_of_the_own_channel_see_everything_others_only_theirs_and_strangers_nothing() {
    let bench = bench().await;
    let dead = bench.owner().get("/-/dead").await.expect("a list").json();
    assert_eq!((count(&dead), &dead[0]["reason"]["code"]), (2, &json!("shop.wrong")));
    let theirs = bench.owner().in_tenant("other");
    let dead = theirs.get("/-/dead?tenant=demo").await.expect("a list").json();
    assert_eq!((count(&dead), &dead[0]["envelope"]["tenant"]), (1, &json!("other")));
    let foreign = bench.owner().get("/-/dead?tenant=demo").await.expect("a list").json()[0]["id"].to_string();
    assert_eq!(theirs.get(&format!("/-/dead/{foreign}")).await.expect_err("not theirs").code, "dead.unknown");
    for path in ["/-/queues", "/-/schedules"] {
        assert!(bench.owner().get(path).await.is_ok() && bench.service().get(path).await.is_ok(), "{path}");
        assert_eq!(theirs.get(path).await.expect_err("not theirs").code, "no_such_uri", "{path}");
    }
    for path in ["/-/queues", "/-/dead", "/-/schedules", "/-/flows"] {
        for actor in [bench.nobody(), bench.editor()] {
            assert_eq!(actor.get(path).await.expect_err("hidden").code, "no_such_uri", "{path}");
        }
    }
}

#[tokio::test]
async fn what_runs_in_another_channel_sees_only_that_and_in_the_own_one_everything() {
    let bench = bench().await;
    let (own, theirs) = (bench.service(), bench.service().in_tenant("other"));
    let dead = own.get("/-/dead").await.expect("a list").json();
    assert_eq!(count(&dead), 2);
    let seen = theirs.get("/-/dead?tenant=demo").await.expect("a list").json();
    assert_eq!((count(&seen), &seen[0]["envelope"]["tenant"]), (1, &json!("other")));
    let foreign = dead.as_array().into_iter().flatten().find(|one| one["envelope"]["tenant"] == "demo");
    let foreign = foreign.map(|one| one["id"].to_string()).expect("one of the own channel");
    assert_eq!(theirs.get(&format!("/-/dead/{foreign}")).await.expect_err("not theirs").code, "dead.unknown");
    let done = theirs.post("/-/dead/discard", json!({"all": true})).await.expect("thrown away").json();
    assert_eq!(done, json!({"count": 1}));
    for path in ["/-/queues", "/-/schedules"] {
        assert_eq!(theirs.get(path).await.expect_err("of all channels").code, "no_such_uri", "{path}");
    }
}

#[tokio::test]
async fn what_an_operator_does_to_dead_letters_is_told_and_stays_in_the_own_channel() {
    let bench = bench().await;
    let theirs = bench.owner().in_tenant("other");
    let fault = theirs.post("/-/dead/discard", json!({})).await.expect_err("nothing was said");
    assert_eq!(fault.code, "dead.choice");
    let done = theirs.post("/-/dead/discard", json!({"all": true})).await.expect("thrown away").json();
    assert_eq!(done, json!({"count": 1}));
    let done = bench.owner().post("/-/dead/redrive", json!({"code": "shop.wrong"})).await.expect("put back").json();
    assert_eq!(done, json!({"count": 1}));
    bench.settle().await;
    assert_eq!(count(&bench.owner().get("/-/dead").await.expect("a list").json()), 1, "it failed again");
    let messages = bench.messages().await;
    let told =
        messages.iter().filter(|message| message["type"].as_str().is_some_and(|kind| kind.starts_with("operator.")));
    let told: Vec<_> =
        told.map(|one| json!([one["type"], one["data"]["by"]["person"]["id"], one["data"]["count"]])).collect();
    assert_eq!(told, [json!(["operator.discarded", "owner", 1]), json!(["operator.redriven", "owner", 1])]);
}

#[tokio::test]
async fn queues_tell_length_and_age_and_schedules_their_next_time() {
    let bench = bench().await;
    bench.editor().put("/boxes/tea", json!(5)).await.expect("a box");
    for _ in 0..3 {
        bench.viewer().post("/boxes/tea/take", json!({})).await.expect("one is left");
    }
    bench.clock().advance(5_000);
    let seen = bench.owner().get("/-/queues").await.expect("queues").json();
    let queue =
        seen["queues"].as_array().expect("a list").iter().find(|one| one["target"] == "shop taken /boxes/{name}");
    let queue = queue.expect("its queue");
    assert_eq!((&queue["waiting"], &queue["in_flight"]), (&json!(3), &json!(0)));
    assert_eq!(seen["now_ms"].as_i64().zip(queue["oldest_ms"].as_i64()).map(|(now, since)| now - since), Some(5_000));
    let schedules = bench.owner().get("/-/schedules").await.expect("schedules").json();
    assert_eq!(schedules[0]["when"], "0 3 * * * Europe/Zurich");
    assert_eq!(schedules[0]["next_ms"], callboard_bench::START_MS + 2 * 3_600_000, "03:00 in Zurich is 02:00 UTC");
    assert_eq!((&schedules[0]["last_ms"], &schedules[0]["catch_up"]), (&json!(null), &json!("once")));
}

#[tokio::test]
async fn runs_of_flows_are_listed_and_shown_with_what_happened() {
    let bench = bench().await;
    bench.viewer().post("/parcels/one", json!(["cup"])).await.expect("started");
    bench.settle().await;
    let runs = bench.owner().get("/-/flows?flow=parcel").await.expect("a list").json();
    assert_eq!((&runs[0]["key"], &runs[0]["status"]), (&json!("one"), &json!("completed")));
    let id = runs[0]["id"].as_str().expect("an id");
    let shown = bench.owner().get(&format!("/-/flows/{id}")).await.expect("a run").json();
    assert_eq!(shown["steps"], json!(["list", "wrap", "send"]));
    assert_eq!(shown["events"][0]["event"], "done");
    let unknown = bench.owner().get("/-/flows?flow=parsel").await.expect_err("no such flow");
    assert_eq!((unknown.code, &*unknown.message), ("flow.unknown", "there is no flow `parsel`; there are parcel"));
    let none = bench.owner().get("/-/flows?flow=parcel&status=killed").await.expect("a list").json();
    assert_eq!(none, json!([]));
    let fault = bench.owner().in_tenant("other").get(&format!("/-/flows/{id}")).await.expect_err("not theirs");
    assert_eq!(fault.code, "flow.unknown");
}

/// A run whose last step was refused until somebody mended it, so that it was undone.
async fn with_run(bench: &Bench) -> String {
    bench.viewer().post("/parcels/one", json!(["cup"])).await.expect("started");
    bench.settle().await;
    let runs = bench.owner().get("/-/flows?flow=parcel").await.expect("a list").json();
    runs[0]["id"].as_str().expect("an id").to_owned()
}

async fn status(bench: &Bench, id: &str) -> Value {
    bench.owner().get(&format!("/-/flows/{id}")).await.expect("a run").json()["run"]["status"].clone()
}

#[tokio::test]
async fn an_operator_redoes_a_run_after_seeing_the_plan_and_the_history_keeps_who_and_why() {
    let bench = bench().await;
    let id = with_run(&bench).await;
    let redo = format!("/-/flows/{id}/redo");
    let plan = bench.owner().post(&redo, json!({"from": "wrap", "is_dry": true})).await.expect("a plan").json();
    let lines: Vec<&str> = plan["lines"].as_array().expect("lines").iter().filter_map(Value::as_str).collect();
    assert!(lines.iter().any(|line| line.starts_with("undo wrap")), "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("do wrap") && line.ends_with("iteration 2")), "{lines:?}");
    let shown = bench.owner().get(&format!("/-/flows/{id}")).await.expect("a run").json();
    assert!(shown["sentence"].as_str().expect("words").contains("nothing is left to undo or redo"));
    let events = count(&shown["events"]);
    bench.settle().await;
    let fault = bench.owner().post(&redo, json!({"from": "wrap"})).await.expect_err("nobody said why");
    assert_eq!(fault.code, "flow.why");
    bench.owner().post(&redo, json!({"from": "wrap", "why": "the paper was torn"})).await.expect("begun");
    bench.settle().await;
    let shown = bench.owner().get(&format!("/-/flows/{id}")).await.expect("a run").json();
    assert_eq!(shown["run"]["status"], "completed");
    assert!(count(&shown["events"]) > events);
    let all = shown["events"].as_array().expect("a list");
    let told = all.iter().find(|event| event["event"] == "operated").expect("in the history");
    assert_eq!((&told["by"], &told["why"]), (&json!("owner"), &json!("the paper was torn")));
    assert!(shown["drawing"].as_str().expect("a drawing").contains("iteration 2"), "{}", shown["drawing"]);
    let audited = "SELECT type FROM kernel_event WHERE type LIKE 'operator.%'";
    assert_eq!(bench.inspect(audited).await, ["operator.intervened"]);
}

#[tokio::test]
async fn several_runs_are_done_again_and_those_that_cannot_be_are_named() {
    let bench = bench().await;
    for key in ["one", "two", "three"] {
        bench.viewer().post(&format!("/parcels/{key}"), json!(["cup"])).await.expect("started");
    }
    bench.settle().await;
    let again = |extra: Value| {
        let mut body = json!({"flow": "parcel", "from": "wrap", "why": "torn"});
        body.as_object_mut().expect("fields").extend(extra.as_object().expect("fields").clone());
        body
    };
    let owner = bench.owner();
    let dry = owner.post("/-/flows/redo", again(json!({"is_dry": true}))).await.expect("plans").json();
    assert_eq!((&dry["count"], count(&dry["plans"])), (&json!(3), 3));
    let first = owner.post("/-/flows/redo", again(json!({"limit": 1}))).await.expect("one").json();
    assert_eq!(first["count"], 1);
    // The one that is under way now is told of and left.
    let all = owner.post("/-/flows/redo", again(json!({}))).await.expect("the others").json();
    assert_eq!(all["count"], 2, "{all:#}");
    assert!(all["plans"].as_array().expect("a list").iter().any(|plan| plan["refused"].is_string()));
    bench.settle().await;
    let runs = owner.get("/-/flows?status=completed").await.expect("a list").json();
    assert_eq!(count(&runs), 3);
    let theirs = bench.owner().in_tenant("other");
    let none = theirs.post("/-/flows/redo", again(json!({"tenant": "demo"}))).await.expect("nothing").json();
    assert_eq!((&none["count"], count(&none["plans"])), (&json!(0), 0));
}

#[tokio::test]
async fn only_owners_intervene_and_the_operator_in_every_channel() {
    let bench = bench().await;
    let id = with_run(&bench).await;
    let undo = format!("/-/flows/{id}/undo");
    let why = json!({"why": "the customer changed their mind"});
    for actor in [bench.nobody(), bench.editor()] {
        assert_eq!(actor.post(&undo, why.clone()).await.expect_err("hidden").code, "no_such_uri");
    }
    let theirs = bench.owner().in_tenant("other");
    assert_eq!(theirs.post(&undo, why.clone()).await.expect_err("not theirs").code, "flow.unknown");
    let nonsense = bench.owner().post(&format!("/-/flows/{id}/explode"), why.clone()).await.expect_err("nothing");
    assert_eq!(nonsense.code, "no_such_uri");
    let redo = format!("/-/flows/{id}/redo");
    let unknown = bench.owner().post(&redo, json!({"from": "nowhere", "why": "?"})).await.expect_err("no such step");
    assert_eq!(
        (unknown.code, &*unknown.message),
        ("flow.step", "flow parcel has no step `nowhere`; it has list, wrap, send")
    );
    let dry = bench.owner().post(&undo, json!({"is_dry": true})).await.expect_err("no plan");
    assert_eq!(dry.code, "flow.dry");
    let unfit = bench.owner().post(&format!("/-/flows/{id}/retry"), why.clone()).await.expect_err("it is completed");
    assert_eq!(unfit.code, "flow.operation");
    assert_eq!(status(&bench, &id).await, "completed");
    bench.owner().post(&undo, why.clone()).await.expect("begun");
    bench.settle().await;
    assert_eq!(status(&bench, &id).await, "undone");
    // A run of another channel, by the owner of the application's own one.
    theirs.post("/parcels/far", json!(["cup"])).await.expect("started");
    bench.settle().await;
    let far = bench.owner().get("/-/flows?tenant=other").await.expect("a list").json()[0]["id"].clone();
    let far = far.as_str().expect("an id");
    bench.owner().post(&format!("/-/flows/{far}/undo"), why).await.expect("begun");
    bench.settle().await;
    assert_eq!(status(&bench, far).await, "undone");
}
