//! The tenants of the platform, for gateways and the command line.

use crate::model::{Accents, Tenant, Texts, check_name};
use crate::{profile, records};
use callboard::{Empty, Env, Fault, Msg, Reply, params, uri};
use serde::{Deserialize, Serialize};

/// What a tenant begins with.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTenant {
    name: String,
    title: String,
    #[serde(default)]
    tagline: String,
    #[serde(default)]
    accent: Option<String>,
}

/// That a tenant exists, and what it is called.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    name: String,
    title: String,
}

/// Makes a tenant.
pub(crate) async fn create(env: Env, msg: Msg<NewTenant>) -> Result<Reply<Tenant>, Fault> {
    let NewTenant { name, title, tagline, accent } = msg.data;
    check_name(&name)?;
    let texts = Texts::read(&title, &tagline)?;
    let accents = Accents::read(accent.as_deref())?;
    let tenant = Tenant {
        name,
        title: texts.title,
        tagline: texts.tagline,
        accent: accents.asked,
        accent_dark: accents.dark,
        accent_light: accents.light,
        logo: None,
        version: 1,
    };
    let write = records::ADD_TENANT.with(params![
        &tenant.name,
        &tenant.title,
        &tenant.tagline,
        tenant.accent.as_deref(),
        &tenant.accent_dark,
        &tenant.accent_light,
        env.now_ms(),
    ]);
    let message = format!("there is a channel named `{}` already; choose another name", tenant.name);
    let taken = Fault::conflict("tenant.name_taken", message.clone()).field("name", message);
    let place = uri!("/tenants/{}", tenant.name)?;
    Ok(Reply::created(place, tenant).version(1).write(write.expect(1..=1, taken)))
}

/// A tenant in the list of all.
#[derive(Deserialize)]
struct Named {
    name: String,
}

/// The names of all tenants, for what happens in each.
pub(crate) async fn list(env: Env, _: Msg<Empty>) -> Result<Reply<Vec<String>>, Fault> {
    let all = env.query(&records::TENANTS, params![]).await?.all::<Named>()?;
    Ok(Reply::ok(all.into_iter().map(|tenant| tenant.name).collect()))
}

/// Whether there is a tenant of this name.
pub(crate) async fn show(env: Env, msg: Msg<Empty>) -> Result<Reply<Summary>, Fault> {
    let Tenant { name, title, .. } = profile::find(&env, msg.param("name")).await?;
    Ok(Reply::ok(Summary { name, title }))
}
