//! What the object store does not do with files: adopt one without copying, and remove a whole subtree, both so that a power
//! cut does not undo them. Everything here waits for the disk.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// How often to start again because others write to or prune the same folder.
const ATTEMPTS_MAX: usize = 64;

/// Makes a file a blob: a link on the same disk, else a copy. Others see the blob it replaces, or the whole new one.
pub(super) fn adopt(from: &Path, to: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(from)?.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is not a regular file"));
    }
    File::open(from)?.sync_all()?;
    let mut suffix = 1;
    for _ in 0..ATTEMPTS_MAX {
        let staged = staged(to, suffix);
        match publish(from, &staged, to) {
            Ok(()) => return tolerate(sync_folder(parent(to))),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => suffix += 1,
            Err(error) if error.kind() == ErrorKind::NotFound => make_folder(parent(to))?,
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("others kept removing the folder of the blob"))
}

/// Removes a file or a folder with all below it, and the folders this leaves empty. What is not there is no error.
pub(super) fn remove(root: &Path, target: &Path) -> io::Result<()> {
    match fs::symlink_metadata(target) {
        Ok(meta) if meta.is_dir() => remove_folder(target)?,
        Ok(_) => tolerate(fs::remove_file(target))?,
        Err(error) => tolerate(Err(error))?,
    }
    remove_staged(target)?;
    let mut folder = parent(target);
    while folder != root && (fs::remove_dir(folder).is_ok() || !folder.exists()) {
        folder = parent(folder);
    }
    tolerate(sync_folder(folder))
}

/// Links or copies to the staged name and renames from there; leaves nothing at the staged name.
fn publish(from: &Path, staged: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, staged) {
        Ok(()) => {}
        Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound) => return Err(error),
        Err(_) => copy(from, staged)?,
    }
    let renamed = fs::rename(staged, to);
    // A rename between two links of one file leaves both.
    tolerate(fs::remove_file(staged)).and(renamed)
}

fn copy(from: &Path, staged: &Path) -> io::Result<()> {
    let mut source = File::open(from)?;
    let mut target = OpenOptions::new().write(true).create_new(true).open(staged)?;
    let copied = io::copy(&mut source, &mut target).and_then(|_| target.sync_all());
    if copied.is_err() {
        tolerate(fs::remove_file(staged))?;
    }
    copied
}

fn remove_folder(folder: &Path) -> io::Result<()> {
    for _ in 1..ATTEMPTS_MAX {
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => {}
            ended => return tolerate(ended),
        }
    }
    tolerate(fs::remove_dir_all(folder))
}

/// Removes what writes that a crash ended left beside a blob.
fn remove_staged(target: &Path) -> io::Result<()> {
    for suffix in 1.. {
        match fs::remove_file(staged(target, suffix)) {
            Ok(()) => {}
            Err(error) => return tolerate(Err(error)),
        }
    }
    Ok(())
}

/// Makes a folder and those above it, durably.
fn make_folder(folder: &Path) -> io::Result<()> {
    let new: Vec<&Path> = folder.ancestors().take_while(|folder| !folder.exists()).collect();
    fs::create_dir_all(folder)?;
    new.into_iter().try_for_each(|folder| sync_folder(folder).and_then(|()| sync_folder(parent(folder)))).or_else(gone)
}

/// Whoever pruned the folder meanwhile makes us start again, not fail.
fn gone(error: io::Error) -> io::Result<()> {
    if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

fn tolerate(ended: io::Result<()>) -> io::Result<()> {
    match ended {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(()),
        ended => ended,
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The name under which the object store, too, writes what is not yet whole; it never lists such names.
fn staged(path: &Path, suffix: usize) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(format!("#{suffix}"));
    name.into()
}

fn parent(path: &Path) -> &Path {
    path.parent().expect("a blob lies in a folder")
}
