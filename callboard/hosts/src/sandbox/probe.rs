//! What this machine enforces, found out once at start by a process that tries it.

use super::{Network, Policy, ProcessLimits, WORD};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::process::Stdio;

/// The oldest Landlock that will do: 2 is in Linux 5.19.
pub(super) const LANDLOCK_MIN: u32 = 2;
/// The oldest Landlock that restricts ports: 4 is in Linux 6.7.
const LANDLOCK_PORTS: u32 = 4;

/// What this machine enforces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protections {
    /// ABI of Landlock, 0 for none.
    pub landlock: u32,
    /// Whether a process gets namespaces of its own: no network, and nothing left when it ends.
    pub has_namespaces: bool,
    /// Whether its own folder is bounded, and others are hidden from it.
    pub has_mounts: bool,
    /// Whether the system limits the number of processes; not where everything runs as root.
    pub limits_processes: bool,
}

impl Protections {
    /// What is not enforced although it should be, in words.
    pub fn gaps(&self) -> Vec<&'static str> {
        let mut gaps = Vec::new();
        if !self.has_namespaces {
            gaps.push("no namespaces: what a function starts may outlive it for a moment, and it may connect to its own port elsewhere; allow user namespaces");
        }
        if !self.has_mounts {
            gaps.push("no mounts: how much a function writes to its own folder is bounded only by file, and it sees the names of files it cannot read; allow mounts in user namespaces");
        }
        if !self.limits_processes {
            gaps.push("the system does not limit the number of processes and threads, because this runs as root: they are counted every 25 ms instead; run it as an ordinary user");
        }
        if self.landlock < 6 {
            gaps.push("signals are not restricted; Linux 6.12 does");
        }
        gaps
    }

    /// How a function that declares these ports reaches the network.
    ///
    /// # Errors
    /// What this machine cannot enforce.
    pub(crate) fn network(&self, ports: &[u16]) -> Result<Network, String> {
        if self.landlock < LANDLOCK_MIN {
            return Err(format!(
                "this machine has Landlock ABI {}, and functions need {LANDLOCK_MIN} (Linux 5.19)",
                self.landlock
            ));
        }
        if ports.is_empty() && self.has_namespaces {
            return Ok(Network::Own);
        }
        if self.landlock < LANDLOCK_PORTS {
            return Err(format!(
                "this machine has Landlock ABI {}, and ports are restricted from {LANDLOCK_PORTS} on (Linux 6.7)",
                self.landlock
            ));
        }
        Ok(Network::Ports(ports.to_vec()))
    }
}

/// Starts the program as a probe and reads what it says.
///
/// # Errors
/// Where it cannot be started or says nothing.
pub(crate) async fn probe(program: &Path) -> Result<Protections, String> {
    let mut command = tokio::process::Command::new(program);
    command.args([WORD, "probe"]).env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = command.kill_on_drop(true).output().await;
    let output = output.map_err(|error| format!("{} cannot be started: {error}", program.display()))?;
    serde_json::from_slice(&output.stdout)
        .map_err(|_| format!("{} is no sandbox: {}", program.display(), String::from_utf8_lossy(&output.stderr).trim()))
}

/// Tries what there is, in this process, and tells it.
pub(super) fn try_all() -> Protections {
    let is_root = rustix::process::geteuid().is_root();
    let has_namespaces = super::enter::leave_namespaces(true).and_then(|()| super::loopback::listen()).is_ok();
    let has_mounts = has_namespaces && super::mounts::may_lay();
    let policy = Policy {
        reads: Vec::new(),
        lists: Vec::new(),
        hides: Vec::new(),
        writes: Vec::new(),
        network: Network::Own,
        has_namespaces,
        has_mounts,
        limits: ProcessLimits::default(),
    };
    let landlock = super::confine::restrict(&policy).unwrap_or(0);
    Protections { landlock, has_namespaces, has_mounts, limits_processes: !is_root }
}
