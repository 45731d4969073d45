//! The operator's functions under `/-/`: an application describes itself by the same means by which it does everything else.

mod dead;
mod documents;
mod invocations;
mod policy;
mod runs;
mod schedules;

use crate::space::binding_name;
use crate::{
    Binding, Effects, Env, Fault, Kind, Msg, Principal, Reply, Service, Stranger, Tenant, Uri, Values, Who, event,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Name of the service; what it does to a run is not bound to the tenant of the call.
pub(crate) const SERVICE: &str = "callboard";

/// What the setting `callboard.capture` means.
const CAPTURE: &str = "which invocations are recorded wholly for seven days: `faults`, what an owner asks for and one in a \
                       thousand; `all`, while one develops; or `off`";

/// The service `callboard`; add it to an application to let it answer questions about itself.
pub fn service() -> Service {
    let functions = "who may read the table of functions: `owners`, or `anyone` as in a demo";
    Service::new(SERVICE)
        .on(Kind::Get, "/-/functions", list_functions, Who::Anyone, Stranger::NotFound)
        .on(Kind::Get, "/openapi.json", documents::show_openapi, Who::Anyone, Stranger::Denied)
        .on(Kind::Get, "/asyncapi.json", documents::show_asyncapi, Who::Role("owner"), Stranger::NotFound)
        .on(Kind::Get, "/-/queues", dead::queues, Who::Role("owner"), Stranger::NotFound)
        .on(Kind::Get, "/-/dead", dead::list, Who::Role("owner"), Stranger::NotFound)
        .on(Kind::Get, "/-/dead/{id}", dead::show, Who::Role("owner"), Stranger::NotFound)
        .on(Kind::Post, "/-/dead/redrive", dead::redrive, Who::Role("owner"), Stranger::NotFound)
        .emits(&["operator.redriven"], "/-/dead/redrive")
        .on(Kind::Post, "/-/dead/discard", dead::discard, Who::Role("owner"), Stranger::NotFound)
        .emits(&["operator.discarded"], "/-/dead/discard")
        .on(Kind::Get, "/-/invocations", invocations::list, Who::Role("owner"), Stranger::NotFound)
        .on(Kind::Get, "/-/invocations/{id}", invocations::show, Who::Role("owner"), Stranger::NotFound)
        .with_effects()
        .on(Kind::Post, "/-/invocations/erase", invocations::erase, Who::Role("owner"), Stranger::NotFound)
        .on(Kind::Get, "/-/schedules", schedules::list, Who::Role("owner"), Stranger::NotFound)
        .on(Kind::Get, "/-/flows", runs::list, Who::Role("owner"), Stranger::NotFound)
        .on(Kind::Get, "/-/flows/{id}", runs::show, Who::Role("owner"), Stranger::NotFound)
        .on(Kind::Post, "/-/flows/redo", runs::redo, Who::Role("owner"), Stranger::NotFound)
        .emits(&["operator.intervened"], "/-/flows/redo")
        .on(Kind::Post, "/-/flows/{id}/{operation}", runs::operate, Who::Role("owner"), Stranger::NotFound)
        .emits(&["operator.intervened"], "/-/flows/{id}/{operation}")
        .on(Kind::Get, "/-/denials", policy::list, Who::Role("owner"), Stranger::NotFound)
        .on(Kind::Get, "/-/denials/{id}", policy::show, Who::Role("owner"), Stranger::NotFound)
        .on(Kind::Get, "/-/policy", policy::privileges, Who::Role("owner"), Stranger::NotFound)
        .setting("callboard.functions", "owners", functions)
        .values(Values::OneOf(&["owners", "anyone"]))
        .setting("callboard.capture", "faults", CAPTURE)
        .values(Values::OneOf(&["off", "faults", "all"]))
        .setting("callboard.events_days", "30", "how long events are kept where their service says nothing else")
        .setting("callboard.runs_days", "90", "how long runs of flows are kept after they have ended")
}

/// What somebody may see and repair: everything, or what belongs to their own channel.
pub(crate) enum Scope {
    /// The operator: whoever has this machine, and the owners of the application's own tenant.
    Everything,
    /// An owner of another tenant, and what runs there: a function sees no more than whoever it runs for.
    Own(Tenant),
}

impl Scope {
    pub(crate) fn of(env: &Env) -> Result<Self, Fault> {
        let is_trusted = matches!(env.principal(), Principal::Service(_)) || env.principal().has_role("owner");
        match is_trusted {
            true if env.tenant() == env.home() => Ok(Self::Everything),
            true => Ok(Self::Own(env.tenant().clone())),
            false => Err(nothing_here()),
        }
    }

    /// What concerns all tenants at once is the operator's.
    pub(crate) fn everything(&self) -> Result<(), Fault> {
        if matches!(self, Self::Everything) { Ok(()) } else { Err(nothing_here()) }
    }

    /// The tenant to look in, where somebody asks for this one or for none.
    pub(crate) fn narrow(self, asked: Option<Tenant>) -> Option<Tenant> {
        match self {
            Self::Everything => asked,
            Self::Own(tenant) => Some(tenant),
        }
    }
}

fn nothing_here() -> Fault {
    Fault::not_found("no_such_uri", "there is nothing here")
}

/// Tells that an operator did something: who, with what, and to how many.
pub(crate) fn told<In: Serialize>(
    effects: Effects,
    env: &Env,
    msg: &Msg<In>,
    what: &'static str,
    count: u64,
) -> Effects {
    tracing::info!(tenant.id = %env.tenant(), operator = ?env.principal(), count, "{what}");
    let data = json!({"by": env.principal(), "asked": msg.data, "count": count});
    effects.emit(event(what), msg.uri.clone(), data)
}

/// Which functions to list.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Only the function that answers this kind of call …
    kind: Option<Kind>,
    /// … on this URI.
    uri: Option<Uri>,
}

/// One row of a binding table, in words.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct FunctionRow {
    /// Its service.
    pub service: &'static str,
    /// Path of the function.
    pub function: &'static str,
    /// What happens.
    pub trigger: String,
    /// On which URIs.
    pub uri: &'static str,
    /// Who may.
    pub who: String,
    /// What others see.
    pub stranger: String,
}

/// Describes a row.
pub fn describe(service: &Service, binding: &Binding) -> FunctionRow {
    FunctionRow {
        service: service.name,
        function: binding.function_name(),
        trigger: binding.kind.to_string(),
        uri: binding.pattern.as_str(),
        who: match binding.who {
            Who::Anyone => "anyone".to_owned(),
            Who::SignedIn => "signed in".to_owned(),
            Who::Role(role) => format!("role {role}"),
            Who::Services => "services".to_owned(),
        },
        stranger: match binding.stranger {
            Stranger::Denied => "401 or 403".to_owned(),
            Stranger::NotFound => "404".to_owned(),
        },
    }
}

async fn list_functions(env: Env, msg: Msg<Question>) -> Result<Reply<Vec<FunctionRow>>, Fault> {
    let may = env.setting::<String>("callboard.functions")? == "anyone" || env.principal().has_role("owner");
    if !may && !matches!(env.principal(), Principal::Service(_)) {
        return Err(nothing_here());
    }
    let space = env.space();
    let one = match (&msg.data.kind, &msg.data.uri) {
        (Some(kind), Some(uri)) => {
            let found = space.binding_for(kind, uri);
            let (service, binding) =
                found.ok_or_else(|| Fault::not_found("no_such_uri", format!("nothing answers {kind} {uri}")))?;
            Some(binding_name(service.name, binding))
        }
        _ => None,
    };
    let rows = space.services.iter().flat_map(|service| service.bindings.iter().map(move |binding| (service, binding)));
    let wanted =
        rows.filter(|(service, binding)| one.as_ref().is_none_or(|name| *name == binding_name(service.name, binding)));
    Ok(Reply::ok(wanted.map(|(service, binding)| describe(service, binding)).collect()))
}
