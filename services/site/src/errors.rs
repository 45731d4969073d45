//! The page of an error code: what happened and what to do, as the manual of the running application has it.

use crate::frame::Frame;
use crate::wording::marked;
use askama::Template;
use callboard::{Empty, Env, Fault, Html, Msg, Reply};
use serde::Deserialize;

#[derive(Template)]
#[template(path = "about_error.html")]
struct Page<'a> {
    page: &'a Frame,
    code: &'a str,
    /// As HTML.
    paragraphs: Vec<String>,
}

#[derive(Deserialize)]
struct Entry {
    code: String,
    text: String,
}

/// `/about/errors/{code}`, where every problem document's `type` leads.
pub(crate) async fn show(env: Env, msg: Msg<Empty>) -> Result<Reply<Html>, Fault> {
    let entry: Entry = env.call(&format!("/-/errors/{}", msg.param("code"))).await?;
    let page = Frame::open(&env, &msg.head, "about").await?;
    page.answer(&Page { page: &page, code: &entry.code, paragraphs: paragraphs(&entry.text) })
}

/// The paragraphs behind the heading.
fn paragraphs(text: &str) -> Vec<String> {
    let body = text.split("\n\n").skip(1).map(str::trim).filter(|paragraph| !paragraph.is_empty());
    body.map(|paragraph| marked(&paragraph.replace('\n', " "))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_the_manual_reads_as_paragraphs() {
        let text = "# busy\n\nOthers change\nthe same thing.\n\n**What to do.** Send it `again`.\n";
        assert_eq!(
            paragraphs(text),
            ["Others change the same thing.", "<b>What to do.</b> Send it <code>again</code>."]
        );
    }
}
