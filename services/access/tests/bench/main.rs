//! The decision on the bench, over every combination of levels, for everybody who may ask.

use callboard::{Empty, Env, Fault, Kind, Msg, Reply, Service, Stranger, Who};
use callboard_bench::{Actor, Bench};
use serde_json::{Value, json};

const LEVELS: [&str; 4] = ["public", "unlisted", "members", "private"];
/// An item that the neighbour does not know.
const ABSENT: &str = "0190a000-0000-7000-8000-0000000f0000";
/// An item about which the neighbour cannot answer now.
const AWAY: &str = "0190a000-0000-7000-8000-0000000e0000";

/// The id of the item with these facts: the last four digits are access and active of the episode, then of its series.
fn id(access: usize, active: bool, series_access: usize, series_active: bool) -> String {
    format!("0190a000-0000-7000-8000-00000000{access}{}{series_access}{}", u8::from(active), u8::from(series_active))
}

/// A neighbour that knows an item for every combination of facts. The real catalogue meets this service in the journeys.
fn catalogue() -> Service {
    async fn facts(env: Env, msg: Msg<Empty>) -> Result<Reply<Value>, Fault> {
        let id = msg.param("id");
        if id == AWAY {
            return Err(Fault::unavailable("records.unavailable", "try later"));
        }
        if env.tenant().as_str() != "demo" || id == ABSENT {
            return Err(Fault::not_found("episode.not_found", "no such item"));
        }
        let digit = |at: usize| usize::from(id.as_bytes()[id.len() - at] - b'0');
        Ok(Reply::ok(json!({
            "id": id, "access": LEVELS[digit(4)], "active": digit(3) == 1, "series": "s",
            "series_access": LEVELS[digit(2)], "series_active": digit(1) == 1, "added_later": {},
        })))
    }
    Service::new("catalogue").on(Kind::Get, "/episodes/{id}/facts", facts, Who::Services, Stranger::NotFound).on(
        Kind::Get,
        "/series/{id}/facts",
        facts,
        Who::Services,
        Stranger::NotFound,
    )
}

async fn bench() -> Bench {
    Bench::new(vec![access::service(), catalogue()]).await
}

async fn ask(actor: &Actor<'_>, kind: &str, id: &str) -> Value {
    actor.get(&format!("/access/{kind}/{id}")).await.expect("a decision").json()
}

/// Visible and may watch, for nobody, a viewer, an editor, the owner and a service.
async fn decided(bench: &Bench, kind: &str, id: &str) -> [(bool, bool); 5] {
    let actors = [bench.nobody(), bench.viewer(), bench.editor(), bench.owner(), bench.service()];
    let mut decided = [(false, false); 5];
    for (at, actor) in actors.iter().enumerate() {
        let decision = ask(actor, kind, id).await;
        decided[at] = (decision["visible"] == true, decision["may_watch"] == true);
    }
    decided
}

#[tokio::test]
async fn the_strictest_of_episode_and_series_decides() {
    const NO: (bool, bool) = (false, false);
    const SEE: (bool, bool) = (true, false);
    const WATCH: (bool, bool) = (true, true);
    let bench = bench().await;
    for access in 0..4 {
        for series in 0..4 {
            let want = match access.max(series) {
                0 | 1 => [WATCH; 5],
                2 => [SEE, WATCH, WATCH, WATCH, WATCH],
                _ => [NO, NO, WATCH, WATCH, WATCH],
            };
            let id = |active, series_active| id(access, active, series, series_active);
            assert_eq!(decided(&bench, "episodes", &id(true, true)).await, want, "{access} in {series}");
            for hidden in [id(false, true), id(true, false), id(false, false)] {
                assert_eq!(decided(&bench, "episodes", &hidden).await, [NO, NO, WATCH, WATCH, WATCH], "{hidden}");
            }
        }
        let want = decided(&bench, "episodes", &id(access, true, 0, true)).await;
        assert_eq!(decided(&bench, "series", &id(access, true, 3, true)).await, want, "a series is judged by itself");
    }
}

#[tokio::test]
async fn a_denial_says_why_and_what_helps() {
    let bench = bench().await;
    let members = id(2, true, 0, true);
    let denied = ask(&bench.nobody(), "episodes", &members).await;
    let want = json!({
        "visible": true, "may_watch": false, "rule": "members",
        "reason": "only members of this channel may watch it", "remedy": "sign in or sign up",
    });
    assert_eq!(denied, want);
    let allowed = ask(&bench.viewer(), "episodes", &members).await;
    assert_eq!((&allowed["rule"], &allowed["remedy"]), (&json!("members"), &Value::Null));
}

#[tokio::test]
async fn what_is_hidden_and_what_is_not_there_give_the_same_answer() {
    let bench = bench().await;
    let rival = bench.owner().in_tenant("rival");
    for kind in ["episodes", "series"] {
        for actor in [bench.nobody(), bench.viewer()] {
            let absent = ask(&actor, kind, ABSENT).await;
            assert_eq!((&absent["visible"], &absent["may_watch"]), (&json!(false), &json!(false)));
            for hidden in [id(3, true, 0, true), id(0, false, 0, true)] {
                assert_eq!(ask(&actor, kind, &hidden).await, absent);
            }
            for odd in ["1", "x", "0190A000-0000-7000-8000-000000000101"] {
                assert_eq!(ask(&actor, kind, odd).await, absent, "{odd}");
            }
        }
        let foreign = ask(&rival, kind, &id(0, true, 0, true)).await;
        assert_eq!((&foreign["visible"], &foreign["rule"]), (&json!(false), &json!("hidden")));
    }
}

#[tokio::test]
async fn nothing_opens_while_the_catalogue_is_away() {
    let bench = bench().await;
    for actor in [bench.nobody(), bench.owner(), bench.service()] {
        let fault = actor.get(&format!("/access/episodes/{AWAY}")).await.expect_err("nobody can decide");
        assert_eq!(fault.status(), 503);
    }
    assert!(bench.service().get(&format!("/access/episodes/{AWAY}/public")).await.is_err());
}

#[tokio::test]
async fn delivery_needs_no_pass_only_where_nobody_in_particular_may_watch() {
    let bench = bench().await;
    for (item, is_public) in [
        (id(0, true, 0, true), true),
        (id(1, true, 0, true), true),
        (id(2, true, 0, true), false),
        (id(0, true, 2, true), false),
        (id(3, true, 0, true), false),
        (id(0, false, 0, true), false),
        (id(0, true, 0, false), false),
        (ABSENT.to_owned(), false),
    ] {
        let uri = format!("/access/episodes/{item}/public");
        let answer = bench.service().get(&uri).await.expect("services may ask");
        assert_eq!(answer.json(), json!({"is_public": is_public}), "{item}");
        for stranger in [bench.nobody(), bench.viewer(), bench.owner(), bench.owner().in_tenant("rival")] {
            assert_eq!(stranger.get(&uri).await.expect_err("services only").status(), 404);
        }
    }
}
