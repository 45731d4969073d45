//! The home page as data: a hero, what is new, and a row for each genre; all of it what the caller may see listed.

use crate::listing::{AFTER_ALL, newest, reads_by_tier};
use crate::model::{Access, Tier};
use crate::records::{EPISODE_FIRST_PLAYABLE, EPISODES_NEWEST, GENRES, SERIES_OF_GENRE, SERIES_PLAYABLE};
use crate::slug::slug_or;
use callboard::ports::Read;
use callboard::{Empty, Env, Fault, Msg, Reply, Rows, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Most series in the hero.
const HERO_MAX: u32 = 5;
/// Most cards in a row.
const CARDS_MAX: u32 = 16;
/// Most rows of genres.
const GENRES_MAX: usize = 12;
/// Fewest series that make a row of their genre; those of smaller genres share one.
const GENRE_SERIES_MIN: usize = 3;
/// The badge of what is new.
const NEW: &str = "New";
/// How long an item counts as new.
const NEW_MS: i64 = 7 * 24 * 3_600_000;

/// `get /home`
#[derive(Serialize, JsonSchema)]
pub(crate) struct Home {
    hero: Vec<Card>,
    carousels: Vec<Carousel>,
}

#[derive(Serialize, JsonSchema)]
struct Carousel {
    title: String,
    cards: Vec<Card>,
}

#[derive(Serialize, JsonSchema)]
struct Card {
    kind: &'static str,
    id: String,
    /// Of the episode, or in the hero of the first episode that plays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<String>,
    slug: String,
    title: String,
    short_text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    series_title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    badge: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<i64>,
    created_ms: i64,
}

#[derive(Deserialize)]
struct SeriesRow {
    id: String,
    slug: String,
    title: String,
    short_text: String,
    access: Access,
    active: bool,
    created_ms: i64,
    #[serde(default)]
    genre_name: Option<String>,
}

#[derive(Deserialize)]
struct NewEpisode {
    id: String,
    pid: String,
    title: String,
    short_text: String,
    access: Access,
    active: bool,
    is_playable: bool,
    media_duration_ms: Option<i64>,
    created_ms: i64,
    series_title: String,
}

/// Two snapshots, each of a few statements that end after a few rows: what there is, then what stands in the rows.
pub(crate) async fn read(env: Env, _msg: Msg<Empty>) -> Result<Reply<Home>, Fault> {
    let tiers = Tier::shown_to(env.principal());
    let genres_max = i64::try_from(GENRES_MAX).expect("a few rows");
    let mut reads = reads_by_tier(&env, &SERIES_PLAYABLE, AFTER_ALL, HERO_MAX, &[]);
    reads.extend(reads_by_tier(&env, &EPISODES_NEWEST, AFTER_ALL, CARDS_MAX, &[]));
    reads.extend(tiers.iter().map(|&tier| Read { statement: &GENRES, params: params![tier, genres_max] }));
    let rows = env.query_many(reads).await?;
    let (hero, rest) = rows.split_at(tiers.len());
    let (episodes, genres) = rest.split_at(tiers.len());
    let hero: Vec<SeriesRow> = newest(hero, |series: &SeriesRow| &series.id, HERO_MAX)?;
    let episodes: Vec<NewEpisode> = newest(episodes, |episode: &NewEpisode| &episode.id, CARDS_MAX)?;
    let genres = first_genres(genres)?;

    let now_ms = env.now_ms();
    let (hero, mut by_genre) = fill(&env, hero, &genres).await?;
    let mut carousels = Vec::new();
    if !episodes.is_empty() {
        let cards = episodes.into_iter().map(|episode| episode_card(episode, now_ms)).collect();
        carousels.push(row("What's new", cards));
    }
    carousels.append(&mut by_genre);
    Ok(Reply::ok(Home { hero, carousels }))
}

fn first_genres(tiers: &[Rows]) -> Result<Vec<String>, Fault> {
    #[derive(Deserialize)]
    struct Found {
        genre: String,
    }
    let mut genres = BTreeSet::new();
    for tier in tiers {
        genres.extend(tier.all::<Found>()?.into_iter().map(|found| found.genre));
    }
    Ok(genres.into_iter().take(GENRES_MAX).collect())
}

/// The hero with an episode to play, and a row for each genre.
async fn fill(env: &Env, hero: Vec<SeriesRow>, genres: &[String]) -> Result<(Vec<Card>, Vec<Carousel>), Fault> {
    let tiers = Tier::shown_to(env.principal());
    let mut reads = Vec::new();
    for series in &hero {
        let first = |&tier: &Tier| Read { statement: &EPISODE_FIRST_PLAYABLE, params: params![&series.id, tier] };
        reads.extend(tiers.iter().map(first));
    }
    for genre in genres {
        reads.extend(reads_by_tier(env, &SERIES_OF_GENRE, AFTER_ALL, CARDS_MAX, &params![genre]));
    }
    let rows = env.query_many(reads).await?;
    let (plays, by_genre) = rows.split_at(hero.len() * tiers.len());
    let now_ms = env.now_ms();
    let mut cards = Vec::new();
    for (series, rows) in hero.into_iter().zip(plays.chunks(tiers.len())) {
        let mut plays: Vec<Plays> = Vec::new();
        for tier in rows {
            plays.extend(tier.first::<Plays>()?);
        }
        let first = plays.into_iter().min_by_key(|episode| (episode.season, episode.number));
        cards.push(Card { pid: first.map(|episode| episode.pid), ..series_card(series, now_ms) });
    }
    let mut genres = Vec::new();
    for rows in by_genre.chunks(tiers.len()) {
        genres.push(newest(rows, |series: &SeriesRow| &series.id, CARDS_MAX)?);
    }
    Ok((cards, rows_of_genres(genres, now_ms)))
}

/// A row for each genre that fills one, and one for the series of all others.
fn rows_of_genres(genres: Vec<Vec<SeriesRow>>, now_ms: i64) -> Vec<Carousel> {
    let (large, small): (Vec<_>, Vec<_>) = genres.into_iter().partition(|series| series.len() >= GENRE_SERIES_MIN);
    let shown: BTreeSet<String> = large.iter().flatten().map(|series| series.id.clone()).collect();
    let mut others: Vec<SeriesRow> = small.into_iter().flatten().filter(|series| !shown.contains(&series.id)).collect();
    others.sort_by(|one, other| other.id.cmp(&one.id));
    others.dedup_by(|one, other| one.id == other.id);
    others.truncate(usize::try_from(CARDS_MAX).expect("a row is short"));
    let cards = |series: Vec<SeriesRow>| series.into_iter().map(|series| series_card(series, now_ms)).collect();
    let mut rows = Vec::new();
    for series in large {
        let title = series[0].genre_name.clone().unwrap_or_default();
        rows.push(row(&title, cards(series)));
    }
    if !others.is_empty() {
        rows.push(row("Series", cards(others)));
    }
    rows
}

/// A row of cards. A word that most of them would carry tells nothing apart, so then none does.
fn row(title: &str, mut cards: Vec<Card>) -> Carousel {
    let is_new = |card: &Card| card.badge == Some(NEW);
    if cards.iter().filter(|card| is_new(card)).count() * 2 > cards.len() {
        cards.iter_mut().filter(|card| is_new(card)).for_each(|card| card.badge = None);
    }
    Carousel { title: title.to_owned(), cards }
}

#[derive(Deserialize)]
struct Plays {
    pid: String,
    season: i64,
    number: i64,
}

fn series_card(series: SeriesRow, now_ms: i64) -> Card {
    Card {
        kind: "series",
        badge: badge(series.access, series.active, true, now_ms - series.created_ms),
        id: series.id,
        pid: None,
        slug: series.slug,
        title: series.title,
        short_text: series.short_text,
        series_title: None,
        duration_ms: None,
        created_ms: series.created_ms,
    }
}

/// A card of what is new: its row says so, the card need not.
fn episode_card(episode: NewEpisode, now_ms: i64) -> Card {
    let badge = badge(episode.access, episode.active, episode.is_playable, now_ms - episode.created_ms);
    Card {
        kind: "episode",
        badge: badge.filter(|&word| word != NEW),
        id: episode.id,
        pid: Some(episode.pid),
        slug: slug_or(&episode.title, "episode"),
        title: episode.title,
        short_text: episode.short_text,
        series_title: Some(episode.series_title),
        duration_ms: episode.media_duration_ms,
        created_ms: episode.created_ms,
    }
}

/// One word for the corner of a card: what an editor must know before what a viewer may like to know.
fn badge(access: Access, active: bool, is_playable: bool, age_ms: i64) -> Option<&'static str> {
    match access {
        _ if !active => Some("Hidden"),
        Access::Private => Some("Private"),
        Access::Unlisted => Some("Unlisted"),
        _ if !is_playable => Some("Soon"),
        Access::Members => Some("Members"),
        Access::Public if age_ms < NEW_MS => Some(NEW),
        Access::Public => None,
    }
}
