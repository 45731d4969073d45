//! One's own positions: save, read, list what to go on with, forget.

use crate::model::{Position, Progress, episode_id, no_episode};
use crate::records::{POSITION, RECENT, REMOVE, SAVE};
use callboard::{Empty, Env, Fault, Msg, Reply, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

async fn load(env: &Env, person: &str, episode: &str) -> Result<Option<Position>, Fault> {
    env.query(&POSITION, params![person, episode]).await?.first()
}

/// `get /me/positions/{episode}`: the beginning, where there is none.
pub(crate) async fn read(env: Env, msg: Msg<Empty>) -> Result<Reply<Position>, Fault> {
    let episode = episode_id(msg.param("episode"))?;
    let start = || Position { episode: episode.to_owned(), position_ms: 0, duration_ms: 0, updated_ms: 0 };
    Ok(Reply::ok(load(&env, env.person()?, episode).await?.unwrap_or_else(start)))
}

/// `put /me/positions/{episode}`: the last word counts.
pub(crate) async fn save(env: Env, msg: Msg<Progress>) -> Result<Reply<Position>, Fault> {
    let (person, progress) = (env.person()?, msg.data);
    let episode = episode_id(msg.param("episode"))?;
    progress.check()?;
    // Players save every few seconds: only the first time is the decision asked, so that nobody fills the records
    // with episodes that are not there.
    if load(&env, person, episode).await?.is_none() {
        require_watching(&env, episode).await?;
    }
    let updated_ms = env.now_ms();
    let (position_ms, duration_ms) = (progress.position_ms, progress.duration_ms);
    let save = SAVE.with(params![person, episode, position_ms, duration_ms, progress.is_finished(), updated_ms]);
    let position = Position { episode: episode.to_owned(), position_ms, duration_ms, updated_ms };
    Ok(Reply::ok(position).write(save))
}

async fn require_watching(env: &Env, episode: &str) -> Result<(), Fault> {
    #[derive(Deserialize)]
    struct Decision {
        visible: bool,
        may_watch: bool,
    }
    let decision: Decision = env.call(&format!("/access/episodes/{episode}")).await?;
    match decision {
        Decision { may_watch: true, .. } => Ok(()),
        Decision { visible: true, .. } => Err(Fault::denied(
            "episode.not_watchable",
            "you may not watch this episode, so there is no position to keep",
        )),
        Decision { .. } => Err(no_episode()),
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    after: Option<String>,
    #[schemars(range(min = 1, max = 100), extend("x-code" = "list.limit"))]
    limit: Option<u32>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Page {
    items: Vec<Position>,
    next: Option<String>,
}

/// `get /me/positions`: what was begun and not finished, newest first.
pub(crate) async fn list(env: Env, msg: Msg<Wanted>) -> Result<Reply<Page>, Fault> {
    let limit = msg.data.limit.unwrap_or(20);
    if !(1..=100).contains(&limit) {
        return Err(Fault::bad_input("list.limit", format!("ask for 1 to 100 items, not {limit}"))
            .field("limit", "use a number from 1 to 100"));
    }
    let (before_ms, before) = match msg.data.after.as_deref().filter(|after| !after.is_empty()) {
        Some(after) => place(after)?,
        None => (i64::MAX, ""),
    };
    let rows = env.query(&RECENT, params![env.person()?, before_ms, before, limit + 1]).await?;
    let mut items: Vec<Position> = rows.all()?;
    let limit = usize::try_from(limit).expect("a page is small");
    let has_more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| has_more).map(|last| format!("{}.{}", last.updated_ms, last.episode));
    Ok(Reply::ok(Page { items, next }))
}

/// Reads `time.episode`.
fn place(after: &str) -> Result<(i64, &str), Fault> {
    let parts = after.split_once('.').and_then(|(time_ms, episode)| Some((time_ms.parse().ok()?, episode)));
    parts.ok_or_else(|| {
        Fault::bad_input(
            "list.after",
            format!("`{after}` is no place in this list; use the `next` of the answer before"),
        )
        .field("after", "use the `next` of the answer before")
    })
}

/// `delete /me/positions/{episode}`: also where there is none.
pub(crate) async fn remove(env: Env, msg: Msg<Empty>) -> Result<Reply, Fault> {
    let episode = episode_id(msg.param("episode"))?;
    Ok(Reply::nothing().write(REMOVE.with(params![env.person()?, episode])))
}
