//! Domains of their own that tenants have. Whoever adds one has verified it; this service stores that and when.

use crate::model::normalise_host;
use crate::{profile, records};
use callboard::{Empty, Env, Fault, Msg, Reply, params, uri};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A domain in a query or a body.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    host: String,
}

/// The tenant a domain belongs to.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Found {
    name: String,
}

/// A domain of a tenant.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Host {
    host: String,
    verified_ms: i64,
}

/// All domains of a tenant.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Hosts {
    items: Vec<Host>,
}

/// Which tenant has this domain.
pub(crate) async fn resolve(env: Env, msg: Msg<Asked>) -> Result<Reply<Found>, Fault> {
    let unknown = || Fault::not_found("host.unknown", "no channel has this domain");
    // A host header may hold anything; what cannot be a domain is simply nobody's.
    let host = normalise_host(&msg.data.host).map_err(|_| unknown())?;
    let found = env.query(&records::TENANT_OF_HOST, params![host]).await?.first()?;
    found.map(Reply::ok).ok_or_else(unknown)
}

/// The domains of a tenant, at most 100.
pub(crate) async fn list(env: Env, msg: Msg<Empty>) -> Result<Reply<Hosts>, Fault> {
    let tenant = profile::find(&env, msg.param("name")).await?;
    let items = env.query(&records::HOSTS, params![tenant.name]).await?.all()?;
    Ok(Reply::ok(Hosts { items }))
}

/// Gives a tenant a domain that was verified; again is fine.
pub(crate) async fn add(env: Env, msg: Msg<Asked>) -> Result<Reply<Host>, Fault> {
    let host = normalise_host(&msg.data.host)?;
    let tenant = profile::find(&env, msg.param("name")).await?;
    let taken = Fault::conflict("host.taken", format!("`{host}` belongs to another channel; remove it there first"));
    let verified_ms = env.now_ms();
    let write = records::ADD_HOST.with(params![&host, &tenant.name, verified_ms]).expect(1..=1, taken);
    let place = uri!("/tenants/{}/hosts/{host}", tenant.name)?;
    Ok(Reply::created(place, Host { host, verified_ms }).write(write))
}

/// Takes a domain from a tenant.
pub(crate) async fn remove(_: Env, msg: Msg<Empty>) -> Result<Reply, Fault> {
    let host = normalise_host(msg.param("host"))?;
    let unknown = Fault::not_found("host.unknown", "this channel does not have this domain");
    let write = records::REMOVE_HOST.with(params![host, msg.param("name")]).expect(1..=1, unknown);
    Ok(Reply::deleted(msg.uri.clone()).write(write))
}
