//! The binding tables as Cedar policies: for every row who may, for every declared use which service, and the guards that no
//! policy of somebody's own can lift.

use crate::entities::uid;
use callboard::{Binding, Kind, Service, Who};
use cedar_policy::{Policy, PolicyId};
use std::fmt::Write;

/// What policies may speak of.
pub(crate) const SCHEMA: &str = r#"
entity Tenant, Use, Role, Nobody, Runtime;
entity Service in [Use];
entity Function in [Service];
entity Person in [Role] { tenant: Tenant, id: String };
entity Resource in [Function, Tenant] { tenant: Tenant, uri: String, internal: Bool };
action "get", "post", "put", "patch", "delete", "options", "page", "form" appliesTo {
  principal: [Nobody, Person, Service, Runtime], resource: [Resource], context: { declared: Bool }
};
"#;

/// Rules that hold before every other.
const GUARDS: [(&str, &str); 4] = [
    ("the runtime and the operator of the machine may", "permit (principal is Runtime, action, resource);"),
    (
        "what is for services is for nobody else",
        "forbid (principal, action, resource) when { resource.internal } unless { principal is Service || principal is Runtime };",
    ),
    (
        "a service does only what its table declares",
        "forbid (principal is Service, action, resource) unless { context.declared };",
    ),
    (
        "nobody reaches into another tenant",
        "forbid (principal is Person, action, resource) unless { principal.tenant == resource.tenant };",
    ),
];

/// How policies name a function: service, kind, pattern.
pub(crate) fn function_name(service: &Service, binding: &Binding) -> String {
    format!("{} {} {}", service.name, binding.kind, binding.pattern.as_str())
}

/// What the tables say of one function, each policy with its name: who may, and services that declare it.
fn rules(service: &Service, binding: &Binding) -> Vec<(String, String)> {
    let name = function_name(service, binding);
    let (action, function) = (uid("Action", binding.kind.as_str()), uid("Function", &name));
    let who = match binding.who {
        Who::Anyone => Some("principal, ACTION) unless { principal is Service }".to_owned()),
        Who::SignedIn => Some("principal is Person, ACTION)".to_owned()),
        Who::Role(role) => Some(format!("principal in {}, ACTION)", uid("Role", role))),
        Who::Services => None,
    };
    let action = format!("action == {action}, resource in {function}");
    let row = who.map(|who| (name.clone(), format!("permit ({};", who.replace("ACTION", &action))));
    let users = format!("permit (principal in {}, {action});", uid("Use", &name));
    row.into_iter().chain([(format!("services that use {name}"), users)]).collect()
}

fn uses(user: &Service, binding: &Binding) -> bool {
    user.all_uses().iter().any(|used| used.kind == binding.kind && used.pattern.shape() == binding.pattern.shape())
}

fn calls(service: &Service) -> impl Iterator<Item = &Binding> {
    service.bindings.iter().filter(|binding| !matches!(binding.kind, Kind::Event(_)))
}

/// Everything that concerns one function, ready for Cedar.
pub(crate) fn policies(service: &Service, binding: &Binding) -> Vec<Policy> {
    let guards = GUARDS.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let all = guards.chain(rules(service, binding));
    all.map(|(name, text)| {
        Policy::parse(Some(PolicyId::new(format!("tables {name}"))), text)
            .expect("what is generated from a table is a policy")
    })
    .collect()
}

/// Everything, as it is shown.
pub(crate) fn text(services: &[Service]) -> String {
    let mut out = String::from("// Generated from the binding tables.\n\n");
    let guards = GUARDS.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let rows = services.iter().flat_map(|service| calls(service).map(move |binding| (service, binding)));
    let rows: Vec<(&Service, &Binding)> = rows.collect();
    for (name, policy) in guards.chain(rows.iter().flat_map(|(service, binding)| rules(service, binding))) {
        let name = name.escape_debug();
        write!(out, "@id(\"{name}\")\n{policy}\n\n").expect("a string takes every write");
    }
    for (service, binding) in rows {
        let function = uid("Use", &function_name(service, binding));
        for user in services.iter().filter(|user| user.name == service.name || uses(user, binding)) {
            let user = uid("Service", user.name);
            writeln!(out, "// {user} is in {function}").expect("a string takes every write");
        }
    }
    out
}
