//! Channels on domains of their own.

use crate::{channels, outcome};
use callboard_bench::START_MS;
use serde_json::json;

#[tokio::test]
async fn a_domain_leads_to_its_channel_however_it_is_written() {
    let bench = channels().await;
    let added = bench.service().post("/tenants/demo/hosts", json!({"host": "Films.Example.org"})).await;
    let want = json!({"host": "films.example.org", "verified_ms": START_MS});
    assert_eq!(added.expect("a domain").json(), want);
    for host in ["films.example.org", "FILMS.example.org:8443", "films.example.org."] {
        let found = bench.service().get(&format!("/tenants/by-host?host={host}")).await.expect(host);
        assert_eq!(found.json(), json!({"name": "demo"}));
    }
    let listed = bench.service().get("/tenants/demo/hosts").await.expect("a list").json();
    assert_eq!(listed, json!({"items": [want]}));
}

#[tokio::test]
async fn other_hosts_lead_nowhere() {
    let bench = channels().await;
    bench.service().post("/tenants/demo/hosts", json!({"host": "films.example.org"})).await.expect("a domain");
    for host in
        ["example.org", "x.films.example.org", "films.example.org.evil.net", "demo.localhost", "127.0.0.1", "", "%27"]
    {
        let result = bench.service().get(&format!("/tenants/by-host?host={host}")).await;
        assert_eq!(outcome(&result), "404 host.unknown", "{host}");
    }
    assert_eq!(outcome(&bench.service().get("/tenants/by-host").await), "400 data.invalid");
}

#[tokio::test]
async fn a_domain_belongs_to_one_channel() {
    let bench = channels().await;
    let add = async |tenant: &str| {
        bench.service().post(&format!("/tenants/{tenant}/hosts"), json!({"host": "films.example.org"})).await
    };
    assert_eq!(outcome(&add("demo").await), "201");
    assert_eq!(outcome(&add("demo").await), "201");
    assert_eq!(outcome(&add("other").await), "409 host.taken");
    let gone = bench.service().delete("/tenants/other/hosts/films.example.org").await;
    assert_eq!(outcome(&gone), "404 host.unknown");
    let gone = bench.service().delete("/tenants/demo/hosts/films.example.org").await;
    assert_eq!(outcome(&gone), "204");
    assert_eq!(outcome(&add("other").await), "201");
}

#[tokio::test]
async fn only_domains_of_channels_that_exist_are_taken() {
    let bench = channels().await;
    for (path, host, want) in [
        ("/tenants/nowhere/hosts", "films.example.org", "404 tenant.unknown"),
        ("/tenants/demo/hosts", "localhost", "400 host.invalid"),
        ("/tenants/demo/hosts", "other.localhost", "400 host.invalid"),
        ("/tenants/demo/hosts", "192.0.2.1", "400 host.invalid"),
        ("/tenants/demo/hosts", "films.example.org/path", "400 host.invalid"),
    ] {
        assert_eq!(outcome(&bench.service().post(path, json!({"host": host})).await), want, "{host}");
    }
}
