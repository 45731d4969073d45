//! Cards: a series or an episode as it stands in a row, a grid or a panel.

use crate::art::hue_step;
use crate::contracts::{self, Access, CardKind, Episode, Position};
use crate::wording::length;

/// A word with an icon in the corner of a picture. Never colour alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Badge {
    /// Name of the icon; may be empty.
    pub(crate) icon: &'static str,
    /// The word.
    pub(crate) word: &'static str,
}

impl Badge {
    /// What a viewer should know of an item's access; nothing where it is public.
    pub(crate) fn of(access: Access, is_active: bool) -> Option<Self> {
        let (icon, word) = match access {
            _ if !is_active => ("eye-off", "Hidden"),
            Access::Public => return None,
            Access::Unlisted => ("eye-off", "Unlisted"),
            Access::Members => ("lock", "Members"),
            Access::Private => ("lock", "Private"),
        };
        Some(Self { icon, word })
    }

    /// The same of an episode; that there is nothing to play yet comes before who may play it.
    pub(crate) fn of_episode(episode: &Episode) -> Option<Self> {
        match Self::of(episode.access, episode.active) {
            None if !episode.is_playable() => Self::named("Soon"),
            Some(Self { word: "Members", .. }) if !episode.is_playable() => Self::named("Soon"),
            badge => badge,
        }
    }

    fn named(name: &str) -> Option<Self> {
        match name {
            "New" => Some(Self { icon: "", word: "New" }),
            "Soon" => Some(Self { icon: "clock", word: "Soon" }),
            "Members" => Self::of(Access::Members, true),
            "Unlisted" => Self::of(Access::Unlisted, true),
            "Private" => Self::of(Access::Private, true),
            "Hidden" => Self::of(Access::Public, false),
            _ => None,
        }
    }
}

/// One card.
pub(crate) struct CardView {
    pub(crate) id: String,
    pub(crate) href: String,
    pub(crate) art: String,
    pub(crate) is_still: bool,
    pub(crate) hue: u8,
    pub(crate) title: String,
    pub(crate) meta: String,
    pub(crate) synopsis: String,
    pub(crate) badge: Option<Badge>,
    pub(crate) length: Option<String>,
    pub(crate) progress: Option<Position>,
}

impl CardView {
    /// A card of the home page.
    pub(crate) fn of_home(card: contracts::Card) -> Self {
        let is_still = card.kind == CardKind::Episode;
        let href = match (&card.pid, card.kind) {
            (Some(pid), CardKind::Episode) => format!("/watch/{pid}/{}", card.slug),
            _ => format!("/series/{}", card.slug),
        };
        let art = if is_still { format!("/art/still/{}", card.id) } else { format!("/art/poster/{}", card.id) };
        Self {
            hue: hue_step(&card.id),
            badge: card.badge.as_deref().and_then(Badge::named),
            length: card.duration_ms.map(length),
            meta: card.series_title.unwrap_or_default(),
            title: card.title,
            id: card.id,
            synopsis: String::new(),
            progress: None,
            href,
            art,
            is_still,
        }
    }

    /// An episode of its series' page, numbered, with its synopsis.
    pub(crate) fn of_episode(episode: &Episode, progress: Option<Position>) -> Self {
        let synopsis = if episode.short_text.is_empty() { &episode.long_text } else { &episode.short_text };
        Self {
            synopsis: synopsis.clone(),
            title: format!("{}. {}", episode.number, episode.title),
            ..Self::of_still(episode, String::new(), progress)
        }
    }

    /// An episode anywhere else, with the series it belongs to.
    pub(crate) fn of_still(episode: &Episode, meta: String, progress: Option<Position>) -> Self {
        Self {
            id: episode.id.clone(),
            href: episode.href(),
            art: format!("/art/still/{}", episode.id),
            is_still: true,
            hue: hue_step(&episode.id),
            title: episode.title.clone(),
            meta,
            synopsis: String::new(),
            badge: Badge::of_episode(episode),
            length: episode.duration_ms().map(length),
            progress,
        }
    }
}
