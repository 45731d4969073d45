//! Removing a series: it vanishes at once; its episodes follow in steps, each small enough for one batch, each episode
//! with an event of its own.

use crate::edition;
use crate::model::{id_of, no_series};
use crate::records::{
    EPISODES_DELETE, EPISODES_HIDE, EPISODES_SOME, GENRES_DELETE, SEASONS_DELETE, SERIES_DELETE, SERIES_HIDE,
    SLUGS_DELETE,
};
use crate::series::load;
use callboard::{Effects, Empty, Env, Fault, Kind, Msg, Reply, event, params, uri};
use serde::Deserialize;
use serde_json::json;

/// Episodes removed in one step.
const STEP_EPISODES: usize = 400;

/// `delete /series/{id}`
pub(crate) async fn begin(env: Env, msg: Msg<Empty>) -> Result<Reply, Fault> {
    let id = id_of(&msg, no_series)?;
    let series = load(&env, &id).await?;
    edition::check(&msg, series.version, series.edited_version)?;
    let mut effects = Effects::new()
        .write(SERIES_HIDE.with(params![&id, series.version]).expect_or_retry(1..=1))
        .write(EPISODES_HIDE.with(params![&id]))
        .write(SLUGS_DELETE.with(params![&id]))
        .write(GENRES_DELETE.with(params![&id]));
    // All steps are sent now: a chain of messages that cause each other would look like a loop in a long series.
    let episodes = series.episode_count.and_then(|count| usize::try_from(count).ok()).unwrap_or_default();
    for _ in 0..=episodes / STEP_EPISODES {
        effects = effects.send(Kind::Post, uri!("/series/{id}/removal")?, json!({}));
    }
    Ok(Reply::deleted(uri!("/series/{id}")?).with(effects).version(series.version + 1))
}

/// `post /series/{id}/removal`: one step. Repeating it does no harm.
pub(crate) async fn go_on(env: Env, msg: Msg<Empty>) -> Result<Reply, Fault> {
    #[derive(Deserialize)]
    struct Found {
        id: String,
    }
    let id = id_of(&msg, no_series)?;
    let limit = i64::try_from(STEP_EPISODES).expect("a step is small");
    let found: Vec<Found> = env.query(&EPISODES_SOME, params![&id, limit]).await?.all()?;
    let ids: Vec<String> = found.into_iter().map(|episode| episode.id).collect();
    let mut effects = Effects::new();
    for episode in &ids {
        let uri = uri!("/episodes/{episode}")?;
        effects = effects.emit(event("deleted"), uri.clone(), json!({"uri": uri, "version": env.now_ms()}));
    }
    let is_last = ids.len() < STEP_EPISODES;
    effects = effects.write(EPISODES_DELETE.with(params![ids]));
    if is_last {
        effects = effects.write(SEASONS_DELETE.with(params![&id])).write(SERIES_DELETE.with(params![&id]));
    }
    Ok(Reply::nothing().with(effects))
}
