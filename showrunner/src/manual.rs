//! The manual of error codes as a service: the pages of `docs/errors`, embedded in the binary, at `/-/errors/{code}`.

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

async fn read_page(msg: Msg<Empty>) -> Result<Reply<Page>, Fault> {
    let wanted = msg.param("code");
    let found = PAGES.iter().find(|(code, _)| *code == wanted);
    let (code, text) =
        found.ok_or_else(|| Fault::not_found("no_such_uri", format!("there is no error code `{wanted}`")))?;
    Ok(Reply::ok(Page { code, text }))
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
