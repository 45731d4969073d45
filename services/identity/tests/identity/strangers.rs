//! Every route of the service, tried by everybody.

use crate::{Signed, account, bench, outcome, owner, sign_in, sign_up, signed, token};
use callboard::{Data, Kind};
use callboard_bench::{Actor, Bench};
use serde_json::{Value, json};
use std::fmt::Write;

/// The people of the channel, and an owner of another one with what their session there is worth here.
async fn people(bench: &Bench) -> (Signed, Signed, Signed) {
    let (olga, ed, ana) = (owner(bench, "olga").await, sign_up(bench, "ed").await, sign_up(bench, "ana").await);
    olga.on(bench).put(&format!("/members/{}", ed.id), json!({"role": "editor"})).await.expect("an editor");
    let ed = signed(bench, &token(&sign_in(bench, "ed", crate::PASSWORD).await.expect("a session"))).await;
    (olga, ed.expect("a session"), ana)
}

async fn foreign_owner(bench: &Bench) -> Actor<'_> {
    let there = bench.service().in_tenant("other");
    let made = there.post("/owners", account("zoe")).await.expect("an owner there").json();
    bench.person(made["id"].as_str().expect("an id"), &["viewer", "editor", "owner"]).in_tenant("other")
}

#[tokio::test]
async fn every_route_says_who_may() {
    let new = |name: &str| json!({"email": format!("{name}@example.org"), "password": crate::PASSWORD, "name": name});
    let routes: [(Kind, &str, Value); 11] = [
        (Kind::Post, "/accounts", json!({"email": "ana@example.org", "password": crate::PASSWORD, "name": "Ana"})),
        (Kind::Post, "/owners", new("new-owner")),
        (Kind::Post, "/sessions", json!({"email": "ana@example.org", "password": crate::PASSWORD})),
        (Kind::Delete, "/sessions/current", json!({})),
        (Kind::Get, "/sessions/resolve", json!({"hash": "00"})),
        (Kind::Get, "/me", json!({})),
        (Kind::Patch, "/me", json!({"name": "Renamed"})),
        (Kind::Put, "/me/password", json!({"old": crate::PASSWORD, "new": "battery staple"})),
        (Kind::Get, "/members", json!({})),
        (Kind::Put, "/members/{ana}", json!({"role": "editor"})),
        (Kind::Delete, "/members/{ana}", json!({})),
    ];
    let mut table = String::new();
    for (kind, uri, data) in routes {
        let bench = bench().await;
        let (olga, ed, ana) = people(&bench).await;
        let foreign = foreign_owner(&bench).await;
        write!(table, "{kind} {uri}").expect("a text takes everything");
        let uri = uri.replace("{ana}", &ana.id);
        for (name, actor) in [
            ("nobody", bench.nobody()),
            ("viewer", ana.on(&bench)),
            ("editor", ed.on(&bench)),
            ("owner elsewhere", foreign),
            ("service", bench.service()),
            ("owner", olga.on(&bench)),
        ] {
            let result = actor.send(kind.clone(), &uri, Data::json(&data)).await;
            write!(table, " | {name} {}", outcome(&result)).expect("a text takes everything");
        }
        table.push('\n');
    }
    insta::assert_snapshot!(table, @"
    post /accounts | nobody 409 account.email_taken | viewer 409 account.email_taken | editor 409 account.email_taken | owner elsewhere 201 | service 409 account.email_taken | owner 409 account.email_taken
    post /owners | nobody 404 no_such_uri | viewer 404 no_such_uri | editor 404 no_such_uri | owner elsewhere 404 no_such_uri | service 201 | owner 404 no_such_uri
    post /sessions | nobody 200 | viewer 200 | editor 200 | owner elsewhere 401 sign_in.wrong | service 200 | owner 200
    delete /sessions/current | nobody 401 not_signed_in | viewer 204 | editor 204 | owner elsewhere 204 | service 204 | owner 204
    get /sessions/resolve | nobody 404 no_such_uri | viewer 404 no_such_uri | editor 404 no_such_uri | owner elsewhere 404 no_such_uri | service 404 session.unknown | owner 404 no_such_uri
    get /me | nobody 401 not_signed_in | viewer 200 | editor 200 | owner elsewhere 200 | service 401 not_signed_in | owner 200
    patch /me | nobody 401 not_signed_in | viewer 200 | editor 200 | owner elsewhere 200 | service 401 not_signed_in | owner 200
    put /me/password | nobody 401 not_signed_in | viewer 204 | editor 204 | owner elsewhere 204 | service 401 not_signed_in | owner 204
    get /members | nobody 401 not_signed_in | viewer 403 denied | editor 403 denied | owner elsewhere 200 | service 200 | owner 200
    put /members/{ana} | nobody 401 not_signed_in | viewer 403 denied | editor 403 denied | owner elsewhere 404 member.unknown | service 200 | owner 200
    delete /members/{ana} | nobody 401 not_signed_in | viewer 403 denied | editor 403 denied | owner elsewhere 404 member.unknown | service 204 | owner 404 member.unknown
    ");
}

#[tokio::test]
async fn no_statement_reads_a_whole_table() {
    let bench = bench().await;
    for statement in identity::service().statements {
        let plan = bench.plan(statement).await;
        let scans: Vec<&String> =
            plan.iter().filter(|step| step.contains("SCAN") && !step.contains("json_each")).collect();
        assert!(scans.is_empty(), "{}: {scans:?}", statement.name);
    }
}
