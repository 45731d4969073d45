//! What every page has around it: the channel, who looks, links below the mount, and assets. Headers that keep a page safe are
//! the gateway's.

use crate::contracts::Tenant;
use askama::Template;
use callboard::{Env, Fault, Head, Html, Principal, Reply};

/// The frame of one page.
pub(crate) struct Frame {
    env: Env,
    mount: String,
    origin: String,
    /// The channel.
    pub(crate) tenant: Tenant,
    /// Whether the channel could be read; where not, there is nothing to lead to.
    pub(crate) has_channel: bool,
    /// Which page this is: marks the current place, and names the function that served it.
    pub(crate) here: &'static str,
    /// The page's own path, for the way back after sign-in.
    pub(crate) path: String,
    /// Whether the demo strip is shown.
    pub(crate) is_demo: bool,
}

impl Frame {
    /// Reads what every page shows.
    pub(crate) async fn open(env: &Env, head: &Head, here: &'static str) -> Result<Self, Fault> {
        let tenant = env.call("/tenant").await?;
        Self::around(env, head, here, tenant)
    }

    /// The frame of a page that must come even where nothing else works.
    pub(crate) async fn open_always(env: &Env, head: &Head, here: &'static str) -> Result<Self, Fault> {
        let tenant = env.call("/tenant").await;
        let has_channel = tenant.is_ok();
        let tenant = tenant.unwrap_or_else(|_| Tenant::plain(env.tenant().as_str()));
        Ok(Self { has_channel, ..Self::around(env, head, here, tenant)? })
    }

    fn around(env: &Env, head: &Head, here: &'static str, tenant: Tenant) -> Result<Self, Fault> {
        Ok(Self {
            mount: head.meta("mount").unwrap_or_default().to_owned(),
            origin: head.meta("origin").unwrap_or_default().to_owned(),
            path: head.uri.encoded(),
            is_demo: env.setting::<String>("site.demo")? == "yes",
            env: env.clone(),
            tenant,
            has_channel: true,
            here,
        })
    }

    /// A path below the tenant's mount, for a link.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.mount)
    }

    /// A path with its origin, for what other sites read. Without a known origin it stays a path.
    pub(crate) fn absolute(&self, path: &str) -> String {
        format!("{}{}{path}", self.origin, self.mount)
    }

    /// The tenant's mount, empty for a channel with a host of its own.
    pub(crate) fn mount(&self) -> &str {
        &self.mount
    }

    /// The address of a built asset.
    pub(crate) fn asset(&self, name: &str) -> String {
        self.env.asset(name)
    }

    /// Inline SVG of an icon.
    pub(crate) fn icon(&self, name: &str) -> String {
        crate::icons::icon(name)
    }

    /// Whether somebody is signed in.
    pub(crate) fn is_signed_in(&self) -> bool {
        matches!(self.env.principal(), Principal::Person { .. })
    }

    /// Whether they may use the studio.
    pub(crate) fn may_edit(&self) -> bool {
        self.env.principal().has_role("editor")
    }

    /// Answers with a page. The gateway lets shared caches keep it for a minute where nobody is signed in.
    pub(crate) fn answer(&self, page: &impl Template) -> Result<Reply<Html>, Fault> {
        let text = page.render().map_err(|error| Fault::bug(format!("a page does not render: {error}")))?;
        Ok(Reply::html(text))
    }

    /// Answers with a page that nobody keeps: forms, faults, protected media.
    pub(crate) fn answer_unstored(&self, page: &impl Template) -> Result<Reply<Html>, Fault> {
        Ok(self.answer(page)?.header("cache-control", "private, no-store"))
    }
}
