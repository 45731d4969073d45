//! Programs, long computations and scratch folders of this machine. Which program may run, and with which arguments, is
//! decided elsewhere; here it gets no shell, no network, bounded memory, time and output, and its turn.

mod compute;
mod leftovers;
mod network;
mod output;
mod program;
mod turns;

#[cfg(test)]
mod tests;

use callboard::Fault;
use callboard::ports::{BoxFuture, Exec, Exited, Folder, Machine};
use compute::Computations;
use network::Isolation;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use turns::Turns;

/// The machine this process runs on.
pub struct LocalMachine {
    work_folder: PathBuf,
    turns: Turns,
    computations: Computations,
    isolation: Isolation,
}

impl LocalMachine {
    /// Takes a folder for scratch files as its own: empties it, and ends programs that an earlier process of it left running.
    /// Call it once the data folder is locked.
    ///
    /// # Errors
    /// `disk.full`, `disk.unavailable`: the folder cannot be made or emptied.
    pub fn new(work_folder: &Path) -> Result<Self, Fault> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let failed = |error| disk_fault(work_folder, &error);
        fs::create_dir_all(work_folder).map_err(failed)?;
        let work_folder = work_folder.canonicalize().map_err(failed)?;
        leftovers::end_programs(&work_folder);
        leftovers::empty(&work_folder).map_err(failed)?;
        Ok(Self {
            work_folder,
            turns: Turns::new(cores),
            computations: Computations::new(cores),
            isolation: Isolation::default(),
        })
    }
}

impl Machine for LocalMachine {
    /// A program waits for those that are as important or more, one heavy program (`nice` over 0) per two cores.
    fn exec(&self, exec: Exec) -> BoxFuture<'_, Result<Exited, Fault>> {
        Box::pin(async move {
            let path = program::find(exec.tool)?;
            let _turn = self.turns.wait(exec.nice).await;
            let wrapper = self.isolation.wrapper().await;
            program::run(&path, wrapper, &self.work_folder, exec).await
        })
    }

    fn compute(&self, work: Box<dyn FnOnce() + Send>) {
        self.computations.add(work);
    }

    fn folder(&self) -> Result<Box<dyn Folder>, Fault> {
        let for_us_only = fs::Permissions::from_mode(0o700);
        let folder = tempfile::Builder::new().prefix("step-").permissions(for_us_only).tempdir_in(&self.work_folder);
        let folder = folder.map_err(|error| disk_fault(&self.work_folder, &error))?;
        Ok(Box::new(Scratch(folder)))
    }
}

/// A scratch folder; gone when dropped.
struct Scratch(TempDir);

impl Folder for Scratch {
    fn path(&self) -> &Path {
        self.0.path()
    }
}

fn disk_fault(folder: &Path, error: &io::Error) -> Fault {
    let fault = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            Fault::unavailable("disk.full", "the disk is full; free some space and resume the upload")
        }
        _ => Fault::unavailable("disk.unavailable", "there is no place for working files; try again in a minute"),
    };
    fault.detail(format!("{}: {error}", folder.display()))
}
