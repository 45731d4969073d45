//! Playback: where a viewer's player finds a video, and the pass it needs where not everybody may watch.

use crate::model::{Asset, canonical, version_marker};
use crate::poster::{FILE, SMALL_FILE};
use crate::publish::MASTER;
use crate::records::ASSETS_OF_EPISODE;
use crate::{assets, uploads};
use callboard::{Empty, Env, Fault, Msg, PASS_AGE_MS_MAX, Pass, Principal, Reply, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How long somebody may pause, beyond the length of a video.
const PAUSE_MS: i64 = 3_600_000;

/// Where a video plays.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Playback {
    src: String,
    poster: Option<String>,
    still: Option<String>,
    version: &'static str,
    expires_ms: Option<i64>,
    protected: bool,
}

/// How long a pass to an asset lives.
pub(crate) fn life_ms(asset: &Asset) -> i64 {
    asset.duration_ms.unwrap_or_default().saturating_add(PAUSE_MS).min(PASS_AGE_MS_MAX)
}

/// `post /episodes/{id}/playback`
pub(crate) async fn create(env: Env, msg: Msg<Empty>) -> Result<Reply<Playback>, Fault> {
    let episode = canonical(msg.param("id")).ok_or_else(uploads::no_episode)?;
    let rule = admit(&env, episode).await?;
    let found: Vec<Asset> = env.query(&ASSETS_OF_EPISODE, params![episode, "~", assets::MANY]).await?.all()?;
    let playing =
        found.iter().find_map(|asset| asset.playing().filter(|_| asset.state.is_playable()).map(|it| (asset, it)));
    let Some((asset, version)) = playing else {
        let message = "there is nothing to play yet; look again when the video is ready";
        return Err(Fault::not_found("media.not_playable", message));
    };
    // The marker follows a change of access a moment later, so both must agree before an address works without a pass.
    let is_open = matches!(rule.as_str(), "public" | "unlisted");
    let marker = version_marker(env.tenant(), &asset.id, version);
    let is_public = is_open && env.blobs().meta(&marker).await?.is_some();
    let expires_ms = (!is_public).then(|| env.now_ms() + life_ms(asset));
    let folder = match expires_ms {
        None => format!("/media/{}/{version}", asset.id),
        Some(expires_ms) => {
            format!("/media/~{}/{}/{version}", env.sign(&pass(&env, asset, version, expires_ms)), asset.id)
        }
    };
    Ok(Reply::ok(Playback {
        src: format!("{folder}/{MASTER}"),
        poster: asset.has_poster.then(|| format!("{folder}/{FILE}")),
        still: asset.has_poster.then(|| format!("{folder}/{SMALL_FILE}")),
        version,
        expires_ms,
        protected: !is_public,
    })
    .header("cache-control", "private, no-store"))
}

/// Asks whether the caller may watch. Gives the rule that let them.
async fn admit(env: &Env, episode: &str) -> Result<String, Fault> {
    #[derive(Deserialize)]
    struct Decision {
        visible: bool,
        may_watch: bool,
        rule: String,
        reason: String,
        remedy: Option<String>,
    }
    let decision: Decision = env.call(&format!("/access/episodes/{episode}")).await?;
    if decision.may_watch {
        return Ok(decision.rule);
    }
    if !decision.visible {
        return Err(uploads::no_episode());
    }
    let message = match decision.remedy {
        Some(remedy) => format!("{}; {remedy}", decision.reason),
        None => decision.reason,
    };
    Err(match env.principal() {
        Principal::Nobody => Fault::not_signed_in("media.watch_denied", message),
        _ => Fault::denied("media.watch_denied", message),
    })
}

fn pass(env: &Env, asset: &Asset, version: &str, expires_ms: i64) -> Pass {
    let principal = env.principal();
    let session = principal.session().or_else(|| principal.person_id()).unwrap_or("nobody");
    Pass {
        tenant: env.tenant().to_string(),
        folder: asset.id.clone(),
        version: version.to_owned(),
        session: session.to_owned(),
        purpose: "play".to_owned(),
        last_segment: None,
        expires_ms,
    }
}
