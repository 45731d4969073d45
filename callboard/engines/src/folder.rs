//! The data folder: made if absent, proved writable, and locked so that no second process uses it.

use callboard::Fault;
use rustix::fs::FlockOperation;
use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// A data folder of this process; the lock ends with it.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Opens a data folder, making it for this user alone where it is not there.
    ///
    /// # Errors
    /// `data.unwritable` or `data.in_use`, each saying which folder and what to do.
    pub fn open(path: &Path) -> Result<Self, Fault> {
        let unwritable = |error: std::io::Error| {
            let message = format!(
                "the data folder {} cannot be written ({error}); choose another, or change its owner",
                path.display()
            );
            Fault::unavailable("data.unwritable", message)
        };
        // Addresses, hashes of passwords and private videos are nobody else's on this machine.
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unwritable)?;
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).open(path.join("lock")).map_err(unwritable)?;
        rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|error| {
            let what = match error {
                rustix::io::Errno::WOULDBLOCK => {
                    "is used by another process; stop it, or choose another folder".to_owned()
                }
                _ => format!("cannot be locked ({error}); choose one on a local disk"),
            };
            Fault::conflict("data.in_use", format!("the data folder {} {what}", path.display()))
        })?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// A path inside the folder.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_new_folder_is_for_its_owner_alone_and_one_that_is_there_stays_as_it_is() {
        let outside = tempfile::tempdir().expect("a folder");
        let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        let new = outside.path().join("data");
        let _folder = DataFolder::open(&new).expect("a data folder");
        assert_eq!(mode(&new), 0o700);
        let own = outside.path().join("own");
        fs::create_dir(&own).expect("a folder");
        fs::set_permissions(&own, fs::Permissions::from_mode(0o750)).expect("a mode");
        let _folder = DataFolder::open(&own).expect("a data folder");
        assert_eq!(mode(&own), 0o750);
    }
}
