//! Load on a server of this machine, by `wrk`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What `wrk` counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Load {
    pub(crate) requests: u64,
    pub(crate) per_s: f64,
}

/// The program of this name on the search path, or where Debian keeps servers.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")]);
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// What to do where a program is missing.
pub(crate) fn missing(name: &str) -> String {
    format!("`{name}` is not installed; install it, on Debian with `apt-get install {name}`, and measure again")
}

/// One thread with 32 connections for so many seconds.
///
/// # Errors
/// When `wrk` fails or a request was not answered well.
pub(crate) fn run(wrk: &Path, address: SocketAddr, path: &str, time_s: u32) -> Result<Load, String> {
    let url = format!("http://{address}{path}");
    let output = Command::new(wrk).args(["-t1", "-c32", &format!("-d{time_s}s"), &url]).output();
    let output = output.map_err(|error| format!("cannot start wrk: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if text.contains("Non-2xx") || text.contains("Socket errors") {
        return Err(format!("{url} does not answer well:\n{text}"));
    }
    read(&text).ok_or_else(|| format!("wrk says something else than expected:\n{text}"))
}

fn read(text: &str) -> Option<Load> {
    let requests = text.lines().find_map(|line| line.trim().split_once(" requests in "))?.0.parse().ok()?;
    let per_s = text.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:"))?.trim().parse().ok()?;
    Some(Load { requests, per_s })
}
