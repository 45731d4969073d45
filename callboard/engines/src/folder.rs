//! The data folder: made if absent, proved writable, and locked so that no second process uses it.

use callboard::Fault;
use rustix::fs::FlockOperation;
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

/// A data folder of this process; the lock ends with it.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Opens a data folder, making it where it is not there.
    ///
    /// # Errors
    /// `data.unwritable` or `data.in_use`, each saying which folder and what to do.
    pub fn open(path: &Path) -> Result<Self, Fault> {
        let unwritable = |error: std::io::Error| {
            let message = format!(
                "the data folder {} cannot be written ({error}); choose another with --data, or change its owner",
                path.display()
            );
            Fault::unavailable("data.unwritable", message)
        };
        fs::create_dir_all(path).map_err(unwritable)?;
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).open(path.join("lock")).map_err(unwritable)?;
        rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|error| {
            let message = format!(
                "another process uses the data folder {}; stop it, or choose another with --data",
                path.display()
            );
            Fault::conflict("data.in_use", message).detail(error.to_string())
        })?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// A path inside the folder.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}
