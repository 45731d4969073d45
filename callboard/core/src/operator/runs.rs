//! Runs of flows, as functions: how they stand, in words and as a drawing, and what an operator does with them.

use super::{Scope, nothing_here, told};
use crate::flow::{self, Flow, FlowEvent, ItemState, Operation, Place, Run, Status};
use crate::ports::{PAGE_MAX, Page, RunFilter, RunHistory, RunSummary};
use crate::{Effects, Empty, Env, Fault, Id, Msg, Reply, Tenant};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Most runs that one call does again.
const REDO_MAX: u32 = 100;

/// Longest reason that somebody gives, in characters.
const WHY_CHARS_MAX: usize = 500;

/// What may stand after `/-/flows/{id}/`.
const OPERATIONS: [&str; 7] = ["cancel", "kill", "undo", "redo", "retry", "mark-done", "skip"];

/// Which runs, and which page of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
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

/// One run and what happened to it. Where the program does not have the flow any more, there are no words for it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Shown {
    run: Run,
    /// Names of its steps, in order.
    steps: Vec<&'static str>,
    /// What is done and what is left, in one sentence.
    sentence: Option<String>,
    /// What keeps it from being undone, where something does.
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
    /// The flow with the state of each step, for a terminal.
    drawing: Option<String>,
    /// Effects that nobody undid.
    left_behind: Vec<String>,
    events: Vec<Happened>,
}

/// Something that happened to a run.
#[derive(Debug, Serialize, JsonSchema)]
struct Happened {
    at_ms: i64,
    #[serde(flatten)]
    event: FlowEvent,
}

/// What to do with a run, and why; what the operation itself takes stands beside.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct Intervention {
    /// Why, for whoever reads the history of the run.
    #[serde(default)]
    why: String,
    /// Whether to say only what would be done.
    #[serde(default)]
    is_dry: bool,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// Which runs to do again from which step.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Again {
    /// The flow.
    flow: String,
    /// Id of the step.
    from: String,
    /// Of this tenant.
    #[serde(default)]
    tenant: Option<Tenant>,
    /// That stand here.
    #[serde(default)]
    status: Option<Status>,
    /// After the last one of the page before.
    #[serde(default)]
    after: Option<String>,
    /// Most runs.
    #[serde(default)]
    limit: Option<u32>,
    /// Why.
    #[serde(default)]
    why: String,
    /// Whether to say only what would be done.
    #[serde(default)]
    is_dry: bool,
}

/// What an operation does to a run.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Plan {
    run: Id,
    /// Line by line, for a redo.
    lines: Vec<String>,
    /// Why nothing is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

/// What is done to several runs.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Plans {
    /// To how many something is done.
    count: u64,
    plans: Vec<Plan>,
    /// What to go on after.
    next: Option<Id>,
}

pub(super) async fn list(env: Env, msg: Msg<Choice>) -> Result<Reply<Vec<RunSummary>>, Fault> {
    let Choice { tenant, flow, status, key, after, limit } = msg.data;
    let filter = RunFilter { tenant: Scope::of(&env)?.narrow(tenant), flow, status, key };
    let (asked, page) = (filter.flow.clone(), Page { after, limit: limit.unwrap_or(50).min(PAGE_MAX) });
    let runs = env.operations().await?.runs(filter, page).await?;
    match asked {
        // Runs of a flow that is gone are shown all the same.
        Some(flow) if runs.is_empty() => check_flow(&env, &flow).map(|()| Reply::ok(runs)),
        _ => Ok(Reply::ok(runs)),
    }
}

pub(super) async fn show(env: Env, msg: Msg<Empty>) -> Result<Reply<Shown>, Fault> {
    let RunHistory { run, events } = find(&env, msg.param("id")).await?;
    let flow = env.space().flow(&run.flow).map(|(_, flow)| flow).filter(|flow| flow.hash() == run.hash);
    Ok(Reply::ok(Shown {
        steps: flow.map(|flow| flow.steps.iter().map(|step| step.id).collect()).unwrap_or_default(),
        sentence: flow.map(|flow| flow::describe(flow, &run)),
        trouble: flow.and_then(|flow| trouble(flow, &run, &events)),
        drawing: flow.map(|flow| flow::draw(flow, &run)),
        left_behind: flow.map(|flow| flow::left_behind(flow, &run)).unwrap_or_default(),
        events: events.into_iter().map(|(at_ms, event)| Happened { at_ms, event }).collect(),
        run,
    }))
}

/// The last failure of an undo that is still going on, or stuck.
fn trouble(flow: &Flow, run: &Run, events: &[(i64, FlowEvent)]) -> Option<String> {
    let is_undone = |at: &Place| {
        let item = run.steps.get(at.step).and_then(|step| step.items.get(at.item));
        item.is_none_or(|item| !matches!(item.state, ItemState::Undoing | ItemState::Stuck))
    };
    events.iter().rev().find_map(|(_, event)| match event {
        FlowEvent::UndoFailed { at, message } if !is_undone(at) => {
            let step = flow.steps.get(at.step)?.id;
            let times = if at.attempt == 1 { "once".to_owned() } else { format!("{} times", at.attempt) };
            Some(format!("the undo of {step} failed {times}, the last time because: {message}"))
        }
        _ => None,
    })
}

/// Intervenes in one run. The history of the run keeps who did it and why.
pub(super) async fn operate(env: Env, msg: Msg<Intervention>) -> Result<Reply<Plan>, Fault> {
    let run = find(&env, msg.param("id")).await?.run;
    let operation = operation(msg.param("operation"), msg.data.rest.clone())?;
    if let Some(step) = operation.step() {
        check_step(definition(&env, &run)?, step)?;
    }
    let lines = match &operation {
        Operation::Redo { from } => flow::plan_redo(definition(&env, &run)?, &run, from)?,
        _ if msg.data.is_dry => {
            return Err(Fault::bad_input(
                "flow.dry",
                "only a redo has a plan to show; `show` tells how the run stands",
            ));
        }
        _ => Vec::new(),
    };
    let plan = Plan { run: run.id, lines, refused: None };
    if msg.data.is_dry {
        return Ok(Reply::ok(plan));
    }
    let effects = Effects::new().operate(run.id, operation, reason(&msg.data.why)?);
    Ok(Reply::ok(plan).with(told(effects, &env, &msg, "operator.intervened", 1)))
}

/// Does several runs again from a step, all or none of those that can be.
pub(super) async fn redo(env: Env, msg: Msg<Again>) -> Result<Reply<Plans>, Fault> {
    let Again { flow, from, tenant, status, after, limit, why, is_dry } = msg.data.clone();
    let filter = RunFilter { tenant: Scope::of(&env)?.narrow(tenant), flow: Some(flow), status, key: None };
    if let Some(name) = &filter.flow {
        check_flow(&env, name)?;
        env.space().flow(name).map_or(Ok(()), |(_, flow)| check_step(flow, &from))?;
    }
    let limit = limit.unwrap_or(REDO_MAX).min(REDO_MAX);
    let found = env.operations().await?.runs(filter, Page { after, limit }).await?;
    let next = found.last().filter(|_| found.len() == limit as usize).map(|run| run.id);
    let mut plans = Vec::with_capacity(found.len());
    for summary in found {
        let run = find(&env, &summary.id.to_string()).await?.run;
        plans.push(match definition(&env, &run).and_then(|flow| flow::plan_redo(flow, &run, &from)) {
            Ok(lines) => Plan { run: run.id, lines, refused: None },
            Err(fault) => Plan { run: run.id, lines: Vec::new(), refused: Some(fault.message) },
        });
    }
    let wanted: Vec<Id> = plans.iter().filter(|plan| plan.refused.is_none()).map(|plan| plan.run).collect();
    let count = wanted.len() as u64;
    let reply = Reply::ok(Plans { count, plans, next });
    if is_dry || wanted.is_empty() {
        return Ok(reply);
    }
    let why = reason(&why)?;
    let redo = |effects: Effects, run| effects.operate(run, Operation::Redo { from: from.clone() }, why.clone());
    let effects = wanted.into_iter().fold(Effects::new(), redo);
    Ok(reply.with(told(effects, &env, &msg, "operator.intervened", count)))
}

async fn find(env: &Env, id: &str) -> Result<RunHistory, Fault> {
    let none = || Fault::not_found("flow.unknown", format!("there is no run {id}"));
    let parsed = id.parse().map_err(|_| none())?;
    env.operations().await?.run(Scope::of(env)?.narrow(None), parsed).await?.ok_or_else(none)
}

fn definition<'a>(env: &'a Env, run: &Run) -> Result<&'a Flow, Fault> {
    let found = env.space().flow(&run.flow).map(|(_, flow)| flow).filter(|flow| flow.hash() == run.hash);
    let message = format!("run {} of flow {} began with another definition of its steps", run.id, run.flow);
    found.ok_or_else(|| Fault::conflict("flow.changed", message))
}

fn check_flow(env: &Env, name: &str) -> Result<(), Fault> {
    let flows = env.space().services.iter().flat_map(|service| &service.flows);
    let mut known: Vec<&str> = flows.map(|flow| flow.name).collect();
    if known.contains(&name) {
        return Ok(());
    }
    known.sort_unstable();
    let message = format!("there is no flow `{name}`; there are {}", known.join(", "));
    Err(Fault::not_found("flow.unknown", message))
}

fn check_step(flow: &Flow, id: &str) -> Result<(), Fault> {
    if flow.position(id).is_some() {
        return Ok(());
    }
    let known: Vec<&str> = flow.steps.iter().map(|step| step.id).collect();
    let message = format!("flow {} has no step `{id}`; it has {}", flow.name, known.join(", "));
    Err(Fault::bad_input("flow.step", message))
}

fn operation(word: &str, mut fields: Map<String, Value>) -> Result<Operation, Fault> {
    if !OPERATIONS.contains(&word) {
        return Err(nothing_here());
    }
    fields.insert("operation".to_owned(), word.replace('-', "_").into());
    serde_json::from_value(fields.into())
        .map_err(|error| Fault::bad_input("data.invalid", format!("`{word}` does not take this: {error}")))
}

fn reason(why: &str) -> Result<String, Fault> {
    let why = why.trim();
    if (1..=WHY_CHARS_MAX).contains(&why.chars().count()) {
        return Ok(why.to_owned());
    }
    let message = format!("say why, in 1 to {WHY_CHARS_MAX} characters; the history of the run keeps it");
    Err(Fault::bad_input("flow.why", message.clone()).field("why", message))
}
