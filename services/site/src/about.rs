//! Shows the function that serves a page: its row of the binding table as the running application has it, and, for the pages
//! of this service, its source as it was compiled in. Who may read the table is the operator's setting.

use crate::frame::Frame;
use askama::Template;
use callboard::{Env, Fault, Html, Msg, Reply, Uri};
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "about_function.html")]
struct Page<'a> {
    page: &'a Frame,
    row: &'a Row,
    source: Option<&'static str>,
}

/// A row of `GET /-/functions`.
#[derive(Debug, Deserialize)]
struct Row {
    function: String,
    trigger: String,
    uri: String,
    who: String,
}

/// Which page it is about.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Asked {
    #[serde(default = "home")]
    uri: String,
}

fn home() -> String {
    "/".to_owned()
}

/// Where each module's functions are written.
const SOURCES: &[(&str, &str)] = &[
    ("site::about::", include_str!("about.rs")),
    ("site::errors::", include_str!("errors.rs")),
    ("site::fault::", include_str!("fault.rs")),
    ("site::home::", include_str!("home.rs")),
    ("site::me::", include_str!("me.rs")),
    ("site::pictures::", include_str!("pictures.rs")),
    ("site::robots::", include_str!("robots.rs")),
    ("site::series::", include_str!("series.rs")),
    ("site::sign_in::", include_str!("sign_in.rs")),
    ("site::theme::", include_str!("theme.rs")),
    ("site::tip::", include_str!("tip.rs")),
    ("site::watch::", include_str!("watch.rs")),
];

/// `/about/function?uri=…`.
pub(crate) async fn show_function(env: Env, msg: Msg<Asked>) -> Result<Reply<Html>, Fault> {
    let uri = Uri::from_encoded(&msg.data.uri)?;
    let rows: Vec<Row> = env.call(&format!("/-/functions?kind=page&uri={}", encode(uri.as_str()))).await?;
    let nothing = || Fault::not_found("no_such_uri", format!("no page is served at {uri}"));
    let row = rows.first().ok_or_else(nothing)?;
    let page = Frame::open(&env, &msg.head, "about").await?;
    let source = source_of(&row.function);
    page.answer(&Page { page: &page, row, source })
}

fn source_of(function: &str) -> Option<&'static str> {
    SOURCES.iter().find(|(module, _)| function.starts_with(module)).map(|(_, source)| *source)
}

/// A value of a query.
fn encode(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_of_this_service_has_a_source_that_holds_it() {
        for row in crate::service().bindings {
            let source =
                source_of(row.function_name()).unwrap_or_else(|| panic!("{} has no source", row.function_name()));
            let name = row.function_name().rsplit("::").next().expect("a path has a last part");
            assert!(source.contains(&format!("fn {name}(")), "{name} is not where it is said to be");
        }
    }

    #[test]
    fn a_uri_in_a_query_is_one_value() {
        assert_eq!(encode("/series/a&b=ü"), "/series/a%26b%3D%C3%BC");
    }
}
