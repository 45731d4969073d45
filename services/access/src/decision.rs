//! The decision for whoever asks, by the facts of the catalogue.

use crate::model::{Decision, EpisodeFacts, Item, SeriesFacts, Standing, decide};
use callboard::{Empty, Env, Fault, FaultKind, Id, Msg, Reply};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// `get /access/series/{id}`
pub(crate) async fn of_series(env: Env, msg: Msg<Empty>) -> Result<Reply<Decision>, Fault> {
    let item = item::<SeriesFacts>(&env, "series", msg.param("id")).await?;
    Ok(Reply::ok(decide(item, Standing::of(env.principal()))))
}

/// `get /access/episodes/{id}`
pub(crate) async fn of_episode(env: Env, msg: Msg<Empty>) -> Result<Reply<Decision>, Fault> {
    let item = item::<EpisodeFacts>(&env, "episodes", msg.param("id")).await?;
    Ok(Reply::ok(decide(item, Standing::of(env.principal()))))
}

/// Whether delivery needs no pass.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Public {
    is_public: bool,
}

/// `get /access/episodes/{id}/public`: may nobody in particular watch it?
pub(crate) async fn is_public(env: Env, msg: Msg<Empty>) -> Result<Reply<Public>, Fault> {
    let item = item::<EpisodeFacts>(&env, "episodes", msg.param("id")).await?;
    Ok(Reply::ok(Public { is_public: decide(item, Standing::Nobody).may_watch }))
}

/// What the catalogue says; none where there is nothing. Any other failure is passed on, so that nothing opens by accident.
async fn item<T: DeserializeOwned + Into<Item>>(env: &Env, kind: &str, id: &str) -> Result<Option<Item>, Fault> {
    // Only the one spelling of an id is asked about, so that what is decided on is what is served.
    if id.parse::<Id>().ok().is_none_or(|parsed| parsed.to_string() != id) {
        return Ok(None);
    }
    match env.ask::<T>(&format!("/{kind}/{id}/facts")).await {
        Ok(facts) => Ok(Some(facts.into())),
        Err(fault) if fault.kind == FaultKind::NotFound => Ok(None),
        Err(fault) => Err(fault),
    }
}
