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
    let told = "SELECT type || ' ' || json_extract(envelope, '$.data.by.person.id') || ' ' || json_extract(envelope, '$.data.count')
                FROM kernel_event WHERE type LIKE 'operator.%' ORDER BY event";
    assert_eq!(bench.inspect(told).await, ["operator.discarded owner 1", "operator.redriven owner 1"]);
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
    let fault = bench.owner().in_tenant("other").get(&format!("/-/flows/{id}")).await.expect_err("not theirs");
    assert_eq!(fault.code, "flow.unknown");
}
