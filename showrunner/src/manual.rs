//! The manual of error codes as a service: the pages of `docs/errors`, embedded in the binary, at `/-/errors/{code}`; where there
//! are no pages of a site, as plain text at the address to which the `type` of a problem leads.

use callboard::{Empty, Fault, Kind, Msg, Reply, Service, Stranger, Who};
use schemars::JsonSchema;
use serde::Serialize;

/// Code and Markdown text of every page.
static PAGES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/errors.rs"));

/// What a code means.
#[derive(Serialize, JsonSchema)]
struct Page {
    code: &'static str,
    /// Markdown: a heading and a few paragraphs.
    text: &'static str,
}

/// The service.
pub(crate) fn service() -> Service {
    Service::new("manual").on(Kind::Get, "/-/errors/{code}", read_page, Who::Anyone, Stranger::NotFound)
}

/// The service where there is no site.
pub(crate) fn plain_service() -> Service {
    Service::new("manual").on(Kind::Get, "/about/errors/{code}", read_text, Who::Anyone, Stranger::NotFound)
}

async fn read_page(msg: Msg<Empty>) -> Result<Reply<Page>, Fault> {
    let (code, text) = find(msg.param("code"))?;
    Ok(Reply::ok(Page { code, text }))
}

async fn read_text(msg: Msg<Empty>) -> Result<Reply<String>, Fault> {
    let (_, text) = find(msg.param("code"))?;
    Ok(Reply::text("text/plain; charset=utf-8", text))
}

fn find(wanted: &str) -> Result<(&'static str, &'static str), Fault> {
    let found = PAGES.iter().find(|(code, _)| *code == wanted).copied();
    found.ok_or_else(|| Fault::not_found("no_such_uri", format!("there is no error code `{wanted}`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_begins_with_its_code() {
        assert!(PAGES.len() > 20);
        for (code, text) in PAGES {
            assert!(text.starts_with(&format!("# {code}\n")), "docs/errors/{code}.md");
        }
    }
}
