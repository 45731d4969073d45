//! Step `quick`: the version that plays soonest, copied where that plays everywhere, otherwise its lowest rung.

use super::probe::Probed;
use super::tool::{Limits, Stage, encode};
use super::{Publication, asset, material, shelf, taken_away};
use crate::encode::{Rendition, copy, ladder};
use crate::exposure;
use crate::model::{Asset, AssetState, QUICK, version_blobs, version_marker};
use crate::plan::{self, Ladder};
use crate::records::ASSET_PLAYABLE;
use callboard::{Effects, Env, Fault, Msg, Reply, Step, event, params};

/// A copy ends in seconds and waits for no encoding.
const COPY_LIMITS: Limits = Limits { timeout_ms: 600_000, nice: 0 };

pub(super) async fn make(env: Env, msg: Msg<Step<Publication>>) -> Result<Reply<Vec<Rendition>>, Fault> {
    let publication = &msg.data.input;
    let before = asset(&env, publication).await?;
    let Probed { key, source } = msg.data.output("probe")?;
    let folder = env.folder()?;
    let path = material::open(&env, &key, folder.path()).await?;
    let (encoding, limits, because) = match plan::quick(&source) {
        plan::Quick::Copy if !publication.is_low => (copy(&source, &path), COPY_LIMITS, None),
        plan::Quick::Copy => (copy(&source, &path), Limits { nice: 14, ..COPY_LIMITS }, None),
        plan::Quick::Transcode { because } => {
            let limits = Limits { timeout_ms: 3_600_000, nice: if publication.is_low { 14 } else { 9 } };
            (ladder(&Ladder::of(&source).lowest(), &path), limits, Some(format!("{because}, so it is encoded first")))
        }
    };
    let is_copy = because.is_none();
    let version = folder.path().join("version");
    shelf::prepare(&version, &encoding.renditions)?;
    let stage = Stage::new(&env, publication, QUICK)?.of(None, because);
    encode(&env, encoding.command, &version, limits, stage, source.duration_ms).await?;

    let prefix = version_blobs(env.tenant(), &publication.asset, QUICK);
    env.blobs().remove(&prefix).await?;
    shelf::store(&env, &version, &prefix, &encoding.renditions).await?;
    shelf::seal(&env, &prefix, &encoding.renditions, !is_copy).await?;
    let opened = exposure::open_version(&env, &before, QUICK).await?;
    let effects = playable(&env, before, opened)?;
    Ok(Reply::ok(encoding.renditions).with(effects))
}

fn playable(env: &Env, before: Asset, opened: exposure::Opened) -> Result<Effects, Fault> {
    let mut effects = Effects::new().write(ASSET_PLAYABLE.with(params![&before.id]).expect(1..=1, taken_away()));
    let version = effects.slot("version");
    let asset = Asset { state: AssetState::Playable, has_quick: true, ..before };
    let news = asset.news("playable", version)?;
    let effects = effects.emit(event("playable"), asset.uri()?, news);
    Ok(exposure::keep(env, effects, &asset, opened))
}

pub(super) async fn unmake(env: Env, msg: Msg<Step<Publication>>) -> Result<Reply, Fault> {
    let asset = &msg.data.input.asset;
    env.blobs().remove(&version_marker(env.tenant(), asset, QUICK)).await?;
    env.blobs().remove(&version_blobs(env.tenant(), asset, QUICK)).await?;
    Ok(Reply::nothing())
}
