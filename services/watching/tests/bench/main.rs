//! Positions on the bench, beside neighbours of which this service knows only the URIs.

use callboard::{Data, Effects, Empty, Env, Fault, Kind, Msg, Principal, Reply, Service, Stranger, Who, event, uri};
use callboard_bench::{Bench, START_MS};
use serde_json::{Value, json};

/// An episode: those that end in 8 are for members, in 9 not there, all others open.
fn id(number: u32) -> String {
    format!("0190a000-0000-7000-8000-{number:012}")
}

fn place(number: u32) -> String {
    format!("/me/positions/{}", id(number))
}

/// Decides by the id's last digit. The real one meets this service in the journeys.
fn access() -> Service {
    async fn decide(env: Env, msg: Msg<Empty>) -> Result<Reply<Value>, Fault> {
        let is_demo = env.tenant().as_str() == "demo";
        let visible = is_demo && !msg.param("id").ends_with('9');
        let is_member = matches!(env.principal(), Principal::Person { .. }) && env.principal().has_role("member");
        let may_watch = visible && (is_member || !msg.param("id").ends_with('8'));
        Ok(Reply::ok(json!({"visible": visible, "may_watch": may_watch})))
    }
    Service::new("access").on(Kind::Get, "/access/episodes/{id}", decide, Who::Anyone, Stranger::Denied)
}

/// Says that an episode is gone.
fn catalogue() -> Service {
    async fn remove(_: Env, msg: Msg<Empty>) -> Result<Reply, Fault> {
        let uri = uri!("/episodes/{}", msg.param("id"))?;
        Ok(Reply::nothing().with(Effects::new().emit(event("deleted"), uri.clone(), json!({"uri": uri, "version": 1}))))
    }
    Service::new("catalogue").on(Kind::Delete, "/episodes/{id}", remove, Who::Services, Stranger::NotFound)
}

async fn bench() -> Bench {
    Bench::new(vec![watching::service(), access(), catalogue()]).await
}

fn at(position_ms: i64, duration_ms: i64) -> Value {
    json!({"position_ms": position_ms, "duration_ms": duration_ms})
}

async fn going_on(bench: &Bench) -> Vec<String> {
    let list = bench.viewer().get("/me/positions").await.expect("one's own list").json();
    let items = list["items"].as_array().expect("items").iter();
    items.map(|item| item["episode"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test]
async fn a_position_is_found_again_on_another_browser() {
    let bench = bench().await;
    let start = json!({"episode": id(1), "position_ms": 0, "duration_ms": 0, "updated_ms": 0});
    assert_eq!(bench.viewer().get(&place(1)).await.expect("the beginning").json(), start);
    let want = json!({"episode": id(1), "position_ms": 5_000, "duration_ms": 20_000, "updated_ms": START_MS});
    assert_eq!(bench.viewer().put(&place(1), at(5_000, 20_000)).await.expect("saved").json(), want);
    let other_browser = bench.viewer().in_session("phone");
    assert_eq!(other_browser.get(&place(1)).await.expect("found").json(), want);
    other_browser.put(&place(1), at(3_000, 20_000)).await.expect("going back");
    assert_eq!(bench.viewer().get(&place(1)).await.expect("found").json()["position_ms"], 3_000);
    assert_eq!(bench.viewer().delete(&place(1)).await.expect("forgotten").status(), 204);
    assert_eq!(bench.viewer().get(&place(1)).await.expect("the beginning").json(), start);
    assert_eq!(bench.viewer().delete(&place(1)).await.expect("nothing to forget").status(), 204);
}

#[tokio::test]
async fn going_on_lists_what_was_begun_and_not_finished_newest_first() {
    let bench = bench().await;
    for (number, position_ms) in [(1, 10), (2, 949), (3, 950), (4, 1_000), (5, 0)] {
        bench.clock().advance(1);
        bench.viewer().put(&place(number), at(position_ms, 1_000)).await.expect("saved");
    }
    assert_eq!(going_on(&bench).await, [id(5), id(2), id(1)]);
    bench.clock().advance(1);
    bench.viewer().put(&place(1), at(20, 1_000)).await.expect("saved");
    bench.viewer().put(&place(3), at(20, 1_000)).await.expect("begun again");
    bench.viewer().put(&place(5), at(1_000, 1_000)).await.expect("finished");
    assert_eq!(going_on(&bench).await, [id(3), id(1), id(2)]);
    let first = bench.viewer().get("/me/positions?limit=2").await.expect("a page").json();
    let next = first["next"].as_str().expect("more follow");
    let rest = bench.viewer().get(&format!("/me/positions?limit=2&after={next}")).await.expect("a page").json();
    assert_eq!((&rest["items"][0]["episode"], &rest["next"]), (&json!(id(2)), &Value::Null));
}

#[tokio::test]
async fn positions_that_no_video_has_are_refused() {
    const DAY_MS: i64 = 24 * 3_600_000;
    let bench = bench().await;
    bench.viewer().put(&place(1), at(DAY_MS, DAY_MS)).await.expect("a day is the longest");
    for (position_ms, duration_ms, field) in [
        (-1, 10, "position_ms"),
        (11, 10, "position_ms"),
        (0, 0, "duration_ms"),
        (0, DAY_MS + 1, "duration_ms"),
        (0, -5, "duration_ms"),
        (i64::MAX, i64::MAX, "duration_ms"),
    ] {
        let fault = bench.viewer().put(&place(2), at(position_ms, duration_ms)).await.expect_err("no such position");
        assert_eq!((fault.code, fault.errors[0].field.as_str()), ("position.invalid", field));
    }
    for data in
        [json!({}), json!({"position_ms": 1.5, "duration_ms": 2}), json!({"position_ms": "1", "duration_ms": 2})]
    {
        assert_eq!(bench.viewer().put(&place(2), data).await.expect_err("not numbers").code, "data.invalid");
    }
    let mut data = at(1, 2);
    data["person"] = json!("owner");
    assert_eq!(bench.viewer().put(&place(2), data).await.expect_err("not theirs to set").code, "data.invalid");
    for (uri, code) in [("limit=0", "list.limit"), ("limit=101", "list.limit"), ("after=x", "list.after")] {
        let fault = bench.viewer().get(&format!("/me/positions?{uri}")).await.expect_err("no such page");
        assert_eq!(fault.code, code);
    }
    assert_eq!(going_on(&bench).await, Vec::<String>::new());
}

#[tokio::test]
async fn only_what_one_may_watch_has_a_position() {
    let bench = bench().await;
    let fault = bench.viewer().put(&place(8), at(1, 2)).await.expect_err("for members");
    assert_eq!((fault.code, fault.status()), ("episode.not_watchable", 403));
    let fault = bench.viewer().put(&place(9), at(1, 2)).await.expect_err("not there");
    assert_eq!((fault.code, fault.status()), ("episode.not_found", 404));
    bench.person("m", &["viewer", "member"]).put(&place(8), at(1, 2)).await.expect("a member");
    for odd in ["x", "0190A000-0000-7000-8000-00000000000A"] {
        let uri = format!("/me/positions/{odd}");
        assert_eq!(bench.viewer().put(&uri, at(1, 2)).await.expect_err("no id").code, "episode.not_found");
        assert_eq!(bench.viewer().get(&uri).await.expect_err("no id").code, "episode.not_found");
    }
    assert_eq!(bench.inspect("SELECT count(*) FROM watch_position").await, ["1"]);
}

#[tokio::test]
async fn positions_are_ones_own() {
    let bench = bench().await;
    bench.viewer().put(&place(1), at(7, 10)).await.expect("saved");
    let removal = format!("/positions/{}/removal", id(1));
    for (word, uri, data) in [
        (Kind::Get, "/me/positions".to_owned(), Data::EMPTY),
        (Kind::Get, place(1), Data::EMPTY),
        (Kind::Put, place(1), Data::json(&at(1, 2))),
        (Kind::Delete, place(1), Data::EMPTY),
    ] {
        for stranger in [bench.nobody(), bench.service()] {
            let fault = stranger.send(word.clone(), &uri, data.clone()).await.expect_err("sign in first");
            assert_eq!((fault.code, fault.status()), ("not_signed_in", 401), "{word} {uri}");
        }
    }
    for stranger in [bench.nobody(), bench.viewer(), bench.owner(), bench.owner().in_tenant("rival")] {
        assert_eq!(stranger.post(&removal, json!({})).await.expect_err("services only").status(), 404);
    }
    let same_person_elsewhere = bench.viewer().in_tenant("rival");
    for other in [bench.owner(), bench.editor(), same_person_elsewhere.clone()] {
        assert_eq!(other.get(&place(1)).await.expect("their own beginning").json()["position_ms"], 0);
        other.delete(&place(1)).await.expect("nothing of theirs");
        assert_eq!(other.get("/me/positions").await.expect("their own").json()["items"], json!([]));
    }
    assert_eq!(same_person_elsewhere.put(&place(1), at(1, 2)).await.expect_err("not of that tenant").status(), 404);
    assert_eq!(bench.viewer().get(&place(1)).await.expect("as it was").json()["position_ms"], 7);
}

#[tokio::test]
async fn a_removed_episode_takes_its_positions_along() {
    let bench = bench().await;
    for person in 0..40 {
        let person = bench.person(&format!("p{person}"), &["viewer"]);
        person.put(&place(1), at(1, 10)).await.expect("saved");
        person.put(&place(2), at(1, 10)).await.expect("saved");
    }
    bench.service().in_tenant("rival").delete(&format!("/episodes/{}", id(1))).await.expect("of another tenant");
    bench.settle().await;
    assert_eq!(bench.inspect("SELECT count(*) FROM watch_position").await, ["80"]);
    bench.service().delete(&format!("/episodes/{}", id(1))).await.expect("it is gone");
    bench.settle().await;
    assert_eq!(bench.inspect("SELECT DISTINCT episode FROM watch_position").await, [id(2)]);
    assert_eq!(bench.inspect("SELECT count(*) FROM watch_position").await, ["40"]);
    assert_eq!(bench.inspect("SELECT code || ': ' || message FROM kernel_dead").await, Vec::<String>::new());
}

#[tokio::test]
async fn every_statement_finds_its_rows_by_an_index() {
    let bench = bench().await;
    for statement in watching::service().statements {
        for line in bench.plan(statement).await {
            let is_whole = line.contains("SCAN") && !line.contains("json_each") || line.contains("TEMP B-TREE");
            assert!(!is_whole && !line.contains("(tenant=?)"), "{}: {line}", statement.name);
        }
    }
}
