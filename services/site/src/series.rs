//! A series' page: art, what it is, and its episodes by season.

use crate::art::hue_step;
use crate::card::{Badge, CardView};
use crate::contracts::{Access, BySlug, Episode, Offer, Position, Positions, Season, Seasons, Series};
use crate::frame::Frame;
use crate::home::found;
use askama::Template;
use callboard::{Empty, Env, Fault, Html, Msg, Reply, uri};
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "series.html")]
struct Page<'a> {
    page: &'a Frame,
    series: &'a Series,
    art: String,
    hue: u8,
    state: Option<Badge>,
    is_unlisted: bool,
    episode_count: usize,
    play: Option<Play>,
    takes_tips: bool,
    season_links: Vec<u32>,
    shown_season: Option<u32>,
    seasons: Vec<SeasonView>,
    more: Option<String>,
}

struct Play {
    word: String,
    href: String,
}

struct SeasonView {
    number: u32,
    title: String,
    cards: Vec<CardView>,
}

/// Where the episodes shown begin, in a series of very many.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Wanted {
    #[serde(default)]
    after: Option<String>,
}

/// `/series`: all of them stand on the home page.
pub(crate) async fn list(_: Env, _: Msg<Empty>) -> Result<Reply<Html>, Fault> {
    Ok(Reply::see_other("/"))
}

/// `/series/{slug}`.
pub(crate) async fn show(env: Env, msg: Msg<Wanted>) -> Result<Reply<Html>, Fault> {
    answer(&env, &msg, None).await
}

/// `/series/{slug}/{season}`.
pub(crate) async fn show_season(env: Env, msg: Msg<Wanted>) -> Result<Reply<Html>, Fault> {
    let number = msg.param("season").parse().map_err(|_| no_such_season(msg.param("season")))?;
    answer(&env, &msg, Some(number)).await
}

fn no_such_season(season: &str) -> Fault {
    Fault::not_found("series.no_such_season", format!("there is no season {season}; see all episodes of the series"))
}

async fn answer(env: &Env, msg: &Msg<Wanted>, shown_season: Option<u32>) -> Result<Reply<Html>, Fault> {
    let series = match env.call(&format!("/series/by-slug/{}", msg.param("slug"))).await? {
        BySlug::Found(series) => series,
        BySlug::Moved { moved_to } => return Ok(Reply::moved(moved(&moved_to, shown_season)?)),
    };
    let page = Frame::open(env, &msg.head, "series").await?;
    let after = msg.data.after.as_deref().filter(|after| after.bytes().all(|b| b.is_ascii_digit() || b == b'.'));
    let from = after.map(|after| format!("?after={after}")).unwrap_or_default();
    let Seasons { seasons, next } = env.call(&format!("/series/{}/episodes{from}", series.id)).await?;
    if let Some(number) = shown_season
        && !seasons.iter().any(|season| season.number == number)
    {
        return Err(no_such_season(&number.to_string()));
    }
    let positions: Positions =
        if page.is_signed_in() { env.call("/me/positions?limit=100").await? } else { Positions::default() };
    let episodes = || seasons.iter().flat_map(|season| &season.episodes);
    let view = Page {
        page: &page,
        art: format!("/art/backdrop/{}", series.id),
        hue: hue_step(&series.id),
        state: Badge::of(series.access, series.active),
        is_unlisted: series.access != Access::Public,
        episode_count: episodes().count(),
        play: play(episodes(), &positions),
        takes_tips: takes_tips(env).await?,
        season_links: seasons.iter().map(|season| season.number).collect(),
        shown_season,
        seasons: seasons
            .iter()
            .filter(|season| shown_season.is_none_or(|number| season.number == number))
            .map(|season| view_of(season, &positions))
            .collect(),
        more: next.map(|next| format!("/series/{}?after={next}", series.slug)),
        series: &series,
    };
    page.answer(&view)
}

/// Whether the button to give stands there: not where payments run elsewhere or are closed.
async fn takes_tips(env: &Env) -> Result<bool, Fault> {
    let offer = found(env.call::<Offer>("/payments/offer").await)?;
    Ok(offer.is_some_and(|offer| offer.is_open && !offer.cards.is_empty()))
}

fn moved(slug: &str, season: Option<u32>) -> Result<String, Fault> {
    let season = season.map(|number| format!("/{number}")).unwrap_or_default();
    Ok(uri!("/series/{slug}{season}")?.encoded())
}

fn view_of(season: &Season, positions: &Positions) -> SeasonView {
    let cards = season.episodes.iter().map(|episode| CardView::of_episode(episode, position(positions, episode)));
    SeasonView { number: season.number, title: season.title.clone(), cards: cards.collect() }
}

fn position(positions: &Positions, episode: &Episode) -> Option<Position> {
    positions.items.iter().find(|position| position.episode == episode.id).cloned()
}

/// The episode to go on with: the one begun last, otherwise the first that plays.
fn play<'a>(mut episodes: impl Iterator<Item = &'a Episode> + Clone, positions: &Positions) -> Option<Play> {
    let begun = positions
        .items
        .iter()
        .find_map(|position| episodes.clone().find(|episode| episode.id == position.episode && episode.is_playable()));
    if let Some(episode) = begun {
        let word = format!("Continue with episode {}", episode.number);
        return Some(Play { word, href: episode.href() });
    }
    episodes.find(|episode| episode.is_playable()).map(|episode| Play { word: "Play".to_owned(), href: episode.href() })
}
