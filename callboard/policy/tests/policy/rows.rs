//! Services with every kind of row, and everybody who may ask.

use callboard::policy::{Asker, Policy, Question, Refusal};
use callboard::{Binding, Empty, Env, Fault, Kind, Msg, Principal, Reply, Service, Stranger, Tenant, Uri, Who};
use callboard_policy::CedarPolicy;

async fn work(_: Env, _: Msg<Empty>) -> Result<Reply, Fault> {
    Ok(Reply::nothing())
}

/// `shelf` has every kind of row; `reader` declares some of them.
pub(crate) fn services() -> Vec<Service> {
    let whos = [Who::Anyone, Who::SignedIn, Who::Role("editor"), Who::Role("owner"), Who::Services];
    let patterns = ["/open", "/books/{id}", "/books", "/prices/{id}", "/removal"];
    let shelf = whos.into_iter().zip(patterns).fold(Service::new("shelf"), |service, (who, pattern)| {
        service.on(Kind::Get, pattern, work, who, Stranger::Denied).on(
            Kind::Post,
            pattern,
            work,
            who,
            Stranger::NotFound,
        )
    });
    let reader = Service::new("reader")
        .on(Kind::Page, "/read", work, Who::Anyone, Stranger::Denied)
        .reads(&["/open", "/prices/{id}", "/removal"])
        .calls(Kind::Post, "/books");
    vec![shelf, reader]
}

/// Everybody: nobody, every set of roles, a service, the runtime.
pub(crate) fn principals() -> Vec<Principal> {
    let roles = ["viewer", "editor", "owner"];
    let sets = (0..1_usize << roles.len()).map(|set| {
        let chosen: Vec<&str> = (0..roles.len()).filter(|at| set >> at & 1 == 1).map(|at| roles[at]).collect();
        Principal::person("p1", &chosen)
    });
    sets.chain([Principal::Nobody, Principal::Service("reader".into()), Principal::Service("cli".into())]).collect()
}

/// Whether the table of an asking service declares this row, or the row is its own.
fn declares(services: &[Service], asker: &str, service: &Service, binding: &Binding) -> bool {
    let asker = services.iter().find(|one| one.name == asker).expect("a service");
    let is_used = |used: &callboard::Use| used.kind == binding.kind && used.pattern.shape() == binding.pattern.shape();
    asker.name == service.name || asker.all_uses().into_iter().any(is_used)
}

/// Everything that can be asked of these services in the tenant `demo`.
pub(crate) fn questions(services: &[Service], mut ask: impl FnMut(&Question<'_>)) {
    let tenant = Tenant::new("demo");
    for service in services {
        for binding in service.bindings.iter().filter(|binding| !matches!(binding.kind, Kind::Event(_))) {
            let uri = Uri::parse(&binding.pattern.as_str().replace(['{', '}', '*'], "x")).expect("a URI");
            for principal in principals() {
                let askers = std::iter::once(None).chain(services.iter().map(|asker| {
                    let declares = declares(services, asker.name, service, binding);
                    Some(Asker { service: asker.name, row: "reader page /read", declares })
                }));
                for asker in askers {
                    ask(&Question { service, binding, tenant: &tenant, uri: &uri, principal: &principal, asker });
                }
            }
        }
    }
}

/// Asks for one function in a tenant.
pub(crate) fn ask(
    policy: &CedarPolicy,
    services: &[Service],
    function: (Kind, &str),
    tenant: &str,
    principal: &Principal,
) -> Result<(), Box<Refusal>> {
    let (kind, uri) = function;
    let space = callboard::Space::new(services.to_vec()).expect("they fit");
    let uri = Uri::parse(uri).expect("a URI");
    let (service, binding) = space.binding_for(&kind, &uri).expect("it is bound");
    policy.decide(&Question { service, binding, tenant: &Tenant::new(tenant), uri: &uri, principal, asker: None })
}
