//! The uploaded file as the programs read it: where the store keeps files on this machine in place, otherwise a copy.

use super::Publication;
use crate::model::{Part, upload_blobs};
use crate::records::PARTS;
use callboard::ports::next_bytes;
use callboard::{Env, Fault, params};
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Joins the parts to one blob and gives its key. Repeating it finds what is done already.
///
/// # Errors
/// `disk.full`, `disk.unavailable`, faults of the blobs; a bug fault where parts are missing.
pub(super) async fn join(env: &Env, publication: &Publication) -> Result<String, Fault> {
    let key = format!("{}/source", upload_blobs(env.tenant(), &publication.upload));
    if env.blobs().meta(&key).await?.is_some_and(|meta| meta.size_bytes == publication.size_bytes) {
        return Ok(key);
    }
    let parts: Vec<Part> = env.query(&PARTS, params![&publication.upload]).await?.all()?;
    if parts.iter().map(|part| part.size_bytes).sum::<u64>() != publication.size_bytes {
        return Err(Fault::bug(format!("the parts of upload {} are not the whole file", publication.upload)));
    }
    if let [part] = parts.as_slice() {
        return Ok(part.blob.clone());
    }
    let folder = env.folder()?;
    let path = folder.path().join("source");
    let mut file = File::create(&path).map_err(disk)?;
    for part in &parts {
        file = append(env, file, &part.blob).await?;
    }
    drop(file);
    env.blobs().put_file(&key, &path).await?;
    // The whole is stored, so the parts are not needed twice.
    for part in &parts {
        env.blobs().remove(&part.blob).await?;
    }
    Ok(key)
}

/// A file with the content of a blob: the store's own, or a copy in the folder.
///
/// # Errors
/// As [`join`].
pub(super) async fn open(env: &Env, key: &str, folder: &Path) -> Result<PathBuf, Fault> {
    if let Some(path) = env.blobs().file(key) {
        return Ok(path);
    }
    let path = folder.join("source");
    append(env, File::create(&path).map_err(disk)?, key).await?;
    Ok(path)
}

async fn append(env: &Env, mut file: File, key: &str) -> Result<File, Fault> {
    if let Some(path) = env.blobs().file(key) {
        return env.compute(move || io::copy(&mut File::open(path)?, &mut file).map(|_| file)).await?.map_err(disk);
    }
    let mut bytes = env.blobs().read(key, None).await?;
    while let Some(chunk) = next_bytes(&mut bytes).await {
        let chunk = chunk?;
        file = env.compute(move || file.write_all(&chunk).map(|()| file)).await?.map_err(disk)?;
    }
    Ok(file)
}

/// A small blob, or the beginning of one.
///
/// # Errors
/// Faults of the blobs.
pub(super) async fn read(env: &Env, key: &str, bytes_max: Option<u64>) -> Result<Vec<u8>, Fault> {
    let mut bytes = env.blobs().read(key, bytes_max.map(|max| 0..max)).await?;
    let mut all = Vec::new();
    while let Some(chunk) = next_bytes(&mut bytes).await {
        all.extend_from_slice(&chunk?);
    }
    Ok(all)
}

/// What an error of the scratch folder means.
pub(super) fn disk(error: io::Error) -> Fault {
    let fault = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            Fault::unavailable("disk.full", "the disk is full; free some space, then it goes on by itself")
        }
        _ => Fault::unavailable("disk.unavailable", "there is no place for working files; it is tried again"),
    };
    fault.detail(error.to_string())
}
