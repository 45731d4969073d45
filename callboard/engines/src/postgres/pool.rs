//! Connections: a few, each with its prepared statements, made when they are needed and after a failure not at once again.

use super::fault::{detail, is_tls, overrun, unavailable};
use super::sql::{literal, quoted};
use super::tls;
use callboard::Fault;
use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, Connection, Error, Socket, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

/// The oldest server that has everything that is used here.
const VERSION_MIN: i32 = 140_000;
/// Pauses after failures to connect: they double from the first to the longest.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// How long a caller waits for a connection that others use.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is spoken over, with TLS or without.
type Stream = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;

/// How to connect, and as whom tables are made.
pub(super) struct Target {
    config: Config,
    tls: MakeRustlsConnect,
    pub(super) schema: String,
}

impl Target {
    /// Reads an address such as `postgres://user:password@host:5432/name`.
    pub(super) fn new(url: &str, schema: &str) -> Result<Self, Fault> {
        let wrong = |what: &str| {
            let message = format!("the address of the records {what}; write `postgres://USER:PASSWORD@HOST:5432/NAME`");
            Fault::bad_input("settings", message)
        };
        let (url, wish) = tls::split(url).map_err(|what| wrong(&what))?;
        // The library's own words may repeat the address, and with it the password.
        let mut config: Config = url.parse().map_err(|_| wrong("cannot be read"))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(wrong("names no host"));
        }
        config.ssl_mode(wish.mode);
        let tls = wish.connector().map_err(|what| wrong(&what))?;
        config.connect_timeout(Duration::from_secs(5)).keepalives_idle(Duration::from_secs(30));
        config.tcp_user_timeout(Duration::from_secs(30)).application_name(format!("callboard {schema}"));
        Ok(Self { config, tls, schema: schema.to_owned() })
    }

    /// Opens a connection and sets what holds for all of its life.
    pub(super) async fn connect(&self) -> Result<(Client, Connection<Socket, Stream>), Error> {
        self.config.connect(self.tls.clone()).await
    }

    /// What holds for all of a connection's life. A commit that was acknowledged is on the disk, whatever the server's default.
    pub(super) fn settings(&self) -> String {
        format!(
            "SET search_path TO {schema}; SET statement_timeout TO '30s'; SET lock_timeout TO '10s';
             SET idle_in_transaction_session_timeout TO '60s'; SET jit TO off; SET TimeZone TO 'UTC';
             SET default_transaction_isolation TO 'read committed'; SET client_min_messages TO warning;
             SET standard_conforming_strings TO on;
             SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = {off}",
            schema = quoted(&self.schema),
            off = literal("off"),
        )
    }
}

/// One connection with the statements that are prepared on it.
pub(super) struct Session {
    client: Client,
    statements: HashMap<String, Statement>,
}

impl Session {
    /// The statement of this text, prepared once.
    pub(super) async fn prepare(&mut self, sql: &str) -> Result<Statement, Error> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await?;
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

impl Deref for Session {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

/// The connections.
pub(super) struct Pool {
    target: Arc<Target>,
    places: Semaphore,
    idle: Mutex<Vec<Session>>,
    away: Mutex<Away>,
}

/// Since when the server cannot be reached, in a way.
#[derive(Default)]
struct Away {
    until: Option<Instant>,
    pause: Duration,
}

/// A connection that is used by one caller. It goes back only where the caller says that nothing is left open on it.
pub(super) struct Lease<'a> {
    pool: &'a Pool,
    session: Option<Session>,
    is_clean: bool,
    _place: SemaphorePermit<'a>,
}

impl Pool {
    pub(super) fn new(target: Target, connections: usize) -> Self {
        Self {
            target: Arc::new(target),
            places: Semaphore::new(connections),
            idle: Mutex::default(),
            away: Mutex::default(),
        }
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    pub(super) fn shared_target(&self) -> Arc<Target> {
        self.target.clone()
    }

    /// A connection that nobody else uses.
    pub(super) async fn lease(&self) -> Result<Lease<'_>, Fault> {
        let place = tokio::time::timeout(PATIENCE, self.places.acquire()).await;
        let place = place.map_err(|_| overrun())?;
        let place = place.map_err(|_| unavailable())?;
        let session = match self.take_idle() {
            Some(session) => session,
            None => self.connect().await?,
        };
        Ok(Lease { pool: self, session: Some(session), is_clean: false, _place: place })
    }

    fn take_idle(&self) -> Option<Session> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|session| !session.is_closed());
        idle.pop()
    }

    async fn connect(&self) -> Result<Session, Fault> {
        if self.away().until.is_some_and(|until| Instant::now() < until) {
            return Err(unavailable().detail("the last attempt to connect failed a moment ago"));
        }
        let connected = self.begin().await;
        let mut away = self.away();
        match connected {
            Ok(client) => {
                *away = Away::default();
                Ok(Session { client, statements: HashMap::new() })
            }
            Err(error) => {
                away.pause = (away.pause * 2).clamp(PAUSE_MIN, PAUSE_MAX);
                away.until = Some(Instant::now() + away.pause);
                Err(unavailable().detail(detail(&error)))
            }
        }
    }

    fn away(&self) -> std::sync::MutexGuard<'_, Away> {
        self.away.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn begin(&self) -> Result<Client, Error> {
        let (client, connection) = self.target.connect().await?;
        // It ends when the client is dropped; why it ended, the client's next call hears.
        tokio::spawn(async move { drop(connection.await) });
        client.batch_execute(&self.target.settings()).await?;
        Ok(client)
    }

    /// Connects for the first time, and says in words what keeps it from that.
    pub(super) async fn check_server(&self) -> Result<(), Fault> {
        let client = self.begin().await.map_err(|error| unreachable(&error))?;
        let row = client.query_one(
            "SELECT current_setting('server_version_num')::integer, current_setting('server_version'), pg_is_in_recovery()",
            &[],
        );
        let row = row.await.map_err(|error| unreachable(&error))?;
        let (number, version, is_replica): (i32, String, bool) = (row.get(0), row.get(1), row.get(2));
        if number < VERSION_MIN {
            let message = format!("the records are on PostgreSQL {version}, which is too old; use version 14 or newer");
            return Err(Fault::bad_input("start", message));
        }
        if is_replica {
            return Err(Fault::bad_input("start", "the records are on a replica that only reads; name the primary"));
        }
        Ok(())
    }
}

fn unreachable(error: &Error) -> Fault {
    let code = error.code();
    let is = |wanted: &[SqlState]| code.is_some_and(|code| wanted.contains(code));
    let message = if is(&[SqlState::INVALID_PASSWORD, SqlState::INVALID_AUTHORIZATION_SPECIFICATION]) {
        "PostgreSQL refuses the user or the password of the records' address; put them right in `records`"
    } else if is(&[SqlState::INVALID_CATALOG_NAME]) {
        "there is no such database in PostgreSQL; create the one that `records` names, or name another"
    } else if is_tls(error) {
        "there is no TLS to PostgreSQL as the records' address wants it; put `sslmode`, `sslrootcert` or the server right"
    } else {
        "PostgreSQL cannot be reached at the records' address; start it, or put the address right in `records`"
    };
    Fault::unavailable("records.unavailable", message).detail(detail(error))
}

impl Lease<'_> {
    /// Gives the connection back for others: no transaction is open on it.
    pub(super) fn give_back(mut self) {
        self.is_clean = true;
    }

    pub(super) fn session(&mut self) -> &mut Session {
        self.session.as_mut().expect("a lease has its session until it is dropped")
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if let Some(session) = self.session.take().filter(|session| self.is_clean && !session.is_closed()) {
            self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(session);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_cannot_be_used_is_refused_without_telling_the_password() {
        for url in ["postgres://me:s3cret@:bad", "me:s3cret", "postgres://me:s3cret@host/x?sslmode=allow"] {
            let fault = Target::new(url, "callboard").err().expect("refused");
            assert_eq!(fault.code, "settings");
            assert!(!format!("{fault:?}").contains("s3cret"), "{fault:?}");
        }
        assert!(Target::new("postgres://me:s3cret@localhost/x", "callboard").is_ok());
    }
}
