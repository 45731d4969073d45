//! What a process of a function may do on this machine: nothing but what its policy names. The program starts itself again as
//! `… __sandbox STAGE -- COMMAND`, reads its policy, limits itself, and becomes the command; so nothing runs between fork and exec.

mod confine;
mod enter;
mod launch;
mod loopback;
mod mounts;
mod probe;

pub use enter::enter;
pub(crate) use launch::{Exited, Launch, Launched, launch};
pub use probe::Protections;
pub(crate) use probe::probe;

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The word behind which the program starts itself as a sandbox.
pub const WORD: &str = "__sandbox";

/// What a process may reach, and how much it may take.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Policy {
    /// Files and folders it may read and run, with everything below.
    pub(crate) reads: Vec<PathBuf>,
    /// Folders whose names it may list, without what is in the files.
    pub(crate) lists: Vec<PathBuf>,
    /// Folders that are empty for it.
    pub(crate) hides: Vec<PathBuf>,
    /// Folders of its own.
    pub(crate) writes: Vec<PathBuf>,
    /// How it reaches others.
    pub(crate) network: Network,
    /// Whether it gets namespaces of its own for processes and users.
    pub(crate) has_namespaces: bool,
    /// Whether its own folders are kept in memory and bounded, and folders are hidden from it.
    pub(crate) has_mounts: bool,
    /// How much it may take.
    pub(crate) limits: ProcessLimits,
}

/// How a process reaches others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Network {
    /// A network of its own with nothing but the loopback.
    Own,
    /// The machine's, to these TCP ports only.
    Ports(Vec<u16>),
}

/// How much one process may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessLimits {
    /// Memory of all its processes together, in bytes.
    pub memory_bytes_max: u64,
    /// Time of the processor in all its life, in seconds; then it is replaced.
    pub cpu_s_max: u64,
    /// Open files.
    pub files_max: u64,
    /// Processes and threads.
    pub processes_max: u64,
    /// Largest file, in bytes.
    pub file_bytes_max: u64,
    /// All files in its own folder together, in bytes.
    pub scratch_bytes_max: u64,
}

impl Default for ProcessLimits {
    fn default() -> Self {
        Self {
            memory_bytes_max: 256 << 20,
            cpu_s_max: 3_600,
            files_max: 256,
            processes_max: 64,
            file_bytes_max: 64 << 20,
            scratch_bytes_max: 128 << 20,
        }
    }
}
