//! Servers in processes of their own, so that what they cost is told apart from what the load costs.

use crate::{hello, idle, records, three};
use callboard::{Host, Ports, Service, Tenant};
use callboard_engines::clock::SystemClock;
use callboard_engines::delivery;
use callboard_engines::recordings::{FileRecordings, Limits};
use callboard_gateways::http::{self, HttpOptions, Tenants};
use callboard_handlers::{ApiKeys, Authenticate, Conditions, Idempotency, Meter, Rate, RateLimit, Rates, Tracing};
use std::future::pending;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// The word with which this program starts itself as a server.
pub(crate) const ROLE: &str = "serve";
/// Ours.
pub(crate) const CALLBOARD: &str = "callboard";
/// The peer.
pub(crate) const AXUM: &str = "axum";
/// Ours with flows.
pub(crate) const FLOWS: &str = "flows";
/// Ours with flows, on the PostgreSQL that `POSTGRES` names.
pub(crate) const FLOWS_ON_POSTGRES: &str = "flows-postgres";
/// Where whoever measures says which PostgreSQL may be filled.
pub(crate) const POSTGRES: &str = "FIGURES_POSTGRES";
/// Ours with nothing to do.
pub(crate) const IDLE: &str = "idle";

/// A server that ends when this is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts one on a free port of this machine.
    pub(crate) fn start(name: &str, data: &Path) -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        command.args([ROLE, name]).arg(data).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("cannot start {name}: {error}"))?;
        let mut line = String::new();
        let out = child.stdout.take().ok_or("a server has no output")?;
        BufReader::new(out).read_line(&mut line).map_err(|error| error.to_string())?;
        match line.trim().parse() {
            Ok(address) => Ok(Self { child, address }),
            Err(_) => Err(format!("{name} does not start")),
        }
    }

    /// CPU time it has taken, of user and kernel.
    pub(crate) fn cpu_time(&self) -> Result<Duration, String> {
        let file = format!("/proc/{}/stat", self.child.id());
        let text = std::fs::read_to_string(&file).map_err(|error| format!("cannot read {file}: {error}"))?;
        // The name of the program stands in parentheses and may hold anything.
        let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok());
        let (user, system) = ticks(11).zip(ticks(12)).ok_or_else(|| format!("{file} is not as expected"))?;
        // A tick is 10 ms in what Linux shows to programs, on every machine we build for.
        Ok(Duration::from_millis((user + system) * 10))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its input closes, and it ends.
        drop(self.child.stdin.take());
        drop(self.child.wait());
    }
}

/// Serves until standard input is closed.
pub(crate) fn run(name: &str, data: &Path) -> Result<(), String> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| error.to_string())?;
    std::thread::spawn(|| {
        let mut rest = Vec::new();
        drop(std::io::stdin().read_to_end(&mut rest));
        std::process::exit(0);
    });
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        writeln!(std::io::stdout(), "{address}").map_err(|error| error.to_string())?;
        match name {
            AXUM => axum::serve(listener, hello::router()).await.map_err(|error| error.to_string()),
            FLOWS => serve_delivering(three::service(three::ON_FILES), records::on_disk(data)?, listener).await,
            FLOWS_ON_POSTGRES => {
                let url = std::env::var(POSTGRES).map_err(|_| format!("{POSTGRES} names no PostgreSQL"))?;
                serve_delivering(three::service(three::ON_POSTGRES), records::on_postgres(data, url)?, listener).await
            }
            IDLE => serve_delivering(idle::service(), records::on_disk(data)?, listener).await,
            _ => serve_callboard(data, listener).await,
        }
    })
}

/// Everything that a request goes through in the real binary: all handlers in their order, counted, and recorded as one in a
/// thousand is. The limit of the tenant is counted and never hit.
async fn serve_callboard(data: &Path, listener: TcpListener) -> Result<(), String> {
    let filter = tracing_subscriber::EnvFilter::new("info");
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).json().init();
    let ports = records::on_disk(data)?;
    let recordings = FileRecordings::open(&data.join("recordings"), Limits::default(), Arc::new(SystemClock));
    let recordings = recordings.map_err(|fault| fault.to_string())?;
    let (plenty, address) = (Rate::per_minute(60_000_000), Rate::per_minute(12_000));
    let host = Host::builder(ports)
        .service(hello::service())
        .recorder(Arc::new(recordings))
        .handler(Meter::new())
        .handler(Tracing)
        .handler(ApiKeys::new())
        .handler(Authenticate::new())
        .handler(RateLimit::new(Rates { tenant: plenty, person: plenty, address, secrets: address }))
        .handler(Idempotency)
        .handler(Conditions)
        .build()
        .await;
    let tenants = Tenants::Resolved { default: Some(Tenant::new("demo")), suffix: "localhost".to_owned() };
    http::serve(host.map_err(|fault| fault.to_string())?, HttpOptions::new(tenants), listener, pending()).await;
    Ok(())
}

/// A service over HTTP, with the loop that delivers.
async fn serve_delivering(service: Service, ports: Ports, listener: TcpListener) -> Result<(), String> {
    let host = Host::builder(ports).service(service).build().await;
    let host = host.map_err(|fault| fault.to_string())?;
    tokio::spawn(delivery::run(host.clone(), pending()));
    http::serve(host, HttpOptions::new(Tenants::Only(Tenant::new("demo"))), listener, pending()).await;
    Ok(())
}
