//! Schedules, as a function: what they are, when they fired last and when they fire next.

use super::Scope;
use crate::{CatchUp, Empty, Env, Fault, Msg, Reply, Tick};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::HashMap;

/// One schedule as it stands.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ScheduleState {
    /// Its service.
    service: &'static str,
    /// Its name.
    name: &'static str,
    /// When it fires, in words.
    when: String,
    /// What becomes of times that were missed.
    catch_up: CatchUp,
    /// Path of its function.
    function: &'static str,
    /// Whether it fires in every tenant.
    is_each_tenant: bool,
    /// The next time, in Unix milliseconds.
    next_ms: Option<i64>,
    /// The time for which it fired last, in Unix milliseconds.
    last_ms: Option<i64>,
}

pub(super) async fn list(env: Env, _: Msg<Empty>) -> Result<Reply<Vec<ScheduleState>>, Fault> {
    Scope::of(&env)?.everything()?;
    let planned = env.operations().await?.ticks().await?;
    let planned: HashMap<(String, String), Tick> = planned
        .into_iter()
        .filter_map(|planned| {
            let tick: Tick = serde_json::from_value(planned.envelope.data).ok()?;
            let place = planned.envelope.uri.as_str().strip_prefix("/schedules/")?.to_owned();
            Some(((place, tick.when.clone()), Tick { due_ms: planned.due_ms, ..tick }))
        })
        .collect();
    let rows = env.space().services.iter().flat_map(|service| service.schedules.iter().map(move |row| (service, row)));
    let states = rows.map(|(service, row)| {
        let when = row.when.to_string();
        let tick = planned.get(&(format!("{}/{}", service.name, row.name), when.clone()));
        ScheduleState {
            service: service.name,
            name: row.name,
            when,
            catch_up: row.catch_up,
            function: row.function_name(),
            is_each_tenant: row.is_each_tenant,
            next_ms: tick.map(|tick| tick.due_ms),
            last_ms: tick.and_then(|tick| tick.last_ms),
        }
    });
    Ok(Reply::ok(states.collect()))
}
