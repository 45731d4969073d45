//! What the catalogue knows of an episode's video: a projection of the events on its asset.
//!
//! Events come at least once, and after a redrive also late; what is older than what is known changes nothing.

use crate::model::MediaState;
use crate::records::{EPISODE_MEDIA, EPISODE_MEDIA_UPDATE, SERIES_REFRESH};
use callboard::{Effects, Env, Fault, Id, Msg, Reply, Uri, event, params, uri};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What `media` says about an asset. Fields that it adds later are ignored.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct News {
    asset: String,
    episode: String,
    /// Of the asset as a resource: grows with each change.
    version: Option<i64>,
    /// Of the renditions; part of their address.
    media_version: Option<Value>,
    duration_ms: Option<i64>,
}

/// The media columns of an episode.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Known {
    series: String,
    version: i64,
    media_asset: Option<String>,
    media_asset_version: Option<i64>,
    media_version: Option<String>,
    media_state: Option<MediaState>,
    media_duration_ms: Option<i64>,
}

/// Where a piece of news stands in time: assets of one episode follow each other by id, changes of one asset by version,
/// and where those are equal by how far the work is.
type Moment<'a> = (&'a str, i64, MediaState);

impl Known {
    fn moment(&self) -> Option<Moment<'_>> {
        Some((self.media_asset.as_deref()?, self.media_asset_version?, self.media_state?))
    }

    fn is_outdated_by(&self, news: Moment<'_>) -> bool {
        self.moment().is_none_or(|known| known < news)
    }
}

/// What whoever looks at an episode hears when its media have changed.
#[derive(Serialize, JsonSchema)]
pub(crate) struct MediaChanged {
    uri: Uri,
    version: i64,
    /// Where they stand.
    media: MediaState,
}

/// Events `processing`, `playable`, `ready`, `failed` and `removed` on `/assets/{id}`.
pub(crate) async fn follow(env: Env, msg: Msg<News>) -> Result<Reply, Fault> {
    let news = &msg.data;
    let state: MediaState = serde_json::from_value(json!(msg.kind.as_str()))
        .map_err(|_| Fault::bug(format!("`{}` is bound as a state of media, but is none", msg.kind)))?;
    let Ok(episode) = news.episode.parse::<Id>().map(|id| id.to_string()) else { return Ok(Reply::nothing()) };
    let known: Option<Known> = env.query(&EPISODE_MEDIA, params![&episode]).await?.first()?;
    let version = news.version.unwrap_or(msg.time_ms);
    let Some(known) = known.filter(|known| known.is_outdated_by((&news.asset, version, state))) else {
        return Ok(Reply::nothing());
    };
    let is_same_asset = known.media_asset.as_deref() == Some(&news.asset);
    let media_version = news.media_version.as_ref().and_then(word).or(known.media_version.filter(|_| is_same_asset));
    let duration_ms = news.duration_ms.or(known.media_duration_ms.filter(|_| is_same_asset));
    let update = EPISODE_MEDIA_UPDATE.with(params![
        &episode,
        known.version,
        &news.asset,
        version,
        media_version,
        state.as_str(),
        duration_ms,
        state.is_playable(),
    ]);
    let uri = uri!("/episodes/{episode}")?;
    let effects = Effects::new()
        .write(update.expect_or_retry(1..=1))
        .write(SERIES_REFRESH.with(params![known.series]))
        // Whoever looks at the episode should see it; nobody else needs an event, for media has told them.
        .live(event("changed"), uri.clone(), MediaChanged { uri, version: known.version + 1, media: state });
    Ok(Reply::nothing().with(effects))
}

fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STATES: [MediaState; 5] =
        [MediaState::Processing, MediaState::Playable, MediaState::Ready, MediaState::Failed, MediaState::Removed];

    fn known(moment: Option<Moment<'_>>) -> Known {
        Known {
            series: String::new(),
            version: 1,
            media_asset: moment.map(|(asset, ..)| asset.to_owned()),
            media_asset_version: moment.map(|(_, version, _)| version),
            media_version: None,
            media_state: moment.map(|(.., state)| state),
            media_duration_ms: None,
        }
    }

    proptest! {
        #[test]
        fn any_order_and_any_repetition_end_the_same(
            news in prop::collection::vec(("[ab]", 0..4_i64, prop::sample::select(STATES.to_vec())), 1..12),
            seed in any::<prop::sample::Index>(),
        ) {
            let end = |news: &[(String, i64, MediaState)]| {
                news.iter().fold(known(None), |state, (asset, version, media)| {
                    let moment: Moment<'_> = (asset, *version, *media);
                    if state.is_outdated_by(moment) { known(Some(moment)) } else { state }
                })
            };
            let mut other = news.clone();
            other.rotate_left(seed.index(news.len()));
            other.extend(news.iter().rev().cloned());
            prop_assert_eq!(end(&news), end(&other));
        }
    }
}
