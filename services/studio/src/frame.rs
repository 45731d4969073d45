//! What every page of the studio has around it: the channel, links below the mount, and assets. Headers that keep a page safe
//! are the gateway's.

use crate::contracts::Tenant;
use askama::Template;
use callboard::{Env, Fault, Head, Html, Reply};

/// The frame of one page.
pub(crate) struct Frame {
    env: Env,
    mount: String,
    /// The channel.
    pub(crate) tenant: Tenant,
}

impl Frame {
    /// Reads what every page shows.
    pub(crate) async fn open(env: &Env, head: &Head) -> Result<Self, Fault> {
        let mount = head.meta("mount").unwrap_or_default().to_owned();
        Ok(Self { tenant: env.call("/tenant").await?, mount, env: env.clone() })
    }

    /// A path below the tenant's mount, for a link.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.mount)
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

    /// Answers with a page that nobody keeps.
    pub(crate) fn answer(&self, page: &impl Template) -> Result<Reply<Html>, Fault> {
        let text = page.render().map_err(|error| Fault::bug(format!("a page does not render: {error}")))?;
        Ok(Reply::html(text).header("cache-control", "private, no-store"))
    }
}
