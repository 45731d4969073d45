//! The watch page: the player, or why there is none, and the other episodes beside it.

use crate::art::hue_step;
use crate::card::Badge;
use crate::contracts::{Access, Decision, Episode, MediaState, Playback, Position, Season, Seasons, Series};
use crate::frame::Frame;
use crate::home::found;
use crate::wording::{length, sentence};
use askama::Template;
use callboard::{Data, Empty, Env, Fault, Html, Kind, Msg, Reply, uri};

#[derive(Template)]
#[template(path = "watch.html")]
struct Page<'a> {
    page: &'a Frame,
    episode: &'a Episode,
    series: Option<Series>,
    still: String,
    backdrop: String,
    state: Option<Badge>,
    is_unlisted: bool,
    length: Option<String>,
    stage: Stage,
    next: Option<Next>,
    seasons: Vec<Panel>,
}

/// What stands where the video belongs.
enum Stage {
    Play(Play),
    Locked(Locked),
    Preparing,
    Failed,
    Empty,
}

struct Play {
    src: String,
    poster: String,
    position: Option<Position>,
}

struct Locked {
    reason: String,
    remedy: String,
    may_sign_in: bool,
}

struct Next {
    href: String,
    title: String,
}

struct Panel {
    title: String,
    items: Vec<PanelItem>,
}

struct PanelItem {
    href: String,
    art: String,
    hue: u8,
    number: u32,
    title: String,
    length: Option<String>,
    badge: Option<Badge>,
    is_current: bool,
}

/// `/watch/{pid}`: the address without words leads to the one with them.
pub(crate) async fn find(env: Env, msg: Msg<Empty>) -> Result<Reply<Html>, Fault> {
    let episode: Episode = env.call(&format!("/episodes/by-pid/{}", msg.param("pid"))).await?;
    Ok(Reply::moved(uri!("{}", episode.href())?.encoded()))
}

/// `/watch/{pid}/{slug}`.
pub(crate) async fn show(env: Env, msg: Msg<Empty>) -> Result<Reply<Html>, Fault> {
    let episode: Episode = env.call(&format!("/episodes/by-pid/{}", msg.param("pid"))).await?;
    if episode.slug != msg.param("slug") {
        return Ok(Reply::moved(uri!("{}", episode.href())?.encoded()));
    }
    let page = Frame::open(&env, &msg.head, "watch").await?;
    let decision: Decision = env.call(&format!("/access/episodes/{}", episode.id)).await?;
    if !decision.visible {
        return Err(Fault::not_found("episode.not_found", "there is no such episode, or it is not for you"));
    }
    let series = found(env.call::<Series>(&format!("/series/{}", episode.series)).await)?;
    let seasons = seasons_around(&env, &episode).await?;
    let (stage, is_protected) = stage(&env, &page, &episode, decision).await?;
    let view = Page {
        page: &page,
        still: format!("/art/still/{}", episode.id),
        backdrop: format!("/art/backdrop/{}", episode.series),
        state: Badge::of(episode.access, episode.active),
        is_unlisted: episode.access != Access::Public
            || series.as_ref().is_none_or(|series| series.access != Access::Public),
        length: episode.duration_ms().map(length),
        stage,
        next: next(&seasons, &episode),
        seasons: seasons.iter().map(|season| panel(season, &episode)).collect(),
        series,
        episode: &episode,
    };
    if is_protected { page.answer_unstored(&view) } else { page.answer(&view) }
}

/// The series' episodes; in a series of very many, those from the episode's season on.
async fn seasons_around(env: &Env, episode: &Episode) -> Result<Vec<Season>, Fault> {
    let uri = format!("/series/{}/episodes", episode.series);
    let all = found(env.call::<Seasons>(&uri).await)?.unwrap_or_default();
    let has_it = all.seasons.iter().flat_map(|season| &season.episodes).any(|other| other.id == episode.id);
    if has_it || all.next.is_none() {
        return Ok(all.seasons);
    }
    let from = format!("{uri}?after={}.{}", episode.season, episode.number.saturating_sub(1));
    Ok(env.call::<Seasons>(&from).await?.seasons)
}

/// Decides what stands on the stage, and whether its address is for this viewer alone.
async fn stage(env: &Env, page: &Frame, episode: &Episode, decision: Decision) -> Result<(Stage, bool), Fault> {
    if !decision.may_watch {
        let may_sign_in = decision.rule == "members" && !page.is_signed_in();
        let remedy = decision.remedy.as_deref().map(sentence).unwrap_or_default();
        let reason = sentence(&decision.reason).trim_end_matches('.').to_owned();
        return Ok((Stage::Locked(Locked { reason, remedy, may_sign_in }), true));
    }
    match episode.media.as_ref().map(|media| media.state) {
        None => Ok((Stage::Empty, false)),
        Some(MediaState::Processing) => Ok((Stage::Preparing, true)),
        Some(MediaState::Failed) => Ok((Stage::Failed, false)),
        Some(MediaState::Playable | MediaState::Ready) => {
            // The catalogue hears of a video's end a moment later than the media service knows of it.
            let Some(playback) = found(playback(env, &episode.id).await)? else { return Ok((Stage::Preparing, true)) };
            let position = if page.is_signed_in() { position(env, &episode.id).await? } else { None };
            let poster = playback.poster.unwrap_or_else(|| format!("/art/still/{}", episode.id));
            Ok((Stage::Play(Play { src: playback.src, poster, position }), playback.protected))
        }
    }
}

/// Asks for addresses to play from. It is a `post` because a pass to protected media may be issued.
pub(crate) async fn playback(env: &Env, episode: &str) -> Result<Playback, Fault> {
    let answer = env.relay(Kind::Post, uri!("/episodes/{episode}/playback")?, Data::EMPTY).await?;
    serde_json::from_value(answer.json())
        .map_err(|error| Fault::bug(format!("the playback of {episode} cannot be read: {error}")))
}

async fn position(env: &Env, episode: &str) -> Result<Option<Position>, Fault> {
    #[derive(serde::Deserialize)]
    struct Kept {
        position_ms: u64,
        duration_ms: u64,
    }
    let kept = found(env.call::<Kept>(&format!("/me/positions/{episode}")).await)?.filter(|kept| kept.position_ms > 0);
    Ok(kept.map(|kept| Position {
        episode: episode.to_owned(),
        position_ms: kept.position_ms,
        duration_ms: kept.duration_ms,
    }))
}

fn next(seasons: &[Season], episode: &Episode) -> Option<Next> {
    let mut all = seasons.iter().flat_map(|season| &season.episodes).skip_while(|other| other.id != episode.id);
    all.next()?;
    all.find(|other| other.is_playable()).map(|other| Next { href: other.href(), title: other.title.clone() })
}

fn panel(season: &Season, current: &Episode) -> Panel {
    let item = |episode: &Episode| PanelItem {
        href: episode.href(),
        art: format!("/art/still/{}", episode.id),
        hue: hue_step(&episode.id),
        number: episode.number,
        title: episode.title.clone(),
        length: episode.duration_ms().map(length),
        badge: Badge::of_episode(episode),
        is_current: episode.id == current.id,
    };
    Panel { title: season.title.clone(), items: season.episodes.iter().map(item).collect() }
}
