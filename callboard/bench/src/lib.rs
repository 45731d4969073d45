//! The desktop test bench: whole services in memory, in milliseconds, without HTTP, on the real engine code.
//!
//! Where `CALLBOARD_BENCH_RECORDS` names a PostgreSQL whose data may be thrown away, every bench keeps its records there instead, in
//! a schema of its own: so a suite shows that its service behaves alike on both engines.
//!
//! Time stands still until a test moves it, randomness is seeded, and queued messages are delivered when the test says so. What a
//! function gives is held against what its table describes: an answer, event or live message that is otherwise is `answer.invalid`.
//!
//! ```
//! # use callboard::{Empty, Env, Fault, Kind, Msg, Reply, Service, Stranger, Who};
//! async fn hello(_: Env, _: Msg<Empty>) -> Result<Reply<&'static str>, Fault> {
//!     Ok(Reply::ok("Hello, world"))
//! }
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(async {
//! let service = Service::new("hello").on(Kind::Get, "/hello", hello, Who::Anyone, Stranger::Denied);
//! let bench = callboard_bench::Bench::new(vec![service]).await;
//! assert_eq!(bench.nobody().get("/hello").await.expect("an answer").json(), "Hello, world");
//! # });
//! ```

use callboard::contract::Held;
use callboard::invocation::Recording;
use callboard::outside::Nobody;
use callboard::ports::{Entropy, LEASE_MS, Ports, Records};
use callboard::{Answer, Data, Fault, Host, HostBuilder, Kind, Msg, Principal, Service, Tenant, Uri};
use callboard_engines::blobs::LocalBlobs;
use callboard_engines::clock::ManualClock;
use callboard_engines::delivery;
use callboard_engines::entropy::{SeededEntropy, SystemEntropy};
use callboard_engines::live::LocalLive;
use callboard_engines::machine::LocalMachine;
use callboard_engines::postgres::{self, Postgres};
use callboard_engines::sqlite::{self, Sqlite};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;

/// The time at which every bench starts: 2026-01-01 00:00 UTC.
pub const START_MS: i64 = 1_767_225_600_000;

/// Names a PostgreSQL to keep the records of benches on.
pub const RECORDS: &str = "CALLBOARD_BENCH_RECORDS";

/// Where a bench keeps blobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// In memory: fastest.
    InMemory,
    /// As files of a scratch folder, for what depends on files.
    OnFiles,
}

/// The records of a bench.
enum Store {
    Sqlite(Arc<Sqlite>),
    Postgres(Arc<Postgres>),
}

impl Store {
    fn open(entropy: Arc<dyn Entropy>) -> Self {
        let Ok(url) = std::env::var(RECORDS) else {
            return Self::Sqlite(Arc::new(Sqlite::new(sqlite::Options { file: None, readers: 0 }, entropy)));
        };
        let mut secret = [0; 16];
        SystemEntropy::new().fill_secret(&mut secret);
        let schema = secret.iter().fold("bench_".to_owned(), |name, byte| format!("{name}{byte:02x}"));
        Self::Postgres(Arc::new(Postgres::new(
            postgres::Options { url, schema, connections: 4, lease_ms: LEASE_MS },
            entropy,
        )))
    }

    fn port(&self) -> Arc<dyn Records> {
        match self {
            Self::Sqlite(records) => records.clone(),
            Self::Postgres(records) => records.clone(),
        }
    }
}

/// An application on the bench.
pub struct Bench {
    host: Host,
    clock: Arc<ManualClock>,
    records: Store,
    tenant: Tenant,
    _work: tempfile::TempDir,
}

impl Bench {
    /// Puts services on the bench.
    ///
    /// # Panics
    /// Where they do not fit together: the message says why.
    pub async fn new(services: Vec<Service>) -> Self {
        Self::with_settings(services, HashMap::new()).await
    }

    /// Puts services on the bench with settings other than their defaults.
    ///
    /// # Panics
    /// As [`Bench::new`].
    pub async fn with_settings(services: Vec<Service>, settings: HashMap<String, String>) -> Self {
        Self::shaped(services, Kept::InMemory, |builder| builder.settings(settings)).await
    }

    /// Puts services on the bench, with blobs kept so, and with whatever else the host should have: handlers, a key.
    ///
    /// # Panics
    /// As [`Bench::new`].
    pub async fn shaped(services: Vec<Service>, blobs: Kept, shape: impl FnOnce(HostBuilder) -> HostBuilder) -> Self {
        let work = tempfile::tempdir().expect("a scratch folder for the bench");
        let clock = Arc::new(ManualClock::new(START_MS));
        let entropy = Arc::new(SeededEntropy::new(7));
        let records = Store::open(entropy.clone());
        let blobs = match blobs {
            Kept::InMemory => LocalBlobs::in_memory(),
            Kept::OnFiles => LocalBlobs::open(&work.path().join("blobs")).expect("a folder for blobs"),
        };
        let ports = Ports {
            records: records.port(),
            blobs: Arc::new(blobs),
            live: Arc::new(LocalLive::new()),
            clock: clock.clone(),
            entropy,
            machine: Arc::new(LocalMachine::new(&work.path().join("scratch")).expect("a scratch folder for programs")),
            outside: Arc::new(Nobody),
        };
        let home = Tenant::new("demo");
        let host = shape(Host::builder(ports).home(home.clone()).services(services).held(Held::Refused)).build().await;
        let host = host.unwrap_or_else(|fault| panic!("{fault}"));
        Self { host, clock, records, tenant: home, _work: work }
    }

    /// The host, for gateways under test.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Time: stands still until it is moved.
    pub fn clock(&self) -> &ManualClock {
        &self.clock
    }

    /// The tenant every actor is in, unless it says otherwise.
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// The query plan of a statement.
    ///
    /// # Panics
    /// Where the statement cannot be prepared.
    pub async fn plan(&self, statement: &'static callboard::Statement) -> Vec<String> {
        let plan = match &self.records {
            Store::Sqlite(records) => records.plan(statement.sql).await,
            Store::Postgres(records) => records.plan(statement.sql).await,
        };
        plan.unwrap_or_else(|fault| panic!("{fault:?}"))
    }

    /// The first column of what SQL on the kernel's tables gives, such as dead letters.
    ///
    /// # Panics
    /// Where the SQL is wrong.
    pub async fn inspect(&self, sql: &'static str) -> Vec<String> {
        let found = match &self.records {
            Store::Sqlite(records) => records.inspect(sql).await,
            Store::Postgres(records) => records.inspect(sql).await,
        };
        found.unwrap_or_else(|fault| panic!("{fault:?}"))
    }

    /// Every event and message that the records hold, the oldest first, as JSON.
    ///
    /// # Panics
    /// Where the records fail.
    pub async fn messages(&self) -> Vec<Value> {
        let stored = self.inspect("SELECT envelope FROM kernel_event ORDER BY event").await;
        stored.iter().map(|text| serde_json::from_str(text).expect("a message of ours is JSON")).collect()
    }

    /// Replays a recording of an invocation, as JSON, and tells what differs; nothing where all is as it was.
    ///
    /// # Panics
    /// Where it is no recording, or cannot be replayed.
    pub async fn replay(&self, recording: &str) -> Vec<String> {
        let recording: Recording = serde_json::from_str(recording).expect("a recording");
        let replayed = self.host.replay(&recording).await.unwrap_or_else(|fault| panic!("{fault}"));
        let told = replayed.differences.iter();
        told.map(ToString::to_string).chain(replayed.reads).collect()
    }

    /// Delivers every message that is due, and those they cause, until nothing is due. Gives how many.
    ///
    /// # Panics
    /// Where the records fail.
    pub async fn settle(&self) -> usize {
        delivery::drain(&self.host).await.unwrap_or_else(|fault| panic!("{fault:?}"))
    }

    /// Moves time on and delivers what becomes due.
    pub async fn wait_ms(&self, time_ms: i64) -> usize {
        self.clock.advance(time_ms);
        self.settle().await
    }

    fn actor(&self, principal: Principal) -> Actor<'_> {
        Actor { bench: self, principal, tenant: self.tenant.clone(), meta: Vec::new() }
    }

    /// Nobody is signed in.
    pub fn nobody(&self) -> Actor<'_> {
        self.actor(Principal::Nobody)
    }

    /// A person with these roles.
    pub fn person(&self, id: &str, roles: &[&str]) -> Actor<'_> {
        self.actor(Principal::person(id, roles))
    }

    /// A viewer named `viewer`.
    pub fn viewer(&self) -> Actor<'_> {
        self.person("viewer", &["viewer"])
    }

    /// An editor named `editor`.
    pub fn editor(&self) -> Actor<'_> {
        self.person("editor", &["viewer", "editor"])
    }

    /// An owner named `owner`.
    pub fn owner(&self) -> Actor<'_> {
        self.person("owner", &["viewer", "editor", "owner"])
    }

    /// One of our own services.
    pub fn service(&self) -> Actor<'_> {
        self.actor(Principal::Service("bench".into()))
    }
}

/// Replays a recording on a bench of its own, as [`Bench::replay`], for tests that do nothing else.
///
/// # Panics
/// As [`Bench::new`] and [`Bench::replay`].
pub fn replay(services: Vec<Service>, recording: &str) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { Bench::new(services).await.replay(recording).await })
}

/// Somebody who calls.
#[derive(Clone)]
pub struct Actor<'a> {
    bench: &'a Bench,
    principal: Principal,
    tenant: Tenant,
    meta: Vec<(String, String)>,
}

impl Actor<'_> {
    /// Who it is.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The same somebody in another tenant.
    #[must_use]
    pub fn in_tenant(mut self, name: &str) -> Self {
        self.tenant = Tenant::new(name);
        self
    }

    /// The same somebody, sending a transport attribute such as `if-match`.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.meta.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same person in a session.
    #[must_use]
    pub fn in_session(mut self, name: &str) -> Self {
        if let Principal::Person { session, .. } = &mut self.principal {
            *session = Some(Arc::from(name));
        }
        self
    }

    /// Sends a message and gives the answer; messages it queued wait for [`Bench::settle`].
    ///
    /// # Errors
    /// The fault the caller gets.
    pub async fn send(&self, kind: Kind, uri: &str, data: Data) -> Result<Answer, Fault> {
        self.bench.host.run(self.message(kind, uri, data)?).await
    }

    /// Sends a message through the handlers of the host, as a gateway does.
    ///
    /// # Errors
    /// The fault the caller gets.
    pub async fn outside(&self, kind: Kind, uri: &str, data: Data) -> Result<Answer, Fault> {
        self.bench.host.dispatch(self.message(kind, uri, data)?).await
    }

    fn message(&self, kind: Kind, uri: &str, data: Data) -> Result<Msg, Fault> {
        let mut msg = self.bench.host.message(kind, Uri::parse(uri)?, self.tenant.clone()).with_data(data);
        let head = msg.head_mut();
        head.principal = self.principal.clone();
        head.source = "bench".into();
        head.meta = self.meta.iter().map(|(name, value)| (name.clone().into(), value.clone())).collect();
        Ok(msg)
    }

    /// Reads; a query may follow `?`.
    ///
    /// # Errors
    /// The fault the caller gets.
    pub async fn get(&self, uri: &str) -> Result<Answer, Fault> {
        self.read(Kind::Get, uri).await
    }

    /// Opens a page.
    ///
    /// # Errors
    /// The fault the caller gets.
    pub async fn page(&self, uri: &str) -> Result<Answer, Fault> {
        self.read(Kind::Page, uri).await
    }

    async fn read(&self, kind: Kind, uri: &str) -> Result<Answer, Fault> {
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        self.send(kind, path, Data::form(query.to_owned())).await
    }

    /// Sends the form of a page, as `name=value&…`.
    ///
    /// # Errors
    /// The fault the caller gets.
    pub async fn form(&self, uri: &str, fields: &str) -> Result<Answer, Fault> {
        self.send(Kind::Form, uri, Data::form(fields.to_owned())).await
    }

    /// Posts JSON.
    ///
    /// # Errors
    /// The fault the caller gets.
    pub async fn post(&self, uri: &str, data: Value) -> Result<Answer, Fault> {
        self.send(Kind::Post, uri, Data::json(&data)).await
    }

    /// Puts JSON.
    ///
    /// # Errors
    /// The fault the caller gets.
    pub async fn put(&self, uri: &str, data: Value) -> Result<Answer, Fault> {
        self.send(Kind::Put, uri, Data::json(&data)).await
    }

    /// Patches with JSON.
    ///
    /// # Errors
    /// The fault the caller gets.
    pub async fn patch(&self, uri: &str, data: Value) -> Result<Answer, Fault> {
        self.send(Kind::Patch, uri, Data::json(&data)).await
    }

    /// Deletes.
    ///
    /// # Errors
    /// The fault the caller gets.
    pub async fn delete(&self, uri: &str) -> Result<Answer, Fault> {
        self.send(Kind::Delete, uri, Data::EMPTY).await
    }
}
