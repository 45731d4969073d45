//! Flow `exposure`: a marker blob lies beside every version that is delivered without a pass, and only there. It
//! follows the decision of `access`, which is asked again after the marker is set: so the last one to look is right.

use crate::model::{Asset, Reach, asset_markers, version_marker};
use crate::playback::life_ms;
use crate::records::{ASSET, ASSET_REACH, ASSETS_OF_EPISODE, ASSETS_OF_SERIES};
use callboard::{Effects, Empty, Env, Fault, Flow, Msg, Reply, Retry, Step, event, params};
use serde::{Deserialize, Serialize};
use serde_json::json;

const FLOW: &str = "exposure";

/// What tells whether a version may be delivered without a pass.
pub(crate) const DECISIONS: &[&str] = &["/access/episodes/{id}", "/access/episodes/{id}/public"];

/// As many assets as one run looks at; the next run takes the next.
const PAGE: i64 = 20;

/// How often the decision may change while it is followed.
const LOOKS_MAX: usize = 4;

/// Which assets to look at.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Exposure {
    Asset { asset: String },
    Episode { episode: String },
    Series { series: String, after: String },
}

/// What `access` says of an episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    is_public: bool,
    reach: Reach,
}

/// The flow.
pub(crate) fn flow() -> Flow {
    Flow::new(FLOW)
        .step("mark", mark)
        .reads(DECISIONS)
        .no_undo("a marker follows the decision; the next run sets right what this one left")
        .retry(Retry { attempts: 30, base_ms: 500, cap_ms: 60_000 })
        .timeout_ms(120_000)
}

/// `changed` of `/episodes/{id}`
pub(crate) async fn follow_episode(env: Env, msg: Msg<Empty>) -> Result<Reply, Fault> {
    let episode = msg.param("id");
    let found = env.query(&ASSETS_OF_EPISODE, params![episode, "~", 1]).await?;
    Ok(look(&env, !found.is_empty(), Exposure::Episode { episode: episode.to_owned() }))
}

/// `changed` of `/series/{id}`
pub(crate) async fn follow_series(env: Env, msg: Msg<Empty>) -> Result<Reply, Fault> {
    let series = msg.param("id");
    let found = env.query(&ASSETS_OF_SERIES, params![series, "", 1]).await?;
    Ok(look(&env, !found.is_empty(), Exposure::Series { series: series.to_owned(), after: String::new() }))
}

fn look(env: &Env, is_needed: bool, exposure: Exposure) -> Reply {
    if is_needed { Reply::nothing().start(FLOW, env.id().to_string(), exposure) } else { Reply::nothing() }
}

async fn decide(env: &Env, episode: &str) -> Result<Opened, Fault> {
    #[derive(Deserialize)]
    struct Public {
        is_public: bool,
    }
    #[derive(Deserialize)]
    struct Decision {
        rule: String,
    }
    let Public { is_public } = env.ask(&format!("/access/episodes/{episode}/public")).await?;
    let Decision { rule } = env.ask(&format!("/access/episodes/{episode}")).await?;
    let reach = if is_public { Reach::Public } else { Reach::of(&rule).max(Reach::Members) };
    Ok(Opened { is_public, reach })
}

async fn set(env: &Env, marker: &str, is_public: bool) -> Result<(), Fault> {
    if is_public { env.blobs().put(marker, Default::default()).await } else { env.blobs().remove(marker).await }
}

/// Sets the marker of a version that is about to become playable.
///
/// # Errors
/// Faults of `access` and of the blobs; `media.exposure` where the decision keeps changing.
pub(crate) async fn open_version(env: &Env, asset: &Asset, version: &str) -> Result<Opened, Fault> {
    let marker = version_marker(env.tenant(), &asset.id, version);
    let mut opened = decide(env, &asset.episode).await?;
    for _ in 0..LOOKS_MAX {
        set(env, &marker, opened.is_public).await?;
        let again = decide(env, &asset.episode).await?;
        if again == opened {
            return Ok(opened);
        }
        opened = again;
    }
    Err(unsettled())
}

/// Remembers whom an asset is open to, and looks once more when the other effects are there: who changed the access
/// meanwhile could not yet know of the version.
pub(crate) fn keep(env: &Env, effects: Effects, asset: &Asset, opened: Opened) -> Effects {
    let effects = effects.write(ASSET_REACH.with(params![&asset.id, opened.reach]));
    effects.start(FLOW, env.id().to_string(), Exposure::Asset { asset: asset.id.clone() })
}

async fn mark(env: Env, msg: Msg<Step<Exposure>>) -> Result<Reply, Fault> {
    let exposure = &msg.data.input;
    let rows = match exposure {
        Exposure::Asset { asset } => env.query(&ASSET, params![asset]).await?,
        Exposure::Episode { episode } => env.query(&ASSETS_OF_EPISODE, params![episode, "~", PAGE]).await?,
        Exposure::Series { series, after } => env.query(&ASSETS_OF_SERIES, params![series, after, PAGE]).await?,
    };
    let assets: Vec<Asset> = rows.all()?;
    let last = assets.last().map(|asset| asset.id.clone());
    let is_full = i64::try_from(assets.len()).unwrap_or(PAGE) >= PAGE;
    let mut effects = Effects::new();
    for asset in assets {
        effects = follow(&env, effects, asset).await?;
    }
    if let (Exposure::Series { series, .. }, Some(after), true) = (exposure, last, is_full) {
        let next = Exposure::Series { series: series.clone(), after };
        effects = effects.start(FLOW, env.id().to_string(), next);
    }
    Ok(Reply::nothing().with(effects))
}

/// Sets or removes the markers of an asset's versions until neither the decision nor the versions changed meanwhile.
async fn follow(env: &Env, effects: Effects, mut asset: Asset) -> Result<Effects, Fault> {
    for _ in 0..LOOKS_MAX {
        let opened = decide(env, &asset.episode).await?;
        for version in asset.versions() {
            set(env, &version_marker(env.tenant(), &asset.id, version), opened.is_public).await?;
        }
        let again: Option<Asset> = env.query(&ASSET, params![&asset.id]).await?.first()?;
        let Some(again) = again else {
            env.blobs().remove(&asset_markers(env.tenant(), &asset.id)).await?;
            return Ok(effects);
        };
        let is_settled = again.versions().eq(asset.versions()) && decide(env, &asset.episode).await? == opened;
        asset = again;
        if is_settled {
            return tell(env, effects, &asset, opened);
        }
    }
    Err(unsettled())
}

/// Remembers whom the asset is open to. Where passes were given to people who may not watch any more, says that passes
/// from before do not count.
fn tell(env: &Env, effects: Effects, asset: &Asset, opened: Opened) -> Result<Effects, Fault> {
    if opened.reach == asset.reach {
        return Ok(effects);
    }
    let mut effects = effects.write(ASSET_REACH.with(params![&asset.id, opened.reach]).expect_or_retry(0..=1));
    if opened.reach < asset.reach {
        return Ok(effects);
    }
    let version = effects.slot("version");
    let mut news = asset.news("revoked", version)?;
    // A pass that ends later was issued after this.
    news["expires_ms_max"] = json!(env.now_ms() + life_ms(asset));
    Ok(effects.emit(event("revoked"), asset.uri()?, news))
}

fn unsettled() -> Fault {
    Fault::unavailable("media.exposure", "access to this video keeps changing; it is followed again in a moment")
}
