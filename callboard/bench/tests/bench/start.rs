//! What is refused at start, and what survives the end of a process.

use crate::shop;
use callboard::outside::Nobody;
use callboard::ports::{Clock, Ports};
use callboard::{Data, Fault, Host, Kind, Principal, Service, Statement, Tenant, Uri};
use callboard_engines::blobs::LocalBlobs;
use callboard_engines::clock::SystemClock;
use callboard_engines::entropy::SeededEntropy;
use callboard_engines::live::LocalLive;
use callboard_engines::machine::LocalMachine;
use callboard_engines::sqlite::{Options, Sqlite};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

pub(crate) async fn open(folder: &Path, service: Service) -> Result<Host, Fault> {
    let entropy = Arc::new(SeededEntropy::new(1));
    let ports = Ports {
        records: Arc::new(Sqlite::new(Options { file: Some(folder.join("records.db")), readers: 2 }, entropy.clone())),
        blobs: Arc::new(LocalBlobs::in_memory()),
        live: Arc::new(LocalLive::new()),
        clock: Arc::new(SystemClock),
        entropy,
        machine: Arc::new(LocalMachine::new(&folder.join("work"))?),
        outside: Arc::new(Nobody),
    };
    Host::builder(ports).service(service).build().await
}

pub(crate) async fn call(host: &Host, kind: Kind, uri: &str, data: serde_json::Value) -> serde_json::Value {
    let uri = Uri::parse(uri).expect("a URI");
    let mut msg = host.message(kind, uri, Tenant::only()).with_data(Data::json(&data));
    msg.head_mut().principal = Principal::person("p", &["editor"]);
    host.run(msg).await.expect("an answer").json()
}

#[tokio::test]
async fn what_was_acknowledged_and_not_delivered_is_delivered_after_a_restart() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let host = open(folder.path(), shop::service()).await.expect("a host");
    call(&host, Kind::Put, "/boxes/tea", json!(1)).await;
    call(&host, Kind::Post, "/boxes/tea/take", json!({})).await;
    // Claimed, and never settled: the process dies with it in its hands.
    let taken = host.ports().records.claim(10, &[], SystemClock.now_ms()).await.expect("a claim");
    assert_eq!(taken.len(), 1);
    drop(host);
    let host = open(folder.path(), shop::service()).await.expect("a host again");
    callboard_engines::delivery::drain(&host).await.expect("delivered");
    assert_eq!(call(&host, Kind::Get, "/log", json!({})).await, json!(["0 left in tea"]));
}

#[tokio::test]
async fn a_stale_claim_settles_nothing() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let host = open(folder.path(), shop::service()).await.expect("a host");
    call(&host, Kind::Put, "/boxes/tea", json!(1)).await;
    call(&host, Kind::Post, "/boxes/tea/take", json!({})).await;
    let taken = host.ports().records.claim(1, &[], SystemClock.now_ms()).await.expect("a claim").remove(0);
    host.deliver(&taken).await.expect("delivered");
    host.deliver(&taken).await.expect("the second time nothing happens");
    assert_eq!(call(&host, Kind::Get, "/log", json!({})).await, json!(["0 left in tea"]));
}

#[tokio::test]
async fn a_migration_that_was_changed_afterwards_is_refused() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    drop(open(folder.path(), shop::service()).await.expect("a host"));
    let mut changed = shop::service();
    changed.migrations[0].sql = "CREATE TABLE box (other TEXT)";
    let fault = open(folder.path(), changed).await.err().expect("refused");
    assert!(fault.message.contains("shop/migrations/0001_shop") && fault.message.contains("new migration"), "{fault}");
}

#[tokio::test]
async fn a_statement_stays_within_the_tables_it_declares() {
    static HIDDEN: Statement = Statement::read(
        "hidden",
        &["box"],
        "SELECT (SELECT count(*) FROM kernel_event) FROM box WHERE tenant = $tenant",
    );
    let folder = tempfile::tempdir().expect("a scratch folder");
    let fault = open(folder.path(), shop::service().statements(&[&HIDDEN])).await.err().expect("refused");
    assert!(fault.message.contains("statement hidden: it touches table kernel_event"), "{fault}");
}

#[tokio::test]
async fn a_migration_makes_only_the_tables_of_its_service() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let fault = open(folder.path(), shop::service().migration("0002_more", "CREATE TABLE another (x TEXT)"))
        .await
        .err()
        .expect("refused");
    assert!(fault.message.contains("0002_more"), "{fault}");
}

#[tokio::test]
async fn ids_made_within_one_millisecond_sort_in_the_order_in_which_they_were_made() {
    let bench = callboard_bench::Bench::new(vec![shop::service()]).await;
    let id = || bench.host().message(Kind::Get, Uri::root(), Tenant::only()).id;
    let ids: Vec<_> = (0..10_000).map(|_| id()).collect();
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "the bench's clock stands still");
}
