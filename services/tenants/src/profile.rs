//! How the current tenant looks: its title, tagline, accents and logo.

use crate::model::{Accents, Tenant, Texts, check_version};
use crate::{logo, records};
use callboard::{Empty, Env, Fault, Msg, Reply, params, uri};
use schemars::JsonSchema;
use serde::Deserialize;

/// What an owner sets.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    title: String,
    #[serde(default)]
    tagline: String,
    #[serde(default)]
    accent: Option<String>,
    #[serde(default)]
    logo: Option<String>,
}

/// The current tenant.
pub(crate) async fn show(env: Env, _: Msg<Empty>) -> Result<Reply<Tenant>, Fault> {
    let tenant = find(&env, env.tenant().as_str()).await?;
    let version = tenant.version;
    Ok(Reply::ok(tenant).version(version))
}

/// Sets everything an owner may set; what is left out goes back to its default.
pub(crate) async fn change(env: Env, msg: Msg<Settings>) -> Result<Reply<Tenant>, Fault> {
    let settings = &msg.data;
    let texts = Texts::read(&settings.title, &settings.tagline)?;
    let accents = Accents::read(settings.accent.as_deref())?;
    let logo = logo::read(settings.logo.as_deref())?;
    let before = find(&env, env.tenant().as_str()).await?;
    check_version(msg.meta("if-match"), before.version)?;
    let tenant = Tenant {
        name: before.name,
        title: texts.title,
        tagline: texts.tagline,
        accent: accents.asked,
        accent_dark: accents.dark,
        accent_light: accents.light,
        logo,
        version: before.version + 1,
    };
    let write = records::CHANGE_TENANT.with(params![
        &tenant.name,
        &tenant.title,
        &tenant.tagline,
        tenant.accent.as_deref(),
        &tenant.accent_dark,
        &tenant.accent_light,
        tenant.logo.as_deref(),
        env.now_ms(),
        before.version,
    ]);
    let version = tenant.version;
    Ok(Reply::changed(uri!("/tenant")?, tenant).version(version).write(write.expect_or_retry(1..=1)))
}

/// A tenant by its name.
pub(crate) async fn find(env: &Env, name: &str) -> Result<Tenant, Fault> {
    let found = env.query(&records::TENANT, params![name]).await?.first()?;
    found.ok_or_else(|| Fault::not_found("tenant.unknown", format!("there is no channel named `{name}`")))
}
