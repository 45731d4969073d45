//! Asking `access` whether the caller may see a single item. The rule itself stands there, and only there.

use crate::model::{no_episode, no_series};
use callboard::{Env, Fault};
use serde::Deserialize;

#[derive(Deserialize)]
struct Decision {
    visible: bool,
}

/// Refuses, as if there were nothing, a series that the caller may not see.
pub(crate) async fn require_series(env: &Env, id: &str) -> Result<(), Fault> {
    let decision: Decision = env.call(&format!("/access/series/{id}")).await?;
    if decision.visible { Ok(()) } else { Err(no_series()) }
}

/// Refuses, as if there were nothing, an episode that the caller may not see.
pub(crate) async fn require_episode(env: &Env, id: &str) -> Result<(), Fault> {
    let decision: Decision = env.call(&format!("/access/episodes/{id}")).await?;
    if decision.visible { Ok(()) } else { Err(no_episode()) }
}
