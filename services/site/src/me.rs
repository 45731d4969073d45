//! What is the viewer's own: the account, and what they began to watch.

use crate::card::CardView;
use crate::contracts::Account;
use crate::frame::Frame;
use crate::home::begun;
use askama::Template;
use callboard::{Data, Empty, Env, Fault, Html, Kind, Msg, Reply, uri};
use serde::Deserialize;

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage<'a> {
    page: &'a Frame,
    account: Account,
    role: &'static str,
}

#[derive(Template)]
#[template(path = "history.html")]
struct HistoryPage<'a> {
    page: &'a Frame,
    cards: Vec<CardView>,
}

/// What the button beside a card sends.
#[derive(Deserialize)]
pub(crate) struct Forgotten {
    episode: String,
}

/// `/me/settings`.
pub(crate) async fn show_settings(env: Env, msg: Msg<Empty>) -> Result<Reply<Html>, Fault> {
    let page = Frame::open(&env, &msg.head, "settings").await?;
    let account: Account = env.call("/me").await?;
    let has = |role: &str| account.roles.iter().any(|have| have == role);
    let role = if has("owner") {
        "Owner"
    } else if has("editor") {
        "Editor"
    } else {
        "Viewer"
    };
    page.answer(&SettingsPage { page: &page, account, role })
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
