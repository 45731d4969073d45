//! Manage one episode: its form, its video and the upload tray.

use crate::contracts::{Asset, Episode, Series};
use crate::form::{Fields, LONG_CHARS_MAX, SHORT_CHARS_MAX, TITLE_CHARS_MAX, complain};
use crate::frame::Frame;
use crate::wording::{Complaint, State, length, sentence};
use askama::Template;
use callboard::{Data, Empty, Env, Fault, FaultKind, Html, Kind, Msg, Reply, uri};
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "episode_form.html")]
struct FormPage<'a> {
    page: &'a Frame,
    series: &'a Series,
    heading: String,
    action: String,
    fields: Fields,
    complaint: Complaint,
    is_saved: bool,
    /// None for an episode that is still to be made.
    video: Option<Video>,
    title_max: usize,
    short_max: usize,
    long_max: usize,
}

struct Video {
    episode: String,
    watch: String,
    state: State,
    length: String,
    has_media: bool,
    reason: String,
    /// Where a preparation under way tells its progress.
    upload: String,
    filename: String,
}

/// What the page says about what was just done.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Shown {
    #[serde(default)]
    saved: Option<String>,
}

/// `/studio/series/{id}/episodes/new`.
pub(crate) async fn show_new(env: Env, msg: Msg<Empty>) -> Result<Reply<Html>, Fault> {
    let page = Frame::open(&env, &msg.head).await?;
    let series: Series = env.call(&format!("/series/{}", msg.param("id"))).await?;
    let fields = Fields {
        access: series.access.clone(),
        active: Some("on".to_owned()),
        season: "1".to_owned(),
        ..Fields::default()
    };
    page.answer(&new_page(&page, &series, fields, Complaint::default()))
}

/// The form of `/studio/series/{id}/episodes`: a new episode.
pub(crate) async fn create(env: Env, msg: Msg<Fields>) -> Result<Reply<Html>, Fault> {
    let id = msg.param("id");
    let made = match msg.data.episode() {
        Ok(data) => env.relay(Kind::Post, uri!("/series/{id}/episodes")?, Data::json(&data)).await,
        Err(fault) => Err(fault),
    };
    match made {
        Ok(answer) => {
            let episode = answer.json()["id"].as_str().unwrap_or_default().to_owned();
            Ok(Reply::see_other(format!("/studio/episodes/{episode}?saved=1")))
        }
        Err(fault) => {
            let complaint = complain(fault.clone())?;
            let page = Frame::open(&env, &msg.head).await?;
            let series: Series = env.call(&format!("/series/{id}")).await?;
            Ok(page.answer(&new_page(&page, &series, msg.data.clone(), complaint))?.status_of(&fault))
        }
    }
}

fn new_page<'a>(page: &'a Frame, series: &'a Series, fields: Fields, complaint: Complaint) -> FormPage<'a> {
    FormPage {
        page,
        series,
        heading: "New episode".to_owned(),
        action: format!("/studio/series/{}/episodes", series.id),
        fields,
        complaint,
        is_saved: false,
        video: None,
        title_max: TITLE_CHARS_MAX,
        short_max: SHORT_CHARS_MAX,
        long_max: LONG_CHARS_MAX,
    }
}

/// `/studio/episodes/{id}`.
pub(crate) async fn show(env: Env, msg: Msg<Shown>) -> Result<Reply<Html>, Fault> {
    let episode: Episode = env.call(&format!("/episodes/{}", msg.param("id"))).await?;
    let fields = fields_of(&episode);
    answer(&env, &msg, episode, fields, Complaint::default(), msg.data.saved.is_some()).await
}

/// The form of `/studio/episodes/{id}`: save, delete, or take the video away.
pub(crate) async fn change(env: Env, msg: Msg<Fields>) -> Result<Reply<Html>, Fault> {
    let id = msg.param("id");
    let place = uri!("/episodes/{id}")?;
    match msg.data.intent.as_str() {
        "delete" => {
            let episode: Episode = env.call(place.as_str()).await?;
            env.relay(Kind::Delete, place, Data::EMPTY).await?;
            return Ok(Reply::see_other(format!("/studio/series/{}", episode.series)));
        }
        "remove-video" => {
            env.relay(Kind::Delete, uri!("/episodes/{id}/asset")?, Data::EMPTY).await?;
            return Ok(Reply::see_other(format!("/studio/episodes/{id}")));
        }
        _ => {}
    }
    match save(&env, &msg).await {
        Ok(()) => Ok(Reply::see_other(format!("/studio/episodes/{id}?saved=1"))),
        Err(fault) => {
            let complaint = complain(fault.clone())?;
            let episode: Episode = env.call(place.as_str()).await?;
            let fields = Fields { version: Some(episode.version), ..msg.data.clone() };
            Ok(answer(&env, &msg, episode, fields, complaint, false).await?.status_of(&fault))
        }
    }
}

async fn save(env: &Env, msg: &Msg<Fields>) -> Result<(), Fault> {
    let place = uri!("/episodes/{}", msg.param("id"))?;
    let data = Data::json(&msg.data.episode()?);
    match msg.data.version {
        Some(version) => env.relay_if(Kind::Patch, place, data, version).await.map(drop),
        None => env.relay(Kind::Patch, place, data).await.map(drop),
    }
}

async fn answer<In>(
    env: &Env,
    msg: &Msg<In>,
    episode: Episode,
    fields: Fields,
    complaint: Complaint,
    is_saved: bool,
) -> Result<Reply<Html>, Fault> {
    let page = Frame::open(env, &msg.head).await?;
    let series: Series = env.call(&format!("/series/{}", episode.series)).await?;
    let asset = asset(env, &episode.id).await?;
    let view = FormPage {
        heading: episode.title.clone(),
        action: format!("/studio/episodes/{}", episode.id),
        video: Some(video(&page, episode, asset)),
        is_saved,
        ..new_page(&page, &series, fields, complaint)
    };
    page.answer(&view)
}

async fn asset(env: &Env, episode: &str) -> Result<Asset, Fault> {
    match env.call(&format!("/episodes/{episode}/asset")).await {
        Err(fault) if fault.kind == FaultKind::NotFound => Ok(Asset::default()),
        answer => answer,
    }
}

fn video(page: &Frame, episode: Episode, asset: Asset) -> Video {
    let state = asset.state.or(episode.media.as_ref().map(|media| media.state));
    let upload = asset.upload.map(|id| page.at(&format!("/api/uploads/{id}")));
    Video {
        watch: format!("/watch/{}/{}", episode.pid, episode.slug),
        state: State::of_media(state),
        length: episode.media.as_ref().and_then(|media| media.duration_ms).map(length).unwrap_or_default(),
        has_media: state.is_some(),
        reason: asset.reason.as_deref().map(sentence).unwrap_or_default(),
        upload: upload.unwrap_or_default(),
        filename: asset.filename.unwrap_or_default(),
        episode: episode.id,
    }
}

fn fields_of(episode: &Episode) -> Fields {
    Fields {
        version: Some(episode.version),
        title: episode.title.clone(),
        short_text: episode.short_text.clone(),
        long_text: episode.long_text.clone(),
        tags: episode.tags.join(", "),
        access: episode.access.clone(),
        active: episode.active.then(|| "on".to_owned()),
        season: episode.season.to_string(),
        number: episode.number.to_string(),
        ..Fields::default()
    }
}
