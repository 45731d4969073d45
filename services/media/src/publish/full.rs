//! Steps `cut` and `full`: every rendition of the ladder, chunk by chunk. A source of at most ten minutes is one chunk.

use super::probe::Probed;
use super::tool::{Limits, Stage, encode as run_encoder};
use super::{Publication, asset, material, shelf};
use crate::encode::{Rendition, ladder};
use crate::model::{FULL, version_blobs};
use crate::plan::Ladder;
use callboard::{Env, Fault, Msg, Reply, Step};
use serde::{Deserialize, Serialize};

/// A stretch of the source that one process encodes.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Chunk {
    start_ms: u64,
    duration_ms: u64,
}

pub(super) async fn cut(_: Env, msg: Msg<Step<Publication>>) -> Result<Reply<Vec<Chunk>>, Fault> {
    let Probed { source, .. } = msg.data.output("probe")?;
    Ok(Reply::ok(vec![Chunk { start_ms: 0, duration_ms: source.duration_ms }]))
}

pub(super) async fn encode(env: Env, msg: Msg<Step<Publication>>) -> Result<Reply<Vec<Rendition>>, Fault> {
    let publication = &msg.data.input;
    asset(&env, publication).await?;
    let Probed { key, source } = msg.data.output("probe")?;
    let folder = env.folder()?;
    let path = material::open(&env, &key, folder.path()).await?;
    let encoding = ladder(&Ladder::of(&source), &path);
    let limits = Limits { timeout_ms: 7_200_000, nice: if publication.is_low { 15 } else { 10 } };
    let version = folder.path().join("version");
    shelf::prepare(&version, &encoding.renditions)?;
    let stage = Stage::new(&env, publication, FULL)?.of(Some(names(&encoding.renditions)), None);
    run_encoder(&env, encoding.command, &version, limits, stage, source.duration_ms).await?;

    let prefix = version_blobs(env.tenant(), &publication.asset, FULL);
    for rendition in &encoding.renditions {
        env.blobs().remove(&format!("{prefix}/{}", rendition.folder)).await?;
    }
    shelf::store(&env, &version, &prefix, &encoding.renditions).await?;
    Ok(Reply::ok(encoding.renditions))
}

/// Such as `360p, 720p`.
fn names(renditions: &[Rendition]) -> String {
    let lines = renditions.iter().filter_map(|rendition| rendition.folder.strip_prefix('v'));
    let names: Vec<String> = lines.map(|lines| format!("{lines}p")).collect();
    if names.is_empty() { "sound".into() } else { names.join(", ") }
}

pub(super) async fn unmake(env: Env, msg: Msg<Step<Publication>>) -> Result<Reply, Fault> {
    env.blobs().remove(&version_blobs(env.tenant(), &msg.data.input.asset, FULL)).await?;
    Ok(Reply::nothing())
}
