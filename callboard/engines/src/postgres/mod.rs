//! Records and kernel on PostgreSQL: any number of processes on one database, each with a few connections.
//!
//! The services' SQL is the same as on the other engine; the kernel's is its own and mostly functions of the server, so that a
//! commit goes in few round trips. Claims are leases in the rows of the lanes.

mod commit;
mod fault;
mod kernel;
mod operations;
mod pool;
mod schema;
mod sql;
mod statement;
mod tls;
mod value;
mod wake;

use callboard::ports::{
    BoxFuture, Commit, CommitError, Committed, Delivery, Entropy, Fate, LogPart, OnceKey, Operations, Read, Records,
    Retention, Seen, Settle,
};
use callboard::{Fault, Rows, Space, Tenant};
use pool::{Pool, Session, Target};
use statement::{Call, Ran, Ready, Statements, Unready, enter, pipelined};
use std::fmt;
use std::sync::{Arc, OnceLock};
use tokio::task::JoinSet;
use tokio_postgres::types::ToSql;
use wake::Wake;

/// Parameters of a statement of the kernel.
type Known<'a> = &'a [&'a (dyn ToSql + Sync)];

/// Where the records are, and how many connections may be open.
#[derive(Clone)]
pub struct Options {
    /// Such as `postgres://user:password@host:5432/name?sslmode=verify-full`.
    pub url: String,
    /// The schema that holds the tables; applications that share a database have different ones.
    pub schema: String,
    /// Most connections, beside one that listens.
    pub connections: usize,
    /// How long a process has a message before another may take it, unless it says that it is still at work, in milliseconds.
    pub lease_ms: i64,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Options({}, {} connections)", self.schema, self.connections)
    }
}

/// Records and kernel on PostgreSQL.
pub struct Postgres {
    options: Options,
    entropy: Arc<dyn Entropy>,
    wake: Wake,
    in_work: kernel::InWork,
    looked: kernel::Looked,
    open: OnceLock<Open>,
    is_deaf: bool,
}

struct Open {
    pool: Pool,
    space: Arc<Space>,
    statements: Statements,
    entropy: Arc<dyn Entropy>,
    _listening: JoinSet<()>,
}

impl Open {
    fn random(&self) -> [u8; 10] {
        let mut bytes = [0; 10];
        self.entropy.fill(&mut bytes);
        bytes
    }
}

impl Postgres {
    /// Records that are not opened yet: the host opens them with the space.
    pub fn new(options: Options, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            options,
            entropy,
            wake: Wake::default(),
            in_work: kernel::InWork::default(),
            looked: kernel::Looked::default(),
            open: OnceLock::new(),
            is_deaf: false,
        }
    }

    /// Neither listens to other processes nor tells them: for a process that is not resident, and is woken in another way.
    #[must_use]
    pub fn deaf(mut self) -> Self {
        self.is_deaf = true;
        self
    }

    /// The query plan of a statement of a service for values that are not known: for tests that no list scans a table.
    ///
    /// # Errors
    /// The store's fault.
    pub async fn plan(&self, sql: &str) -> Result<Vec<String>, Fault> {
        let translated = sql::translate(sql);
        let params = translated.params + usize::from(translated.has_tenant);
        let mut lease = self.opened()?.pool.lease().await?;
        let session = lease.session();
        let prefer_index = "SET plan_cache_mode TO force_generic_plan; SET enable_seqscan TO off";
        session.batch_execute(prefer_index).await.map_err(|error| fault::fault(&error))?;
        schema::explain(session, &translated.sql, params).await.map_err(|error| fault::fault(&error))
    }

    /// Runs SQL of an operator or a test and gives the first column of its rows as text.
    ///
    /// # Errors
    /// The store's fault.
    pub async fn inspect(&self, sql: &str) -> Result<Vec<String>, Fault> {
        use tokio_postgres::SimpleQueryMessage::Row;
        let mut lease = self.opened()?.pool.lease().await?;
        let said = lease.session().simple_query(sql).await.map_err(|error| fault::fault(&error))?;
        lease.give_back();
        let texts = said.into_iter().filter_map(|message| match message {
            Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
            _ => None,
        });
        Ok(texts.collect())
    }

    fn opened(&self) -> Result<&Open, Fault> {
        self.open.get().ok_or_else(|| Fault::bug("the records are used before they are open"))
    }

    async fn begin(&self, space: Arc<Space>) -> Result<(), Fault> {
        let pool = Pool::new(Target::new(&self.options.url, &self.options.schema)?, self.options.connections.max(1));
        pool.check_server().await?;
        let mut lease = pool.lease().await?;
        schema::migrate(lease.session(), pool.target(), &space).await?;
        schema::check(lease.session(), &space).await?;
        lease.give_back();
        let mut listening = JoinSet::new();
        if !self.is_deaf {
            listening.spawn(self.wake.clone().run(pool.shared_target()));
        }
        let statements = Statements::new(&space);
        let open = Open { pool, space, statements, entropy: self.entropy.clone(), _listening: listening };
        self.open.set(open).map_err(|_| Fault::bug("the records were opened twice"))
    }

    async fn read(&self, tenant: &Tenant, reads: &[Read]) -> Result<Vec<Rows>, Fault> {
        let open = self.opened()?;
        for is_last in [false, true] {
            let mut lease = open.pool.lease().await?;
            let result = snapshot(open, lease.session(), tenant, reads).await;
            if result.is_ok() || lease.session().batch_execute("ROLLBACK").await.is_ok() {
                lease.give_back();
            }
            match result {
                Ok(rows) => return Ok(rows),
                Err(Unready::Fault(fault)) => return Err(*fault),
                // The connection may have been lost long ago.
                Err(Unready::Store(error)) if !is_last && fault::is_gone(&error) => {}
                Err(Unready::Store(error)) => return Err(fault::fault(&error)),
            }
        }
        Err(fault::unavailable())
    }
}

/// Reads everything in one snapshot and one round trip.
async fn snapshot(open: &Open, session: &mut Session, tenant: &Tenant, reads: &[Read]) -> Result<Vec<Rows>, Unready> {
    let datum = statement::tenant_datum(tenant);
    let mut role = "none";
    let mut ready = Vec::with_capacity(reads.len());
    for read in reads {
        let known = open.statements.find(read.statement).map_err(|fault| Unready::Fault(Box::new(fault)))?;
        role = &known.role;
        ready.push(Ready::new(session, known, read.statement, &read.params, &datum).await?);
    }
    let session = &*session;
    let begin = format!("BEGIN READ ONLY ISOLATION LEVEL REPEATABLE READ; {}", enter(role, tenant));
    let mut calls: Vec<Call<'_, Result<Option<Ran>, tokio_postgres::Error>>> =
        vec![Box::pin(async { session.batch_execute(&begin).await.map(|()| None) })];
    for one in &ready {
        calls.push(Box::pin(async { one.run(session).await.map(Some) }));
    }
    calls.push(Box::pin(async { session.batch_execute("COMMIT").await.map(|()| None) }));
    let answers: Result<Vec<_>, _> = pipelined(calls).await.into_iter().collect();
    Ok(answers.map_err(Unready::Store)?.into_iter().flatten().map(|ran| ran.rows).collect())
}

impl Records for Postgres {
    fn open(&self, space: Arc<Space>) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(self.begin(space))
    }

    fn query<'a>(&'a self, tenant: &'a Tenant, reads: Vec<Read>) -> BoxFuture<'a, Result<Vec<Rows>, Fault>> {
        Box::pin(async move { self.read(tenant, &reads).await })
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Committed, CommitError>> {
        Box::pin(async move {
            let open = self.opened()?;
            let (settle, now_ms) = (commit.settle, commit.now_ms);
            let result = commit::run(open, commit).await;
            if let (Ok(_) | Err(CommitError::Stale), Some(settle)) = (&result, settle) {
                self.in_work.release(settle);
            }
            match (&result, settle) {
                (Ok(_), _) => self.wake.everywhere(),
                (Err(CommitError::Stale), Some(settle)) => self.note_stale(settle, now_ms).await?,
                _ => {}
            }
            result
        })
    }

    fn lease_ms(&self) -> i64 {
        self.options.lease_ms
    }

    fn seen<'a>(&'a self, key: &'a OnceKey, since_ms: i64) -> BoxFuture<'a, Result<Option<Seen>, Fault>> {
        Box::pin(self.remembered(key, since_ms))
    }

    fn claim<'a>(
        &'a self,
        limit: usize,
        busy: &'a [String],
        now_ms: i64,
    ) -> BoxFuture<'a, Result<Vec<Delivery>, Fault>> {
        Box::pin(self.take(limit, busy, now_ms))
    }

    fn renew<'a>(&'a self, claims: &'a [Settle], now_ms: i64) -> BoxFuture<'a, Result<Vec<Settle>, Fault>> {
        Box::pin(self.keep(claims, now_ms))
    }

    fn next_due<'a>(&'a self, busy: &'a [String]) -> BoxFuture<'a, Result<Option<i64>, Fault>> {
        Box::pin(self.next(busy))
    }

    fn fail(&self, settle: Settle, fate: Fate, now_ms: i64) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(self.end(settle, fate, now_ms))
    }

    fn sweep<'a>(&'a self, retention: &'a Retention, limit: u32, now_ms: i64) -> BoxFuture<'a, Result<u64, Fault>> {
        Box::pin(self.clean(retention, limit, now_ms))
    }

    fn needed(&self, blobs: Vec<String>) -> BoxFuture<'_, Result<Vec<String>, Fault>> {
        Box::pin(self.still_needed(blobs))
    }

    fn events(&self, after: Option<i64>, limit: u32) -> BoxFuture<'_, Result<LogPart, Fault>> {
        Box::pin(self.log(after, limit))
    }

    fn changed(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.wake.changed())
    }

    fn operations(&self) -> &dyn Operations {
        self
    }
}
