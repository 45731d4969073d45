//! Events with five subscribers that write a row each, from the publication to the last row on the disk, beside SQLite alone
//! with the same writes in as many transactions.

use crate::figure::{Figure, micros, middle};
use crate::{records, syncs};
use callboard::{
    Empty, Env, Fault, Host, Kind, Msg, Reply, Service, Statement, Stranger, Tenant, Uri, Who, event, params, uri,
};
use callboard_engines::delivery;
use rusqlite::{Connection, named_params};
use std::path::Path;
use std::time::{Duration, Instant};

const ROUNDS: usize = 9;
const PUBLISHERS: u64 = 32;
const EVENTS: u64 = 3_200;
/// Each matches every event, so each is a subscriber.
const SUBSCRIBERS: [&str; 5] = ["/posts/{id}", "/posts/**", "/{list}/{id}", "/{list}/**", "/**"];
/// A round that takes so long has lost something.
const PATIENCE: Duration = Duration::from_secs(20);
const DELIVERIES: u64 = EVENTS * SUBSCRIBERS.len() as u64;
const SCHEMA: &str = "CREATE TABLE heard (tenant TEXT NOT NULL, post TEXT NOT NULL, at_ms INTEGER NOT NULL) STRICT;";

static HEAR: Statement =
    Statement::write("hear", &["heard"], "INSERT INTO heard (tenant, post, at_ms) VALUES ($tenant, $1, $2)");

fn service() -> Service {
    let service = Service::new("fanout")
        .on(Kind::Post, "/posts", publish, Who::Anyone, Stranger::Denied)
        .tenants_tables(&["heard"])
        .migration("0001_heard", SCHEMA)
        .statements(&[&HEAR]);
    SUBSCRIBERS
        .into_iter()
        .fold(service, |service, pattern| service.on(event("posted"), pattern, hear, Who::Services, Stranger::Denied))
}

async fn publish(env: Env, _: Msg<Empty>) -> Result<Reply, Fault> {
    Ok(Reply::nothing().emit(event("posted"), uri!("/posts/{}", env.id())?, ()))
}

async fn hear(env: Env, msg: Msg<Empty>) -> Result<Reply, Fault> {
    Ok(Reply::nothing().write(HEAR.with(params![msg.uri.to_string(), env.now_ms()])))
}

pub(crate) fn measure(data: &Path) -> Result<Vec<Figure>, String> {
    let folder = records::folder(data)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| error.to_string())?;
    let failed = |fault: Fault| fault.to_string();
    let host = runtime.block_on(Host::builder(records::on_disk(folder.path())?).service(service()).build());
    let host = host.map_err(failed)?;
    let mut raw = Raw::open(&folder.path().join("raw.db")).map_err(|error| error.to_string())?;
    let (mut rates, mut groups, mut sync) = (Vec::new(), 0, Duration::ZERO);
    for _ in 0..ROUNDS {
        let before = syncs::so_far();
        let ours = runtime.block_on(round(&host))?;
        let waits = syncs::so_far() - before;
        let floor = raw.round(waits.count).map_err(|error| error.to_string())?;
        rates.push((DELIVERIES as f64 / ours.as_secs_f64(), DELIVERIES as f64 / floor.as_secs_f64()));
        (groups, sync) = (groups + waits.count, sync + Duration::from_micros(waits.time_us));
    }
    let (ours, floor, ratio) = middle(rates);
    let work = format!("deliveries to {} subscribers", SUBSCRIBERS.len());
    let note = format!(
        "{PUBLISHERS} publish, a subscriber writes a row; {:.0} deliveries a transaction in both; a sync takes {}",
        (DELIVERIES * ROUNDS as u64) as f64 / groups as f64,
        micros(sync / u32::try_from(groups).unwrap_or(u32::MAX).max(1))
    );
    let figure = Figure::plain(work, format!("{ours:.0}/s")).beside(format!("{floor:.0}/s"), ratio);
    Ok(vec![figure.goal("≥ 0.5×", ratio >= 0.5).note(note)])
}

/// Publishes everything and delivers it meanwhile; gives the time until the last is settled.
async fn round(host: &Host) -> Result<Duration, String> {
    let start = Instant::now();
    let (before, mut took) = (host.commits(), Duration::ZERO);
    let publishers: Vec<_> = (0..PUBLISHERS).map(|_| tokio::spawn(publish_all(host.clone()))).collect();
    let committed = || host.commits() - before;
    let stop = async {
        while committed() < EVENTS + DELIVERIES && start.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        took = start.elapsed();
    };
    delivery::run(host.clone(), stop).await;
    for publisher in publishers {
        publisher.await.map_err(|error| error.to_string())??;
    }
    match committed() - EVENTS {
        DELIVERIES => Ok(took),
        delivered => Err(format!("{delivered} of {DELIVERIES} deliveries came within {PATIENCE:?}")),
    }
}

async fn publish_all(host: Host) -> Result<(), String> {
    for _ in 0..EVENTS / PUBLISHERS {
        let msg = host.message(Kind::Post, Uri::parse("/posts").expect("it is a URI"), Tenant::new("demo"));
        host.dispatch(msg).await.map_err(|fault| fault.to_string())?;
    }
    Ok(())
}

/// The floor: the writes of the engine in a loop, prepared once.
struct Raw {
    connection: Connection,
    written: u64,
}

const STORE: &str = "INSERT INTO kernel_event (id, service, type, tenant, time_ms, is_event, blob, envelope)
     VALUES (?1, 'fanout', 'posted', 'demo', ?2, 1, NULL, ?3)";
const PLACE: &str = "INSERT INTO kernel_lane (service, target, tenant, key, head, tail, due_ms, attempts)
     VALUES ('fanout', ?1, 'demo', ?2, 1, 2, NULL, 1) ON CONFLICT (target, tenant, key) DO NOTHING";
const QUEUE: &str = "INSERT INTO kernel_message (lane, seq, event) VALUES (?1, 1, ?2)";
const SETTLE: &str = "DELETE FROM kernel_message WHERE lane = ?1 AND seq = 1";
const CLOSE: &str = "DELETE FROM kernel_lane WHERE lane = ?1 AND tail = head + 1";
const NOW_MS: i64 = 1_767_225_600_000;

impl Raw {
    fn open(file: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(file)?;
        connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -8000;")?;
        for schema in [
            include_str!("../../../engines/src/sqlite/kernel.sql"),
            include_str!("../../../engines/src/sqlite/kernel_2.sql"),
            SCHEMA,
        ] {
            connection.execute_batch(schema)?;
        }
        Ok(Self { connection, written: 0 })
    }

    /// Publishes and delivers as much as a round of ours, in so many transactions.
    fn round(&mut self, transactions: u64) -> rusqlite::Result<Duration> {
        let (start, mut waiting, mut published) = (Instant::now(), Vec::new(), 0);
        for at in 1..=transactions {
            self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
            // What the transaction before has published is delivered in this one.
            self.deliver(&std::mem::take(&mut waiting))?;
            while published * transactions < EVENTS * at {
                waiting.extend(self.publish()?);
                published += 1;
            }
            self.connection.prepare_cached("COMMIT")?.execute([])?;
        }
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        self.deliver(&waiting)?;
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(start.elapsed())
    }

    fn publish(&mut self) -> rusqlite::Result<Vec<i64>> {
        self.written += 1;
        let id = callboard::Id::from_parts(NOW_MS + i64::try_from(self.written).unwrap_or(0), [7; 10]);
        let post = format!("/posts/{id}");
        let envelope = serde_json::json!({
            "id": id, "source": "service/fanout", "type": "posted", "subject": post, "time_ms": NOW_MS, "tenant": "demo",
            "principal": "nobody", "correlationid": id, "causationid": id, "hops": 1, "data": null
        });
        self.connection.prepare_cached(STORE)?.execute((id.to_string(), NOW_MS, envelope.to_string()))?;
        let event = self.connection.last_insert_rowid();
        let mut lanes = Vec::new();
        for pattern in SUBSCRIBERS {
            let target = format!("fanout posted {pattern}");
            self.connection.prepare_cached(PLACE)?.execute((target, &post))?;
            let lane = self.connection.last_insert_rowid();
            self.connection.prepare_cached(QUEUE)?.execute((lane, event))?;
            lanes.push(lane);
        }
        Ok(lanes)
    }

    fn deliver(&self, lanes: &[i64]) -> rusqlite::Result<()> {
        let post = "/posts/01890a5d-ac96-774b-bcce-b302099a8057";
        for lane in lanes {
            for step in [SETTLE, CLOSE] {
                self.connection.prepare_cached(step)?.execute([lane])?;
            }
            let mut hear = self.connection.prepare_cached(HEAR.sql)?;
            hear.execute(named_params! {"$tenant": "demo", "$1": post, "$2": NOW_MS})?;
        }
        Ok(())
    }
}
