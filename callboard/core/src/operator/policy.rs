//! Refusals and privileges, as functions: why something was refused and what would allow it, and what each service declares and
//! was seen to use.

use super::Scope;
use crate::ports::PAGE_MAX;
use crate::{Denial, Empty, Env, Fault, Id, Msg, Privileges, Reply, Tenant};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which refusals.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Choice {
    /// Of this tenant.
    tenant: Option<Tenant>,
    /// Most of them.
    limit: Option<u32>,
}

/// A refusal with its changes in words.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Explained {
    #[serde(flatten)]
    denial: Denial,
    /// What would allow it, in plain words: all of these together.
    allow: Vec<String>,
    /// Or only this, for this request alone.
    or: Option<String>,
}

impl From<Denial> for Explained {
    fn from(denial: Denial) -> Self {
        let allow = denial.changes.iter().map(ToString::to_string).collect();
        let or = denial.instead.as_ref().map(ToString::to_string);
        Self { denial, allow, or }
    }
}

pub(super) async fn list(env: Env, msg: Msg<Choice>) -> Result<Reply<Vec<Explained>>, Fault> {
    let tenant = Scope::of(&env)?.narrow(msg.data.tenant.clone());
    let limit = msg.data.limit.unwrap_or(PAGE_MAX).min(PAGE_MAX);
    let denials = env.denials().list(tenant.as_ref(), usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(Reply::ok(denials.into_iter().map(Explained::from).collect()))
}

pub(super) async fn show(env: Env, msg: Msg<Empty>) -> Result<Reply<Explained>, Fault> {
    let tenant = Scope::of(&env)?.narrow(None);
    let asked = msg.param("id");
    let id: Id = asked.parse().map_err(|_| {
        let message = format!("`{asked}` is no id; it is `instance` in the answer, or its header `x-request-id`");
        Fault::not_found("denial.unknown", message)
    })?;
    let found = env.denials().find(id).filter(|denial| tenant.is_none_or(|tenant| denial.tenant == tenant));
    let unknown = || {
        let message = format!(
            "no refusal of this id is remembered; it may be none of the policy: `showrunner invocation {id}` shows what ran \
             under it, and with which fault. Of refusals the latest thousand are kept, so try the request again"
        );
        Fault::not_found("denial.unknown", message)
    };
    found.map(|denial| Reply::ok(denial.into())).ok_or_else(unknown)
}

/// What services declare and use, and the policy.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Told {
    services: Vec<Privileges>,
    /// The policy as text, where it has one.
    policy: Option<String>,
}

pub(super) async fn privileges(env: Env, _: Msg<Empty>) -> Result<Reply<Told>, Fault> {
    Scope::of(&env)?.everything()?;
    let (services, policy) = env.policy();
    Ok(Reply::ok(Told { services, policy }))
}
