//! The service under test: a gate that knows one session in one tenant, and says who stands before it.

use callboard::{Answer, Cookie, Empty, Env, Fault, Kind, Msg, Reply, Secret, Service, Stranger, Tenant, Uri, Who};
use callboard_bench::{Bench, Kept};
use callboard_handlers::{Authenticate, Meter};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

/// SHA-256 of `good`.
const GOOD: &str = "770e607624d689265ca6c44884d0807d9b054d23c473c106c72be9de08b7376c";

#[derive(Deserialize, JsonSchema)]
struct Question {
    hash: String,
}

fn service() -> Service {
    Service::new("gate")
        .on(Kind::Get, "/who", tell, Who::Anyone, Stranger::Denied)
        .on(Kind::Get, "/inside", tell, Who::SignedIn, Stranger::Denied)
        .on(Kind::Post, "/sessions", begin, Who::Anyone, Stranger::Denied)
        .on(Kind::Get, "/sessions/resolve", resolve, Who::Services, Stranger::NotFound)
}

async fn tell(env: Env, msg: Msg<Empty>) -> Result<Reply<Value>, Fault> {
    Ok(Reply::ok(json!({"principal": env.principal(), "has_credential": msg.credential.is_some()})))
}

async fn begin(_: Env, _: Msg<Empty>) -> Result<Reply<&'static str>, Fault> {
    Ok(Reply::ok("welcome").cookie(Cookie { name: "session", value: "new".into(), age_s: 60 }))
}

async fn resolve(env: Env, msg: Msg<Question>) -> Result<Reply<Value>, Fault> {
    match (env.tenant().as_str(), msg.data.hash.as_str()) {
        ("demo", GOOD) => Ok(Reply::ok(json!({"person": "p1", "roles": ["viewer", "editor"], "session": "s1"}))),
        ("away", _) => Err(Fault::unavailable("records.unavailable", "the store is away")),
        _ => Err(Fault::not_found("sessions.unknown", "no such session")),
    }
}

/// A gate with both handlers before it.
pub(crate) async fn gate(meter: &Meter) -> Bench {
    let meter = meter.clone();
    let shape = |builder: callboard::HostBuilder| builder.handler(meter).handler(Authenticate::new());
    Bench::shaped(vec![service()], Kept::InMemory, shape).await
}

/// Comes to the gate from outside with a token, or without.
pub(crate) async fn come(
    bench: &Bench,
    kind: Kind,
    uri: &str,
    tenant: &str,
    token: Option<&str>,
) -> Result<Answer, Fault> {
    let mut msg = bench.host().message(kind, Uri::parse(uri).unwrap(), Tenant::new(tenant));
    msg.head_mut().credential = token.map(|token| Secret::new(token.to_owned()));
    bench.host().dispatch(msg).await
}
