//! What a process sees in place of folders of the machine: one of its own that is kept in memory and bounded, and nothing where it
//! has nothing to look for.

use super::Policy;
use rustix::io::Errno;
use rustix::mount::{MountFlags, mount};
use std::ffi::CString;
use std::io;
use std::path::Path;

/// Files and folders in one folder of its own.
const ENTRIES_MAX: u64 = 16 * 1024;

/// Lays them over, where only this process and those it starts see it.
pub(super) fn lay(policy: &Policy) -> io::Result<()> {
    for own in &policy.writes {
        lay_over(own, policy.limits.scratch_bytes_max, ENTRIES_MAX, MountFlags::empty())?;
    }
    let is_above_own = |hidden: &Path| policy.writes.iter().any(|own| own.starts_with(hidden));
    for hidden in policy.hides.iter().filter(|hidden| !is_above_own(hidden)) {
        match lay_over(hidden, 4096, 1, MountFlags::RDONLY) {
            // It has gone, or is a file, since the function was declared.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            laid => laid?,
        }
    }
    Ok(())
}

/// Whether this process may do so.
pub(super) fn may_lay() -> bool {
    lay_over(&std::env::temp_dir(), 4096, 1, MountFlags::empty()).is_ok()
}

fn lay_over(folder: &Path, bytes_max: u64, entries_max: u64, flags: MountFlags) -> io::Result<()> {
    let options = CString::new(format!("size={bytes_max},nr_inodes={entries_max},mode=0700"))?;
    let flags = flags | MountFlags::NODEV | MountFlags::NOSUID;
    mount("tmpfs", folder, "tmpfs", flags, Some(options.as_c_str())).map_err(Errno::into)
}
