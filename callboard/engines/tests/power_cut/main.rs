//! A power cut at any moment: what was acknowledged is there afterwards, whole, and with the event that belongs to it.
//! `kill -9` does not show this, since the system writes what a killed process left behind.

mod lossy;

use callboard::outside::Nobody;
use callboard::ports::Ports;
use callboard::{
    Data, Empty, Env, Fault, Host, Id, Kind, Msg, Reply, Service, Statement, Stranger, Tenant, Uri, Who, event, params,
    uri,
};
use callboard_engines::blobs::LocalBlobs;
use callboard_engines::clock::ManualClock;
use callboard_engines::delivery;
use callboard_engines::entropy::SeededEntropy;
use callboard_engines::live::LocalLive;
use callboard_engines::machine::LocalMachine;
use callboard_engines::sqlite::{Options, Sqlite};
use serde_json::json;
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

const WRITERS: u64 = 4;
const WRITES_EACH: u64 = 30;
const SEEDS: u64 = 24;

static ADD: Statement =
    Statement::write("add", &["line"], "INSERT INTO line (tenant, id, text) VALUES ($tenant, $1, $2)");
static ECHO: Statement = Statement::write("echo", &["echo"], "INSERT INTO echo (tenant, line) VALUES ($tenant, $1)");

async fn add(env: Env, _: Msg<Empty>) -> Result<Reply<Id>, Fault> {
    let id = env.id();
    let line = uri!("/lines/{}", id)?;
    let reply = Reply::created(line.clone(), id).write(ADD.with(params![id, "The ferry leaves at six.".repeat(40)]));
    Ok(reply.emit(event("added"), line, json!({"id": id})))
}

/// Nobody waits for it, so alone it does not wait for the disk.
async fn heard(msg: Msg<Empty>) -> Result<Reply, Fault> {
    Ok(Reply::nothing().write(ECHO.with(params![msg.uri.to_string()])))
}

fn diary() -> Service {
    Service::new("diary")
        .on(Kind::Post, "/lines", add, Who::Anyone, Stranger::Denied)
        .on(event("added"), "/lines/{id}", heard, Who::Anyone, Stranger::Denied)
        .tenants_tables(&["line", "echo"])
        .migration(
            "0001_line",
            "CREATE TABLE line (tenant TEXT NOT NULL, id TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (tenant, id)) STRICT;
             CREATE TABLE echo (tenant TEXT NOT NULL, line TEXT NOT NULL) STRICT;",
        )
        .statements(&[&ADD, &ECHO])
}

/// Whether a commit waits until the disk has it.
#[derive(Clone, Copy)]
enum Acknowledge {
    Synced,
    Written,
}

async fn host(folder: &Path, acknowledge: Acknowledge) -> (Host, Arc<Sqlite>) {
    let entropy = Arc::new(SeededEntropy::new(7));
    let records = Sqlite::new(Options { file: Some(folder.join("records.db")), readers: 1 }, entropy.clone());
    let records = Arc::new(match acknowledge {
        Acknowledge::Synced => records,
        Acknowledge::Written => records.acknowledging_unsynced(),
    });
    let ports = Ports {
        records: records.clone(),
        blobs: Arc::new(LocalBlobs::in_memory()),
        live: Arc::new(LocalLive::new()),
        clock: Arc::new(ManualClock::new(1_767_225_600_000)),
        entropy,
        machine: Arc::new(LocalMachine::new(&folder.join("scratch")).expect("a scratch folder")),
        outside: Arc::new(Nobody),
    };
    let host = Host::builder(ports).service(diary()).build().await.unwrap_or_else(|fault| panic!("{fault:?}"));
    (host, records)
}

/// Writes from several places at once until the power is cut; gives what was acknowledged while it was on.
async fn write_until_dark(host: &Host, folder: &Path) -> HashSet<String> {
    let writers = (0..WRITERS).map(|_| {
        let (host, folder) = (host.clone(), folder.to_owned());
        tokio::spawn(async move {
            let mut acknowledged = Vec::new();
            for _ in 0..WRITES_EACH {
                let msg = host.message(Kind::Post, Uri::parse("/lines").expect("it is a URI"), Tenant::new("demo"));
                let answer = host.dispatch(msg.with_data(Data::json(&json!({})))).await.expect("the file itself works");
                if lossy::is_cut(&folder) {
                    break;
                }
                acknowledged.push(answer.json().as_str().expect("an id").to_owned());
            }
            acknowledged
        })
    });
    let mut written = Vec::new();
    let all_written = async { written = futures_util::future::join_all(writers).await };
    // What they say is heard meanwhile.
    delivery::run(host.clone(), all_written).await;
    written.into_iter().flat_map(|it| it.expect("a writer ends")).collect()
}

/// How many acknowledged lines a power cut at some moment takes back.
async fn lost(acknowledge: Acknowledge, seed: u64) -> usize {
    let (before, after) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    // From the first commits to some checkpoints of the log later.
    let cut_at = 60 + seed * 97 % 1_400;
    lossy::insert(before.path(), cut_at, seed);
    let (running, _) = host(before.path(), acknowledge).await;
    let acknowledged = write_until_dark(&running, before.path()).await;
    lossy::salvage(before.path(), after.path());
    drop(running);
    let (again, records) = host(after.path(), Acknowledge::Synced).await;
    assert_eq!(records.inspect("PRAGMA integrity_check").await.expect("an answer"), ["ok"], "seed {seed}");
    let halves = records
        .inspect(
            "SELECT id FROM line WHERE NOT EXISTS (SELECT 1 FROM kernel_event WHERE type = 'added' AND \
             envelope LIKE '%' || line.id || '%')",
        )
        .await
        .expect("an answer");
    assert_eq!(halves, [""; 0], "a line without its event, seed {seed}");
    delivery::drain(&again).await.expect("what was not settled is delivered again");
    let unheard = "SELECT id FROM line WHERE (SELECT count(*) FROM echo WHERE echo.line = '/lines/' || line.id) <> 1";
    assert_eq!(records.inspect(unheard).await.expect("an answer"), [""; 0], "a line not heard once, seed {seed}");
    let there: HashSet<String> = records.inspect("SELECT id FROM line").await.expect("an answer").into_iter().collect();
    acknowledged.difference(&there).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_a_power_cut() {
    for seed in 0..SEEDS {
        assert_eq!(lost(Acknowledge::Synced, seed).await, 0, "seed {seed}");
    }
}

/// The control: the same test on the same disk sees the loss where commits are acknowledged before they are synced.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_waiting_for_the_disk_it_would_not() {
    let mut all = 0;
    for seed in 0..SEEDS {
        all += lost(Acknowledge::Written, seed).await;
    }
    assert!(all > 0, "the disk loses nothing, so the test shows nothing");
}
