//! The real binary on a data folder: made ready, started, signed in to, looked at, ended.

use super::client::Client;
use crate::process;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Who measures. The folder is removed afterwards.
const EMAIL: &str = "owner@example.org";
const PASSWORD: &str = "measured-and-gone";

/// A server; it ends when this is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

/// Makes a channel with an owner in a new folder.
pub(crate) fn prepare(binary: &Path, data: &Path) -> Result<(), String> {
    if data.exists() {
        fs::remove_dir_all(data).map_err(|error| format!("cannot remove {}: {error}", data.display()))?;
    }
    for words in [["tenant", "demo", "--title", "Measured"].as_slice(), &["owner", EMAIL, "--password", PASSWORD]] {
        let mut command = process::command(binary, Path::new("."));
        command.args(words).arg("--data").arg(data).stdout(Stdio::null());
        let output = command.output().map_err(|error| format!("cannot start {}: {error}", binary.display()))?;
        if !output.status.success() {
            return Err(format!("`showrunner {}`: {}", words[0], String::from_utf8_lossy(&output.stderr)));
        }
    }
    Ok(())
}

impl Server {
    /// Starts it on a free port; `path` is where it looks for programs, where that is not everybody's.
    pub(crate) fn start(binary: &Path, data: &Path, path: Option<String>) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("cannot start {}: {error}", binary.display());
        let mut command = process::command(binary, Path::new("."));
        command.args(["up", "--listen", "127.0.0.1:0", "--log", "error"]).arg("--data").arg(data);
        if let Some(path) = path {
            command.env("PATH", path);
        }
        let mut child = command.stdout(Stdio::piped()).spawn().map_err(failed)?;
        let mut out = BufReader::new(child.stdout.take().expect("standard output is a pipe"));
        let mut line = String::new();
        while out.read_line(&mut line).map_err(failed)? > 0 {
            if let Some(address) = address_in(&line) {
                // What it says later is not held up by a full pipe.
                thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()));
                return Ok(Self { child, address });
            }
            line.clear();
        }
        drop(child.wait());
        Err("`showrunner up` ended before it listened".to_string())
    }

    /// The owner, signed in.
    pub(crate) fn owner(&self) -> Result<Client, String> {
        let data = json!({"email": EMAIL, "password": PASSWORD});
        let answer = Client::new(self.address).post("/api/sessions", &data)?;
        let cookie = answer.header("set-cookie").unwrap_or_default();
        let token = cookie.split(';').next().and_then(|pair| pair.split_once('=')).map(|(_, token)| token.to_string());
        Ok(Client::new(self.address).with_token(token.ok_or("signing in gives no session")?))
    }

    /// Memory that it holds, in KiB.
    pub(crate) fn resident_kib(&self) -> Result<u64, String> {
        let file = format!("/proc/{}/status", self.child.id());
        let text = fs::read_to_string(&file).map_err(|error| format!("cannot read {file}: {error}"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next()).and_then(|number| number.parse().ok());
        kib.ok_or_else(|| format!("{file} does not tell the memory"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let id = self.child.id().to_string();
        drop(Command::new("kill").args(["-s", "TERM", &id]).status());
        let start = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && start.elapsed() < Duration::from_secs(10) {
            thread::sleep(Duration::from_millis(5));
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The address in the line that a server says at its start.
fn address_in(line: &str) -> Option<SocketAddr> {
    let port = line.split_once("http://localhost:")?.1;
    let digits = port.find(|c: char| !c.is_ascii_digit()).unwrap_or(port.len());
    Some(SocketAddr::from(([127, 0, 0, 1], port[..digits].parse().ok()?)))
}

/// A new series that everybody may see.
pub(crate) fn make_series(owner: &Client, title: &str) -> Result<String, String> {
    let series = json!({"title": title, "short_text": "Of no use to anybody.", "access": "public", "active": true});
    id_of(&owner.post("/api/series", &series)?.json())
}

/// A new episode of it.
pub(crate) fn make_episode(owner: &Client, series: &str, title: &str) -> Result<String, String> {
    let episode = json!({"title": title, "short_text": "Of no use to anybody.", "access": "public", "active": true});
    id_of(&owner.post(&format!("/api/series/{series}/episodes"), &episode)?.json())
}

fn id_of(made: &Value) -> Result<String, String> {
    made["id"].as_str().map(str::to_string).ok_or_else(|| format!("{made} has no id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_read_from_what_is_said_at_the_start() {
        let address = Some(SocketAddr::from(([127, 0, 0, 1], 4711)));
        assert_eq!(address_in("Showrunner is at http://localhost:4711\n"), address);
        assert_eq!(address_in("  channel  http://localhost:4711/\n"), address);
        assert_eq!(address_in("\n"), None);
    }
}
