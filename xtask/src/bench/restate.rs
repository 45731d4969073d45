//! Restate, the peer of flows: its server and its SDK from npm, in a folder below `target`, on free ports of this machine.

use super::Site;
use super::client::Client;
use crate::process::{self, Output};
use serde_json::json;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const SERVER_VERSION: &str = "1.7.12";
const SDK_VERSION: &str = "1.17.2";
/// Which Node.js the SDK needs, and which is installed where there is none.
const NODE_MAJOR_MIN: u32 = 22;
const NODE_VERSION: &str = "22.23.3";
/// How long the server may take until it knows the service.
const START_LIMIT: Duration = Duration::from_secs(60);
const SERVICE: &str = include_str!("restate.mjs");

/// A server with the flow of three steps; it ends when this is dropped, and its data goes.
pub(crate) struct Restate {
    processes: Vec<Child>,
    data: PathBuf,
    /// Where flows are started.
    pub(crate) ingress: SocketAddr,
}

impl Restate {
    /// Installs what is missing, and starts.
    pub(crate) fn start(site: &Site) -> Result<Self, String> {
        let folder = site.peers.join("restate");
        let programs = install(&folder)?;
        let [service, node, ingress, admin] = free_ports().map_err(|error| format!("no port is free: {error}"))?;
        let data = site.data.join("restate");
        // What a run before left, where it was ended by force.
        let _ = fs::remove_dir_all(&data);
        let mut restate = Self { processes: Vec::new(), data, ingress };
        let mut sdk = process::command(&programs.node, &folder);
        restate.spawn(sdk.arg("restate.mjs").arg(service.port().to_string()))?;
        let mut server = process::command(&programs.server, &folder);
        server.args(["--no-logo", "--node-name", "figures", "--listen-mode", "tcp", "--base-dir"]).arg(&restate.data);
        server.env("RESTATE_LOG_FILTER", "error").env("RESTATE_DISABLE_TELEMETRY", "true");
        server.env("RESTATE_BIND_IP", node.ip().to_string()).env("RESTATE_BIND_PORT", node.port().to_string());
        server.env("RESTATE_INGRESS__BIND_PORT", ingress.port().to_string());
        restate.spawn(server.env("RESTATE_ADMIN__BIND_PORT", admin.port().to_string()))?;
        restate.introduce(admin, service)?;
        Ok(restate)
    }

    fn spawn(&mut self, command: &mut Command) -> Result<(), String> {
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.map_err(|error| format!("cannot start `{}`: {error}", process::line_of(command)))?;
        self.processes.push(child);
        Ok(())
    }

    /// Tells the server where the service is, as soon as both listen, and waits until a flow ends.
    fn introduce(&self, admin: SocketAddr, service: SocketAddr) -> Result<(), String> {
        let start = Instant::now();
        let deployment = json!({"uri": format!("http://{service}")});
        let is_known = || {
            Client::new(admin).post("/deployments", &deployment)?;
            Client::new(self.ingress).post("/Three/run", &json!({"caller": 0}))
        };
        loop {
            match is_known() {
                Ok(_) => return Ok(()),
                Err(error) if start.elapsed() > START_LIMIT => return Err(format!("Restate does not start: {error}")),
                Err(_) => thread::sleep(Duration::from_millis(100)),
            }
        }
    }
}

impl Drop for Restate {
    fn drop(&mut self) {
        for child in &mut self.processes {
            // One that has ended by itself needs no end.
            drop(child.kill());
            drop(child.wait());
        }
        // Left behind when it cannot be removed; the next run does.
        let _ = fs::remove_dir_all(&self.data);
    }
}

struct Programs {
    node: PathBuf,
    server: PathBuf,
}

/// Installs server and SDK by npm, and Node.js where the machine's is too old. No script of a package runs.
fn install(folder: &Path) -> Result<Programs, String> {
    let failed = |error: std::io::Error| format!("cannot write {}: {error}", folder.display());
    let system = machine().ok_or("there are no packages of Restate for this machine")?;
    let own_node = process::find("node").filter(|node| is_new_enough(node));
    let node_package = format!("node-{system}");
    let mut packages = json!({"@restatedev/restate-server": SERVER_VERSION, "@restatedev/restate-sdk": SDK_VERSION});
    if own_node.is_none() {
        packages[&node_package] = json!(NODE_VERSION);
    }
    let manifest = json!({"name": "peer", "private": true, "dependencies": packages}).to_string();
    fs::create_dir_all(folder).and_then(|()| fs::write(folder.join("restate.mjs"), SERVICE)).map_err(failed)?;
    let modules = folder.join("node_modules");
    let programs = Programs {
        node: own_node.unwrap_or_else(|| modules.join(node_package).join("bin").join("node")),
        server: modules.join(format!("@restatedev/restate-server-{system}/bin/restate-server")),
    };
    let file = folder.join("package.json");
    let is_there = [&programs.node, &programs.server].into_iter().all(|program| process::is_executable(program));
    if !is_there || fs::read_to_string(&file).ok().as_deref() != Some(manifest.as_str()) {
        fs::write(&file, manifest).map_err(failed)?;
        let line = "npm install --no-audit --no-fund --ignore-scripts --loglevel=error";
        process::run(&mut process::command_line(line, folder), &Output::Logged(folder.join("install.log")))?;
    }
    Ok(programs)
}

/// This machine as npm's packages call it.
fn machine() -> Option<String> {
    let system = match std::env::consts::OS {
        "linux" => "linux",
        "macos" => "darwin",
        _ => return None,
    };
    match std::env::consts::ARCH {
        "x86_64" => Some(format!("{system}-x64")),
        "aarch64" => Some(format!("{system}-arm64")),
        _ => None,
    }
}

fn is_new_enough(node: &Path) -> bool {
    let version = process::read(process::command(node, Path::new(".")).arg("--version")).unwrap_or_default();
    let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    major.is_some_and(|major| major >= NODE_MAJOR_MIN)
}

/// Ports of this machine that nobody listens on.
fn free_ports() -> std::io::Result<[SocketAddr; 4]> {
    let mut addresses = [SocketAddr::from(([127, 0, 0, 1], 0)); 4];
    // All are held until each is known, so that they differ.
    let listeners: Vec<TcpListener> = addresses.iter().map(TcpListener::bind).collect::<std::io::Result<_>>()?;
    for (address, listener) in addresses.iter_mut().zip(&listeners) {
        *address = listener.local_addr()?;
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_differ() {
        let mut ports = free_ports().unwrap().map(|address| address.port()).to_vec();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 4);
    }
}
