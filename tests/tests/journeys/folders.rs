//! What lies in a data folder.

use crate::programs::eventually;
use std::fs;
use std::path::{Path, PathBuf};

/// Every file below a folder, by its path from there, in order.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(here) = folders.pop() {
        // Folders come and go while somebody works there.
        for entry in fs::read_dir(here).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(_) => found.push(entry.path().strip_prefix(folder).unwrap().to_str().unwrap().to_owned()),
                Err(_) => {}
            }
        }
    }
    found.sort();
    found
}

/// Waits until no blob of uploads or media is left, nor anything where programs work.
#[track_caller]
pub(crate) fn assert_nothing_left(data: &Path) {
    let left = || {
        let blobs = files(&data.join("blobs")).into_iter().map(|file| format!("blobs/{file}"));
        let work = files(&data.join("work")).into_iter().map(|file| format!("work/{file}"));
        blobs.chain(work).filter(|file| !file.ends_with(".lock")).collect::<Vec<_>>()
    };
    eventually("is everything removed", left, Vec::is_empty);
}
