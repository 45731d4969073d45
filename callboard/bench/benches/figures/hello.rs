//! The function of the HTTP figure, and the same answer from bare axum.

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use callboard::{Empty, Env, Fault, Kind, Msg, Reply, Service, Stranger, Who};

/// What both say.
pub(crate) const ANSWER: &str = r#""Hello, world""#;

async fn hello(_: Env, _: Msg<Empty>) -> Result<Reply<&'static str>, Fault> {
    Ok(Reply::ok("Hello, world"))
}

/// Ours, at `/api/hello`.
pub(crate) fn service() -> Service {
    Service::new("hello").on(Kind::Get, "/hello", hello, Who::Anyone, Stranger::Denied)
}

/// Bare axum, at `/api/hello` too.
pub(crate) fn router() -> Router {
    Router::new().route("/api/hello", get(async || ([(CONTENT_TYPE, "application/json")], ANSWER)))
}
