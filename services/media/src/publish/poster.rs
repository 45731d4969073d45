//! Step `poster`: the still picture shown before a video plays, beside both versions.

use super::probe::Probed;
use super::tool::{Limits, Stage, encode};
use super::{Publication, asset, material, taken_away};
use crate::model::{FULL, QUICK, version_blobs};
use crate::poster::{FILE, SMALL_FILE, command};
use crate::records::ASSET_PICTURED;
use callboard::{Env, Fault, Msg, Reply, Step, params};

pub(super) async fn draw(env: Env, msg: Msg<Step<Publication>>) -> Result<Reply, Fault> {
    let publication = &msg.data.input;
    asset(&env, publication).await?;
    let Probed { key, source } = msg.data.output("probe")?;
    let folder = env.folder()?;
    let path = material::open(&env, &key, folder.path()).await?;
    let limits = Limits { timeout_ms: 300_000, nice: if publication.is_low { 14 } else { 0 } };
    let stage = Stage::new(&env, publication, "poster")?;
    encode(&env, command(&source, &path), folder.path(), limits, stage, source.duration_ms).await?;
    for (key, file) in keys(&env, publication) {
        env.blobs().put_file(&key, &folder.path().join(file)).await?;
    }
    Ok(Reply::nothing().write(ASSET_PICTURED.with(params![&publication.asset]).expect(1..=1, taken_away())))
}

/// Both pictures in both versions: where each is kept, and its file.
fn keys(env: &Env, publication: &Publication) -> Vec<(String, &'static str)> {
    let below = |version| version_blobs(env.tenant(), &publication.asset, version);
    let places = [QUICK, FULL].into_iter().flat_map(|version| [(version, FILE), (version, SMALL_FILE)]);
    places.map(|(version, file)| (format!("{}/{file}", below(version)), file)).collect()
}

pub(super) async fn remove(env: Env, msg: Msg<Step<Publication>>) -> Result<Reply, Fault> {
    for (key, _) in keys(&env, &msg.data.input) {
        env.blobs().remove(&key).await?;
    }
    Ok(Reply::nothing())
}
