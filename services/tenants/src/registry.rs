//! The tenants of the platform, for gateways and the command line.

use crate::model::{Accents, Tenant, Texts, check_name};
use crate::{profile, records};
use callboard::{Empty, Env, Fault, Msg, Reply, params, uri};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a tenant begins with.
#[derive(Debug, Deserialize, JsonSchema)]
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
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Summary {
    name: String,
    title: String,
}

/// Longest page of the list.
const LIMIT_MAX: usize = 100;

/// Which page of the list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    #[serde(default)]
    after: String,
    #[serde(default = "usual_limit")]
    limit: usize,
}

fn usual_limit() -> usize {
    20
}

/// A page of tenants.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Summaries {
    items: Vec<Summary>,
    next: Option<String>,
}

/// Every tenant, by name.
pub(crate) async fn list(env: Env, msg: Msg<Page>) -> Result<Reply<Summaries>, Fault> {
    let Page { after, limit } = &msg.data;
    if !(1..=LIMIT_MAX).contains(limit) {
        let rule = format!("ask for 1 to {LIMIT_MAX} channels");
        return Err(Fault::bad_input("list.limit", rule.clone()).field("limit", rule));
    }
    // One more than asked for tells whether there is another page.
    let most = i64::try_from(limit + 1).expect("a page is small");
    let mut items: Vec<Summary> = env.query(&records::TENANTS, params![after, most]).await?.all()?;
    let has_more = items.len() > *limit;
    items.truncate(*limit);
    let next = items.last().filter(|_| has_more).map(|tenant| tenant.name.clone());
    Ok(Reply::ok(Summaries { items, next }))
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

/// Whether there is a tenant of this name.
pub(crate) async fn show(env: Env, msg: Msg<Empty>) -> Result<Reply<Summary>, Fault> {
    let Tenant { name, title, .. } = profile::find(&env, msg.param("name")).await?;
    Ok(Reply::ok(Summary { name, title }))
}
