//! Queues and dead letters, as functions: who may look, who may put back or throw away, and that it is told of.

use super::{Scope, told};
use crate::ports::{DeadFilter, DeadLetter, PAGE_MAX, Page, Queue};
use crate::{Effects, Empty, Env, Fault, Msg, Reply, Tenant};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most dead letters that one call puts back or throws away.
const BATCH_MAX: u32 = 10_000;

/// What waits, and what came too late.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Queues {
    /// By target.
    queues: Vec<Queue>,
    /// Completions that changed nothing, because their claim had gone to somebody else.
    stale: u64,
    /// Now, in Unix milliseconds.
    now_ms: i64,
}

/// Which dead letters, and which page of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Choice {
    /// Of this tenant.
    tenant: Option<Tenant>,
    /// For this binding or step.
    target: Option<String>,
    /// With this code.
    code: Option<String>,
    /// This one.
    id: Option<i64>,
    /// After the last one of the page before.
    after: Option<String>,
    /// Most letters.
    limit: Option<u32>,
}

/// Which dead letters to put back or to throw away.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Batch {
    /// Of this tenant.
    tenant: Option<Tenant>,
    /// For this binding or step.
    target: Option<String>,
    /// With this code.
    code: Option<String>,
    /// This one.
    id: Option<i64>,
    /// Whether all are meant where nothing else is said.
    all: bool,
    /// Most letters.
    limit: Option<u32>,
    /// Over so many milliseconds they are spread.
    spread_ms: i64,
}

/// How many letters it was.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Count {
    count: u64,
}

pub(super) async fn queues(env: Env, _: Msg<Empty>) -> Result<Reply<Queues>, Fault> {
    Scope::of(&env)?.everything()?;
    let operations = env.operations().await?;
    let queues = operations.queues(env.now_ms()).await?;
    Ok(Reply::ok(Queues { queues, stale: operations.stale().await?, now_ms: env.now_ms() }))
}

pub(super) async fn list(env: Env, msg: Msg<Choice>) -> Result<Reply<Vec<DeadLetter>>, Fault> {
    let Choice { tenant, target, code, id, after, limit } = msg.data;
    let filter = DeadFilter { tenant: Scope::of(&env)?.narrow(tenant), target, code, id };
    let page = Page { after, limit: limit.unwrap_or(50).min(PAGE_MAX) };
    Ok(Reply::ok(env.operations().await?.dead(filter, page).await?))
}

pub(super) async fn show(env: Env, msg: Msg<Empty>) -> Result<Reply<DeadLetter>, Fault> {
    let none = || Fault::not_found("dead.unknown", format!("there is no dead letter {}", msg.param("id")));
    let id = msg.param("id").parse().map_err(|_| none())?;
    let filter = DeadFilter { tenant: Scope::of(&env)?.narrow(None), id: Some(id), ..DeadFilter::default() };
    let found = env.operations().await?.dead(filter, Page { after: None, limit: 1 }).await?;
    found.into_iter().next().map(Reply::ok).ok_or_else(none)
}

/// The event is a commit of its own, after the change: where the process ends between them, the log of the server tells.
pub(super) async fn redrive(env: Env, msg: Msg<Batch>) -> Result<Reply<Count>, Fault> {
    let (filter, limit) = chosen(&env, &msg.data)?;
    let spread_ms = msg.data.spread_ms.max(0);
    let count = env.operations().await?.redrive(filter, limit, spread_ms, env.now_ms()).await?;
    Ok(Reply::ok(Count { count }).with(told(Effects::new(), &env, &msg, "operator.redriven", count)))
}

pub(super) async fn discard(env: Env, msg: Msg<Batch>) -> Result<Reply<Count>, Fault> {
    let (filter, limit) = chosen(&env, &msg.data)?;
    let count = env.operations().await?.discard(filter, limit, env.now_ms()).await?;
    Ok(Reply::ok(Count { count }).with(told(Effects::new(), &env, &msg, "operator.discarded", count)))
}

fn chosen(env: &Env, batch: &Batch) -> Result<(DeadFilter, u32), Fault> {
    let Batch { tenant, target, code, id, all, limit, .. } = batch.clone();
    if tenant.is_none() && target.is_none() && code.is_none() && id.is_none() && !all {
        return Err(Fault::bad_input(
            "dead.choice",
            "say which dead letters are meant: one by its id, those of a target or with a code, or all",
        ));
    }
    let filter = DeadFilter { tenant: Scope::of(env)?.narrow(tenant), target, code, id };
    Ok((filter, limit.unwrap_or(BATCH_MAX).min(BATCH_MAX)))
}
