//! Uploads by tus 1.0: made, asked for, continued, ended. Their bytes never come here; the gateway stores them.

use crate::model::{Asset, AssetState, Upload, UploadState, canonical, stored, upload_blobs};
use crate::records::{ASSET, PARTS_DELETE, QUOTA_GIVE, QUOTA_TAKE, UPLOAD, UPLOAD_DELETE, UPLOAD_INSERT};
use crate::{assets, removal, tus};
use callboard::{Data, Effects, Empty, Env, Fault, FaultKind, Intake, Kind, Msg, Principal, Reply, event, params, uri};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// An upload without progress for so long is removed.
const AGE_MS_MAX: i64 = 24 * 3_600_000;

/// Headers that say what of the protocol is spoken.
pub(crate) const SPOKEN: &[&str] = &["tus-resumable", "tus-version", "tus-extension", "tus-max-size"];

/// `options /uploads`, `options /uploads/{id}`: what of the protocol is spoken.
pub(crate) async fn describe(env: Env, _: Msg<Data>) -> Result<Reply, Fault> {
    let reply = tus::answer(Reply::nothing()).header("tus-version", tus::VERSION);
    let size_bytes_max: u64 = env.setting("media.upload_bytes_max")?;
    Ok(reply.header("tus-extension", tus::EXTENSIONS).header("tus-max-size", size_bytes_max.to_string()))
}

/// The caller, as an upload remembers them: only who may edit uploads.
fn uploader(env: &Env) -> Option<String> {
    match env.principal() {
        Principal::Service(name) => Some(format!("service/{name}")),
        Principal::Person { id, .. } if env.principal().has_role("editor") => Some(id.to_string()),
        _ => None,
    }
}

/// `post /uploads`
pub(crate) async fn create(env: Env, msg: Msg<Data>) -> Result<Reply, Fault> {
    #[derive(Deserialize)]
    struct Facts {
        series: String,
    }
    tus::check_version(&msg.head)?;
    let size_bytes = tus::length(&msg.head, env.setting("media.upload_bytes_max")?)?;
    let metadata = tus::metadata(msg.head.meta("upload-metadata").unwrap_or_default())?;
    let uploader = uploader(&env).ok_or_else(|| Fault::bug("an upload is made by nobody who may"))?;
    let facts = env.ask::<Facts>(&format!("/episodes/{}/facts", metadata.episode)).await;
    let facts = facts.map_err(|fault| match fault.kind {
        FaultKind::NotFound => no_episode(),
        _ => fault,
    })?;
    let open_max: i64 = env.setting("media.uploads_open_max")?;
    let full = || {
        let message = format!("you have {open_max} unfinished uploads: finish or remove one of them first");
        Fault::too_many("media.uploads_open", message).header("retry-after", "60")
    };
    let id = env.id().to_string();
    let (uri, now_ms) = (uri!("/uploads/{id}")?, env.now_ms());
    let insert = UPLOAD_INSERT.with(params![
        &id,
        &metadata.episode,
        facts.series,
        &uploader,
        metadata.filename,
        metadata.is_low,
        stored(size_bytes),
        now_ms,
    ]);
    let effects = Effects::new()
        .write(QUOTA_TAKE.with(params![&uploader, open_max]).expect(1..=1, full()))
        .write(insert)
        .send_at(now_ms + AGE_MS_MAX, Kind::Post, uri!("/uploads/{id}/expiry")?, json!({}));
    let reply = Reply { body: callboard::Body::Nothing, ..Reply::created(uri, ()) };
    Ok(tus::answer(reply.with(effects)).header("upload-offset", "0"))
}

pub(crate) fn no_episode() -> Fault {
    Fault::not_found("media.no_such_episode", "there is no such episode; choose one of this channel")
}

pub(crate) fn no_upload() -> Fault {
    tus::say(Fault::not_found("media.no_such_upload", "there is no such upload; it may have ended or been removed"))
}

/// The upload a message is about, as its uploader may see it. To everybody else there is none.
async fn own<T>(env: &Env, msg: &Msg<T>) -> Result<Upload, Fault> {
    let id = canonical(msg.param("id")).ok_or_else(no_upload)?;
    let upload: Option<Upload> = env.query(&UPLOAD, params![id]).await?.first()?;
    let caller = uploader(env);
    upload.filter(|upload| caller.as_ref() == Some(&upload.uploader)).ok_or_else(no_upload)
}

/// An upload as its uploader sees it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct View {
    id: String,
    episode: String,
    filename: String,
    size_bytes: u64,
    offset_bytes: u64,
    state: UploadState,
    asset: Option<String>,
}

/// `get /uploads/{id}`, which answers HEAD too: how much has arrived.
pub(crate) async fn read(env: Env, msg: Msg<Data>) -> Result<Reply<View>, Fault> {
    if msg.head.meta("tus-resumable").is_some() {
        tus::check_version(&msg.head)?;
    }
    let Upload { id, episode, filename, size_bytes, offset_bytes, state, asset, .. } = own(&env, &msg).await?;
    let reply = Reply::ok(View { id, episode, filename, size_bytes, offset_bytes, state, asset });
    let reply = tus::answer(reply).header("upload-offset", offset_bytes.to_string());
    Ok(reply.header("upload-length", size_bytes.to_string()))
}

/// `patch /uploads/{id}`: where the gateway puts the bytes that follow.
pub(crate) async fn go_on(env: Env, msg: Msg<Data>) -> Result<Reply, Fault> {
    tus::check_version(&msg.head)?;
    let upload = own(&env, &msg).await?;
    let from = tus::offset(&msg.head)?;
    if from != upload.offset_bytes {
        return Err(elsewhere(upload.offset_bytes));
    }
    if from == upload.size_bytes {
        return Ok(tus::arrived(from));
    }
    let prefix = upload_blobs(env.tenant(), &upload.id);
    let then = uri!("/uploads/{}/parts", upload.id)?;
    Ok(tus::answer(Reply::intake(Intake { prefix, range: from..upload.size_bytes, then })))
}

pub(crate) fn elsewhere(offset_bytes: u64) -> Fault {
    let message = format!("the upload stands at byte {offset_bytes}: go on from there");
    tus::say(Fault::conflict("media.offset", message)).header("upload-offset", offset_bytes.to_string())
}

/// `delete /uploads/{id}`: ends an upload, and takes back what is being made of it. A finished video stays.
pub(crate) async fn remove(env: Env, msg: Msg<Data>) -> Result<Reply, Fault> {
    tus::check_version(&msg.head)?;
    let upload = own(&env, &msg).await?;
    let mut effects = forget(&env, Effects::new(), &upload)?;
    if let Some(asset) = &upload.asset {
        let asset: Option<Asset> = env.query(&ASSET, params![asset]).await?.first()?;
        if let Some(asset) = asset.filter(|asset| asset.state != AssetState::Ready) {
            effects = assets::discard(&env, effects, &asset)?;
        }
    }
    Ok(tus::answer(Reply::deleted(uri!("/uploads/{}", upload.id)?).with(effects)))
}

/// Removes an upload and its bytes.
pub(crate) fn forget(env: &Env, effects: Effects, upload: &Upload) -> Result<Effects, Fault> {
    let as_read = params![&upload.id, stored(upload.offset_bytes), upload.state.as_str()];
    let effects =
        effects.write(UPLOAD_DELETE.with(as_read).expect_or_retry(1..=1)).write(PARTS_DELETE.with(params![&upload.id]));
    let effects = match upload.state {
        UploadState::Open => effects.write(QUOTA_GIVE.with(params![&upload.uploader])),
        UploadState::Complete | UploadState::Done => effects,
    };
    Ok(removal::start(env, effects, vec![upload_blobs(env.tenant(), &upload.id)]))
}

/// `post /uploads/{id}/expiry`: removes an upload that nobody goes on with; looks again later at one that moves.
pub(crate) async fn expire(env: Env, msg: Msg<Empty>) -> Result<Reply, Fault> {
    let id = msg.param("id");
    let upload: Option<Upload> = env.query(&UPLOAD, params![id]).await?.first()?;
    let Some(upload) = upload else { return Ok(Reply::nothing()) };
    let due_ms = upload.progress_ms + AGE_MS_MAX;
    if upload.state == UploadState::Complete || due_ms > env.now_ms() {
        let again_ms = due_ms.max(env.now_ms() + 60_000);
        let again = Effects::new().send_at(again_ms, Kind::Post, uri!("/uploads/{id}/expiry")?, json!({}));
        return Ok(Reply::nothing().with(again));
    }
    let uri = uri!("/uploads/{id}")?;
    let news = json!({"uri": uri, "version": env.now_ms()});
    Ok(Reply::nothing().with(forget(&env, Effects::new(), &upload)?.emit(event("deleted"), uri, news)))
}
