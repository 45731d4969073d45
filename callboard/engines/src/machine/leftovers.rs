//! What a process that was killed left behind: scratch folders, and programs that still run in them.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

/// Every program we run carries its machine's work folder under this name, so that it is known for ours.
const MARK: &str = "CALLBOARD_WORK_FOLDER";
/// How often to start again because a program that is just ending still writes.
const ATTEMPTS_MAX: usize = 64;

/// The variable that marks a program, and its value.
pub(super) fn mark(work_folder: &Path) -> (&'static str, &OsStr) {
    (MARK, work_folder.as_os_str())
}

/// Ends the programs of an earlier process that worked in this folder. A folder left empty had none.
#[cfg(target_os = "linux")]
pub(super) fn end_programs(work_folder: &Path) {
    let is_left_empty = fs::read_dir(work_folder).is_ok_and(|mut entries| entries.next().is_none());
    let Ok(processes) = fs::read_dir("/proc") else { return };
    if is_left_empty {
        return;
    }
    for process in processes.flatten() {
        let id = process.file_name().to_str().and_then(|name| name.parse().ok());
        let Some(id) = id.filter(|id| *id != std::process::id() as i32) else { continue };
        if is_marked(id, work_folder) && end(id, work_folder).is_ok() {
            tracing::info!(process.id = id, "ended a program that an earlier process left running");
        }
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn end_programs(_: &Path) {}

/// Kills a process; looks again once its number can no longer become another's.
#[cfg(target_os = "linux")]
fn end(id: i32, work_folder: &Path) -> rustix::io::Result<()> {
    use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
    let process = pidfd_open(Pid::from_raw(id).ok_or(rustix::io::Errno::SRCH)?, PidfdFlags::empty())?;
    if is_marked(id, work_folder) { pidfd_send_signal(&process, Signal::KILL) } else { Err(rustix::io::Errno::SRCH) }
}

#[cfg(target_os = "linux")]
fn is_marked(id: i32, work_folder: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let Ok(environment) = fs::read(format!("/proc/{id}/environ")) else { return false };
    let value = |variable: &[u8]| variable.strip_prefix(MARK.as_bytes()).map(<[u8]>::to_vec);
    let values = environment.split(|byte| *byte == 0).filter_map(value);
    values.into_iter().any(|value| value.strip_prefix(b"=") == Some(work_folder.as_os_str().as_bytes()))
}

/// Removes everything in a folder.
pub(super) fn empty(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let is_folder = entry.file_type()?.is_dir();
        remove(&entry.path(), is_folder)?;
    }
    Ok(())
}

fn remove(path: &Path, is_folder: bool) -> io::Result<()> {
    let mut attempt = 1;
    loop {
        let removed = if is_folder { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        match removed.map_err(|error| (error.kind(), error)) {
            Err((ErrorKind::NotFound, _)) => return Ok(()),
            Err((ErrorKind::DirectoryNotEmpty, _)) if attempt < ATTEMPTS_MAX => attempt += 1,
            removed => return removed.map_err(|(_, error)| error),
        }
    }
}
