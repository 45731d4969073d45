//! Every door of the platform, tried by everybody: nobody, a viewer, an editor, the owner, and the owner of another channel with the
//! session they have there. What is reviewed is the snapshot: `in` with a status where the function ran, otherwise what was seen.

use crate::app;
use callboard::{Answer, Binding, Data, Fault, Kind, Secret, Service, Stranger, Tenant, Uri, Who};
use callboard_bench::{Bench, Kept};
use callboard_handlers::{ApiKeys, Authenticate, Conditions, Idempotency};
use serde_json::{Value, json};
use std::fmt::Write;

const PASSWORD: &str = "lantern fish parade 31";
/// Somebody who tries the doors of `demo`: how they are shown, their name, their channel, their role there.
const ACTORS: [(&str, &str, &str, &str); 5] = [
    ("nobody", "", "demo", ""),
    ("viewer", "vera", "demo", "viewer"),
    ("editor", "eddy", "demo", "editor"),
    ("owner", "olga", "demo", "owner"),
    ("rival", "rosa", "rival", "owner"),
];

async fn platform() -> Bench {
    let shape = |builder: callboard::HostBuilder| {
        builder.handler(ApiKeys::new()).handler(Authenticate::new()).handler(Idempotency).handler(Conditions)
    };
    let bench = Bench::shaped(app::all_services(), Kept::InMemory, shape).await;
    for name in ["demo", "rival"] {
        bench.service().post("/tenants", json!({"name": name, "title": name})).await.expect("a channel");
    }
    for (_, name, tenant, role) in ACTORS.into_iter().filter(|(_, name, ..)| !name.is_empty()) {
        let owner = bench.service().in_tenant(tenant);
        let made = owner.post("/owners", account(name)).await.expect("an owner").json();
        if role != "owner" {
            let id = made["id"].as_str().expect("an id");
            bench.service().post("/owners", account(&format!("{name}s-boss"))).await.expect("another owner");
            bench.service().put(&format!("/members/{id}"), json!({"role": role})).await.expect("another role");
        }
    }
    bench
}

fn account(name: &str) -> Value {
    json!({"email": format!("{name}@example.org"), "password": PASSWORD, "name": name})
}

/// A new session of somebody in their channel.
async fn sign_in(bench: &Bench, name: &str, tenant: &str) -> Option<String> {
    if name.is_empty() {
        return None;
    }
    let credentials = json!({"email": format!("{name}@example.org"), "password": PASSWORD});
    let answer = bench.nobody().in_tenant(tenant).post("/sessions", credentials).await.expect("a session");
    Some(answer.cookies.first().expect("a cookie").value.clone())
}

/// Tries a door of `demo`; what was seen, and whether the policy refused.
async fn open(bench: &Bench, kind: &Kind, uri: &str, token: Option<&str>) -> (Result<Answer, Fault>, bool) {
    let mut msg = bench.host().message(kind.clone(), Uri::parse(uri).expect("a URI"), Tenant::new("demo"));
    msg.head_mut().credential = token.map(|token| Secret::new(token.to_owned()));
    msg.head_mut().meta.push(("origin".into(), "http://demo.test".to_owned()));
    let id = msg.id;
    let seen = bench.host().dispatch(msg.with_data(Data::EMPTY)).await;
    let is_refused = bench.host().denials().find(id).is_some_and(|denial| denial.id == id);
    (seen, is_refused)
}

/// A URI that the pattern fits, of something that is nowhere.
fn somewhere(binding: &Binding) -> String {
    let segments =
        binding.pattern.as_str().split('/').map(|part| if part.contains(['{', '*']) { "nowhere" } else { part });
    segments.collect::<Vec<_>>().join("/")
}

/// What the table says that an actor sees: in, or the status of the refusal.
fn expected(binding: &Binding, role: &str, tenant: &str) -> Option<u16> {
    let rank = |role: &str| ["", "viewer", "editor", "owner"].iter().position(|known| *known == role).expect("a role");
    let is_here = tenant == "demo" && !role.is_empty();
    let may = match binding.who {
        Who::Anyone => true,
        Who::SignedIn => is_here,
        Who::Role(wanted) => is_here && rank(role) >= rank(wanted),
        Who::Services => false,
    };
    match (may, binding.stranger) {
        (true, _) => None,
        (false, Stranger::NotFound) => Some(404),
        (false, Stranger::Denied) => Some(if is_here { 403 } else { 401 }),
    }
}

/// Whether a call ends the session it is made in.
fn ends_session(binding: &Binding) -> bool {
    ["/sessions/current", "/sign-out"].contains(&binding.pattern.as_str())
}

#[tokio::test]
async fn every_door_shows_everybody_what_was_reviewed() {
    let bench = platform().await;
    let mut tokens = Vec::new();
    for (_, name, tenant, _) in ACTORS {
        tokens.push(sign_in(&bench, name, tenant).await);
    }
    let services = app::all_services();
    let rows = services.iter().flat_map(|service: &Service| service.bindings.iter().map(move |row| (service, row)));
    let mut table = String::new();
    for (service, binding) in rows {
        let uri = somewhere(binding);
        if matches!(binding.kind, Kind::Event(_)) {
            let (seen, _) = open(&bench, &binding.kind, &uri, tokens[3].as_deref()).await;
            let code = seen.expect_err("events come from services only").code;
            assert!(["no_such_uri", "method_not_allowed"].contains(&code), "{} {uri}: {code}", binding.kind);
            continue;
        }
        let mut line = format!("{:9} {:8} {}", service.name, binding.kind.as_str(), binding.pattern.as_str());
        let mut outcomes = Vec::new();
        for ((shown, name, tenant, role), token) in ACTORS.into_iter().zip(&tokens) {
            let once = if ends_session(binding) { sign_in(&bench, name, tenant).await } else { token.clone() };
            let (seen, is_refused) = open(&bench, &binding.kind, &uri, once.as_deref()).await;
            let status = seen.as_ref().map_or_else(Fault::status, Answer::status);
            let place = format!("{} {uri} by {shown}: {status} {seen:?}", binding.kind);
            assert_eq!(is_refused.then_some(status), expected(binding, role, tenant), "{place}");
            assert!(status < 500, "{place}");
            let outcome = if is_refused { status.to_string() } else { format!("in {status}") };
            write!(line, " | {shown} {outcome}").expect("a string takes every write");
            outcomes.push(outcome);
        }
        assert_eq!(outcomes[0], outcomes[4], "whoever is somebody elsewhere is nobody here: {line}");
        table.push_str(&line);
        table.push('\n');
    }
    insta::assert_snapshot!(table);
}
