//! The home page: hero, then rows; continue watching first where somebody is signed in.

use crate::art::hue_step;
use crate::card::CardView;
use crate::contracts::{Card, CardKind, Episode, Home, Positions, Series};
use crate::frame::Frame;
use askama::Template;
use callboard::{Empty, Env, Fault, FaultKind, Html, Msg, Reply};

/// Most cards in the row of what was begun.
const CONTINUE_MAX: usize = 12;

#[derive(Template)]
#[template(path = "home.html")]
struct Page<'a> {
    page: &'a Frame,
    slides: Vec<Slide>,
    rows: Vec<Row>,
}

struct Slide {
    hue: u8,
    art: String,
    title: String,
    text: String,
    href: String,
    play: Option<String>,
}

struct Row {
    title: String,
    more: Option<String>,
    is_stills: bool,
    cards: Vec<CardView>,
}

/// `/`.
pub(crate) async fn show(env: Env, msg: Msg<Empty>) -> Result<Reply<Html>, Fault> {
    let page = Frame::open(&env, &msg.head, "home").await?;
    let home: Home = env.call("/home").await?;
    let mut rows = Vec::new();
    if page.is_signed_in() {
        rows.extend(continue_watching(&env).await?);
    }
    rows.extend(home.carousels.into_iter().filter(|carousel| !carousel.cards.is_empty()).map(|carousel| Row {
        title: carousel.title,
        more: None,
        is_stills: carousel.cards.first().is_some_and(|card| card.kind == CardKind::Episode),
        cards: carousel.cards.into_iter().map(CardView::of_home).collect(),
    }));
    let slides = home.hero.into_iter().map(slide).collect();
    page.answer(&Page { page: &page, slides, rows })
}

/// A series of the hero carries the episode to begin with, where one plays.
fn slide(card: Card) -> Slide {
    let (art, href) = match card.kind {
        CardKind::Series => ("backdrop", format!("/series/{}", card.slug)),
        CardKind::Episode => ("still", format!("/watch/{}/{}", card.pid.as_deref().unwrap_or_default(), card.slug)),
    };
    Slide {
        hue: hue_step(&card.id),
        art: format!("/art/{art}/{}", card.id),
        play: card.pid.map(|pid| format!("/watch/{pid}")),
        title: card.title,
        text: card.short_text,
        href,
    }
}

async fn continue_watching(env: &Env) -> Result<Option<Row>, Fault> {
    let cards = begun(env, CONTINUE_MAX).await?;
    let row =
        Row { title: "Continue watching".to_owned(), more: Some("/me/history".to_owned()), is_stills: true, cards };
    Ok((!row.cards.is_empty()).then_some(row))
}

/// What the viewer began and has not finished, newest first. What they may no longer see is left out.
pub(crate) async fn begun(env: &Env, limit: usize) -> Result<Vec<CardView>, Fault> {
    let positions: Positions = env.call(&format!("/me/positions?limit={limit}")).await?;
    let mut cards = Vec::with_capacity(positions.items.len());
    for position in positions.items {
        let Some(episode) = found(env.call::<Episode>(&format!("/episodes/{}", position.episode)).await)? else {
            continue;
        };
        let series = found(env.call::<Series>(&format!("/series/{}", episode.series)).await)?;
        let meta = series.map(|series| series.title).unwrap_or_default();
        cards.push(CardView::of_still(&episode, meta, Some(position)));
    }
    Ok(cards)
}

/// Nothing where the item is gone or hidden; any other fault stays one.
pub(crate) fn found<T>(answer: Result<T, Fault>) -> Result<Option<T>, Fault> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(fault) if matches!(fault.kind, FaultKind::NotFound | FaultKind::Denied) => Ok(None),
        Err(fault) => Err(fault),
    }
}
