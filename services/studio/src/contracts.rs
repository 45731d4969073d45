//! What other services answer, as far as the studio shows it. Fields that no page shows are not read.

use serde::Deserialize;

/// `GET /tenant`.
#[derive(Debug, Deserialize)]
pub(crate) struct Tenant {
    pub(crate) title: String,
    #[serde(default)]
    pub(crate) version: i64,
}

/// A page of a list.
#[derive(Debug, Deserialize)]
pub(crate) struct List<T> {
    pub(crate) items: Vec<T>,
    #[serde(default)]
    pub(crate) next: Option<String>,
}

/// A series.
#[derive(Debug, Deserialize)]
pub(crate) struct Series {
    pub(crate) id: String,
    pub(crate) slug: String,
    pub(crate) title: String,
    pub(crate) short_text: String,
    pub(crate) long_text: String,
    pub(crate) genres: Vec<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) access: String,
    pub(crate) active: bool,
    pub(crate) version: i64,
    #[serde(default)]
    pub(crate) episode_count: u32,
    #[serde(default)]
    pub(crate) updated_ms: i64,
}

/// `GET /series/{id}/episodes`.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Seasons {
    pub(crate) seasons: Vec<Season>,
    /// Where the rest begins.
    #[serde(default)]
    pub(crate) next: Option<String>,
}

/// A season with its episodes in order.
#[derive(Debug, Deserialize)]
pub(crate) struct Season {
    pub(crate) title: String,
    pub(crate) episodes: Vec<Episode>,
}

/// An episode.
#[derive(Debug, Deserialize)]
pub(crate) struct Episode {
    pub(crate) id: String,
    pub(crate) pid: String,
    pub(crate) slug: String,
    pub(crate) series: String,
    pub(crate) season: u32,
    pub(crate) number: u32,
    pub(crate) title: String,
    pub(crate) short_text: String,
    #[serde(default)]
    pub(crate) long_text: String,
    #[serde(default)]
    pub(crate) tags: Vec<String>,
    pub(crate) access: String,
    pub(crate) active: bool,
    pub(crate) version: i64,
    #[serde(default)]
    pub(crate) media: Option<Media>,
}

/// The video of an episode.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Media {
    pub(crate) state: MediaState,
    #[serde(default)]
    pub(crate) duration_ms: Option<u64>,
}

/// How far a video is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MediaState {
    Processing,
    Playable,
    Ready,
    Failed,
}

/// `GET /episodes/{id}/asset`.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asset {
    #[serde(default)]
    pub(crate) state: Option<MediaState>,
    /// The upload it came from, while its progress can be followed.
    #[serde(default)]
    pub(crate) upload: Option<String>,
    #[serde(default)]
    pub(crate) filename: Option<String>,
    /// Why it failed.
    #[serde(default)]
    pub(crate) reason: Option<String>,
}

/// A tip.
#[derive(Debug, Deserialize)]
pub(crate) struct Tip {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) from: Option<String>,
    pub(crate) series_title: String,
    pub(crate) amount_text: String,
    pub(crate) note: String,
    pub(crate) state: String,
    #[serde(default)]
    pub(crate) reason: Option<String>,
    pub(crate) created_ms: i64,
}
