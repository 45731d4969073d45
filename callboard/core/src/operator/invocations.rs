//! Invocations, as functions: what ran lately, what was captured of one, and that a person is forgotten.

use super::{Scope, nothing_here, told};
use crate::invocation::{Invocation, Recording};
use crate::{Effects, Empty, Env, Fault, Id, Msg, Reply, Tenant};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Most invocations that one call lists.
const LIST_MAX: u32 = 1_000;

/// Which invocations.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Choice {
    /// Of functions whose path contains this.
    function: Option<String>,
    /// In this tenant.
    tenant: Option<Tenant>,
    /// That ended with this code, or with any fault where it is `any`.
    fault: Option<String>,
    /// That took at least so long, in milliseconds.
    slow_ms: Option<u64>,
    /// That belong to this.
    correlation: Option<Id>,
    /// After this one, by its place.
    after: Option<u64>,
    /// Most invocations.
    limit: Option<u32>,
}

/// Invocations, and where to go on.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Listed {
    /// The newest first.
    invocations: Vec<Value>,
    /// The place of the newest there is, to ask for those after it.
    newest: u64,
    /// How many recordings were dropped, because more came than could be written.
    dropped: u64,
}

impl Choice {
    fn fits(&self, one: &Invocation) -> bool {
        let code = one.ended.to_string();
        let fault = |wanted: &String| wanted == &code || (wanted == "any" && one.ended.is_fault());
        self.function.as_ref().is_none_or(|part| one.function.contains(part.as_str()))
            && self.tenant.as_ref().is_none_or(|tenant| *tenant == one.tenant)
            && self.fault.as_ref().is_none_or(fault)
            && self.slow_ms.is_none_or(|least_ms| one.duration_ns >= least_ms.saturating_mul(1_000_000))
            && self.correlation.is_none_or(|correlation| correlation == one.correlation)
            && self.after.is_none_or(|after| one.seq > after)
    }

    /// The same for one that was captured by a process that is gone.
    fn fits_recorded(&self, recording: &Recording) -> bool {
        let one = &recording.invocation;
        let text = |name: &str| one[name].as_str().unwrap_or_default();
        let fault = |wanted: &String| wanted == text("ended") || (wanted == "any" && recording.why == "fault");
        self.after.is_none()
            && self.function.as_ref().is_none_or(|part| text("function").contains(part.as_str()))
            && self.tenant.as_ref().is_none_or(|tenant| *tenant == recording.message.tenant)
            && self.fault.as_ref().is_none_or(fault)
            && self.slow_ms.is_none_or(|ms| one["duration_ns"].as_u64().unwrap_or(0) >= ms.saturating_mul(1_000_000))
            && self.correlation.is_none_or(|correlation| correlation == recording.message.correlation)
    }
}

/// What is in memory, and behind it what was captured before this process began.
pub(super) async fn list(env: Env, msg: Msg<Choice>) -> Result<Reply<Listed>, Fault> {
    let tenant = Scope::of(&env)?.narrow(msg.data.tenant.clone());
    let choice = Choice { tenant, ..msg.data };
    let limit = choice.limit.unwrap_or(50).min(LIST_MAX) as usize;
    let log = env.invocations();
    let newest = log.newest();
    let mut invocations: Vec<Value> = log.find(|one| choice.fits(one), limit).iter().map(|one| json!(one)).collect();
    if let Some(recorder) = log.recorder().filter(|_| invocations.len() < limit && choice.after.is_none()) {
        let begun_ms = log.begun_ms();
        let before = recorder.list(LIST_MAX as usize).await?.into_iter();
        let before = before.filter(|one| one.started_ms < begun_ms && choice.fits_recorded(one));
        invocations.extend(before.take(limit - invocations.len()).map(|one| one.invocation));
    }
    let dropped = log.recorder().map_or(0, |recorder| recorder.dropped());
    Ok(Reply::ok(Listed { invocations, newest, dropped }))
}

/// A recording shows what people sent and saw, so that somebody read it is told.
pub(super) async fn show(env: Env, msg: Msg<Empty>) -> Result<Reply<Recording>, Fault> {
    let scope = Scope::of(&env)?;
    let id = msg.param("id").to_owned();
    let unknown = || {
        Fault::not_found("invocation.unknown", format!("nothing was captured of {id}")).detail(
            "captured are faults, what was asked for, one in a thousand, and all with `callboard.capture = all`",
        )
    };
    let recorder = env.invocations().recorder().ok_or_else(unknown)?;
    let found = recorder.find(&id).await?.ok_or_else(unknown)?;
    if scope.narrow(None).is_some_and(|tenant| tenant != found.message.tenant) {
        return Err(unknown());
    }
    Ok(Reply::ok(found).with(told(Effects::new(), &env, &msg, "operator.recording_read", 1)))
}

/// Whose recordings are erased.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Whose {
    /// Pseudonym of the person.
    person: String,
    /// What else names them, such as the address with which they failed to sign in.
    #[serde(default)]
    also: Vec<String>,
}

/// How many it were.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Erased {
    count: u64,
}

/// That it was done is told without saying for whom.
pub(super) async fn erase(env: Env, msg: Msg<Whose>) -> Result<Reply<Erased>, Fault> {
    Scope::of(&env)?.everything()?;
    let recorder = env.invocations().recorder().ok_or_else(nothing_here)?;
    let mut count = 0;
    for name in [&msg.data.person].into_iter().chain(&msg.data.also) {
        count += recorder.erase(name).await?;
    }
    let without = Msg { head: msg.head, params: msg.params, data: Empty {} };
    Ok(Reply::ok(Erased { count }).with(told(Effects::new(), &env, &without, "operator.recordings_erased", count)))
}
