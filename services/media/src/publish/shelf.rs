//! A version in the blob store: its renditions as ffmpeg left them in a folder, and the master playlist over them.

use super::material::{disk, read};
use crate::encode::{INIT, PLAYLIST, Rendition};
use crate::master::{Encoded, master};
use crate::playlist::{Malformed, Playlist};
use callboard::{Env, Fault};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The playlist a player opens.
pub(crate) const MASTER: &str = "master.m3u8";

/// Makes the folders that an encoding writes into.
///
/// # Errors
/// `disk.full`, `disk.unavailable`.
pub(super) fn prepare(folder: &Path, renditions: &[Rendition]) -> Result<(), Fault> {
    renditions.iter().try_for_each(|rendition| std::fs::create_dir_all(folder.join(&rendition.folder))).map_err(disk)
}

/// Stores what an encoding left, and nothing else that may lie there.
///
/// # Errors
/// `media.encode_interrupted` where it is not complete; faults of the blobs.
pub(super) async fn store(env: &Env, folder: &Path, prefix: &str, renditions: &[Rendition]) -> Result<(), Fault> {
    for rendition in renditions {
        let below = folder.join(&rendition.folder);
        let files = env.compute(move || files(&below)).await??;
        for (name, path) in files {
            env.blobs().put_file(&format!("{prefix}/{}/{name}", rendition.folder), &path).await?;
        }
    }
    Ok(())
}

/// Names and places of a rendition's files.
fn files(folder: &Path) -> Result<Vec<(String, PathBuf)>, Fault> {
    let text = std::fs::read_to_string(folder.join(PLAYLIST)).map_err(|error| {
        let fault = interrupted(&Malformed("it has no playlist"));
        fault.detail(error.to_string())
    })?;
    let playlist = Playlist::parse(&text).map_err(|malformed| interrupted(&malformed))?;
    let segments = playlist.segments.into_iter().map(|segment| segment.name);
    let names = [PLAYLIST.to_owned(), playlist.init].into_iter().chain(segments);
    Ok(names.map(|name| (name.clone(), folder.join(name))).collect())
}

/// Writes the master playlist from what is stored.
///
/// # Errors
/// As [`store`].
pub(super) async fn seal(env: &Env, prefix: &str, renditions: &[Rendition], independent: bool) -> Result<(), Fault> {
    let metas = env.blobs().list(prefix).await?;
    let sizes: HashMap<&str, u64> = metas.iter().map(|meta| (meta.key.as_str(), meta.size_bytes)).collect();
    let mut encoded = Vec::new();
    for rendition in renditions {
        let below = format!("{prefix}/{}", rendition.folder);
        let text = read(env, &format!("{below}/{PLAYLIST}"), None).await?;
        let playlist = Playlist::parse(&String::from_utf8_lossy(&text)).map_err(|malformed| interrupted(&malformed))?;
        let size = |name: &String| sizes.get(format!("{below}/{name}").as_str()).copied();
        let sizes_bytes: Option<Vec<u64>> = playlist.segments.iter().map(|segment| size(&segment.name)).collect();
        let sizes_bytes = sizes_bytes.ok_or_else(|| interrupted(&Malformed("a segment is missing")))?;
        let init = read(env, &format!("{below}/{INIT}"), None).await?;
        encoded.push(Encoded { rendition: rendition.clone(), playlist, sizes_bytes, init });
    }
    let text = master(&encoded, independent).map_err(|malformed| interrupted(&malformed))?;
    env.blobs().put(&format!("{prefix}/{MASTER}"), text.into()).await
}

fn interrupted(malformed: &Malformed) -> Fault {
    Fault::unavailable("media.encode_interrupted", malformed.to_string())
}
