//! An episode is gone: everybody's position in it goes too, in steps that are small enough for one batch.

use crate::model::episode_id;
use crate::records::{EPISODE_COUNT, EPISODE_DELETE, EPISODE_SOME};
use callboard::{Effects, Empty, Env, Fault, Kind, Msg, Reply, params, uri};
use serde::Deserialize;
use serde_json::{Value, json};

/// Positions removed in one step.
const STEP_POSITIONS: i64 = 5_000;

/// Event `deleted` on `/episodes/{id}`.
pub(crate) async fn begin(env: Env, msg: Msg<Value>) -> Result<Reply, Fault> {
    #[derive(Deserialize)]
    struct Counted {
        count: i64,
    }
    let id = episode_id(msg.param("id"))?;
    let counted: Option<Counted> = env.query(&EPISODE_COUNT, params![id]).await?.first()?;
    let count = counted.map_or(0, |counted| counted.count);
    // All steps are sent now: a chain of messages that cause each other would look like a loop where there are many.
    let mut effects = Effects::new();
    for _ in 0..(count + STEP_POSITIONS - 1) / STEP_POSITIONS {
        effects = effects.send(Kind::Post, uri!("/positions/{id}/removal")?, json!({}));
    }
    Ok(Reply::nothing().with(effects))
}

/// `post /positions/{id}/removal`: one step. Repeating it does no harm.
pub(crate) async fn go_on(env: Env, msg: Msg<Empty>) -> Result<Reply, Fault> {
    #[derive(Deserialize)]
    struct Found {
        person: String,
    }
    let id = episode_id(msg.param("id"))?;
    let found: Vec<Found> = env.query(&EPISODE_SOME, params![id, STEP_POSITIONS]).await?.all()?;
    let people: Vec<String> = found.into_iter().map(|position| position.person).collect();
    Ok(Reply::nothing().write(EPISODE_DELETE.with(params![id, people])))
}
