//! The documents by which an application describes itself: as much of them as the caller may know of.

use super::{Scope, nothing_here};
use crate::contract::{About, asyncapi, openapi};
use crate::policy::is_one_of;
use crate::{Binding, Empty, Env, Fault, Msg, Reply, Stranger};
use serde_json::Value;

/// `get /openapi.json`: what may be called, without what is hidden from the caller.
pub(super) async fn show_openapi(env: Env, msg: Msg<Empty>) -> Result<Reply<Value>, Fault> {
    let is_shown = |binding: &Binding| binding.stranger == Stranger::Denied || is_one_of(binding.who, env.principal());
    Ok(Reply::ok(openapi(env.space(), &about(&env, &msg), &is_shown)))
}

/// `get /asyncapi.json`: what happens on which URIs, and who listens.
pub(super) async fn show_asyncapi(env: Env, msg: Msg<Empty>) -> Result<Reply<Value>, Fault> {
    Scope::of(&env).map_err(|_| nothing_here())?;
    Ok(Reply::ok(asyncapi(env.space(), &about(&env, &msg))))
}

fn about(env: &Env, msg: &Msg<Empty>) -> About {
    About {
        title: format!("The channel {}", env.tenant()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        origin: msg.meta("origin").unwrap_or_default().to_owned(),
        mount: msg.meta("mount").unwrap_or_default().to_owned(),
        // Told only by who has them elsewhere.
        resources: msg.meta("resources").unwrap_or("/api").to_owned(),
    }
}
