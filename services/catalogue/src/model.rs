//! What series, seasons and episodes are, and what may be said about them from outside.

use callboard::{Datum, Fault, Id, Msg, Principal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most genres of a series.
pub(crate) const GENRES_MAX: usize = 8;
/// Most tags of a series or an episode.
pub(crate) const TAGS_MAX: usize = 16;
/// Most episodes of a series.
pub(crate) const EPISODES_MAX: i64 = 10_000;
/// Highest number of a season.
pub(crate) const SEASON_MAX: i64 = 999;
/// Highest number of an episode that can be asked for.
pub(crate) const NUMBER_MAX: i64 = 9_999;

/// What an item's editor says about who may see it. What follows from it is decided by `access`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Access {
    /// Everybody.
    #[default]
    Public,
    /// Whoever has the link; no list shows it.
    Unlisted,
    /// Watched by whoever is signed in.
    Members,
    /// Editors only.
    Private,
}

impl From<Access> for Datum {
    fn from(access: Access) -> Self {
        Datum::from(match access {
            Access::Public => "public",
            Access::Unlisted => "unlisted",
            Access::Members => "members",
            Access::Private => "private",
        })
    }
}

/// To whom lists show an item: a column that lists can filter by, never more generous than the access decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "i64")]
pub(crate) enum Tier {
    /// Everyone.
    Everyone = 0,
    /// Editors.
    Editors = 2,
    /// Nobody: it is being removed.
    Nobody = 3,
}

impl Tier {
    /// Where an item stands by its own access. What is for members everybody sees, and whoever is signed in watches.
    pub(crate) fn of(access: Access, active: bool) -> Self {
        match access {
            Access::Public | Access::Members if active => Self::Everyone,
            _ => Self::Editors,
        }
    }

    /// The tiers that lists show to somebody.
    pub(crate) fn shown_to(principal: &Principal) -> &'static [Self] {
        if is_editor(principal) { &[Self::Everyone, Self::Editors] } else { &[Self::Everyone] }
    }
}

/// Whether somebody sees what is not for everyone: an editor, or one of our services.
fn is_editor(principal: &Principal) -> bool {
    match principal {
        Principal::Nobody => false,
        Principal::Person { .. } => principal.has_role("editor"),
        Principal::Service(_) => true,
    }
}

impl From<Tier> for Datum {
    fn from(tier: Tier) -> Self {
        Datum::Int(tier as i64)
    }
}

impl TryFrom<i64> for Tier {
    type Error = String;

    fn try_from(number: i64) -> Result<Self, String> {
        let tiers = [Self::Everyone, Self::Editors, Self::Nobody];
        tiers.into_iter().find(|&tier| tier as i64 == number).ok_or_else(|| format!("there is no tier {number}"))
    }
}

/// A series, as its row is read and as callers get it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Series {
    pub(crate) id: String,
    pub(crate) slug: String,
    pub(crate) title: String,
    pub(crate) short_text: String,
    pub(crate) long_text: String,
    pub(crate) genres: Vec<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) access: Access,
    pub(crate) active: bool,
    pub(crate) version: i64,
    /// Of all episodes, also those that only editors see; so only they are told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) episode_count: Option<i64>,
    pub(crate) created_ms: i64,
    pub(crate) updated_ms: i64,
    #[serde(skip_serializing)]
    pub(crate) edited_version: i64,
}

impl Series {
    /// As far as it is for somebody.
    pub(crate) fn shown_to(self, principal: &Principal) -> Self {
        Self { episode_count: self.episode_count.filter(|_| is_editor(principal)), ..self }
    }
}

/// The row of an episode.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct EpisodeRow {
    pub(crate) id: String,
    pub(crate) pid: String,
    pub(crate) series: String,
    pub(crate) season: i64,
    pub(crate) number: i64,
    pub(crate) title: String,
    pub(crate) short_text: String,
    pub(crate) long_text: String,
    pub(crate) tags: Vec<String>,
    pub(crate) access: Access,
    pub(crate) active: bool,
    pub(crate) media_asset: Option<String>,
    pub(crate) media_version: Option<String>,
    pub(crate) media_state: Option<MediaState>,
    pub(crate) media_duration_ms: Option<i64>,
    pub(crate) version: i64,
    pub(crate) edited_version: i64,
}

/// An episode, as callers get it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Episode {
    pub(crate) id: String,
    pub(crate) pid: String,
    pub(crate) slug: String,
    pub(crate) series: String,
    pub(crate) season: i64,
    pub(crate) number: i64,
    pub(crate) title: String,
    pub(crate) short_text: String,
    pub(crate) long_text: String,
    pub(crate) tags: Vec<String>,
    pub(crate) access: Access,
    pub(crate) active: bool,
    pub(crate) version: i64,
    pub(crate) media: Option<Media>,
}

/// What is known of an episode's video.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Media {
    pub(crate) asset: String,
    pub(crate) version: Option<String>,
    pub(crate) state: MediaState,
    pub(crate) duration_ms: Option<i64>,
}

/// How far a video is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MediaState {
    /// Not playable yet.
    Processing,
    /// Playable, with more renditions to come.
    Playable,
    /// Done.
    Ready,
    /// Refused or broken.
    Failed,
    /// Taken away. Kept in the row so that late news of the same asset changes nothing; callers see no media.
    Removed,
}

impl MediaState {
    /// Whether a viewer can watch something.
    pub(crate) fn is_playable(self) -> bool {
        matches!(self, Self::Playable | Self::Ready)
    }

    /// The word for it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Processing => "processing",
            Self::Playable => "playable",
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Removed => "removed",
        }
    }
}

impl From<EpisodeRow> for Episode {
    fn from(row: EpisodeRow) -> Self {
        let state = row.media_state.filter(|&state| state != MediaState::Removed);
        let media = row.media_asset.zip(state).map(|(asset, state)| Media {
            asset,
            version: row.media_version,
            state,
            duration_ms: row.media_duration_ms,
        });
        Self {
            slug: crate::slug::slug_or(&row.title, "episode"),
            id: row.id,
            pid: row.pid,
            series: row.series,
            season: row.season,
            number: row.number,
            title: row.title,
            short_text: row.short_text,
            long_text: row.long_text,
            tags: row.tags,
            access: row.access,
            active: row.active,
            version: row.version,
            media,
        }
    }
}

/// The id in a message's URI. Only the one spelling of an id counts: what is authorised is what is served.
pub(crate) fn id_of<In>(msg: &Msg<In>, missing: fn() -> Fault) -> Result<String, Fault> {
    let text = msg.param("id");
    match text.parse::<Id>() {
        Ok(id) if id.to_string() == text => Ok(text.to_owned()),
        _ => Err(missing()),
    }
}

/// No such series, or none that the caller may know of.
pub(crate) fn no_series() -> Fault {
    Fault::not_found("series.not_found", "there is no such series, or it is not open to you")
}

/// No such episode, or none that the caller may know of.
pub(crate) fn no_episode() -> Fault {
    Fault::not_found("episode.not_found", "there is no such episode, or it is not open to you")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_access() -> impl Strategy<Value = Access> {
        prop::sample::select(vec![Access::Public, Access::Unlisted, Access::Members, Access::Private])
    }

    proptest! {
        #[test]
        fn hiding_an_item_never_lists_it_to_more_people(access in any_access()) {
            prop_assert!(Tier::of(access, false) >= Tier::of(access, true));
            prop_assert_eq!(Tier::of(access, false), Tier::Editors);
        }
    }

    #[test]
    fn a_higher_standing_sees_every_tier_of_a_lower() {
        let nobody = Tier::shown_to(&Principal::Nobody);
        let viewer = Tier::shown_to(&Principal::person("v", &["viewer"]));
        let editor = Tier::shown_to(&Principal::person("e", &["viewer", "editor"]));
        assert!(viewer.starts_with(nobody) && editor.starts_with(viewer));
        assert_eq!((nobody.len(), viewer.len(), editor.len()), (1, 1, 2));
        assert!(!editor.contains(&Tier::Nobody));
    }
}
