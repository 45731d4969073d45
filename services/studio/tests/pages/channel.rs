//! A channel to manage: services that answer as the contracts say and keep what they are sent in a header, so that a test
//! can see it.

use callboard::Kind::{Delete, Get, Patch, Post};
use callboard::Stranger::Denied;
use callboard::Who::{Anyone, Role};
use callboard::{Data, Empty, Env, Fault, Msg, Reply, Service};
use serde_json::{Value, json};

/// The services behind the pages.
pub(crate) fn services() -> Vec<Service> {
    const EDITOR: callboard::Who = Role("editor");
    let channel = Service::new("channel")
        .on(Get, "/tenant", tenant, Anyone, Denied)
        .on(Get, "/series", list, Anyone, Denied)
        .on(Post, "/series", create, EDITOR, Denied)
        .on(Get, "/series/{id}", series, Anyone, Denied)
        .on(Patch, "/series/{id}", change, EDITOR, Denied)
        .on(Delete, "/series/{id}", remove, EDITOR, Denied)
        .on(Get, "/series/{id}/episodes", episodes, Anyone, Denied)
        .on(Post, "/series/{id}/episodes", create, EDITOR, Denied)
        .on(Get, "/episodes/{id}", episode, Anyone, Denied)
        .on(Patch, "/episodes/{id}", change, EDITOR, Denied)
        .on(Delete, "/episodes/{id}", remove, EDITOR, Denied)
        .on(Get, "/tips", tips, EDITOR, Denied)
        .on(Post, "/tips/{id}/refund", refund, Role("owner"), Denied)
        .on(Get, "/episodes/{id}/asset", asset, EDITOR, Denied)
        .on(Delete, "/episodes/{id}/asset", remove, EDITOR, Denied);
    vec![studio::service(), channel]
}

type Answer = Result<Reply<Value>, Fault>;

async fn tenant(_: Env, _: Msg<Empty>) -> Answer {
    Ok(Reply::ok(
        json!({"name": "demo", "title": "Tides & Co", "tagline": "", "accent_dark": "#ff7a3d", "accent_light": "#c2410c",
        "logo": null, "version": 3}),
    ))
}

fn tides() -> Value {
    json!({"id": "s1", "slug": "tides", "title": "Tides", "short_text": "The sea comes in.", "long_text": "One\nTwo",
        "genres": ["Drama", "Sea"], "tags": ["salt"], "access": "members", "active": true, "version": 7, "episode_count": 2,
        "created_ms": 1, "updated_ms": 1_767_225_600_000_i64})
}

async fn list(env: Env, _: Msg<Data>) -> Answer {
    let items = if env.tenant().as_str() == "empty" { vec![] } else { vec![tides()] };
    Ok(Reply::ok(json!({"items": items, "next": null})))
}

async fn series(_: Env, msg: Msg<Empty>) -> Answer {
    if msg.param("id") == "s1" { Ok(Reply::ok(tides())) } else { Err(missing()) }
}

fn missing() -> Fault {
    Fault::not_found("series.not_found", "there is no such series, or it is not open to you")
}

fn one(id: &str) -> Value {
    let state = match id {
        "e1" => "ready",
        "e2" => "processing",
        _ => "failed",
    };
    json!({"id": id, "pid": format!("pid-{id}"), "slug": "night", "series": "s1", "season": 1, "number": 1, "title": format!("Night <{id}>"),
        "short_text": "Nobody sleeps.", "long_text": "", "tags": [], "access": "public", "active": id != "e3", "version": 4,
        "media": {"asset": "a", "version": null, "state": state, "duration_ms": 61_000}})
}

async fn episodes(_: Env, _: Msg<Data>) -> Answer {
    Ok(Reply::ok(
        json!({"seasons": [{"number": 1, "title": "Season 1", "episodes": [one("e1"), one("e3")]}], "next": null}),
    ))
}

async fn episode(_: Env, msg: Msg<Empty>) -> Answer {
    match msg.param("id") {
        "bare" => {
            let mut bare = one("bare");
            bare["media"] = Value::Null;
            Ok(Reply::ok(bare))
        }
        id if id.starts_with('e') => Ok(Reply::ok(one(id))),
        _ => Err(missing()),
    }
}

async fn asset(_: Env, msg: Msg<Empty>) -> Answer {
    match msg.param("id") {
        "e1" => Ok(Reply::ok(json!({"state": "ready", "filename": "night.mp4", "upload": null, "reason": null}))),
        "e2" => Ok(Reply::ok(json!({"state": "processing", "filename": "night.mp4", "upload": "u2", "reason": null}))),
        "e3" => Ok(Reply::ok(
            json!({"state": "failed", "filename": "x.txt", "upload": null, "reason": "this is not a video"}),
        )),
        _ => Err(Fault::not_found("media.no_asset", "this episode has no video; upload one")),
    }
}

/// Refuses an empty title; otherwise the id of what was made tells what was sent.
async fn create(_: Env, msg: Msg<Value>) -> Answer {
    refuse_untitled(&msg.data)?;
    let mut sent = msg.data.clone();
    sent["id"] = json!(format!("made-{}-{}", msg.data["title"].as_str().unwrap_or_default(), msg.data["active"]));
    Ok(Reply::ok(sent))
}

fn refuse_untitled(data: &Value) -> Result<(), Fault> {
    if data["title"].as_str().is_some_and(|title| !title.is_empty()) {
        return Ok(());
    }
    let tags = data["tags"].as_array().map_or(0, Vec::len);
    let fault = Fault::bad_input("series.invalid", "some fields are not valid").field("title", "write a title");
    Err(if tags > 1 { fault.field("tags[1]", "write at most 40 characters") } else { fault })
}

async fn change(_: Env, msg: Msg<Value>) -> Answer {
    refuse_untitled(&msg.data)?;
    if msg.meta("if-match").is_some_and(|tag| !["\"v7\"", "\"v4\""].contains(&tag)) {
        return Err(Fault::conflict("precondition_failed", "somebody else has changed this"));
    }
    Ok(Reply::ok(tides()))
}

async fn remove(_: Env, _: Msg<Empty>) -> Result<Reply, Fault> {
    Ok(Reply::nothing())
}

async fn tips(env: Env, _: Msg<Data>) -> Answer {
    let tip = |id: &str, from: Value, state: &str, reason: Value| {
        json!({"id": id, "from": from, "series_title": "Tides", "amount_text": "€5.00", "note": "More <sea>", "state": state, "reason": reason,
            "created_ms": 1_767_225_600_000_i64})
    };
    let items = match env.tenant().as_str() {
        "empty" => vec![],
        _ => vec![
            tip("t1", json!("Vera"), "received", Value::Null),
            tip("t2", Value::Null, "stuck", json!("nobody knows what was charged")),
            tip("t3", json!("Vera"), "refunded", Value::Null),
        ],
    };
    Ok(Reply::ok(json!({"items": items, "next": null})))
}

async fn refund(_: Env, msg: Msg<Empty>) -> Result<Reply, Fault> {
    match msg.param("id") {
        "t1" => Ok(Reply::nothing()),
        _ => Err(Fault::conflict("tip.not_refundable", "only a tip that was received can be given back")),
    }
}
