//! Step `ready`: the full version gets its master playlist and takes the place of whatever played before.

use super::shelf::{self, MASTER};
use super::tool::{news, places};
use super::{Publication, asset, taken_away};
use crate::encode::Rendition;
use crate::model::{Asset, AssetState, FULL, QUICK, upload_blobs, version_blobs, version_marker};
use crate::records::{ASSET_READY, ASSETS_OF_EPISODE, PARTS_DELETE, UPLOAD_DONE};
use crate::{assets, exposure, removal};
use callboard::{Effects, Env, Fault, Kind, Msg, Reply, Step, event, params, uri};
use serde_json::json;

/// Players that began with the quick version may finish with it.
const QUICK_AGE_MS: i64 = 24 * 3_600_000;

pub(super) async fn finish(env: Env, msg: Msg<Step<Publication>>) -> Result<Reply, Fault> {
    let publication = &msg.data.input;
    let before = asset(&env, publication).await?;
    let chunks: Vec<Vec<Rendition>> = msg.data.output("full")?;
    let renditions = chunks.into_iter().next().ok_or_else(|| Fault::bug("a ladder without a chunk"))?;
    let prefix = version_blobs(env.tenant(), &publication.asset, FULL);
    shelf::seal(&env, &prefix, &renditions, true).await?;
    let opened = exposure::open_version(&env, &before, FULL).await?;

    let earlier = params![&publication.episode, &publication.asset, assets::MANY];
    let earlier: Vec<Asset> = env.query(&ASSETS_OF_EPISODE, earlier).await?.all()?;
    let mut effects = Effects::new().write(ASSET_READY.with(params![&publication.asset]).expect(1..=1, taken_away()));
    let version = effects.slot("version");
    let asset = Asset { state: AssetState::Ready, has_full: true, ..before };
    let heard = asset.news("ready", version)?;
    effects = effects
        .emit(event("ready"), asset.uri()?, heard)
        .write(UPLOAD_DONE.with(params![&publication.upload]))
        .write(PARTS_DELETE.with(params![&publication.upload]));
    for old in &earlier {
        effects = assets::discard(&env, effects, old)?;
    }
    for place in places(publication)? {
        effects = effects.live(event("progress"), place, news("ready", 1.0, None, None));
    }
    let quick = uri!("/assets/{}/versions/{QUICK}", asset.id)?;
    effects = effects.send_at(env.now_ms() + QUICK_AGE_MS, Kind::Delete, quick, json!({}));
    effects = exposure::keep(&env, effects, &asset, opened);
    let source = vec![upload_blobs(env.tenant(), &publication.upload)];
    Ok(Reply::nothing().with(removal::start(&env, effects, source)))
}

pub(super) async fn withdraw(env: Env, msg: Msg<Step<Publication>>) -> Result<Reply, Fault> {
    let asset = &msg.data.input.asset;
    env.blobs().remove(&version_marker(env.tenant(), asset, FULL)).await?;
    env.blobs().remove(&format!("{}/{MASTER}", version_blobs(env.tenant(), asset, FULL))).await?;
    Ok(Reply::nothing())
}
