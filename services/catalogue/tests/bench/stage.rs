//! The stage of these tests: the catalogue beside two neighbours of which it knows only the URIs. The real ones meet it in
//! the journeys.

use callboard::{
    Answer, Data, Effects, Empty, Env, Fault, Kind, Msg, Principal, Reply, Service, Statement, Stranger, Who, event,
    uri,
};
use callboard_bench::Bench;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

/// A bench with the catalogue on it.
pub(crate) async fn bench() -> Bench {
    Bench::new(vec![catalogue::service(), access(), media()]).await
}

/// Decides by the catalogue's facts: who edits sees all, others what is active and not private.
fn access() -> Service {
    async fn decide(env: Env, msg: Msg<Empty>) -> Result<Reply<Value>, Fault> {
        let path = msg.uri.as_str().strip_prefix("/access").expect("the pattern").to_owned();
        let facts: Value = match env.ask(&format!("{path}/facts")).await {
            Ok(facts) => facts,
            Err(fault) if fault.status() == 404 => return Ok(Reply::ok(json!({"visible": false}))),
            Err(fault) => return Err(fault),
        };
        let is_open = |access: &str, active: &str| {
            facts.get(access).is_none_or(|level| level != "private") && facts.get(active) != Some(&json!(false))
        };
        let is_editor = matches!(env.principal(), Principal::Service(_)) || env.principal().has_role("editor");
        let is_open = is_open("access", "active") && is_open("series_access", "series_active");
        Ok(Reply::ok(json!({"visible": is_editor || is_open})))
    }
    Service::new("access")
        .reads(&["/series/{id}/facts", "/episodes/{id}/facts"])
        .on(Kind::Get, "/access/series/{id}", decide, Who::Anyone, Stranger::Denied)
        .on(Kind::Get, "/access/episodes/{id}", decide, Who::Anyone, Stranger::Denied)
}

#[derive(Deserialize, JsonSchema)]
struct Said {
    kind: String,
    data: Value,
}

/// Says about an asset what a test tells it to say.
fn media() -> Service {
    async fn say(_: Env, msg: Msg<Said>) -> Result<Reply, Fault> {
        let uri = uri!("/assets/{}", msg.param("id"))?;
        Ok(Reply::nothing().with(Effects::new().emit(Kind::from(msg.data.kind), uri, msg.data.data)))
    }
    Service::new("media").on(Kind::Post, "/assets/{id}/news", say, Who::Services, Stranger::NotFound)
}

/// An id that sorts as the number does.
pub(crate) fn asset(number: u32) -> String {
    format!("0190a000-0000-7000-8000-{number:012}")
}

/// Media says something about an asset of an episode, and everybody hears it.
pub(crate) async fn say(bench: &Bench, kind: &str, asset: &str, version: i64, episode: &str) {
    let duration_ms = (kind == "playable" || kind == "ready").then_some(20_000);
    let uri = format!("/assets/{asset}");
    let data = json!({
        "uri": uri, "version": version, "asset": asset, "episode": episode, "media_version": "m1", "state": kind,
        "duration_ms": duration_ms, "added_later": true,
    });
    let news = bench.service().post(&format!("{uri}/news"), json!({"kind": kind, "data": data})).await;
    news.expect("media may say something");
    bench.settle().await;
    assert_eq!(dead(bench).await, Vec::<String>::new(), "nothing is left undelivered");
}

/// Why messages could not be delivered.
pub(crate) async fn dead(bench: &Bench) -> Vec<String> {
    bench.inspect("SELECT code || ': ' || message FROM kernel_dead").await
}

/// An editor makes a series.
pub(crate) async fn series(bench: &Bench, data: Value) -> Value {
    bench.editor().post("/series", data).await.expect("an editor makes a series").json()
}

/// An editor makes an episode.
pub(crate) async fn episode(bench: &Bench, series: &Value, data: Value) -> Value {
    let uri = format!("/series/{}/episodes", text(series, "id"));
    bench.editor().post(&uri, data).await.expect("an editor makes an episode").json()
}

/// A field that is text.
pub(crate) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("{field} is not text in {value}"))
}

/// The titles of a list.
pub(crate) fn titles(items: &Value) -> Vec<&str> {
    items.as_array().expect("a list").iter().map(|item| text(item, "title")).collect()
}

/// Season, number and title of a series' episodes in their order, as an editor sees them.
pub(crate) async fn order(bench: &Bench, series: &Value) -> Vec<(i64, i64, String)> {
    let uri = format!("/series/{}/episodes", text(series, "id"));
    let list = bench.editor().get(&uri).await.expect("the episodes").json();
    let mut order = Vec::new();
    for season in list["seasons"].as_array().expect("seasons") {
        for episode in season["episodes"].as_array().expect("episodes") {
            let number = |field: &str| episode[field].as_i64().expect("a number");
            order.push((number("season"), number("number"), text(episode, "title").to_owned()));
        }
    }
    order
}

/// The status somebody would see.
pub(crate) fn status(result: &Result<Answer, Fault>) -> u16 {
    match result {
        Ok(answer) => answer.status(),
        Err(fault) => fault.status(),
    }
}

/// A kind of call by its word.
pub(crate) fn kind(word: &str) -> Kind {
    Kind::from(word.to_owned())
}

/// A body; none for null.
pub(crate) fn body(value: &Value) -> Data {
    if value.is_null() { Data::EMPTY } else { Data::json(value) }
}

/// A statement of the catalogue by its name.
pub(crate) fn statements() -> Vec<&'static Statement> {
    catalogue::service().statements
}

/// An event of a kind, as the catalogue binds it.
pub(crate) fn is_bound(name: &'static str) -> bool {
    catalogue::service().bindings.iter().any(|binding| binding.kind == event(name))
}
