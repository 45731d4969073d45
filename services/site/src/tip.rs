//! Giving a tip: the form on a series, and the page that shows how it goes and is the receipt in the end. Money is read and shown
//! by `payments`; no card number is typed here.

use crate::contracts::{BySlug, Offer, Series, Tip, TipState, Tips};
use crate::frame::Frame;
use crate::wording::{Complaint, sentence};
use askama::Template;
use callboard::{Data, Empty, Env, Fault, FaultKind, Html, Kind, Msg, Reply, Uri, uri};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

/// The fields of the form that faults can name.
const FIELDS: &[&str] = &["amount", "note", "card"];

#[derive(Template)]
#[template(path = "tip_form.html")]
struct FormPage<'a> {
    page: &'a Frame,
    series: &'a Series,
    offer: &'a Offer,
    fields: Fields,
    complaint: Complaint,
    away: Option<String>,
}

#[derive(Template)]
#[template(path = "tip_status.html")]
struct StatusPage<'a> {
    page: &'a Frame,
    tip: &'a Tip,
    heading: &'static str,
    reason: Option<String>,
    follow: String,
}

#[derive(Template)]
#[template(path = "tips.html")]
struct ListPage<'a> {
    page: &'a Frame,
    tips: &'a [Tip],
}

/// The fields as they were typed. A box that is not ticked sends nothing.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Fields {
    key: String,
    /// One of the proposed amounts, as it is shown.
    amount: String,
    /// Another amount, as it was typed.
    other: String,
    note: String,
    anonymous: Option<String>,
    card: String,
}

impl Fields {
    fn amount_text(&self) -> &str {
        if self.other.trim().is_empty() { &self.amount } else { &self.other }
    }
}

impl Tip {
    fn heading(&self) -> &'static str {
        match self.state {
            TipState::Pending => "Your tip is under way",
            TipState::Received => "Thank you",
            TipState::Failed => "Your tip did not go through",
            TipState::Stuck => "Your tip needs a look",
            TipState::Refunding => "Your tip is being given back",
            TipState::Refunded => "Your tip was given back",
        }
    }
}

async fn series_of(env: &Env, slug: &str) -> Result<Result<Series, String>, Fault> {
    match env.call(&format!("/series/by-slug/{slug}")).await? {
        BySlug::Found(series) => Ok(Ok(*series)),
        BySlug::Moved { moved_to } => Ok(Err(uri!("/series/{moved_to}/tip")?.encoded())),
    }
}

/// `/series/{slug}/tip`
pub(crate) async fn show_form(env: Env, msg: Msg<Empty>) -> Result<Reply<Html>, Fault> {
    let series = match series_of(&env, msg.param("slug")).await? {
        Ok(series) => series,
        Err(moved) => return Ok(Reply::moved(moved)),
    };
    let page = Frame::open(&env, &msg.head, "series").await?;
    let offer: Offer = env.call("/payments/offer").await?;
    let amount = offer.amounts.first().map(|money| money.text.clone()).unwrap_or_default();
    let card = offer.cards.first().map(|card| card.id.clone()).unwrap_or_default();
    let fields = Fields { key: env.id().to_string(), amount, card, ..Fields::default() };
    answer(&page, &series, &offer, fields, Complaint::default())
}

fn answer(
    page: &Frame,
    series: &Series,
    offer: &Offer,
    fields: Fields,
    complaint: Complaint,
) -> Result<Reply<Html>, Fault> {
    let away = offer.away.as_deref().map(sentence).filter(|_| complaint.general.is_none());
    page.answer_unstored(&FormPage { page, series, offer, fields, complaint, away })
}

/// The form of `/series/{slug}/tip`: leads to where one sees how it goes, or comes back with what was typed.
pub(crate) async fn give(env: Env, msg: Msg<Fields>) -> Result<Reply<Html>, Fault> {
    let series = match series_of(&env, msg.param("slug")).await? {
        Ok(series) => series,
        Err(moved) => return Ok(Reply::see_other(moved)),
    };
    let fields = msg.data.clone();
    let wish = json!({
        "series": series.id, "amount_text": fields.amount_text(), "note": fields.note, "anonymous": fields.anonymous.is_some(),
        "card": fields.card, "key": fields.key,
    });
    match env.relay(Kind::Post, uri!("/tips")?, Data::json(&wish)).await {
        Ok(answer) => {
            let id = answer.json()["id"].as_str().unwrap_or_default().to_owned();
            Ok(Reply::see_other(Uri::parse(&format!("/me/tips/{id}"))?.encoded()))
        }
        Err(fault) if fault.kind == FaultKind::Bug => Err(fault),
        Err(fault) => {
            let page = Frame::open(&env, &msg.head, "series").await?;
            let offer: Offer = env.call("/payments/offer").await?;
            // Where the key was used for something else, the next attempt is a new wish.
            let key = if fault.code == "tip.key_used" { env.id().to_string() } else { fields.key.clone() };
            let complaint = Complaint::about(&fault, FIELDS);
            Ok(answer(&page, &series, &offer, Fields { key, ..fields }, complaint)?.status_of(&fault))
        }
    }
}

/// `/me/tips/{id}`
pub(crate) async fn show_status(env: Env, msg: Msg<Empty>) -> Result<Reply<Html>, Fault> {
    let tip: Tip = env.call(&format!("/tips/{}", msg.param("id"))).await?;
    let page = Frame::open(&env, &msg.head, "tips").await?;
    let follow = page.at(&format!("/api/tips/{}", tip.id));
    let reason = tip.reason.as_deref().map(sentence);
    page.answer_unstored(&StatusPage { page: &page, heading: tip.heading(), reason, follow, tip: &tip })
}

/// `/me/tips`
pub(crate) async fn show_own(env: Env, msg: Msg<Empty>) -> Result<Reply<Html>, Fault> {
    let Tips { items } = env.call("/me/tips?limit=100").await?;
    let page = Frame::open(&env, &msg.head, "tips").await?;
    page.answer_unstored(&ListPage { page: &page, tips: &items })
}
