//! Runs of flows, as functions that only look; what an operator may do with one belongs to the flows.

use super::Scope;
use crate::flow::{FlowEvent, Run, Status};
use crate::ports::{PAGE_MAX, Page, RunFilter, RunHistory, RunSummary};
use crate::{Empty, Env, Fault, Msg, Reply, Tenant};
use serde::{Deserialize, Serialize};

/// Which runs, and which page of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Choice {
    /// Of this tenant.
    tenant: Option<Tenant>,
    /// Of this flow.
    flow: Option<String>,
    /// That stand here.
    status: Option<Status>,
    /// With this key.
    key: Option<String>,
    /// After the last one of the page before.
    after: Option<String>,
    /// Most runs.
    limit: Option<u32>,
}

/// One run and what happened to it.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    run: Run,
    /// Names of its steps, in order; none where the program does not have the flow any more.
    steps: Vec<&'static str>,
    events: Vec<Happened>,
}

/// Something that happened to a run.
#[derive(Debug, Serialize)]
struct Happened {
    at_ms: i64,
    #[serde(flatten)]
    event: FlowEvent,
}

pub(super) async fn list(env: Env, msg: Msg<Choice>) -> Result<Reply<Vec<RunSummary>>, Fault> {
    let Choice { tenant, flow, status, key, after, limit } = msg.data;
    let filter = RunFilter { tenant: Scope::of(&env)?.narrow(tenant), flow, status, key };
    let page = Page { after, limit: limit.unwrap_or(50).min(PAGE_MAX) };
    Ok(Reply::ok(env.operations().runs(filter, page).await?))
}

pub(super) async fn show(env: Env, msg: Msg<Empty>) -> Result<Reply<Shown>, Fault> {
    let none = || Fault::not_found("flow.unknown", format!("there is no run {}", msg.param("id")));
    let id = msg.param("id").parse().map_err(|_| none())?;
    let found = env.operations().run(Scope::of(&env)?.narrow(None), id).await?;
    let RunHistory { run, events } = found.ok_or_else(none)?;
    let flow = env.space().flow(&run.flow);
    let steps = flow.map(|(_, flow)| flow.steps.iter().map(|step| step.id).collect()).unwrap_or_default();
    let events = events.into_iter().map(|(at_ms, event)| Happened { at_ms, event }).collect();
    Ok(Reply::ok(Shown { run, steps, events }))
}
