//! Where the cases play: a small service on an engine, and the words the cases use.

use callboard::outside::Outside;
use callboard::ports::{
    Commit, CommitError, Committed, Delivery, Envelope, LEASE_MS, Lane, Outgoing, Ports, Read, Records, Settle,
};
use callboard::{
    Datum, Effects, Empty, Env, Fault, Flow, Host, Id, Kind, Msg, Principal, Reply, Service, Space, Statement, Tenant,
    Uri, event, params,
};
use callboard_engines::blobs::LocalBlobs;
use callboard_engines::clock::ManualClock;
use callboard_engines::entropy::{SeededEntropy, SystemEntropy};
use callboard_engines::live::LocalLive;
use callboard_engines::machine::LocalMachine;
use callboard_engines::postgres::{self, Postgres};
use callboard_engines::sqlite::{self, Sqlite};
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

/// The moment at which every case plays.
pub(crate) const NOW_MS: i64 = 1_767_225_600_000;

pub(crate) const SCHEMA: &str = "CREATE TABLE box (tenant TEXT NOT NULL, name TEXT NOT NULL, stock BIGINT NOT NULL,
      PRIMARY KEY (tenant, name));
    CREATE TABLE line (tenant TEXT NOT NULL, place BIGINT NOT NULL, text TEXT, weight DOUBLE PRECISION,
      PRIMARY KEY (tenant, place));";

pub(crate) static MAKE: Statement =
    Statement::write("make", &["box"], "INSERT INTO box (tenant, name, stock) VALUES ($tenant, $1, $2)");
pub(crate) static SET: Statement =
    Statement::write("set", &["box"], "UPDATE box SET stock = $1 WHERE tenant = $tenant AND stock >= $2");
pub(crate) static TAKE: Statement = Statement::write(
    "take",
    &["box"],
    "UPDATE box SET stock = stock - 1 WHERE tenant = $tenant AND name = $1 AND stock > 0 RETURNING stock",
);
pub(crate) static STOCK: Statement =
    Statement::read("stock", &["box"], "SELECT stock FROM box WHERE tenant = $tenant AND name = $1");
pub(crate) static SOME: Statement = Statement::read(
    "some",
    &["box"],
    "SELECT name FROM box WHERE tenant = $tenant AND name IN (SELECT value FROM json_each($1)) ORDER BY name",
);
pub(crate) static WRITE: Statement = Statement::write(
    "write",
    &["line"],
    "INSERT INTO line (tenant, place, text, weight)
     SELECT $tenant, coalesce(max(place), 0) + 1, $1, $2 FROM line WHERE tenant = $tenant",
);
pub(crate) static LINES: Statement =
    Statement::read("lines", &["line"], "SELECT text, weight FROM line WHERE tenant = $tenant ORDER BY place");

/// The service of the cases.
pub(crate) fn service() -> Service {
    Service::new("shop")
        .tenants_tables(&["box", "line"])
        .migration("0001_shop", SCHEMA)
        .statements(&[&MAKE, &SET, &TAKE, &STOCK, &SOME, &WRITE, &LINES])
        .flow(Flow::new("parcel").step("pack", pack).no_undo("nothing is done"))
}

async fn pack(_: Env, _: Msg<Empty>) -> Result<Reply, Fault> {
    Ok(Reply::nothing())
}

/// An engine under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// Records that are open, and where they are.
pub(crate) struct Stage {
    pub(crate) records: Arc<dyn Records>,
    pub(crate) place: Place,
    /// What was taken behind others of its lane.
    behind: Mutex<VecDeque<Delivery>>,
}

/// Where records are: opened again, they hold what they held.
pub(crate) enum Place {
    Folder(tempfile::TempDir),
    Schema(String),
}

/// The address of the PostgreSQL that the tests may use.
pub(crate) fn postgres_url() -> String {
    std::env::var("CALLBOARD_TEST_POSTGRES")
        .expect("CALLBOARD_TEST_POSTGRES names no PostgreSQL; `cargo xtask test` installs one and starts it")
}

/// A schema of its own for every case.
fn new_schema() -> String {
    format!("Case_{:016x}", getrandom::u64().expect("randomness of the operating system"))
}

pub(crate) fn postgres(url: &str, schema: &str) -> Arc<Postgres> {
    let options =
        postgres::Options { url: url.to_owned(), schema: schema.to_owned(), connections: 6, lease_ms: LEASE_MS };
    Arc::new(Postgres::new(options, Arc::new(SystemEntropy::new())))
}

impl Place {
    pub(crate) fn new(engine: Engine) -> Self {
        match engine {
            Engine::Sqlite => Self::Folder(tempfile::tempdir().expect("a scratch folder")),
            Engine::Postgres => Self::Schema(new_schema()),
        }
    }

    /// Opens what is there.
    pub(crate) async fn open(&self, service: Service) -> Result<Arc<dyn Records>, Fault> {
        let records: Arc<dyn Records> = match self {
            Self::Folder(folder) => {
                let options = sqlite::Options { file: Some(folder.path().join("records.db")), readers: 2 };
                Arc::new(Sqlite::new(options, Arc::new(SeededEntropy::new(1))))
            }
            Self::Schema(schema) => postgres(&postgres_url(), schema),
        };
        let space = Space::new(vec![service]).unwrap_or_else(|error| panic!("{error}"));
        records.open(Arc::new(space)).await?;
        Ok(records)
    }
}

impl Stage {
    pub(crate) async fn new(engine: Engine) -> Self {
        let place = Place::new(engine);
        let records = place.open(service()).await.unwrap_or_else(|fault| panic!("{fault:?}"));
        Self::on(records, place)
    }

    /// Records that are open already.
    pub(crate) fn on(records: Arc<dyn Records>, place: Place) -> Self {
        Self { records, place, behind: Mutex::default() }
    }

    /// The records of another process that works on the same, where the engine allows that.
    pub(crate) async fn another(&self) -> Arc<dyn Records> {
        match self.place {
            Place::Folder(_) => self.records.clone(),
            Place::Schema(_) => self.place.open(service()).await.unwrap_or_else(|fault| panic!("{fault:?}")),
        }
    }

    pub(crate) async fn write(&self, effects: impl Into<Effects>) -> Result<Committed, CommitError> {
        self.records.commit(commit(effects)).await
    }

    pub(crate) async fn stock(&self, name: &str) -> i64 {
        match self.read(&STOCK, params![name]).await.first().and_then(|row| row.first()) {
            Some(Datum::Int(stock)) => *stock,
            other => panic!("no stock of {name}: {other:?}"),
        }
    }

    pub(crate) async fn read(&self, statement: &'static Statement, params: Vec<Datum>) -> Vec<Vec<Datum>> {
        self.read_in("demo", statement, params).await
    }

    pub(crate) async fn read_in(
        &self,
        tenant: &str,
        statement: &'static Statement,
        params: Vec<Datum>,
    ) -> Vec<Vec<Datum>> {
        let reads = vec![Read { statement, params }];
        let mut rows =
            self.records.query(&Tenant::new(tenant), reads).await.unwrap_or_else(|fault| panic!("{fault:?}"));
        rows.remove(0).rows
    }

    pub(crate) async fn lines(&self) -> Vec<String> {
        let text = |row: Vec<Datum>| match row.into_iter().next() {
            Some(Datum::Text(text)) => text.to_string(),
            other => panic!("no text: {other:?}"),
        };
        self.read(&LINES, params![]).await.into_iter().map(text).collect()
    }

    /// Queues a message for a target, FIFO by a key.
    pub(crate) async fn send(&self, target: &str, key: &str, data: Value) {
        self.queue(vec![message(target, key, data)]).await;
    }

    pub(crate) async fn queue(&self, outbox: Vec<Outgoing>) {
        let done = self.records.commit(Commit { outbox, ..commit(Effects::new()) }).await;
        done.unwrap_or_else(|error| panic!("{error:?}"));
    }

    pub(crate) async fn claim(&self, limit: usize) -> Vec<Delivery> {
        self.claim_at(limit, NOW_MS).await
    }

    /// The next message of the only lane that waits: one that was taken already, or by a new claim.
    pub(crate) async fn next(&self) -> Delivery {
        let taken = self.behind.lock().expect("unpoisoned").pop_front();
        match taken {
            Some(taken) => taken,
            None => {
                let mut taken = self.claim(1).await;
                let first = taken.remove(0);
                self.behind.lock().expect("unpoisoned").extend(taken);
                first
            }
        }
    }

    pub(crate) async fn claim_at(&self, limit: usize, now_ms: i64) -> Vec<Delivery> {
        self.records.claim(limit, &[], now_ms).await.unwrap_or_else(|fault| panic!("{fault:?}"))
    }

    /// Settles a message and writes a line with it.
    pub(crate) async fn settle(&self, settle: Settle, line: &str) -> Result<Committed, CommitError> {
        settle_on(&*self.records, settle, line).await
    }
}

pub(crate) async fn settle_on(records: &dyn Records, settle: Settle, line: &str) -> Result<Committed, CommitError> {
    let effects = Effects::from(WRITE.with(params![line, 1.0]));
    records.commit(Commit { settle: Some(settle), ..commit(effects) }).await
}

/// A new id.
pub(crate) fn id() -> Id {
    let mut random = [0; 10];
    getrandom::fill(&mut random).expect("randomness of the operating system");
    Id::from_parts(NOW_MS, random)
}

pub(crate) fn commit(effects: impl Into<Effects>) -> Commit {
    commit_in("demo", effects)
}

pub(crate) fn commit_in(tenant: &str, effects: impl Into<Effects>) -> Commit {
    let head = Msg::new(Kind::Post, Uri::root(), Tenant::new(tenant), id(), NOW_MS).head;
    Commit {
        service: "shop",
        head,
        effects: effects.into(),
        outbox: Vec::new(),
        settle: None,
        moves: Vec::new(),
        once: None,
        is_passing: false,
        now_ms: NOW_MS,
    }
}

pub(crate) fn message(target: &str, key: &str, data: Value) -> Outgoing {
    let lane = Lane { service: "shop", target: target.to_owned(), key: key.to_owned(), at_ms: None, is_sole: false };
    Outgoing { envelope: envelope("sent", data).into(), lanes: vec![lane], is_event: false }
}

pub(crate) fn envelope(kind: &'static str, data: Value) -> Envelope {
    Envelope {
        id: id(),
        source: "service/shop".into(),
        kind: event(kind),
        uri: Uri::parse("/boxes/tea").expect("a URI"),
        time_ms: NOW_MS,
        tenant: Tenant::new("demo"),
        principal: Principal::Nobody,
        correlation: id(),
        traceparent: None,
        causation: None,
        hops: 0,
        data,
        dataref: None,
    }
}

/// Numbers as data of messages.
pub(crate) fn number(at: usize) -> Value {
    json!(at)
}

/// A process with functions on records, whose clock a test moves.
pub(crate) struct Town {
    pub(crate) host: Host,
    pub(crate) clock: Arc<ManualClock>,
    _work: tempfile::TempDir,
}

impl Town {
    pub(crate) async fn new(records: Arc<dyn Records>, service: Service, outside: Arc<dyn Outside>) -> Self {
        let (work, clock) = (tempfile::tempdir().expect("a scratch folder"), Arc::new(ManualClock::new(NOW_MS)));
        let ports = Ports {
            records,
            blobs: Arc::new(LocalBlobs::in_memory()),
            live: Arc::new(LocalLive::new()),
            clock: clock.clone(),
            entropy: Arc::new(SystemEntropy::new()),
            machine: Arc::new(LocalMachine::new(work.path()).expect("a place to work")),
            outside,
        };
        let host = Host::builder(ports).service(service).settings(HashMap::new()).build().await;
        Self { host: host.unwrap_or_else(|fault| panic!("{fault:?}")), clock, _work: work }
    }
}
