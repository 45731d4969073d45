//! The operator's functions under `/-/`: an application describes itself by the same means by which it does everything else.

use crate::space::binding_name;
use crate::{Binding, Env, Fault, Kind, Msg, Reply, Service, Stranger, Uri, Who};
use serde::{Deserialize, Serialize};

/// The service `callboard`; add it to an application to let it answer questions about itself.
pub fn service() -> Service {
    Service::new("callboard").on(Kind::Get, "/-/functions", list_functions, Who::Anyone, Stranger::NotFound).setting(
        "callboard.functions",
        "owners",
        "who may read the table of functions: `owners`, or `anyone` as in a demo",
    )
}

/// Which functions to list.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Only the function that answers this kind of call …
    kind: Option<Kind>,
    /// … on this URI.
    uri: Option<Uri>,
}

/// One row of a binding table, in words.
#[derive(Clone, Debug, Serialize)]
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
    if !may && !matches!(env.principal(), crate::Principal::Service(_)) {
        return Err(Fault::not_found("no_such_uri", "there is nothing here"));
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
