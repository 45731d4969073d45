//! What `access` decides by, for services only.

use crate::model::{Access, id_of, no_episode, no_series};
use crate::records::{EPISODE_FACTS, SERIES_FACTS};
use callboard::{Empty, Env, Fault, Msg, Reply, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who may see a series.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct SeriesFacts {
    id: String,
    access: Access,
    active: bool,
}

/// Who may see an episode, by itself and by its series.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct EpisodeFacts {
    id: String,
    series: String,
    access: Access,
    active: bool,
    series_access: Access,
    series_active: bool,
}

/// `get /series/{id}/facts`
pub(crate) async fn of_series(env: Env, msg: Msg<Empty>) -> Result<Reply<SeriesFacts>, Fault> {
    let id = id_of(&msg, no_series)?;
    let facts = env.query(&SERIES_FACTS, params![id]).await?.first()?;
    facts.map(Reply::ok).ok_or_else(no_series)
}

/// `get /episodes/{id}/facts`
pub(crate) async fn of_episode(env: Env, msg: Msg<Empty>) -> Result<Reply<EpisodeFacts>, Fault> {
    let id = id_of(&msg, no_episode)?;
    let facts = env.query(&EPISODE_FACTS, params![id]).await?.first()?;
    facts.map(Reply::ok).ok_or_else(no_episode)
}
