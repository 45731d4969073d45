//! DBOS, the peer of flows on PostgreSQL: from PyPI in an environment below `target`, one process for each core.

use super::Site;
use crate::postgres::Postgres;
use crate::process::{self, Output};
use crate::tools;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;

const PACKAGE: &str = "dbos==3.4.0";
const SERVICE: &str = include_str!("dbos_three.py");
/// Most callers at once, in all.
const CALLERS_MAX: usize = 32;

/// Processes with the flow of three steps; they end when this is dropped.
pub(crate) struct Dbos {
    processes: Vec<Child>,
    /// Where flows are started, separated by commas.
    pub(crate) addresses: String,
}

impl Dbos {
    /// Installs what is missing, and starts on this server.
    pub(crate) fn start(site: &Site, postgres: &Postgres) -> Result<Self, String> {
        let folder = site.peers.join("dbos");
        let python = install(&folder)?;
        let mut dbos = Self { processes: Vec::new(), addresses: String::new() };
        // Python runs on one core at a time. One after another, since each looks first whether the tables are there.
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            let port = dbos.spawn(&python, &folder, postgres)?;
            let comma = if dbos.addresses.is_empty() { "" } else { "," };
            dbos.addresses.push_str(&format!("{comma}127.0.0.1:{port}"));
        }
        Ok(dbos)
    }

    fn spawn(&mut self, python: &Path, folder: &Path, postgres: &Postgres) -> Result<u16, String> {
        let mut command = process::command(python, folder);
        command.arg("dbos_three.py").arg(postgres.url()).arg(CALLERS_MAX.to_string()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("cannot start DBOS: {error}"))?;
        let out = child.stdout.take();
        self.processes.push(child);
        let mut line = String::new();
        let out = out.ok_or("DBOS has no output")?;
        BufReader::new(out).read_line(&mut line).map_err(|error| format!("DBOS says nothing: {error}"))?;
        line.trim().parse().map_err(|_| "DBOS does not start; what it says stands above".to_string())
    }
}

impl Drop for Dbos {
    fn drop(&mut self) {
        for child in &mut self.processes {
            // One that has ended by itself needs no end.
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// Makes the environment with its packages; gives its Python.
fn install(folder: &Path) -> Result<PathBuf, String> {
    let failed = |error: std::io::Error| format!("cannot write {}: {error}", folder.display());
    tools::install(&[&tools::PYTHON], &Output::Shown, &|text| eprintln!("{text}"))?;
    fs::create_dir_all(folder).and_then(|()| fs::write(folder.join("dbos_three.py"), SERVICE)).map_err(failed)?;
    let (python, mark) = (folder.join("environment").join("bin").join("python"), folder.join("installed"));
    if process::is_executable(&python) && fs::read_to_string(&mark).ok().as_deref() == Some(PACKAGE) {
        return Ok(python);
    }
    let log = Output::Logged(folder.join("install.log"));
    process::run(&mut process::command_line("python3 -m venv --clear environment", folder), &log)?;
    let mut pip = process::command(&python, folder);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE]);
    process::run(&mut pip, &log)?;
    fs::write(mark, PACKAGE).map_err(failed)?;
    Ok(python)
}
