//! The engines of the real binary, on a folder, on PostgreSQL or in memory.

use callboard::Ports;
use callboard::ports::{LEASE_MS, Records};
use callboard_engines::blobs::LocalBlobs;
use callboard_engines::clock::SystemClock;
use callboard_engines::entropy::SystemEntropy;
use callboard_engines::live::LocalLive;
use callboard_engines::machine::LocalMachine;
use callboard_engines::postgres::{self, Postgres};
use callboard_engines::sqlite::{Options, Sqlite};
use std::path::Path;
use std::sync::Arc;

/// Engines that keep everything below a folder.
pub(crate) fn on_disk(folder: &Path) -> Result<Ports, String> {
    let file = Some(folder.join("records.db"));
    let blobs = LocalBlobs::open(&folder.join("blobs")).map_err(|fault| fault.to_string())?;
    ports(folder, Options { file, readers: 2 }, blobs)
}

/// Engines whose records and blobs are in memory.
pub(crate) fn in_memory(folder: &Path) -> Result<Ports, String> {
    ports(folder, Options { file: None, readers: 0 }, LocalBlobs::in_memory())
}

/// Engines whose records are on PostgreSQL, in a schema of their own, as the real binary has them.
pub(crate) fn on_postgres(folder: &Path, url: String) -> Result<Ports, String> {
    let options = postgres::Options { url, schema: "figures".to_owned(), connections: 16, lease_ms: LEASE_MS };
    let entropy = Arc::new(SystemEntropy::new());
    let records = Arc::new(Postgres::new(options, entropy.clone()));
    with(folder, records, LocalBlobs::in_memory(), entropy)
}

fn ports(folder: &Path, options: Options, blobs: LocalBlobs) -> Result<Ports, String> {
    let entropy = Arc::new(SystemEntropy::new());
    with(folder, Arc::new(Sqlite::new(options, entropy.clone())), blobs, entropy)
}

fn with(
    folder: &Path,
    records: Arc<dyn Records>,
    blobs: LocalBlobs,
    entropy: Arc<SystemEntropy>,
) -> Result<Ports, String> {
    let machine = LocalMachine::new(&folder.join("work")).map_err(|fault| fault.to_string())?;
    Ok(Ports {
        records,
        blobs: Arc::new(blobs),
        live: Arc::new(LocalLive::new()),
        clock: Arc::new(SystemClock),
        entropy,
        machine: Arc::new(machine),
        outside: Arc::new(callboard::outside::Nobody),
    })
}

/// A folder on the disk that is measured; removed when dropped.
pub(crate) fn folder(data: &Path) -> Result<tempfile::TempDir, String> {
    let made = std::fs::create_dir_all(data).and_then(|()| tempfile::tempdir_in(data));
    made.map_err(|error| format!("cannot make a folder in {}: {error}", data.display()))
}
