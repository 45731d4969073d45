//! The tips of a channel: who gave what, how it stands, and giving it back.

use crate::contracts::{List, Tip};
use crate::frame::Frame;
use crate::wording::{State, date, sentence};
use askama::Template;
use callboard::{Data, Empty, Env, Fault, FaultKind, Html, Kind, Msg, Reply, uri};
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "tips.html")]
struct Page<'a> {
    page: &'a Frame,
    rows: Vec<Row>,
    more: Option<String>,
    complaint: Option<String>,
    is_owner: bool,
}

struct Row {
    id: String,
    given: String,
    from: String,
    series: String,
    amount: String,
    note: String,
    state: State,
    reason: Option<String>,
    may_refund: bool,
}

/// Which part of the list.
#[derive(Default, Deserialize, JsonSchema)]
pub(crate) struct Wanted {
    #[serde(default)]
    after: Option<String>,
}

/// `/studio/tips`
pub(crate) async fn list(env: Env, msg: Msg<Wanted>) -> Result<Reply<Html>, Fault> {
    let page = Frame::open(&env, &msg.head).await?;
    show(&env, &page, msg.data.after.as_deref(), None).await
}

async fn show(env: &Env, page: &Frame, after: Option<&str>, complaint: Option<String>) -> Result<Reply<Html>, Fault> {
    let is_place =
        |after: &&str| after.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.');
    let from = after.filter(is_place).map(|after| format!("&after={after}")).unwrap_or_default();
    let List { items, next } = env.call::<List<Tip>>(&format!("/tips?limit=50{from}")).await?;
    let rows = items.into_iter().map(row).collect();
    let more = next.map(|next| format!("/studio/tips?after={next}"));
    let is_owner = env.principal().has_role("owner");
    page.answer(&Page { page, rows, more, complaint, is_owner })
}

fn row(tip: Tip) -> Row {
    Row {
        given: date(tip.created_ms),
        from: tip.from.unwrap_or_else(|| "Anonymous".to_owned()),
        series: tip.series_title,
        amount: tip.amount_text,
        note: tip.note,
        state: State::of_tip(&tip.state),
        reason: tip.reason.as_deref().map(sentence),
        may_refund: matches!(tip.state.as_str(), "received" | "stuck"),
        id: tip.id,
    }
}

/// The form of `/studio/tips/{id}/refund`.
pub(crate) async fn refund(env: Env, msg: Msg<Empty>) -> Result<Reply<Html>, Fault> {
    match env.relay(Kind::Post, uri!("/tips/{}/refund", msg.param("id"))?, Data::EMPTY).await {
        Ok(_) => Ok(Reply::see_other("/studio/tips")),
        Err(fault) if matches!(fault.kind, FaultKind::Bug | FaultKind::Denied | FaultKind::NotFound) => Err(fault),
        Err(fault) => {
            let page = Frame::open(&env, &msg.head).await?;
            show(&env, &page, None, Some(sentence(&fault.message))).await
        }
    }
}
