//! What is the viewer's own: the account with its name and password, and what they began to watch.

use crate::card::CardView;
use crate::contracts::Account;
use crate::frame::Frame;
use crate::home::begun;
use crate::wording::Complaint;
use askama::Template;
use callboard::{Data, Empty, Env, Fault, FaultKind, Head, Html, Kind, Msg, Reply, uri};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage<'a> {
    page: &'a Frame,
    account: Account,
    role: &'static str,
    /// As it stands in its field.
    name: String,
    saved: Option<&'static str>,
    complaint: Complaint,
}

#[derive(Template)]
#[template(path = "history.html")]
struct HistoryPage<'a> {
    page: &'a Frame,
    cards: Vec<CardView>,
}

/// What the page says about what was just done.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Shown {
    #[serde(default)]
    saved: String,
}

/// What the forms of the account send: the one its name, the other its passwords.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Change {
    intent: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    old: String,
    #[serde(default)]
    new: String,
}

/// What the button beside a card sends.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Forgotten {
    episode: String,
}

/// `/me/settings`.
pub(crate) async fn show_settings(env: Env, msg: Msg<Shown>) -> Result<Reply<Html>, Fault> {
    let saved = match msg.data.saved.as_str() {
        "name" => Some("Your name is changed."),
        "password" => Some("Your password is changed. Everywhere else you are signed out."),
        _ => None,
    };
    answer(&env, &msg.head, None, saved, Complaint::default()).await
}

/// The forms of `/me/settings`: a new name, or a new password.
pub(crate) async fn change(env: Env, msg: Msg<Change>) -> Result<Reply<Html>, Fault> {
    let Change { intent, name, old, new } = msg.data;
    let changed = match intent.as_str() {
        "password" => env.relay(Kind::Put, uri!("/me/password")?, Data::json(&json!({"old": old, "new": new}))).await,
        _ => env.relay(Kind::Patch, uri!("/me")?, Data::json(&json!({"name": name}))).await,
    };
    match changed {
        Ok(_) if intent == "password" => Ok(Reply::see_other("/me/settings?saved=password")),
        Ok(_) => Ok(Reply::see_other("/me/settings?saved=name")),
        Err(fault) if matches!(fault.kind, FaultKind::Bug | FaultKind::NotSignedIn) => Err(fault),
        Err(fault) => {
            let complaint = Complaint::about(&fault, &["name", "old", "new"]);
            let typed = (intent != "password").then_some(name);
            Ok(answer(&env, &msg.head, typed, None, complaint).await?.status_of(&fault))
        }
    }
}

async fn answer(
    env: &Env,
    head: &Head,
    typed: Option<String>,
    saved: Option<&'static str>,
    complaint: Complaint,
) -> Result<Reply<Html>, Fault> {
    let page = Frame::open(env, head, "settings").await?;
    let account: Account = env.call("/me").await?;
    let has = |role: &str| account.roles.iter().any(|have| have == role);
    let role = if has("owner") {
        "Owner"
    } else if has("editor") {
        "Editor"
    } else {
        "Viewer"
    };
    let name = typed.unwrap_or_else(|| account.name.clone());
    page.answer_unstored(&SettingsPage { page: &page, account, role, name, saved, complaint })
}

/// `/me/history`.
pub(crate) async fn show_history(env: Env, msg: Msg<Empty>) -> Result<Reply<Html>, Fault> {
    let page = Frame::open(&env, &msg.head, "history").await?;
    let cards = begun(&env, 100).await?;
    page.answer(&HistoryPage { page: &page, cards })
}

/// The form of `/me/history`: forgets the place in one episode.
pub(crate) async fn forget(env: Env, msg: Msg<Forgotten>) -> Result<Reply<Html>, Fault> {
    env.relay(Kind::Delete, uri!("/me/positions/{}", msg.data.episode)?, Data::EMPTY).await?;
    Ok(Reply::see_other("/me/history"))
}
