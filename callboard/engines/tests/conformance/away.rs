//! A database that is away for a whole minute, and another system with it: leases, retries and the breaker all pass the minute,
//! and afterwards everything that was acknowledged is applied, once, and nothing that was refused.

use crate::postgres::{host as database, through, unopened};
use crate::proxy::Door;
use crate::stage::{Engine, Place, Town};
use callboard::breaker::FAILURES_MAX;
use callboard::outside::{Origin, Outside, Request, Response, unanswered};
use callboard::ports::{Commit, CommitError, Page, RunFilter};
use callboard::{
    BoxFuture, Data, Effects, Empty, Env, Fault, Flow, Host, Kind, Msg, Reply, Retry, Service, Statement, Step,
    Stranger, Tenant, Uri, Who, event, params, uri,
};
use callboard_engines::delivery::drain;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;

const SCHEMA: &str = "CREATE TABLE line (tenant TEXT NOT NULL, seq BIGINT NOT NULL, text TEXT NOT NULL);";
static WRITE: Statement =
    Statement::write("write", &["line"], "INSERT INTO line (tenant, seq, text) VALUES ($tenant, $1, $2)");
static LINES: Statement =
    Statement::read("lines", &["line"], "SELECT text FROM line WHERE tenant = $tenant ORDER BY text");

/// A post office, and the desk at which a letter may lie while the database goes.
struct Office {
    is_open: AtomicBool,
    /// Whether that letter has been taken up once.
    is_taken_up: AtomicBool,
    desk: Semaphore,
    at_desk: Semaphore,
}

impl Outside for Office {
    fn fetch(&self, _: Origin, _: Request) -> BoxFuture<'_, Result<Response, Fault>> {
        let response = Response { status: 200, headers: Vec::new(), body: "{}".into() };
        let is_open = self.is_open.load(Ordering::SeqCst);
        Box::pin(std::future::ready(if is_open { Ok(response) } else { Err(unanswered("the door is shut")) }))
    }
}

fn line(env: &Env, text: String) -> Effects {
    Effects::new().write(WRITE.with(params![env.now_ms(), text]))
}

/// A run, and an event.
async fn accept(env: Env, msg: Msg<Empty>) -> Result<Reply, Fault> {
    let id = msg.param("id");
    let effects = line(&env, format!("{id} accepted")).start("letter", id, json!({"id": id}));
    Ok(Reply::nothing().with(effects.emit(event("accepted"), uri!("/letters/{id}")?, json!({}))))
}

async fn hear(env: Env, msg: Msg<Value>) -> Result<Reply, Fault> {
    let id = msg.uri.to_string().rsplit('/').next().unwrap_or_default().to_owned();
    Ok(Reply::nothing().with(line(&env, format!("{id} heard"))))
}

fn of(msg: &Msg<Step<Value>>) -> &str {
    msg.data.input["id"].as_str().unwrap_or_default()
}

async fn stamp(env: Env, msg: Msg<Step<Value>>) -> Result<Reply, Fault> {
    Ok(Reply::nothing().with(line(&env, format!("{} stamped", of(&msg)))))
}

async fn send(env: Env, _: Msg<Step<Value>>) -> Result<Reply, Fault> {
    env.fetch(Request::get("post.url", "/letters")).await.map(|_| Reply::nothing())
}

async fn lines(env: Env, _: Msg<Empty>) -> Result<Reply<Vec<Value>>, Fault> {
    Ok(Reply::ok(env.query(&LINES, params![]).await?.all()?))
}

fn service(office: &Arc<Office>) -> Service {
    let office = office.clone();
    let file = move |env: Env, msg: Msg<Step<Value>>| {
        let office = office.clone();
        async move {
            if of(&msg) == "last" && !office.is_taken_up.swap(true, Ordering::SeqCst) {
                office.at_desk.add_permits(1);
                office.desk.acquire().await.expect("it is never closed").forget();
            }
            Ok::<Reply, Fault>(Reply::nothing().with(line(&env, format!("{} filed", of(&msg)))))
        }
    };
    let patient = Retry { attempts: 40, base_ms: 1_000, cap_ms: 20_000 };
    let flow = Flow::new("letter")
        .step("stamp", stamp)
        .records_only()
        .no_undo("a stamp stays")
        .step("file", file)
        .records_only()
        .no_undo("what is filed stays")
        .step("send", send)
        .no_undo("a letter is gone")
        .retry(patient);
    Service::new("letters")
        .on(Kind::Post, "/letters/{id}", accept, Who::Anyone, Stranger::Denied)
        .on(Kind::Get, "/lines", lines, Who::Anyone, Stranger::Denied)
        .on(event("accepted"), "/letters/{id}", hear, Who::Services, Stranger::Denied)
        .flow(flow)
        .tenants_tables(&["line"])
        .migration("0001_line", SCHEMA)
        .statements(&[&WRITE, &LINES])
        .setting("post.url", "https://post.example", "where letters go")
        .outside("post.url", "the post is away")
}

async fn ask(host: &Host, kind: Kind, uri: &str) -> Result<Value, Fault> {
    let msg = host.message(kind, Uri::parse(uri).expect("a URI"), Tenant::new("demo"));
    host.dispatch(msg.with_data(Data::EMPTY)).await.map(|answer| answer.json())
}

async fn seen(host: &Host) -> Result<Vec<String>, Fault> {
    let rows = ask(host, Kind::Get, "/lines").await?;
    let rows = rows.as_array().expect("a list").iter();
    Ok(rows.map(|row| row["text"].as_str().expect("a text").to_owned()).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_applied_once_after_the_database_was_away_for_a_minute() {
    let office = Arc::new(Office {
        is_open: AtomicBool::new(false),
        is_taken_up: AtomicBool::new(false),
        desk: Semaphore::new(0),
        at_desk: Semaphore::new(0),
    });
    let place = Place::new(Engine::Postgres);
    let door = Door::to(database()).await;
    let other = place.open(service(&office)).await.expect("records of another process");
    let town = Town::new(unopened(&through(&door), &place), service(&office), office.clone()).await;
    // The other system does not answer: more letters than the breaker allows failures, so that it is open and all wait.
    let mut told = Vec::new();
    for letter in 0..FAILURES_MAX + 5 {
        ask(&town.host, Kind::Post, &format!("/letters/{letter}")).await.expect("acknowledged");
        told.push(letter.to_string());
    }
    drain(&town.host).await.expect("the database is there");
    // Another process takes some of what has only just come, and is cut off with it.
    for letter in ["taken", "took"] {
        ask(&town.host, Kind::Post, &format!("/letters/{letter}")).await.expect("acknowledged");
        told.push(letter.to_owned());
    }
    let taken = other.claim(8, &[], town.clock.advance(0)).await.expect("a claim");
    assert_eq!(taken.len(), 4, "an event and a first step each");
    ask(&town.host, Kind::Post, "/letters/last").await.expect("acknowledged");
    told.push("last".to_owned());
    let host = town.host.clone();
    let at_work = tokio::spawn(async move { drain(&host).await });
    office.at_desk.acquire().await.expect("it is never closed").forget();
    door.shut();
    office.desk.add_permits(1);
    // Whether it hears of it itself depends on whether it asks once more.
    if let Err(cut) = at_work.await.expect("nobody panicked") {
        assert_eq!(cut.code, "records.unavailable");
    }
    for second in 0..60 {
        town.clock.advance(1_000);
        let refused = ask(&town.host, Kind::Post, &format!("/letters/refused-{second}")).await.expect_err("away");
        assert_eq!((refused.code, refused.status()), ("records.unavailable", 503));
        assert_eq!(drain(&town.host).await.expect_err("away").code, "records.unavailable");
    }
    office.is_open.store(true, Ordering::SeqCst);
    door.open();
    // For a moment nobody tries to connect.
    let back = async {
        while seen(&town.host).await.is_err() {
            tokio::task::yield_now().await
        }
    };
    tokio::time::timeout(Duration::from_secs(20), back).await.expect("it comes back");
    for _ in 0..60 {
        drain(&town.host).await.expect("the database is back");
        town.clock.advance(5_000);
    }
    let runs = other.operations().runs(RunFilter::default(), Page { after: None, limit: 100 });
    let runs = runs.await.expect("a list");
    assert!(runs.len() == told.len() && runs.iter().all(|run| run.status.as_str() == "completed"), "{runs:#?}");
    let what = |id: &String| ["accepted", "filed", "heard", "stamped"].map(|what| format!("{id} {what}"));
    let mut expected: Vec<String> = told.iter().flat_map(what).collect();
    expected.sort();
    let mut lines = seen(&town.host).await.expect("the lines");
    lines.sort();
    assert_eq!(lines, expected, "each once, and nothing of what was refused");
    for claim in taken {
        let late = other.commit(Commit { settle: Some(claim.settle), ..crate::stage::commit(Effects::new()) }).await;
        assert!(matches!(late, Err(CommitError::Stale)), "{late:?}");
    }
    assert_eq!(other.next_due(&[]).await, Ok(None), "nothing waits");
}
