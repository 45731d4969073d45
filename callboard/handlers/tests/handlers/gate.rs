//! The service under test: a gate that knows one session in one tenant, and says who stands before it.

use callboard::{
    Answer, Cookie, Empty, Env, Fault, Kind, Msg, Principal, Reply, Secret, Service, Stranger, Tenant, Uri, Who,
};
use callboard_bench::{Bench, Kept};
use callboard_handlers::{Authenticate, Meter};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

/// SHA-256 of `srk_good`.
const GOOD_KEY: &str = "bf6a3078cfad06aa6116ec7de32157e548739d003a3d198cd76c0307b8f12950";
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
        .takes_secrets()
        .on(Kind::Get, "/boxes/{id}", read_box, Who::Anyone, Stranger::Denied)
        .on(Kind::Put, "/boxes/{id}", set_box, Who::Anyone, Stranger::Denied)
        .on(Kind::Get, "/keys/resolve", resolve_key, Who::Services, Stranger::NotFound)
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

async fn resolve_key(env: Env, msg: Msg<Question>) -> Result<Reply<Value>, Fault> {
    match (env.tenant().as_str(), msg.data.hash.as_str()) {
        ("demo", GOOD_KEY) => Ok(Reply::ok(json!({"person": "key-1", "roles": ["viewer"]}))),
        ("away", _) => Err(Fault::unavailable("records.unavailable", "the store is away")),
        _ => Err(Fault::not_found("key.unknown", "no such key")),
    }
}

/// A box has its name as its version; `none` is not there.
async fn read_box(msg: Msg<Empty>) -> Result<Reply<Value>, Fault> {
    let version = msg.param("id").parse().map_err(|_| Fault::not_found("box.unknown", "there is no such box"))?;
    Ok(Reply::ok(json!({})).version(version))
}

async fn set_box(_: Msg<Empty>) -> Result<Reply, Fault> {
    Ok(Reply::nothing())
}

/// A gate with handlers before it.
pub(crate) async fn guarded(shape: impl FnOnce(callboard::HostBuilder) -> callboard::HostBuilder) -> Bench {
    Bench::shaped(vec![service()], Kept::InMemory, shape).await
}

/// Somebody who comes from outside.
pub(crate) struct Coming<'a> {
    bench: &'a Bench,
    msg: Msg,
}

impl<'a> Coming<'a> {
    pub(crate) fn to(bench: &'a Bench, kind: Kind, uri: &str) -> Self {
        Self { bench, msg: bench.host().message(kind, Uri::parse(uri).unwrap(), Tenant::new("demo")) }
    }

    pub(crate) fn in_tenant(mut self, tenant: &str) -> Self {
        self.msg.head_mut().tenant = Tenant::new(tenant);
        self
    }

    /// As the service of this name, by way of this source.
    pub(crate) fn of_service(mut self, name: &'static str, source: &'static str) -> Self {
        let head = self.msg.head_mut();
        (head.principal, head.source) = (Principal::Service(name.into()), source.into());
        self
    }

    pub(crate) fn with_token(mut self, token: &str) -> Self {
        self.msg.head_mut().credential = Some(Secret::new(token.to_owned()));
        self
    }

    pub(crate) fn with_meta(mut self, name: &str, value: &str) -> Self {
        self.msg.head_mut().meta.push((name.to_owned().into(), value.to_owned()));
        self
    }

    pub(crate) fn for_stream(mut self) -> Self {
        self.msg.head_mut().source = callboard::STREAM.into();
        self
    }

    pub(crate) fn from(mut self, address: &str) -> Self {
        self.msg.head_mut().address = Some(address.parse().unwrap());
        self
    }

    pub(crate) async fn come(self) -> Result<Answer, Fault> {
        self.bench.host().dispatch(self.msg).await
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
