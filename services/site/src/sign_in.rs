//! Sign in, sign up and sign out as plain forms; the accounts themselves are the identity service's.

use crate::frame::Frame;
use crate::wording::Complaint;
use askama::Template;
use callboard::{Answer, Data, Empty, Env, Fault, FaultKind, Html, Kind, Msg, Reply, Uri, uri};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage<'a> {
    page: &'a Frame,
    next: String,
    email: String,
    complaint: Complaint,
}

#[derive(Template)]
#[template(path = "sign_up.html")]
struct SignUpPage<'a> {
    page: &'a Frame,
    next: String,
    name: String,
    email: String,
    complaint: Complaint,
}

/// Where to go afterwards.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Wanted {
    #[serde(default)]
    next: String,
}

/// What the forms send.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Credentials {
    #[serde(default)]
    next: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
}

/// `/sign-in`.
pub(crate) async fn show_sign_in(env: Env, msg: Msg<Wanted>) -> Result<Reply<Html>, Fault> {
    let page = Frame::open(&env, &msg.head, "sign-in").await?;
    let next = inside(&msg.data.next, page.mount());
    page.answer_unstored(&SignInPage { page: &page, next, email: String::new(), complaint: Complaint::default() })
}

/// `/sign-up`.
pub(crate) async fn show_sign_up(env: Env, msg: Msg<Wanted>) -> Result<Reply<Html>, Fault> {
    let page = Frame::open(&env, &msg.head, "sign-up").await?;
    let next = inside(&msg.data.next, page.mount());
    page.answer_unstored(&SignUpPage {
        page: &page,
        next,
        name: String::new(),
        email: String::new(),
        complaint: Complaint::default(),
    })
}

/// The form of `/sign-in`.
pub(crate) async fn sign_in(env: Env, msg: Msg<Credentials>) -> Result<Reply<Html>, Fault> {
    let page = Frame::open(&env, &msg.head, "sign-in").await?;
    let Credentials { next, email, password, .. } = msg.data;
    let next = inside(&next, page.mount());
    let data = Data::json(&json!({"email": email, "password": password}));
    match env.relay(Kind::Post, uri!("/sessions")?, data).await {
        Ok(answer) => Ok(onward(answer, &next)),
        Err(fault) if fault.kind == FaultKind::Bug => Err(fault),
        Err(fault) => {
            let complaint = Complaint::about(&fault, &["email", "password"]);
            Ok(page.answer_unstored(&SignInPage { page: &page, next, email, complaint })?.status_of(&fault))
        }
    }
}

/// The form of `/sign-up`.
pub(crate) async fn sign_up(env: Env, msg: Msg<Credentials>) -> Result<Reply<Html>, Fault> {
    let page = Frame::open(&env, &msg.head, "sign-up").await?;
    let Credentials { next, name, email, password } = msg.data;
    let next = inside(&next, page.mount());
    let data = Data::json(&json!({"email": email, "password": password, "name": name}));
    match env.relay(Kind::Post, uri!("/accounts")?, data).await {
        Ok(answer) => Ok(onward(answer, &next)),
        Err(fault) if fault.kind == FaultKind::Bug => Err(fault),
        Err(fault) => {
            let complaint = Complaint::about(&fault, &["name", "email", "password"]);
            Ok(page.answer_unstored(&SignUpPage { page: &page, next, name, email, complaint })?.status_of(&fault))
        }
    }
}

/// The form of `/sign-out`.
pub(crate) async fn sign_out(env: Env, _: Msg<Empty>) -> Result<Reply<Html>, Fault> {
    let answer = env.relay(Kind::Delete, uri!("/sessions/current")?, Data::EMPTY).await?;
    Ok(onward(answer, "/"))
}

/// Passes the session's cookie on and leads to the next page.
fn onward(answer: Answer, next: &str) -> Reply<Html> {
    answer.cookies.into_iter().fold(Reply::see_other(next), Reply::cookie)
}

/// A path of this application without the mount; anything else, such as another site's address, leads home.
fn inside(next: &str, mount: &str) -> String {
    let (path, query) = next.split_once('?').map_or((next, None), |(path, query)| (path, Some(query)));
    let path = path.strip_prefix(mount).filter(|rest| rest.starts_with('/')).unwrap_or(path);
    let Ok(uri) = Uri::from_encoded(path) else { return "/".to_owned() };
    let is_plain = |query: &str| query.bytes().all(|byte| byte.is_ascii_graphic());
    match query.filter(|query| is_plain(query)) {
        Some(query) => format!("{}?{query}", uri.encoded()),
        None => uri.encoded(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_stays_inside() {
        assert_eq!(inside("/watch/abc/night?t=125", ""), "/watch/abc/night?t=125");
        assert_eq!(inside("/@demo/series/tides", "/@demo"), "/series/tides");
        for outside in [
            "",
            "//evil.example",
            "https://evil.example/",
            "/\\evil.example",
            "/%5cevil",
            "evil",
            "/a/../b",
            "/a\r\nset-cookie: x",
        ] {
            assert_eq!(inside(outside, ""), "/", "{outside}");
        }
        assert_eq!(inside("/a?x\r\ny", ""), "/a");
    }
}
