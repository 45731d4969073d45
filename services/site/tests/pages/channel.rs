//! A channel to show: services that answer as the contracts say, with one series of everything that pages tell apart.

use callboard::Kind::{Delete, Get, Patch, Post, Put};
use callboard::Stranger::Denied;
use callboard::Who::{Anyone, SignedIn};
use callboard::{Cookie, Data, Empty, Env, Fault, Msg, Principal, Reply, Service};
use serde_json::{Value, json};

/// The services behind the pages.
pub(crate) fn services() -> Vec<Service> {
    vec![site::service(), callboard::operator::service(), channel()]
}

fn channel() -> Service {
    Service::new("channel")
        .on(Get, "/tenant", tenant, Anyone, Denied)
        .on(Get, "/home", home, Anyone, Denied)
        .on(Get, "/-/errors/{code}", manual, Anyone, Denied)
        .on(Get, "/series/by-slug/{slug}", by_slug, Anyone, Denied)
        .on(Get, "/series/{id}", series, Anyone, Denied)
        .on(Get, "/series/{id}/episodes", episodes, Anyone, Denied)
        .on(Get, "/episodes/by-pid/{pid}", by_pid, Anyone, Denied)
        .on(Get, "/episodes/{id}", episode, Anyone, Denied)
        .on(Post, "/episodes/{id}/playback", playback, Anyone, Denied)
        .on(Get, "/access/episodes/{id}", access, Anyone, Denied)
        .on(Get, "/payments/offer", offer, Anyone, Denied)
        .on(Post, "/tips", give, SignedIn, Denied)
        .on(Get, "/tips/{id}", tip, SignedIn, Denied)
        .on(Get, "/me/tips", tips, SignedIn, Denied)
        .on(Get, "/me", me, SignedIn, Denied)
        .on(Patch, "/me", rename, SignedIn, Denied)
        .on(Put, "/me/password", change_password, SignedIn, Denied)
        .on(Get, "/me/positions", positions, SignedIn, Denied)
        .on(Get, "/me/positions/{id}", position, SignedIn, Denied)
        .on(Delete, "/me/positions/{id}", forget, SignedIn, Denied)
        .on(Post, "/sessions", sign_in, Anyone, Denied)
        .on(Post, "/accounts", sign_up, Anyone, Denied)
        .on(Delete, "/sessions/current", sign_out, SignedIn, Denied)
}

type Answer = Result<Reply<Value>, Fault>;

async fn tenant(_: Env, _: Msg<Empty>) -> Answer {
    Ok(Reply::ok(json!({"name": "demo", "title": "Tides & Co", "tagline": "Short films by the sea", "accent": null,
        "accent_dark": "#ff7a3d", "accent_light": "#c2410c", "logo": null, "version": 3})))
}

fn is_editor(env: &Env) -> bool {
    env.principal().has_role("editor")
}

fn missing() -> Fault {
    Fault::not_found("episode.not_found", "there is no such episode, or it is not open to you")
}

/// Id, number, access, state and length of every episode; `e4` is private.
fn all(env: &Env) -> Vec<Value> {
    let rows = [
        ("e1", "public", "ready"),
        ("e2", "members", "playable"),
        ("e3", "public", "processing"),
        ("e4", "private", "ready"),
        ("e5", "public", "failed"),
        ("e6", "public", ""),
    ];
    let shown = rows.iter().enumerate().filter(|(_, row)| row.1 != "private" || is_editor(env));
    shown
        .map(|(at, (id, access, state))| {
            let media = if state.is_empty() {
                Value::Null
            } else {
                json!({"asset": "a", "version": null, "state": state, "duration_ms": 20_000})
            };
            json!({"id": id, "pid": format!("pid-{id}"), "slug": "night", "series": "s1", "season": 1, "number": at + 1,
                "title": format!("Night <{}>", at + 1), "short_text": "Nobody sleeps.", "long_text": "", "tags": [],
                "access": access, "active": true, "version": 1, "media": media})
        })
        .collect()
}

fn one(env: &Env, field: &str, value: &str) -> Answer {
    all(env).into_iter().find(|episode| episode[field] == value).map(Reply::ok).ok_or_else(missing)
}

async fn home(env: Env, _: Msg<Empty>) -> Answer {
    if env.tenant().as_str() == "empty" {
        return Ok(Reply::ok(json!({"hero": [], "carousels": []})));
    }
    let series = json!({"kind": "series", "id": "s1", "pid": "pid-e1", "slug": "tides", "title": "Tides", "short_text": "The sea comes in.", "created_ms": 1});
    let card = json!({"kind": "episode", "id": "e2", "pid": "pid-e2", "slug": "night", "title": "Night <2>", "short_text": "",
        "series_title": "Tides", "badge": "Members", "duration_ms": 20_000, "created_ms": 1});
    Ok(Reply::ok(
        json!({"hero": [series.clone()], "carousels": [{"title": "What's new", "cards": [card]}, {"title": "Drama", "cards": [series]}]}),
    ))
}

async fn manual(_: Env, msg: Msg<Empty>) -> Answer {
    let text = "# busy\n\nOthers change the same thing.\n\n**What to do.** Send the request again.\n";
    Ok(Reply::ok(json!({"code": msg.param("code"), "text": text})))
}

fn tides() -> Value {
    json!({"id": "s1", "slug": "tides", "title": "Tides", "short_text": "The sea comes in.", "long_text": "And goes out.",
        "genres": ["Drama"], "tags": [], "access": "public", "active": true, "version": 1, "episode_count": 5, "created_ms": 1, "updated_ms": 1})
}

async fn by_slug(_: Env, msg: Msg<Empty>) -> Answer {
    match msg.param("slug") {
        "tides" => Ok(Reply::ok(tides())),
        "tide" => Ok(Reply::ok(json!({"moved_to": "tides"}))),
        _ => Err(Fault::not_found("series.not_found", "there is no such series")),
    }
}

async fn series(_: Env, msg: Msg<Empty>) -> Answer {
    if msg.param("id") == "s1" { Ok(Reply::ok(tides())) } else { Err(missing()) }
}

async fn episodes(env: Env, _: Msg<Data>) -> Answer {
    Ok(Reply::ok(json!({"seasons": [{"number": 1, "title": "Season 1", "episodes": all(&env)}], "next": null})))
}

async fn by_pid(env: Env, msg: Msg<Empty>) -> Answer {
    one(&env, "pid", msg.param("pid"))
}

async fn episode(env: Env, msg: Msg<Empty>) -> Answer {
    one(&env, "id", msg.param("id"))
}

async fn playback(_: Env, msg: Msg<Empty>) -> Answer {
    let id = msg.param("id");
    let protected = id != "e1";
    let folder = if protected { format!("/media/~pass/{id}/full") } else { format!("/media/{id}/full") };
    Ok(Reply::ok(
        json!({"src": format!("{folder}/master.m3u8"), "poster": format!("{folder}/poster.jpg"), "still": format!("{folder}/still.jpg"), "version": "full",
        "expires_ms": null, "protected": protected}),
    ))
}

async fn access(env: Env, msg: Msg<Empty>) -> Answer {
    let is_open = msg.param("id") != "e2" || *env.principal() != Principal::Nobody;
    Ok(Reply::ok(if is_open {
        json!({"visible": true, "may_watch": true, "rule": "public", "reason": "everybody may watch it", "remedy": null})
    } else {
        json!({"visible": true, "may_watch": false, "rule": "members", "reason": "only members of this channel may watch it", "remedy": "sign in or sign up"})
    }))
}

async fn me(_: Env, _: Msg<Empty>) -> Answer {
    Ok(Reply::ok(
        json!({"id": "viewer", "name": "Vera", "email": "vera@example.org", "roles": ["viewer"], "version": 1}),
    ))
}

async fn rename(_: Env, msg: Msg<Value>) -> Answer {
    match msg.data["name"].as_str() {
        Some("") | None => {
            Err(Fault::bad_input("account.name_invalid", "give a name").field("name", "give a name of one line"))
        }
        Some(name) => Ok(Reply::ok(json!({"name": name}))),
    }
}

async fn change_password(_: Env, msg: Msg<Value>) -> Result<Reply, Fault> {
    match (msg.data["old"].as_str(), msg.data["new"].as_str()) {
        (Some("correct horse"), Some(new)) if new.len() >= 10 => Ok(Reply::nothing()),
        (Some("correct horse"), _) => {
            Err(Fault::bad_input("password.length", "too short").field("new", "use at least 10 characters"))
        }
        (Some("locked"), _) => Err(Fault::too_many("sign_in.locked", "wait for 30 s")),
        _ => Err(Fault::denied("password.wrong", "wrong").field("old", "this is not your password")),
    }
}

async fn positions(env: Env, _: Msg<Data>) -> Answer {
    if env.tenant().as_str() == "empty" {
        return Ok(Reply::ok(json!({"items": []})));
    }
    let at = |episode: &str| json!({"episode": episode, "position_ms": 12_000, "duration_ms": 20_000, "updated_ms": 5});
    Ok(Reply::ok(json!({"items": [at("e2"), at("gone")]})))
}

async fn position(_: Env, msg: Msg<Empty>) -> Answer {
    let position_ms = if msg.param("id") == "e2" { 12_000 } else { 0 };
    Ok(Reply::ok(
        json!({"episode": msg.param("id"), "position_ms": position_ms, "duration_ms": 20_000, "updated_ms": 0}),
    ))
}

async fn forget(_: Env, msg: Msg<Empty>) -> Result<Reply, Fault> {
    if msg.param("id") == "e2" { Ok(Reply::nothing()) } else { Err(missing()) }
}

fn session() -> Reply<Value> {
    Reply::ok(json!({"id": "viewer", "name": "Vera", "roles": ["viewer"]})).cookie(Cookie {
        name: "session",
        value: "token".to_owned(),
        age_s: 60,
    })
}

async fn sign_in(_: Env, msg: Msg<Value>) -> Answer {
    match msg.data["password"].as_str() {
        Some("correct horse") => Ok(session()),
        _ => Err(Fault::not_signed_in("sign_in.wrong", "address or password is wrong; try again")),
    }
}

async fn sign_up(_: Env, msg: Msg<Value>) -> Answer {
    if msg.data["password"].as_str().is_some_and(|password| password.len() >= 10) {
        return Ok(session());
    }
    Err(Fault::bad_input("password.too_short", "the password is too short")
        .field("password", "use at least 10 characters"))
}

async fn sign_out(_: Env, _: Msg<Empty>) -> Result<Reply, Fault> {
    Ok(Reply::nothing().cookie(Cookie { name: "session", value: String::new(), age_s: 0 }))
}

async fn offer(env: Env, _: Msg<Empty>) -> Answer {
    let money = |amount: i64| json!({"amount": amount * 100, "text": format!("€{amount}.00")});
    let away = (env.tenant().as_str() == "away").then_some("payments are away for the moment");
    Ok(Reply::ok(
        json!({"is_open": env.tenant().as_str() != "empty", "currency": "eur", "amounts": [money(3), money(5)], "least": money(1),
        "most": money(500), "note_chars_max": 200, "cards": [{"id": "pm_a", "name": "Card A"}, {"id": "pm_b", "name": "Card B"}],
        "away": away, "version": 1}),
    ))
}

/// The id of what was given tells what was sent; 7 is an amount that is refused.
async fn give(env: Env, msg: Msg<Value>) -> Answer {
    if env.tenant().as_str() == "away" {
        return Err(Fault::unavailable("outside.away", "payments are away for the moment"));
    }
    if msg.data["amount_text"] == "7" {
        return Err(Fault::bad_input("tip.amount", "too much").field("amount", "give less"));
    }
    let id = format!("{}-{}-{}", msg.data["series"], msg.data["amount_text"], msg.data["anonymous"]).replace('"', "");
    Ok(Reply::ok(json!({"id": id})))
}

fn one_tip(id: &str) -> Value {
    let stage = |word: &str, is_done: bool| json!({"id": word, "word": word, "is_done": is_done});
    let (receipt, reason) = match id {
        "received" => (json!("T-1"), Value::Null),
        "failed" => (Value::Null, json!("the card was declined; use another card")),
        "pending" => (Value::Null, json!("the bank has not decided yet")),
        _ => (Value::Null, Value::Null),
    };
    json!({"id": id, "from": "Vera", "anonymous": true, "series": "s1", "series_title": "Tides", "amount_text": "€5.00", "note": "More <b>sea</b>",
        "state": id, "stages": [stage("Paid", true), stage("Told", id == "received")], "reason": reason, "receipt": receipt})
}

async fn tip(_: Env, msg: Msg<Empty>) -> Answer {
    match msg.param("id") {
        id @ ("received" | "failed" | "pending" | "stuck" | "refunding" | "refunded") => Ok(Reply::ok(one_tip(id))),
        _ => Err(Fault::not_found("tip.not_found", "there is no such tip, or it is not yours to see")),
    }
}

async fn tips(env: Env, _: Msg<Data>) -> Answer {
    let items = if env.tenant().as_str() == "empty" { vec![] } else { vec![one_tip("received"), one_tip("failed")] };
    Ok(Reply::ok(json!({"items": items, "next": null})))
}
