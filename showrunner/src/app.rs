//! Assembly: which services there are, which engines stand behind them, in one process.

use crate::cost::{self, Traffic};
use crate::settings::Settings;
use crate::{explain, forgetting, functions, gate, policy};
use callboard::contract::Held;
use callboard::outside::Nobody;
use callboard::ports::{LEASE_MS, Ports, Records};
use callboard::{Fault, Host, HostBuilder, Service, SigningKey, Tenant, Uri};
use callboard_engines::blobs::LocalBlobs;
use callboard_engines::clock::SystemClock;
use callboard_engines::entropy::SystemEntropy;
use callboard_engines::folder::DataFolder;
use callboard_engines::live::LocalLive;
use callboard_engines::machine::LocalMachine;
use callboard_engines::outside::HttpOutside;
use callboard_engines::postgres::{self, Postgres};
use callboard_engines::recordings::{FileRecordings, Limits};
use callboard_engines::sqlite::{self, Sqlite};
use callboard_handlers::{Collector, Exporter};
use callboard_hosts::{Options, Tails};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// A built file: its name with its hash, media type, content, and the same compressed with Brotli and gzip.
type Built = (&'static str, &'static str, &'static [u8], &'static [u8], &'static [u8]);

/// Built files.
pub(crate) static ASSETS: &[Built] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// Logical names of built files, and their names with their hashes.
static NAMES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/names.rs"));

/// Reader threads of the records in the data folder.
const READERS: usize = 2;

/// Connections to the records on PostgreSQL, beside one that listens.
const CONNECTIONS: usize = 16;

/// Connections of a function, of which there may be hundreds at once.
const CONNECTIONS_OF_FUNCTION: usize = 2;

/// Where AWS Lambda says how much memory a function is given, in megabytes.
const MEMORY: &str = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE";

/// Every service of the platform.
pub(crate) fn all_services() -> Vec<Service> {
    vec![
        callboard::operator::service(),
        crate::manual::service(),
        tenants::service(),
        identity::service(),
        access::service(),
        catalogue::service(),
        media::service(),
        watching::service(),
        payments::service(),
        site::service(),
        studio::service(),
    ]
}

/// The services that the settings choose.
pub(crate) fn chosen_services(settings: &Settings) -> Vec<Service> {
    let all = all_services();
    let wanted = settings.get("services");
    if wanted == "all" {
        return all;
    }
    let names: Vec<&str> = wanted.split(',').map(str::trim).collect();
    all.into_iter().filter(|service| names.contains(&service.name)).collect()
}

/// The application on its data folder, ready to dispatch.
pub(crate) struct App {
    pub(crate) host: Host,
    pub(crate) folder: DataFolder,
    pub(crate) traffic: Arc<Traffic>,
    /// Sends traces to a collector, where one is set.
    pub(crate) exporter: Option<Arc<Exporter>>,
    /// What functions in processes print, for whoever invokes them.
    pub(crate) tails: Tails,
}

/// Opens a data folder that is there already.
///
/// # Errors
/// `data.missing`, and what [`open`] refuses.
pub(crate) async fn open_existing(settings: &Settings) -> Result<App, Fault> {
    let data = settings.data();
    if !data.is_dir() {
        let message = format!(
            "there is no data folder {}; `showrunner tenant NAME --title TITLE{}` makes it with a first channel",
            data.display(),
            settings.data_option()
        );
        return Err(Fault::not_found("data.missing", message));
    }
    open(settings).await
}

/// Opens the data folder, making it where it is not there, and puts the host together.
///
/// # Errors
/// What is wrong with the folder, the settings or the services.
pub(crate) async fn open(settings: &Settings) -> Result<App, Fault> {
    open_as(settings, chosen_services(settings), true).await
}

/// As [`open`], with these services; whether the process stays, or is only there while somebody waits for it.
///
/// # Errors
/// As [`open`].
pub(crate) async fn open_as(settings: &Settings, mut services: Vec<Service>, is_resident: bool) -> Result<App, Fault> {
    let mut tails = Tails::default();
    if !settings.get("functions").is_empty() {
        let options = Options { private: vec![settings.data()], ..Options::default() };
        let functions = functions::load(Path::new(settings.get("functions")), options).await?;
        services.push(functions.service());
        tails = functions.tails;
    }
    let begun = begin(settings, services, is_resident)?;
    let forgetting = forgetting::service(begun.recordings.clone(), settings.has_shared_records());
    let key = signing_key(&begun.folder.join("key"))?;
    let complete = |builder: HostBuilder| {
        let builder = builder.service(forgetting).tenants(Uri::parse("/tenants")?);
        Ok(gate::handlers(builder, settings)?.assets(assets()).key(key))
    };
    begun.build(tails, complete).await
}

/// Opens the data folder for functions that run by themselves: only tokens say who acts, and there are no pages
/// but those about errors.
///
/// # Errors
/// As [`open`].
pub(crate) async fn open_functions(settings: &Settings, mut services: Vec<Service>) -> Result<App, Fault> {
    services.push(crate::manual::plain_service());
    let begun = begin(settings, services, true)?;
    let complete = |builder: HostBuilder| gate::handlers_without_accounts(builder.held(Held::Logged), settings);
    begun.build(Tails::default(), complete).await
}

/// An application before it is known who may do what in it.
struct Begun {
    builder: HostBuilder,
    folder: DataFolder,
    recordings: Arc<FileRecordings>,
    traffic: Arc<Traffic>,
    exporter: Option<Arc<Exporter>>,
}

impl Begun {
    async fn build(
        self,
        tails: Tails,
        complete: impl FnOnce(HostBuilder) -> Result<HostBuilder, Fault>,
    ) -> Result<App, Fault> {
        let Self { builder, folder, traffic, exporter, .. } = self;
        let host = complete(builder)?.build().await?;
        explain::restore(&host, &folder.join(explain::FILE));
        Ok(App { host, folder, traffic, exporter, tails })
    }
}

fn begin(settings: &Settings, mut services: Vec<Service>, is_resident: bool) -> Result<Begun, Fault> {
    if !settings.get("invoke").is_empty() {
        services.push(callboard_hosts::invoke::service());
    }
    let folder = DataFolder::open(&settings.data())?;
    let entropy = Arc::new(SystemEntropy::new());
    let ports = Ports {
        records: records(settings, &folder, entropy.clone(), is_resident),
        blobs: Arc::new(LocalBlobs::open(&settings.blobs())?),
        live: Arc::new(LocalLive::new()),
        clock: Arc::new(SystemClock),
        entropy: entropy.clone(),
        machine: Arc::new(LocalMachine::new(&folder.join("work"))?),
        outside: Arc::new(HttpOutside::new()),
    };
    let recordings = FileRecordings::open(&folder.join("recordings"), Limits::default(), Arc::new(SystemClock))?;
    let recordings = Arc::new(recordings);
    let traffic = Traffic::open(&folder.join("traffic.json"));
    let exporter = exporter(settings)?;
    let policy = policy::read(settings, &services)?;
    let mut builder = Host::builder(ports)
        .services(services)
        .service(cost::service(traffic.clone()))
        .policy(policy)
        .recorder(recordings.clone())
        .observer(traffic.clone())
        .home(Tenant::new(settings.get("tenant")))
        .memory_mb(std::env::var(MEMORY).ok().and_then(|mb| mb.parse().ok()))
        .settings(settings.for_services());
    if settings.get("callboard.capture") == "all" {
        builder = builder.held(Held::Logged);
    }
    if let Some(exporter) = &exporter {
        builder = builder.observer(exporter.clone());
    }
    Ok(Begun { builder, folder, recordings, traffic, exporter })
}

/// The application on nothing: records and blobs in memory, nobody outside, and a folder that is thrown away. What is replayed
/// there changes nothing.
///
/// # Errors
/// What is wrong with the settings or the services.
pub(crate) async fn on_the_desk(settings: &Settings, services: Vec<Service>, work: &Path) -> Result<Host, Fault> {
    let entropy = Arc::new(SystemEntropy::new());
    let ports = Ports {
        records: Arc::new(Sqlite::new(sqlite::Options { file: None, readers: 0 }, entropy.clone())),
        blobs: Arc::new(LocalBlobs::in_memory()),
        live: Arc::new(LocalLive::new()),
        clock: Arc::new(SystemClock),
        entropy,
        machine: Arc::new(LocalMachine::new(work)?),
        outside: Arc::new(Nobody),
    };
    let host = Host::builder(ports).services(services).home(Tenant::new(settings.get("tenant")));
    host.settings(settings.for_services()).assets(assets()).build().await
}

/// What sends traces, where the settings name a collector.
fn exporter(settings: &Settings) -> Result<Option<Arc<Exporter>>, Fault> {
    let endpoint = settings.get("otlp_endpoint");
    if endpoint.is_empty() {
        return Ok(None);
    }
    let part = settings.get("otlp_part").parse().unwrap_or(1.0);
    let collector = Collector::read(endpoint, settings.get("otlp_authorization"), part);
    collector.map(|collector| Some(Exporter::new(collector))).map_err(|what| Fault::bad_input("settings", what))
}

/// Addresses of built files by their logical names.
fn assets() -> HashMap<String, String> {
    NAMES.iter().map(|(logical, file)| ((*logical).to_owned(), format!("/assets/{file}"))).collect()
}

/// The records: on PostgreSQL where its address is set, otherwise in the data folder.
fn records(
    settings: &Settings,
    folder: &DataFolder,
    entropy: Arc<SystemEntropy>,
    is_resident: bool,
) -> Arc<dyn Records> {
    if !settings.has_shared_records() {
        let options = sqlite::Options { file: Some(folder.join("records.db")), readers: READERS };
        return Arc::new(Sqlite::new(options, entropy));
    }
    let (url, schema) = (settings.get("records").to_owned(), settings.get("records_schema").to_owned());
    let lease_ms = settings.get("records_lease_ms").parse().unwrap_or(LEASE_MS);
    let connections = if is_resident { CONNECTIONS } else { CONNECTIONS_OF_FUNCTION };
    let records = Postgres::new(postgres::Options { url, schema, connections, lease_ms }, entropy);
    Arc::new(if is_resident { records } else { records.deaf() })
}

/// Reads the key that signs passes, or makes it the first time. Its id is another one with every start: which passes were
/// taken back is remembered in memory only, so none from before counts any more. Players ask for new ones by themselves.
fn signing_key(file: &Path) -> Result<SigningKey, Fault> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let wrong =
        |what: String| Fault::unavailable("data.unwritable", format!("the signing key {} {what}", file.display()));
    match std::fs::read(file) {
        Ok(bytes) => {
            let key = bytes
                .try_into()
                .map_err(|_| wrong("does not have 32 bytes; restore it, or remove it to make a new one".to_owned()))?;
            Ok(SigningKey::new(id_of_start().map_err(wrong)?, key))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let mut key = [0; 32];
            getrandom::fill(&mut key).map_err(|error| wrong(format!("cannot be made: {error}")))?;
            let created = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
            let written = created.and_then(|mut made| made.write_all(&key).and_then(|()| made.sync_all()));
            written.map_err(|error| wrong(format!("cannot be written: {error}")))?;
            Ok(SigningKey::new(id_of_start().map_err(wrong)?, key))
        }
        Err(error) => Err(wrong(format!("cannot be read: {error}"))),
    }
}

fn id_of_start() -> Result<String, String> {
    let number = getrandom::u64().map_err(|error| format!("gets no id: {error}"))?;
    Ok(format!("k{number:016x}"))
}
