//! Step `poster`: the still picture shown before a video plays, beside both versions.

use super::probe::Probed;
use super::tool::{Limits, Stage, encode};
use super::{Publication, asset, material, taken_away};
use crate::model::{FULL, QUICK, version_blobs};
use crate::poster::{FILE, command};
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
    for key in keys(&env, publication) {
        env.blobs().put_file(&key, &folder.path().join(FILE)).await?;
    }
    Ok(Reply::nothing().write(ASSET_PICTURED.with(params![&publication.asset]).expect(1..=1, taken_away())))
}

fn keys(env: &Env, publication: &Publication) -> [String; 2] {
    [QUICK, FULL].map(|version| format!("{}/{FILE}", version_blobs(env.tenant(), &publication.asset, version)))
}

pub(super) async fn remove(env: Env, msg: Msg<Step<Publication>>) -> Result<Reply, Fault> {
    for key in keys(&env, &msg.data.input) {
        env.blobs().remove(&key).await?;
    }
    Ok(Reply::nothing())
}
