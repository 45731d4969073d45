//! What goes wrong with a publication: while it is tried again, people hear why; once it was undone, its asset has failed,
//! with the reason, and nothing stays behind.

use super::Publication;
use super::tool::{news, places};
use crate::model::{Asset, AssetState, asset_blobs, asset_markers, upload_blobs};
use crate::records::{ASSET, ASSET_DELAYED, ASSET_FAILED, ASSETS_OF_EPISODE, PARTS_DELETE, UPLOAD_DONE};
use crate::{assets, removal};
use callboard::flow::Reason;
use callboard::{Effects, Env, Fault, Msg, Reply, event, params};
use schemars::JsonSchema;
use serde::Deserialize;

/// What the runtime says of a run.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Told {
    input: Publication,
    reason: Option<Reason>,
}

/// What a producer hears of a reason: its code and its message.
fn words(reason: Option<&Reason>) -> (&str, &str) {
    match reason {
        // The caller's message of a defect says nothing that helps a producer.
        Some(reason) if reason.code != "bug" => (&reason.code, &reason.message),
        _ => ("bug", "something went wrong on our side; upload the video again, and tell us if that fails too"),
    }
}

/// `delayed` of `/flows/publish/{run}`: the machine lacks something, and it is tried again; the file is not to blame.
pub(crate) async fn delay(msg: Msg<Told>) -> Result<Reply, Fault> {
    let Told { input: publication, reason } = &msg.data;
    let stage = match reason.as_ref().and_then(|reason| reason.step.as_deref()) {
        Some("cut" | "ready") => "full",
        Some(step) => step,
        None => return Ok(Reply::nothing()),
    };
    let (code, message) = match words(reason.as_ref()) {
        ("bug", _) => ("bug", "something went wrong on our side; it is tried again"),
        told => told,
    };
    let mut effects = Effects::new();
    // Where the stage was passed meanwhile, there is nothing to tell any more.
    effects = effects.write(ASSET_DELAYED.with(params![&publication.asset, code, message, stage]));
    for place in places(publication)? {
        effects = effects.live(event("progress"), place, news(stage, 0.0, None, Some(message)));
    }
    Ok(Reply::nothing().with(effects))
}

/// `undone` and `undo_stuck` of `/flows/publish/{run}`.
pub(crate) async fn fail(env: Env, msg: Msg<Told>) -> Result<Reply, Fault> {
    let Told { input: publication, reason } = &msg.data;
    let (code, message) = words(reason.as_ref());
    let asset: Option<Asset> = env.query(&ASSET, params![&publication.asset]).await?.first()?;
    let mut effects = Effects::new()
        .write(UPLOAD_DONE.with(params![&publication.upload]))
        .write(PARTS_DELETE.with(params![&publication.upload]));
    let [upload, episode] = places(publication)?;
    let heard = news("failed", 1.0, None, Some(message));
    effects = effects.live(event("progress"), upload, &heard);
    // An asset that was taken back has nobody to tell but its uploader: something else may stand in its place.
    if let Some(asset) = asset.filter(|asset| asset.state != AssetState::Failed) {
        effects = effects.live(event("progress"), episode, &heard);
        effects = effects.write(ASSET_FAILED.with(params![&asset.id, code, message]).expect_or_retry(1..=1));
        let version = effects.slot("version");
        let earlier: Vec<Asset> =
            env.query(&ASSETS_OF_EPISODE, params![&asset.episode, "~", assets::MANY]).await?.all()?;
        let plays = earlier.iter().any(|other| other.id != asset.id && other.state.is_playable());
        let failed = Asset { reason: Some(message.to_owned()), has_quick: false, has_full: false, ..asset };
        // Where another asset of the episode plays, the episode has not failed.
        if !plays {
            effects = effects.emit(event("failed"), failed.uri()?, failed.news("failed", version)?);
        }
    }
    let tenant = env.tenant();
    let keys = vec![
        asset_markers(tenant, &publication.asset),
        asset_blobs(tenant, &publication.asset),
        upload_blobs(tenant, &publication.upload),
    ];
    Ok(Reply::nothing().with(removal::start(&env, effects, keys)))
}
