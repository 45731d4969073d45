//! Assets, the video of an episode: their state for editors, and their end.

use crate::model::{
    Asset, AssetState, QUICK, Upload, UploadState, asset_blobs, asset_markers, canonical, upload_blobs, version_blobs,
    version_marker,
};
use crate::records::{
    ASSET, ASSET_DELETE, ASSET_DROP_QUICK, ASSETS_OF_EPISODE, PARTS_DELETE, UPLOAD, UPLOAD_DONE, UPLOADS_OF_EPISODE,
};
use crate::uploads::no_episode;
use crate::{publish, removal, uploads};
use callboard::{Effects, Empty, Env, Fault, Kind, Msg, Reply, event, params, uri};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// As many as are looked at in one go.
pub(crate) const MANY: i64 = 50;

/// One stage on the way from an upload to a video.
#[derive(Debug, Serialize, JsonSchema)]
struct Stage {
    name: &'static str,
    state: &'static str,
}

/// An asset as editors see it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct View {
    id: String,
    episode: String,
    state: AssetState,
    stages: Vec<Stage>,
    reason_code: Option<String>,
    reason: Option<String>,
    filename: String,
    /// For the uploader alone: nobody else may follow it.
    upload: Option<String>,
    duration_ms: Option<i64>,
    width: Option<u32>,
    height: Option<u32>,
    versions: Vec<&'static str>,
    has_poster: bool,
    created_ms: i64,
    version: i64,
}

impl View {
    fn of(asset: Asset, upload: Option<String>) -> Self {
        Self {
            stages: stages(&asset),
            versions: asset.versions().collect(),
            id: asset.id,
            episode: asset.episode,
            state: asset.state,
            reason_code: asset.reason_code,
            reason: asset.reason,
            filename: asset.filename,
            upload,
            duration_ms: asset.duration_ms,
            width: asset.width,
            height: asset.height,
            has_poster: asset.has_poster,
            created_ms: asset.created_ms,
            version: asset.version,
        }
    }
}

fn stages(asset: &Asset) -> Vec<Stage> {
    let now = publish::STAGES.iter().position(|name| *name == asset.stage).unwrap_or_default();
    let state = |at: usize| match (asset.state, at.cmp(&now)) {
        (AssetState::Ready, _) | (_, std::cmp::Ordering::Less) => "done",
        (AssetState::Failed, std::cmp::Ordering::Equal) => "failed",
        (_, std::cmp::Ordering::Equal) => "doing",
        (_, std::cmp::Ordering::Greater) => "waiting",
    };
    publish::STAGES.iter().enumerate().map(|(at, name)| Stage { name, state: state(at) }).collect()
}

pub(crate) fn no_asset() -> Fault {
    Fault::not_found("media.no_asset", "this episode has no video; upload one")
}

/// `get /episodes/{id}/asset`: the newest.
pub(crate) async fn read(env: Env, msg: Msg<Empty>) -> Result<Reply<View>, Fault> {
    let episode = canonical(msg.param("id")).ok_or_else(no_episode)?;
    let asset: Option<Asset> = env.query(&ASSETS_OF_EPISODE, params![episode, "~", 1]).await?.first()?;
    let asset = asset.ok_or_else(no_asset)?;
    let upload: Option<Upload> = env.query(&UPLOAD, params![&asset.upload]).await?.first()?;
    let is_followed = |upload: &Upload| {
        upload.state == UploadState::Complete && env.principal().person_id() == Some(upload.uploader.as_str())
    };
    let version = asset.version;
    Ok(Reply::ok(View::of(asset, upload.filter(is_followed).map(|upload| upload.id))).version(version))
}

/// Which assets to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    episode: String,
    #[serde(default)]
    after: Option<String>,
    #[serde(default)]
    limit: Option<i64>,
}

/// A page of assets.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Page {
    items: Vec<View>,
    next: Option<String>,
}

/// `get /assets?episode=`: all of an episode, the newest first; one that is being replaced is still among them.
pub(crate) async fn list(env: Env, msg: Msg<Question>) -> Result<Reply<Page>, Fault> {
    let question = &msg.data;
    let limit = question.limit.unwrap_or(20).clamp(1, 100);
    let before = question.after.as_deref().unwrap_or("~");
    let mut assets: Vec<Asset> =
        env.query(&ASSETS_OF_EPISODE, params![&question.episode, before, limit + 1]).await?.all()?;
    let has_more = i64::try_from(assets.len()).unwrap_or(i64::MAX) > limit;
    assets.truncate(usize::try_from(limit).unwrap_or_default());
    let next = assets.last().map(|asset| asset.id.clone()).filter(|_| has_more);
    Ok(Reply::ok(Page { items: assets.into_iter().map(|asset| View::of(asset, None)).collect(), next }))
}

/// Takes back an asset and what is being made of it, without telling anybody: something else stands in its place.
pub(crate) fn drop_quietly(env: &Env, effects: Effects, asset: &Asset) -> Effects {
    let tenant = env.tenant();
    let effects = effects
        .write(ASSET_DELETE.with(params![&asset.id]))
        .write(UPLOAD_DONE.with(params![&asset.upload]))
        .write(PARTS_DELETE.with(params![&asset.upload]))
        .cancel(publish::FLOW, &asset.upload);
    let keys =
        vec![asset_markers(tenant, &asset.id), asset_blobs(tenant, &asset.id), upload_blobs(tenant, &asset.upload)];
    removal::start(env, effects, keys)
}

/// Takes back an asset and what is being made of it. Whatever its publication still writes goes when that is undone.
pub(crate) fn discard(env: &Env, effects: Effects, asset: &Asset) -> Result<Effects, Fault> {
    let news = asset.news("removed", asset.version + 1)?;
    Ok(drop_quietly(env, effects, asset).emit(event("removed"), asset.uri()?, news))
}

/// `delete /episodes/{id}/asset`: the episode has no video any more.
pub(crate) async fn remove(env: Env, msg: Msg<Empty>) -> Result<Reply, Fault> {
    let episode = canonical(msg.param("id")).ok_or_else(no_episode)?;
    let assets: Vec<Asset> = env.query(&ASSETS_OF_EPISODE, params![episode, "~", MANY]).await?.all()?;
    if assets.is_empty() {
        return Err(no_asset());
    }
    let effects = assets.iter().try_fold(Effects::new(), |effects, asset| discard(&env, effects, asset))?;
    Ok(Reply::deleted(uri!("/episodes/{episode}/asset")?).with(effects))
}

/// `deleted` of `/episodes/{id}`, and `post /episodes/{id}/asset/removal` for the rest of very many: nothing stays of
/// its uploads and assets.
pub(crate) async fn follow_episode(env: Env, msg: Msg<Empty>) -> Result<Reply, Fault> {
    let Some(episode) = canonical(msg.param("id")) else { return Ok(Reply::nothing()) };
    let assets: Vec<Asset> = env.query(&ASSETS_OF_EPISODE, params![episode, "~", MANY]).await?.all()?;
    let found: Vec<Upload> = env.query(&UPLOADS_OF_EPISODE, params![episode, MANY]).await?.all()?;
    let mut effects = Effects::new();
    for upload in &found {
        effects = uploads::forget(&env, effects, upload)?;
    }
    for asset in &assets {
        effects = discard(&env, effects, asset)?;
    }
    let many = usize::try_from(MANY).unwrap_or_default();
    if assets.len() >= many || found.len() >= many {
        effects = effects.send(Kind::Post, uri!("/episodes/{episode}/asset/removal")?, json!({}));
    }
    Ok(Reply::nothing().with(effects))
}

/// `delete /assets/{id}/versions/{version}`: the quick version goes a day after the full one is there.
pub(crate) async fn drop_version(env: Env, msg: Msg<Empty>) -> Result<Reply, Fault> {
    let (id, version) = (msg.param("id"), msg.param("version"));
    let asset: Option<Asset> = env.query(&ASSET, params![id]).await?.first()?;
    let Some(asset) = asset.filter(|asset| asset.has_full && asset.has_quick && version == QUICK) else {
        return Ok(Reply::nothing());
    };
    let tenant = env.tenant();
    let keys = vec![version_marker(tenant, &asset.id, QUICK), version_blobs(tenant, &asset.id, QUICK)];
    let effects = Effects::new().write(ASSET_DROP_QUICK.with(params![&asset.id]).expect_or_retry(1..=1));
    Ok(Reply::nothing().with(removal::start(&env, effects, keys)))
}
