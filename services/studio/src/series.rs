//! Manage series: the table, and the form of one series with its episodes.

use crate::contracts::{Episode, List, Seasons, Series};
use crate::form::{Fields, LONG_CHARS_MAX, SHORT_CHARS_MAX, TITLE_CHARS_MAX, complain};
use crate::frame::Frame;
use crate::wording::{Complaint, State, date, length};
use askama::Template;
use callboard::{Data, Empty, Env, Fault, Html, Kind, Msg, Reply, uri};
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "series_list.html")]
struct ListPage<'a> {
    page: &'a Frame,
    rows: Vec<Row>,
    more: Option<String>,
    was_deleted: bool,
}

struct Row {
    id: String,
    title: String,
    access: State,
    episode_count: u32,
    updated: String,
}

#[derive(Template)]
#[template(path = "series_form.html")]
struct FormPage<'a> {
    page: &'a Frame,
    id: Option<String>,
    slug: String,
    heading: String,
    action: String,
    fields: Fields,
    complaint: Complaint,
    is_saved: bool,
    seasons: Vec<SeasonRows>,
    more: Option<String>,
    title_max: usize,
    short_max: usize,
    long_max: usize,
}

struct SeasonRows {
    title: String,
    episodes: Vec<EpisodeRow>,
}

struct EpisodeRow {
    id: String,
    number: u32,
    title: String,
    access: State,
    media: State,
    length: String,
}

/// Which part of the list.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Wanted {
    #[serde(default)]
    after: Option<String>,
    #[serde(default)]
    deleted: Option<String>,
}

/// What the page says about what was just done.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Shown {
    #[serde(default)]
    saved: Option<String>,
    #[serde(default)]
    after: Option<String>,
}

/// `/studio`: there is nothing to see before the series.
pub(crate) async fn enter(_: Env, _: Msg<Empty>) -> Result<Reply<Html>, Fault> {
    Ok(Reply::see_other("/studio/series"))
}

/// `/studio/series`.
pub(crate) async fn list(env: Env, msg: Msg<Wanted>) -> Result<Reply<Html>, Fault> {
    let page = Frame::open(&env, &msg.head).await?;
    let after = place(msg.data.after.as_deref()).map(|after| format!("&after={after}")).unwrap_or_default();
    let List { items, next } = env.call::<List<Series>>(&format!("/series?limit=50{after}")).await?;
    let row = |series: Series| Row {
        access: State::of_access(&series.access, series.active),
        episode_count: series.episode_count,
        updated: date(series.updated_ms),
        id: series.id,
        title: series.title,
    };
    let more = next.map(|next| format!("/studio/series?after={next}"));
    let rows = items.into_iter().map(row).collect();
    page.answer(&ListPage { page: &page, rows, more, was_deleted: msg.data.deleted.is_some() })
}

/// A place in a list, as far as it can be one.
fn place(after: Option<&str>) -> Option<&str> {
    after
        .filter(|after| !after.is_empty() && after.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.'))
}

/// `/studio/series/new`.
pub(crate) async fn show_new(env: Env, msg: Msg<Empty>) -> Result<Reply<Html>, Fault> {
    let page = Frame::open(&env, &msg.head).await?;
    let fields = Fields { access: "public".to_owned(), active: Some("on".to_owned()), ..Fields::default() };
    page.answer(&new_page(&page, fields, Complaint::default()))
}

/// The form of `/studio/series`: a new series.
pub(crate) async fn create(env: Env, msg: Msg<Fields>) -> Result<Reply<Html>, Fault> {
    match env.relay(Kind::Post, uri!("/series")?, Data::json(&msg.data.series())).await {
        Ok(answer) => {
            let id = answer.json()["id"].as_str().unwrap_or_default().to_owned();
            Ok(Reply::see_other(format!("/studio/series/{id}?saved=1")))
        }
        Err(fault) => {
            let complaint = complain(fault.clone())?;
            let page = Frame::open(&env, &msg.head).await?;
            Ok(page.answer(&new_page(&page, msg.data, complaint))?.status_of(&fault))
        }
    }
}

fn new_page(page: &Frame, fields: Fields, complaint: Complaint) -> FormPage<'_> {
    FormPage {
        page,
        id: None,
        slug: String::new(),
        heading: "New series".to_owned(),
        action: "/studio/series".to_owned(),
        fields,
        complaint,
        is_saved: false,
        seasons: Vec::new(),
        more: None,
        title_max: TITLE_CHARS_MAX,
        short_max: SHORT_CHARS_MAX,
        long_max: LONG_CHARS_MAX,
    }
}

/// `/studio/series/{id}`.
pub(crate) async fn show(env: Env, msg: Msg<Shown>) -> Result<Reply<Html>, Fault> {
    let page = Frame::open(&env, &msg.head).await?;
    let series: Series = env.call(&format!("/series/{}", msg.param("id"))).await?;
    let fields = fields_of(&series);
    let view = edit_page(&env, &page, series, fields, Complaint::default(), msg.data.after.as_deref()).await?;
    page.answer(&FormPage { is_saved: msg.data.saved.is_some(), ..view })
}

/// The form of `/studio/series/{id}`: save or delete.
pub(crate) async fn change(env: Env, msg: Msg<Fields>) -> Result<Reply<Html>, Fault> {
    let id = msg.param("id");
    let place = uri!("/series/{id}")?;
    if msg.data.intent == "delete" {
        env.relay(Kind::Delete, place, Data::EMPTY).await?;
        return Ok(Reply::see_other("/studio/series?deleted=1"));
    }
    let data = Data::json(&msg.data.series());
    let saved = match msg.data.version {
        Some(version) => env.relay_if(Kind::Patch, place, data, version).await,
        None => env.relay(Kind::Patch, place, data).await,
    };
    match saved {
        Ok(_) => Ok(Reply::see_other(format!("/studio/series/{id}?saved=1"))),
        Err(fault) => {
            let complaint = complain(fault.clone())?;
            let page = Frame::open(&env, &msg.head).await?;
            let series: Series = env.call(&format!("/series/{id}")).await?;
            let fields = Fields { version: Some(series.version), ..msg.data.clone() };
            let view = edit_page(&env, &page, series, fields, complaint, None).await?;
            Ok(page.answer(&view)?.status_of(&fault))
        }
    }
}

fn fields_of(series: &Series) -> Fields {
    Fields {
        version: Some(series.version),
        title: series.title.clone(),
        short_text: series.short_text.clone(),
        long_text: series.long_text.clone(),
        genres: series.genres.join(", "),
        tags: series.tags.join(", "),
        access: series.access.clone(),
        active: series.active.then(|| "on".to_owned()),
        ..Fields::default()
    }
}

async fn edit_page<'a>(
    env: &Env,
    page: &'a Frame,
    series: Series,
    fields: Fields,
    complaint: Complaint,
    after: Option<&str>,
) -> Result<FormPage<'a>, Fault> {
    let from = place(after).map(|after| format!("?after={after}")).unwrap_or_default();
    let Seasons { seasons, next } = env.call(&format!("/series/{}/episodes{from}", series.id)).await?;
    let rows = seasons.into_iter().map(|season| SeasonRows {
        title: season.title,
        episodes: season.episodes.into_iter().map(episode_row).collect(),
    });
    Ok(FormPage {
        heading: series.title,
        action: format!("/studio/series/{}", series.id),
        slug: series.slug,
        seasons: rows.collect(),
        more: next.map(|next| format!("/studio/series/{}?after={next}", series.id)),
        id: Some(series.id),
        ..new_page(page, fields, complaint)
    })
}

fn episode_row(episode: Episode) -> EpisodeRow {
    EpisodeRow {
        number: episode.number,
        access: State::of_access(&episode.access, episode.active),
        media: State::of_media(episode.media.as_ref().map(|media| media.state)),
        length: episode.media.as_ref().and_then(|media| media.duration_ms).map(length).unwrap_or_default(),
        id: episode.id,
        title: episode.title,
    }
}
