//! What other services answer, as far as the pages show it. Fields that no page shows are not read.

use serde::Deserialize;

/// `GET /tenant`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Tenant {
    pub(crate) title: String,
    #[serde(default)]
    pub(crate) tagline: Option<String>,
    pub(crate) accent_dark: String,
    pub(crate) accent_light: String,
    #[serde(default)]
    pub(crate) logo: Option<String>,
    #[serde(default)]
    pub(crate) version: i64,
}

impl Tenant {
    /// Stands in where the channel's own settings cannot be read, so that even a fault has a page.
    pub(crate) fn plain(name: &str) -> Self {
        Self {
            title: name.to_owned(),
            tagline: None,
            accent_dark: "#ff7a3d".to_owned(),
            accent_light: "#c2410c".to_owned(),
            logo: None,
            version: 0,
        }
    }
}

/// `GET /me`.
#[derive(Debug, Deserialize)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) roles: Vec<String>,
}

/// Who may see an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Access {
    Public,
    Unlisted,
    Members,
    Private,
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
    pub(crate) access: Access,
    pub(crate) active: bool,
}

/// `GET /series/by-slug/{slug}`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum BySlug {
    Moved { moved_to: String },
    Found(Box<Series>),
}

/// `GET /series/{id}/episodes`.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Seasons {
    pub(crate) seasons: Vec<Season>,
    /// Where the rest begins, in a series of very many episodes.
    #[serde(default)]
    pub(crate) next: Option<String>,
}

/// A season with its episodes in order.
#[derive(Debug, Deserialize)]
pub(crate) struct Season {
    pub(crate) number: u32,
    pub(crate) title: String,
    pub(crate) episodes: Vec<Episode>,
}

/// An episode.
#[derive(Clone, Debug, Deserialize)]
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
    pub(crate) access: Access,
    pub(crate) active: bool,
    #[serde(default)]
    pub(crate) media: Option<Media>,
}

impl Episode {
    /// The address of its watch page.
    pub(crate) fn href(&self) -> String {
        format!("/watch/{}/{}", self.pid, self.slug)
    }

    /// Whether there is something to play.
    pub(crate) fn is_playable(&self) -> bool {
        self.media.as_ref().is_some_and(|media| matches!(media.state, MediaState::Playable | MediaState::Ready))
    }

    /// How long it is, where that is known.
    pub(crate) fn duration_ms(&self) -> Option<u64> {
        self.media.as_ref().and_then(|media| media.duration_ms)
    }
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

/// `GET /home`.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Home {
    pub(crate) hero: Vec<Card>,
    pub(crate) carousels: Vec<Carousel>,
}

/// A row of the home page.
#[derive(Debug, Deserialize)]
pub(crate) struct Carousel {
    pub(crate) title: String,
    pub(crate) cards: Vec<Card>,
}

/// A series or an episode on the home page.
#[derive(Debug, Deserialize)]
pub(crate) struct Card {
    pub(crate) kind: CardKind,
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) pid: Option<String>,
    pub(crate) slug: String,
    pub(crate) title: String,
    #[serde(default)]
    pub(crate) short_text: String,
    #[serde(default)]
    pub(crate) series_title: Option<String>,
    #[serde(default)]
    pub(crate) badge: Option<String>,
    #[serde(default)]
    pub(crate) duration_ms: Option<u64>,
}

/// What a card stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CardKind {
    Series,
    Episode,
}

/// `GET /access/episodes/{id}`.
#[derive(Debug, Deserialize)]
pub(crate) struct Decision {
    pub(crate) visible: bool,
    pub(crate) may_watch: bool,
    pub(crate) rule: String,
    #[serde(default)]
    pub(crate) reason: String,
    #[serde(default)]
    pub(crate) remedy: Option<String>,
}

/// `POST /episodes/{id}/playback`.
#[derive(Debug, Deserialize)]
pub(crate) struct Playback {
    pub(crate) src: String,
    #[serde(default)]
    pub(crate) poster: Option<String>,
    #[serde(default)]
    pub(crate) still: Option<String>,
    #[serde(default)]
    pub(crate) protected: bool,
}

/// `GET /me/positions`.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Positions {
    pub(crate) items: Vec<Position>,
}

/// Where a viewer is in an episode.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Position {
    pub(crate) episode: String,
    pub(crate) position_ms: u64,
    pub(crate) duration_ms: u64,
}

/// `GET /payments/offer`
#[derive(Debug, Deserialize)]
pub(crate) struct Offer {
    pub(crate) is_open: bool,
    pub(crate) amounts: Vec<Money>,
    pub(crate) least: Money,
    pub(crate) most: Money,
    pub(crate) note_chars_max: usize,
    pub(crate) cards: Vec<TestCard>,
    #[serde(default)]
    pub(crate) away: Option<String>,
}

/// An amount, as it is shown.
#[derive(Debug, Deserialize)]
pub(crate) struct Money {
    pub(crate) text: String,
}

/// A card to try with.
#[derive(Debug, Deserialize)]
pub(crate) struct TestCard {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// `GET /me/tips`
#[derive(Debug, Deserialize)]
pub(crate) struct Tips {
    pub(crate) items: Vec<Tip>,
}

/// `GET /tips/{id}`
#[derive(Debug, Deserialize)]
pub(crate) struct Tip {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) from: Option<String>,
    pub(crate) anonymous: bool,
    pub(crate) series_title: String,
    pub(crate) amount_text: String,
    pub(crate) note: String,
    pub(crate) state: TipState,
    pub(crate) stages: Vec<TipStage>,
    #[serde(default)]
    pub(crate) reason: Option<String>,
    #[serde(default)]
    pub(crate) receipt: Option<String>,
}

/// A step on the way of a tip.
#[derive(Debug, Deserialize)]
pub(crate) struct TipStage {
    pub(crate) word: String,
    pub(crate) is_done: bool,
}

/// Where a tip stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TipState {
    Pending,
    Received,
    Failed,
    Stuck,
    Refunding,
    Refunded,
}

impl Tip {
    /// Whether nothing happens to it any more by itself.
    pub(crate) fn is_over(&self) -> bool {
        !matches!(self.state, TipState::Pending | TipState::Refunding)
    }

    /// Whether nobody knows what was charged.
    pub(crate) fn is_kept_unclear(&self) -> bool {
        self.state == TipState::Stuck
    }

    /// Whether nothing was kept.
    pub(crate) fn is_failed(&self) -> bool {
        self.state == TipState::Failed
    }

    /// Whether how far it is says something.
    pub(crate) fn shows_stages(&self) -> bool {
        matches!(self.state, TipState::Pending | TipState::Received)
    }

    /// Its state in a word.
    pub(crate) fn word(&self) -> &'static str {
        match self.state {
            TipState::Pending => "Under way",
            TipState::Received => "Received",
            TipState::Failed => "Did not go through",
            TipState::Stuck => "Being looked at",
            TipState::Refunding => "Being given back",
            TipState::Refunded => "Given back",
        }
    }
}
