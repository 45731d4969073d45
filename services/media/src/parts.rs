//! Parts that the gateway has stored: each moves its upload on, and the last one starts its publication.

use crate::arrival::{Arrival, judge};
use crate::model::{Arrived, Asset, AssetState, News, Part, Upload, UploadState, canonical, stored, upload_blobs};
use crate::publish::{self, Publication};
use crate::records::{ASSET_INSERT, ASSETS_OF_EPISODE, PART_INSERT, PARTS_LIKE, QUOTA_GIVE, UPLOAD, UPLOAD_ADVANCE};
use crate::uploads::{elsewhere, no_upload};
use crate::{assets, removal, tus};
use callboard::ports::Read;
use callboard::{Effects, Env, Fault, Msg, Reply, Stored, event, params, uri};

/// `post /uploads/{id}/parts`
pub(crate) async fn store(env: Env, msg: Msg<Stored>) -> Result<Reply, Fault> {
    let id = canonical(msg.param("id")).ok_or_else(no_upload)?;
    let part = &msg.data;
    let below = format!("{}/", upload_blobs(env.tenant(), id));
    if !part.key.starts_with(&below) {
        return Err(Fault::bug(format!("the part {} is not of upload {id}", part.key)));
    }
    let reads = vec![
        Read { statement: &UPLOAD, params: params![id] },
        Read { statement: &PARTS_LIKE, params: params![id, stored(part.offset), &part.key] },
    ];
    let found = env.query_many(reads).await?;
    let [upload, alike] = found.as_slice() else { return Err(Fault::bug("two statements have two answers")) };
    let alike: Vec<Part> = alike.all()?;
    let Some(upload) = upload.first::<Upload>()? else { return Ok(too_late(&env, part, &alike, no_upload())) };
    match judge(upload.offset_bytes, upload.size_bytes, part, &alike) {
        Arrival::Next { offset_bytes, is_last } if upload.state == UploadState::Open => {
            let effects = Effects::new().write(PART_INSERT.with(params![
                id,
                stored(part.offset),
                stored(part.size_bytes),
                &part.key
            ]));
            let effects = if is_last {
                complete(&env, effects, upload).await?
            } else {
                effects.write(advance(&env, &upload, offset_bytes, None))
            };
            Ok(tus::arrived(offset_bytes).with(effects))
        }
        Arrival::Known => Ok(tus::arrived(upload.offset_bytes)),
        // It goes with the upload: until then the same key may come to hold a part that is wanted.
        _ if upload.state == UploadState::Open => Err(elsewhere(upload.offset_bytes)),
        Arrival::Next { .. } | Arrival::Unwanted => Ok(too_late(&env, part, &alike, elsewhere(upload.offset_bytes))),
    }
}

/// Refuses a part of an upload that takes nothing more, and removes its blob unless a part that is wanted holds it.
fn too_late(env: &Env, part: &Stored, alike: &[Part], fault: Fault) -> Reply {
    let is_used = alike.iter().any(|it| it.blob == part.key);
    let keys = if is_used { Vec::new() } else { vec![part.key.clone()] };
    Reply::refused(fault).with(removal::start(env, Effects::new(), keys))
}

fn advance(env: &Env, upload: &Upload, offset_bytes: u64, asset: Option<&str>) -> callboard::Write {
    let state = if asset.is_some() { UploadState::Complete } else { UploadState::Open };
    let (from, to) = (stored(upload.offset_bytes), stored(offset_bytes));
    let write = UPLOAD_ADVANCE.with(params![&upload.id, from, to, state.as_str(), asset, env.now_ms()]);
    write.expect_or_retry(1..=1)
}

/// Everything has arrived: the upload becomes an asset, and its publication starts. What was being made of an earlier
/// upload for the same episode, or has failed, is not wanted any more; what plays stays until there is something better.
async fn complete(env: &Env, effects: Effects, upload: Upload) -> Result<Effects, Fault> {
    let asset = env.id().to_string();
    let now_ms = env.now_ms();
    let earlier: Vec<Asset> =
        env.query(&ASSETS_OF_EPISODE, params![&upload.episode, "~", assets::MANY]).await?.all()?;
    let insert =
        ASSET_INSERT.with(params![&asset, &upload.episode, &upload.series, &upload.id, &upload.filename, now_ms]);
    let mut effects = effects
        .write(advance(env, &upload, upload.size_bytes, Some(&asset)))
        .write(QUOTA_GIVE.with(params![&upload.uploader]))
        .write(insert);
    for old in earlier.iter().filter(|old| matches!(old.state, AssetState::Processing | AssetState::Failed)) {
        effects = assets::drop_quietly(env, effects, old);
    }
    if !earlier.iter().any(|old| old.state.is_playable()) {
        let uri = uri!("/assets/{asset}")?;
        let news = News {
            uri: uri.clone(),
            version: 1,
            asset: asset.clone(),
            episode: upload.episode.clone(),
            media_version: None,
            state: "processing".to_owned(),
            duration_ms: None,
            reason: None,
        };
        effects = effects.emit(event("processing"), uri, news);
    }
    let uri = uri!("/uploads/{}", upload.id)?;
    let (arrived, episode) = (uri.clone(), upload.episode.clone());
    let news = Arrived { uri: arrived, version: now_ms, asset: asset.clone(), episode };
    let publication = Publication {
        upload: upload.id.clone(),
        asset,
        episode: upload.episode,
        size_bytes: upload.size_bytes,
        is_low: upload.is_low,
    };
    Ok(effects.emit(event("completed"), uri, news).start(publish::FLOW, upload.id, publication))
}
