//! Committed writes through the whole of dispatch, beside a raw loop of the same statements on the same disk.

use crate::figure::{Figure, median, micros, middle};
use crate::records;
use callboard::{
    Data, Env, Fault, Host, Id, Kind, Msg, Reply, Service, Statement, Stranger, Tenant, Uri, Who, params, uri,
};
use rusqlite::Connection;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const IN_FLIGHT: usize = 32;
const ROUNDS: usize = 15;
const ROUND: Duration = Duration::from_millis(300);
const TEXT: &str = "The ferry leaves at six; whoever is late walks over the ice.";
const SCHEMA: &str =
    "CREATE TABLE entry (tenant TEXT NOT NULL, id TEXT NOT NULL, text TEXT NOT NULL, at_ms INTEGER NOT NULL,
     PRIMARY KEY (tenant, id)) STRICT, WITHOUT ROWID;";
/// What the engine writes for the event of a commit.
const EVENT: &str =
    "INSERT INTO kernel_event (id, type, tenant, time_ms, is_event, envelope) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

static ADD: Statement =
    Statement::write("add", &["entry"], "INSERT INTO entry (tenant, id, text, at_ms) VALUES ($tenant, $1, $2, $3)");

#[derive(Deserialize, JsonSchema)]
struct Entry {
    text: String,
}

#[derive(Serialize, JsonSchema)]
struct Added {
    id: Id,
}

async fn add(env: Env, msg: Msg<Entry>) -> Result<Reply<Added>, Fault> {
    let id = env.id();
    Ok(Reply::created(uri!("/entries/{id}")?, Added { id }).write(ADD.with(params![id, msg.data.text, env.now_ms()])))
}

fn service() -> Service {
    Service::new("figures")
        .on(Kind::Post, "/entries", add, Who::Anyone, Stranger::Denied)
        .tenants_tables(&["entry"])
        .migration("0001_entry", SCHEMA)
        .statements(&[&ADD])
}

pub(crate) fn measure(data: &Path) -> Result<Vec<Figure>, String> {
    let folder = records::folder(data)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| error.to_string())?;
    let ports = records::on_disk(folder.path())?;
    let host = runtime.block_on(Host::builder(ports).service(service()).build()).map_err(|fault| fault.to_string())?;
    let mut raw = Raw::open(&folder.path().join("raw.db")).map_err(|error| error.to_string())?;
    let sync = sync_time(&folder.path().join("floor.bin")).map_err(|error| error.to_string())?;
    let failed = |error: rusqlite::Error| error.to_string();
    let (mut together, mut alone) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let ours = runtime.block_on(write_together(&host, IN_FLIGHT))?;
        together.push((ours, raw.write_groups(IN_FLIGHT).map_err(failed)?));
    }
    for _ in 0..ROUNDS {
        let ours = runtime.block_on(write_alone(&host))?;
        alone.push((ours.as_secs_f64(), raw.write_alone().map_err(failed)?.as_secs_f64()));
    }
    let (ours, peer, ratio) = middle(together);
    let together = Figure::plain("committed writes, 32 in flight, FULL", format!("{ours:.0}/s"))
        .beside(format!("{peer:.0}/s"), ratio)
        .goal("≥ 0.5×", ratio >= 0.5)
        .note(format!(
            "a row and its event each, beside prepared statements; fdatasync of 4 KiB takes {}",
            micros(sync)
        ));
    let (ours, peer, ratio) = middle(alone);
    let time = |seconds| micros(Duration::from_secs_f64(seconds));
    let alone = Figure::plain("a lone committed write, FULL", time(ours))
        .beside(time(peer), ratio)
        .goal("≤ 1.3×", ratio <= 1.3);
    Ok(vec![together, alone])
}

async fn write(host: &Host, tenant: &Tenant) -> Result<(), String> {
    let uri = Uri::parse("/entries").expect("it is a URI");
    let msg = host.message(Kind::Post, uri, tenant.clone()).with_data(Data::json(&serde_json::json!({"text": TEXT})));
    host.dispatch(msg).await.map(drop).map_err(|fault| fault.to_string())
}

/// How many writes so many callers get done in a second, each with one in flight.
async fn write_together(host: &Host, callers: usize) -> Result<f64, String> {
    let (count, is_over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            let (host, count, is_over) = (host.clone(), count.clone(), is_over.clone());
            tokio::spawn(async move {
                let tenant = Tenant::new("demo");
                while !is_over.load(Ordering::Relaxed) {
                    write(&host, &tenant).await?;
                    count.fetch_add(1, Ordering::Relaxed);
                }
                Ok::<(), String>(())
            })
        })
        .collect();
    let start = Instant::now();
    tokio::time::sleep(ROUND).await;
    let rate = count.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64();
    is_over.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.map_err(|error| error.to_string())??;
    }
    Ok(rate)
}

/// The time of a write when nobody else writes.
async fn write_alone(host: &Host) -> Result<Duration, String> {
    let (tenant, start, mut times) = (Tenant::new("demo"), Instant::now(), Vec::new());
    while start.elapsed() < ROUND {
        let start = Instant::now();
        write(host, &tenant).await?;
        times.push(start.elapsed());
    }
    Ok(median(&mut times))
}

/// The peer: the statements of the engine in a loop, prepared once.
struct Raw {
    connection: Connection,
    written: u64,
}

impl Raw {
    fn open(file: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(file)?;
        connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -8000;")?;
        connection.execute_batch(include_str!("../../../engines/src/sqlite/kernel.sql"))?;
        connection.execute_batch(SCHEMA)?;
        Ok(Self { connection, written: 0 })
    }

    /// How many writes are committed in a second, so many a transaction.
    fn write_groups(&mut self, size: usize) -> rusqlite::Result<f64> {
        let (start, before) = (Instant::now(), self.written);
        while start.elapsed() < ROUND {
            self.commit(size)?;
        }
        Ok((self.written - before) as f64 / start.elapsed().as_secs_f64())
    }

    fn write_alone(&mut self) -> rusqlite::Result<Duration> {
        let (start, mut times) = (Instant::now(), Vec::new());
        while start.elapsed() < ROUND {
            let start = Instant::now();
            self.commit(1)?;
            times.push(start.elapsed());
        }
        Ok(median(&mut times))
    }

    fn commit(&mut self, size: usize) -> rusqlite::Result<()> {
        // Texts as long as those of the engine, in the order of time.
        let rows: Vec<(String, String)> = (0..size as u64)
            .map(|at| {
                let id = Id::from_parts(1_767_225_600_000 + i64::try_from(self.written + at).unwrap_or(0), [7; 10]);
                (id.to_string(), envelope(id))
            })
            .collect();
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        for (id, envelope) in &rows {
            self.connection.prepare_cached(ADD.sql)?.execute(rusqlite::named_params! {
                "$tenant": "demo", "$1": id, "$2": TEXT, "$3": 1_767_225_600_000_i64
            })?;
            let event = rusqlite::params![id, "created", "demo", 1_767_225_600_000_i64, true, envelope];
            self.connection.prepare_cached(EVENT)?.execute(event)?;
        }
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        self.written += size as u64;
        Ok(())
    }
}

fn envelope(id: Id) -> String {
    serde_json::json!({
        "id": id, "source": "service/figures", "type": "created", "subject": format!("/entries/{id}"),
        "time_ms": 1_767_225_600_000_i64, "tenant": "demo", "principal": "nobody", "correlationid": id,
        "causationid": id, "hops": 1, "data": {"uri": format!("/entries/{id}"), "version": 1_767_225_600_000_i64}
    })
    .to_string()
}

/// What this disk takes to make a small append durable.
fn sync_time(file: &Path) -> std::io::Result<Duration> {
    let mut file = std::fs::File::create(file)?;
    let mut times = Vec::new();
    for _ in 0..300 {
        let start = Instant::now();
        file.write_all(&[0x5a; 4096])?;
        file.sync_data()?;
        times.push(start.elapsed());
    }
    Ok(median(&mut times))
}
