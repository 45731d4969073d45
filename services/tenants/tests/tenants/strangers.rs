//! Every route of the service, tried by everybody.

use crate::{channels, outcome};
use callboard::{Data, Kind};
use serde_json::json;
use std::fmt::Write;

#[tokio::test]
async fn every_route_says_who_may() {
    let routes = [
        (Kind::Get, "/tenant", json!({})),
        (Kind::Put, "/tenant", json!({"title": "Mine"})),
        (Kind::Post, "/tenants", json!({"name": "new-one", "title": "New"})),
        (Kind::Get, "/tenants/demo", json!({})),
        (Kind::Get, "/tenants/by-host", json!({"host": "films.example.org"})),
        (Kind::Get, "/tenants/demo/hosts", json!({})),
        (Kind::Post, "/tenants/demo/hosts", json!({"host": "new.example.org"})),
        (Kind::Delete, "/tenants/demo/hosts/films.example.org", json!({})),
    ];
    let mut table = String::new();
    for (kind, uri, data) in routes {
        let bench = channels().await;
        bench.service().post("/tenants/demo/hosts", json!({"host": "films.example.org"})).await.expect("a domain");
        write!(table, "{kind} {uri}").expect("a text takes everything");
        for (name, actor) in [
            ("nobody", bench.nobody()),
            ("viewer", bench.viewer()),
            ("editor", bench.editor()),
            ("owner", bench.owner()),
            ("service", bench.service()),
        ] {
            let result = actor.send(kind.clone(), uri, Data::json(&data)).await;
            write!(table, " | {name} {}", outcome(&result)).expect("a text takes everything");
        }
        table.push('\n');
    }
    insta::assert_snapshot!(table, @"
    get /tenant | nobody 200 | viewer 200 | editor 200 | owner 200 | service 200
    put /tenant | nobody 401 not_signed_in | viewer 403 denied | editor 403 denied | owner 200 | service 200
    post /tenants | nobody 404 no_such_uri | viewer 404 no_such_uri | editor 404 no_such_uri | owner 404 no_such_uri | service 201
    get /tenants/demo | nobody 404 no_such_uri | viewer 404 no_such_uri | editor 404 no_such_uri | owner 404 no_such_uri | service 200
    get /tenants/by-host | nobody 404 no_such_uri | viewer 404 no_such_uri | editor 404 no_such_uri | owner 404 no_such_uri | service 200
    get /tenants/demo/hosts | nobody 404 no_such_uri | viewer 404 no_such_uri | editor 404 no_such_uri | owner 404 no_such_uri | service 200
    post /tenants/demo/hosts | nobody 404 no_such_uri | viewer 404 no_such_uri | editor 404 no_such_uri | owner 404 no_such_uri | service 201
    delete /tenants/demo/hosts/films.example.org | nobody 404 no_such_uri | viewer 404 no_such_uri | editor 404 no_such_uri | owner 404 no_such_uri | service 204
    ");
}

#[tokio::test]
async fn no_statement_reads_a_whole_table() {
    let bench = channels().await;
    for statement in tenants::service().statements {
        let plan = bench.plan(statement).await;
        let scans: Vec<&String> =
            plan.iter().filter(|step| step.contains("SCAN") && !step.contains("json_each")).collect();
        assert!(scans.is_empty(), "{}: {scans:?}", statement.name);
    }
}
