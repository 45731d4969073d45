//! What only PostgreSQL has to do: several processes on one database, connections that are lost, roles, big tables by plan.

use crate::proxy::Door;
use crate::stage::{
    Engine, MAKE, NOW_MS, Place, STOCK, Stage, TAKE, WRITE, commit, commit_in, message, number, postgres, postgres_url,
    service, settle_on,
};
use callboard::ports::{Commit, CommitError, LEASE_MS, Records};
use callboard::{Effects, Fault, Space, Statement, Tenant, params};
use callboard_engines::postgres::Postgres;
use futures_util::future::join_all;
use std::sync::Arc;
use std::time::Duration;

/// Records with what only this engine offers.
async fn opened(url: &str, schema: &str) -> Arc<Postgres> {
    let records = postgres(url, schema);
    let space = Space::new(vec![service()]).unwrap_or_else(|error| panic!("{error}"));
    records.open(Arc::new(space)).await.unwrap_or_else(|fault| panic!("{fault:?}"));
    records
}

/// Records that are not open yet, where others already are.
pub(crate) fn unopened(url: &str, place: &Place) -> Arc<dyn Records> {
    postgres(url, schema_at(place))
}

fn schema_of(stage: &Stage) -> &str {
    schema_at(&stage.place)
}

fn schema_at(place: &Place) -> &str {
    match place {
        Place::Schema(schema) => schema,
        Place::Folder(_) => unreachable!("these cases are about PostgreSQL"),
    }
}

/// The address with another host and port.
pub(crate) fn through(door: &Door) -> String {
    let url = postgres_url();
    let (before, after) = url.split_once('@').expect("a user in the address");
    let (_, name) = after.split_once('/').expect("a database in the address");
    format!("{before}@127.0.0.1:{}/{name}", door.port)
}

pub(crate) fn host() -> String {
    let url = postgres_url();
    let after = url.split_once('@').expect("a user in the address").1;
    after.split_once('/').expect("a database in the address").0.to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_start_at_once_migrate_once() {
    let place = Place::new(Engine::Postgres);
    let opened = join_all((0..4).map(|_| place.open(service()))).await;
    for records in opened {
        records.unwrap_or_else(|fault| panic!("{fault:?}"));
    }
}

#[tokio::test]
async fn a_claim_whose_lease_has_ended_is_given_to_another_and_the_first_is_stale() {
    let stage = Stage::new(Engine::Postgres).await;
    let other = stage.another().await;
    stage.send("shop sent", "a", number(1)).await;
    let first = stage.claim(1).await.remove(0);
    assert!(other.claim(1, &[], NOW_MS + LEASE_MS - 1).await.expect("a claim").is_empty());
    assert_eq!(stage.records.renew(&[first.settle], NOW_MS + 1_000).await, Ok(Vec::new()));
    assert!(other.claim(1, &[], NOW_MS + LEASE_MS).await.expect("a claim").is_empty(), "it was renewed");
    let second = other.claim(1, &[], NOW_MS + LEASE_MS + 1_000).await.expect("a claim").remove(0);
    assert_eq!((second.attempt, second.settle.epoch), (2, first.settle.epoch + 1));
    assert_eq!(stage.records.renew(&[first.settle], NOW_MS).await, Ok(vec![first.settle]));
    assert!(matches!(stage.settle(first.settle, "first").await, Err(CommitError::Stale)));
    settle_on(&*other, second.settle, "second").await.expect("settled");
    assert_eq!(stage.lines().await, ["second"]);
    assert_eq!(other.operations().stale().await, Ok(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_wakes_the_other_process() {
    let stage = Stage::new(Engine::Postgres).await;
    let other = stage.another().await;
    // It may not listen yet; then it looks by itself as soon as it does, or hears of the next message.
    let woken = async {
        loop {
            let heard = tokio::time::timeout(Duration::from_millis(200), other.changed()).await;
            stage.send("shop sent", "a", number(1)).await;
            if heard.is_ok() {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), woken).await.expect("it hears of it");
}

/// A count in a WHERE guards nothing here, which is why invariants go through one row.
#[tokio::test]
async fn a_count_in_a_condition_is_oversold() {
    static SIT: Statement = Statement::write(
        "sit",
        &["box"],
        "INSERT INTO box (tenant, name, stock) SELECT $tenant, $1, 1
         WHERE (SELECT count(*) FROM box WHERE tenant = $tenant) < 1",
    );
    let place = Place::new(Engine::Postgres);
    let records = place.open(service().statements(&[&SIT])).await.expect("records");
    let stage = Stage::on(records, place);
    let (client, connection) = tokio_postgres::connect(&postgres_url(), tokio_postgres::NoTls).await.expect("a client");
    let connected = tokio::spawn(connection);
    // Another process has sat down and not committed yet.
    let sat = format!("BEGIN; INSERT INTO \"{}\".box VALUES ('demo', 'other', 1)", schema_of(&stage));
    client.batch_execute(&sat).await.expect("a seat");
    let full = Fault::conflict("busy", "there is one seat");
    let committed = stage.write(SIT.with(params!["own"]).expect(1..=1, full)).await;
    client.batch_execute("COMMIT").await.expect("committed");
    assert!(committed.is_ok(), "the other one's seat was not to be seen");
    assert_eq!(stage.read(&STOCK, params!["own"]).await.len() + stage.read(&STOCK, params!["other"]).await.len(), 2);
    drop(client);
    connected.await.expect("ended").expect("without an error");
}

#[tokio::test]
async fn a_statement_that_forgets_its_tenant_sees_no_other_ones_rows() {
    static CARELESS: Statement =
        Statement::read("careless", &["box"], "SELECT name FROM box WHERE $tenant <> '' ORDER BY name");
    static STEAL: Statement = Statement::write("steal", &["box"], "UPDATE box SET stock = 0 WHERE $tenant <> ''");
    static PLANT: Statement =
        Statement::write("plant", &["box"], "INSERT INTO box (tenant, name, stock) VALUES ($1, $tenant, 1)");
    let place = Place::new(Engine::Postgres);
    let records = place.open(service().statements(&[&CARELESS, &STEAL, &PLANT])).await.expect("records");
    let stage = Stage::on(records, place);
    stage.write(MAKE.with(params!["tea", 3_i64])).await.expect("a box");
    assert!(stage.read_in("other", &CARELESS, params![]).await.is_empty());
    stage.records.commit(commit_in("other", STEAL.with(params![]))).await.expect("it finds nothing");
    assert_eq!(stage.stock("tea").await, 3);
    let planted = stage.records.commit(commit_in("other", PLANT.with(params!["demo"]))).await;
    assert!(matches!(planted, Err(CommitError::Failed(_))), "{planted:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_went_away_are_said_to_be_and_come_back() {
    let stage = Stage::new(Engine::Postgres).await;
    let door = Door::to(host()).await;
    let records = opened(&through(&door), schema_of(&stage)).await;
    records.commit(commit(MAKE.with(params!["tea", 3_i64]))).await.expect("a box");
    door.shut();
    let error = records.commit(commit(TAKE.with(params!["tea"]))).await.expect_err("away");
    assert!(matches!(&error, CommitError::Failed(fault) if fault.code == "records.unavailable"), "{error:?}");
    let read = || vec![callboard::ports::Read { statement: &STOCK, params: params!["tea"] }];
    assert_eq!(records.query(&Tenant::new("demo"), read()).await.expect_err("away").code, "records.unavailable");
    assert_eq!(records.claim(1, &[], NOW_MS).await.expect_err("away").code, "records.unavailable");
    door.open();
    // For a moment nobody tries to connect.
    let back = async {
        while records.query(&Tenant::new("demo"), read()).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), back).await.expect("it comes back");
    records.commit(commit(TAKE.with(params!["tea"]))).await.expect("taken");
    assert_eq!(stage.stock("tea").await, 2, "what was refused did not happen");
}

/// The disk of a server that others use cannot be filled here, so the server itself says that it is, where a row would need room.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_disk_of_the_server_is_full_nothing_is_done_and_nothing_lost() {
    let stage = Stage::new(Engine::Postgres).await;
    let (client, connection) = tokio_postgres::connect(&postgres_url(), tokio_postgres::NoTls).await.expect("a client");
    let connected = tokio::spawn(connection);
    let schema = schema_of(&stage);
    let full = format!(
        "SET search_path TO \"{schema}\";
         CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;
         GRANT EXECUTE ON FUNCTION no_room() TO PUBLIC;
         CREATE TRIGGER no_room BEFORE INSERT ON line FOR EACH ROW EXECUTE FUNCTION no_room();"
    );
    stage.send("shop sent", "a", number(1)).await;
    let taken = stage.claim(1).await.remove(0);
    client.batch_execute(&full).await.expect("no room");
    let together = Effects::from(MAKE.with(params!["tea", 1_i64])).write(WRITE.with(params!["line", 1.0]));
    for error in [
        stage.write(together).await.expect_err("there is no room for the line"),
        stage.settle(taken.settle, "done").await.expect_err("nor for this one"),
    ] {
        assert!(matches!(&error, CommitError::Failed(fault) if fault.code == "disk.full"), "{error:?}");
    }
    assert!(stage.read(&STOCK, params!["tea"]).await.is_empty(), "nor is anything done that came with it");
    client.batch_execute("DROP TRIGGER no_room ON line").await.expect("there is room again");
    stage.settle(taken.settle, "done").await.expect("the message was still in hand");
    assert_eq!(stage.lines().await, ["done"]);
    drop(client);
    connected.await.expect("ended").expect("without an error");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_lost_is_said_to_be_unknown_and_not_done_again() {
    let stage = Stage::new(Engine::Postgres).await;
    let door = Door::to(host()).await;
    let records = opened(&through(&door), schema_of(&stage)).await;
    records.commit(commit(MAKE.with(params!["tea", 3_i64]))).await.expect("a box");
    door.lose_a_commit();
    let error = records.commit(commit(TAKE.with(params!["tea"]))).await.expect_err("unknown");
    assert!(matches!(&error, CommitError::Failed(fault) if fault.code == "records.unknown"), "{error:?}");
    assert_eq!(stage.stock("tea").await, 2, "it had happened, once");
    stage.send("shop sent", "a", number(1)).await;
    let taken = records.claim(1, &[], NOW_MS).await.expect("a claim").remove(0);
    door.lose_a_commit();
    let error = settle_on(&*records, taken.settle, "done").await.expect_err("unknown");
    assert!(matches!(&error, CommitError::Failed(fault) if fault.code == "records.unknown"), "{error:?}");
    assert!(matches!(settle_on(&*records, taken.settle, "again").await, Err(CommitError::Stale)));
    assert_eq!(stage.lines().await, ["done"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_were_ended_meanwhile_are_no_failure() {
    let stage = Stage::new(Engine::Postgres).await;
    let schema = schema_of(&stage).to_owned();
    stage.write(MAKE.with(params!["tea", 3_i64])).await.expect("a box");
    let (client, connection) = tokio_postgres::connect(&postgres_url(), tokio_postgres::NoTls).await.expect("a client");
    let connected = tokio::spawn(connection);
    let name = format!("callboard {schema}");
    let connections = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1";
    // The one that listens connects beside the start.
    for _ in 0..10_000 {
        let there: i64 = client.query_one(connections, &[&name]).await.expect("a count").get(0);
        if there >= 2 {
            break;
        }
    }
    let ended = client
        .query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1", &[&name])
        .await
        .expect("ended");
    assert!(ended.len() >= 2, "one that works, and one that listens");
    stage.write(TAKE.with(params!["tea"])).await.expect("taken on another connection");
    assert_eq!(stage.stock("tea").await, 2);
    drop(client);
    connected.await.expect("ended").expect("without an error");
}

/// Commits that settle one lane and send to another never wait for each other in a circle.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_that_cross_do_not_lock_each_other_out() {
    let stage = Stage::new(Engine::Postgres).await;
    let other = stage.another().await;
    stage.queue(vec![message("shop a", "x", number(0)), message("shop b", "x", number(0))]).await;
    let to_and_fro = async |records: &dyn Records| {
        for _ in 0..40 {
            for taken in records.claim(1, &[], NOW_MS).await.expect("a claim") {
                let to = if taken.target == "shop a" { "shop b" } else { "shop a" };
                let outbox = vec![message(to, "x", number(1)), message(&taken.target, "x", number(1))];
                let done = Commit { settle: Some(taken.settle), outbox, ..commit(callboard::Effects::new()) };
                records.commit(done).await.expect("committed");
            }
        }
    };
    let both = async { tokio::join!(to_and_fro(&*stage.records), to_and_fro(&*other)) };
    tokio::time::timeout(Duration::from_secs(30), both).await.expect("nobody waits for a deadlock to be found");
}

/// By what is touched, not by the clock: a backlog of a million costs a claim no more than a short one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_touches_few_pages_of_a_million() {
    let stage = Stage::new(Engine::Postgres).await;
    let records = opened(&postgres_url(), schema_of(&stage)).await;
    stage.send("shop sent", "first", number(1)).await;
    let fill = "WITH lanes AS (
            INSERT INTO kernel_lane (service, target, tenant, key, head, tail, due_ms)
            SELECT 'shop', 'shop sent', 'demo', 'key ' || n, 1, 2, 1000000 + n FROM generate_series(1, 1000000) n RETURNING lane)
        INSERT INTO kernel_message (lane, seq, event) SELECT lane, 1, (SELECT min(event) FROM kernel_event) FROM lanes";
    records.inspect("SET statement_timeout TO 0").await.expect("set");
    records.inspect(fill).await.expect("filled");
    for _ in 0..2 {
        let plan = records
            .inspect(
                "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF) SELECT * FROM kernel_claim(64, 64, '{}', 9000000, 9030000)",
            )
            .await
            .expect("a plan");
        let pages: u64 = plan
            .iter()
            .filter(|line| line.trim_start().starts_with("Buffers:"))
            .flat_map(|line| line.split(' '))
            .filter_map(|word| word.strip_prefix("hit=").or(word.strip_prefix("read="))?.parse::<u64>().ok())
            .sum();
        assert!(pages < 6_000, "{pages} pages: {plan:?}");
    }
    assert_eq!(records.next_due(&[]).await.map(|due| due.is_some()), Ok(true));
}
