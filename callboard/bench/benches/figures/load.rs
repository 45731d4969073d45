//! Load on a server of this machine, by `wrk`.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
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

/// The status line and the body of an answer, so that nothing is compared that is not the same.
///
/// # Errors
/// When the server does not answer.
pub(crate) fn get(address: SocketAddr, path: &str) -> Result<(String, Vec<u8>), String> {
    let ask = || -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(address)?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let mut bytes = ask().map_err(|error| format!("{address} does not answer: {error}"))?;
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").ok_or("the answer is no HTTP")?;
    let body = bytes.split_off(end + 4);
    let head = String::from_utf8_lossy(&bytes);
    Ok((head.lines().next().unwrap_or_default().to_owned(), body))
}

/// How servers are asked: by so many that none of their threads waits, and by one thread, so that the other core is the server's.
pub(crate) const SHAPE: &str = "wrk with 1 thread, 64 connections";
const ARGUMENTS: [&str; 2] = ["-t1", "-c64"];

/// Load of this shape for so many seconds, each connection asking by `GET`.
///
/// # Errors
/// When `wrk` fails or a request was not answered well.
pub(crate) fn run(wrk: &Path, address: SocketAddr, path: &str, time_s: u32) -> Result<Load, String> {
    run_with(wrk, &[], address, path, time_s)
}

/// The same, each posting an empty object of JSON; `folder` takes the script that says so.
///
/// # Errors
/// As above.
pub(crate) fn post(wrk: &Path, folder: &Path, address: SocketAddr, path: &str, time_s: u32) -> Result<Load, String> {
    let script = folder.join("post.lua");
    let text = "wrk.method = \"POST\"\nwrk.body = \"{}\"\nwrk.headers[\"content-type\"] = \"application/json\"\n";
    std::fs::write(&script, text).map_err(|error| format!("cannot write {}: {error}", script.display()))?;
    run_with(wrk, &["-s".as_ref(), script.as_os_str()], address, path, time_s)
}

fn run_with(wrk: &Path, args: &[&OsStr], address: SocketAddr, path: &str, time_s: u32) -> Result<Load, String> {
    let url = format!("http://{address}{path}");
    let output = Command::new(wrk).args(ARGUMENTS).arg(format!("-d{time_s}s")).args(args).arg(&url).output();
    let output = output.map_err(|error| format!("cannot start wrk: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if text.contains("Non-2xx") || text.contains("Socket errors") {
        return Err(format!("{url} does not answer well:\n{text}"));
    }
    match read(&text) {
        Some(Load { requests: 0, .. }) => Err(format!("{url} answered nothing in {time_s} s")),
        Some(load) => Ok(load),
        None => Err(format!("wrk says something else than expected:\n{text}")),
    }
}

fn read(text: &str) -> Option<Load> {
    let requests = text.lines().find_map(|line| line.trim().split_once(" requests in "))?.0.parse().ok()?;
    let per_s = text.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:"))?.trim().parse().ok()?;
    Some(Load { requests, per_s })
}
