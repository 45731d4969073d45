//! The page of a fault: what happened, and where to go. It comes even where the channel cannot be read.

use crate::frame::Frame;
use crate::wording::{marked, sentence};
use askama::Template;
use callboard::{Env, Fault, Html, Msg, Reply};
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "fault.html")]
struct Page<'a> {
    page: &'a Frame,
    status: u16,
    code: String,
    title: String,
    /// As HTML.
    message: String,
}

/// What went wrong, as the gateway tells it.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Wrong {
    status: u16,
    code: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    message: String,
}

/// `/fault`.
pub(crate) async fn show(env: Env, msg: Msg<Wrong>) -> Result<Reply<Html>, Fault> {
    let mut page = Frame::open_always(&env, &msg.head, "fault").await?;
    page.path = "/".to_owned();
    let Wrong { status, code, title, message } = msg.data;
    let title = if title.is_empty() { "Something went wrong".to_owned() } else { title };
    page.answer_unstored(&Page { page: &page, status, code, title, message: marked(&sentence(&message)) })
}
