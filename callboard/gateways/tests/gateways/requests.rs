//! Requests to resources: what becomes a message, what comes back, and what is refused with which words.

use crate::server::{Server, platform};
use callboard_bench::Kept;
use serde_json::json;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

#[tokio::test]
async fn a_call_is_answered_with_json_and_every_safety_header() {
    let server = Server::start().await;
    let answer = server.get("/api/hello").send().await;
    assert_eq!((answer.status, answer.text()), (200, "\"hello\""));
    for (name, value) in [
        ("content-type", "application/json"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "strict-origin-when-cross-origin"),
        ("cross-origin-opener-policy", "same-origin"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    assert!(answer.header("content-security-policy").unwrap().contains("default-src 'none'"));
    assert!(answer.header("strict-transport-security").is_none());
    assert_eq!(answer.header("x-request-id").unwrap().len(), 36);
}

#[tokio::test]
async fn only_listed_headers_reach_a_function_and_nothing_says_who_acts() {
    let server = Server::start().await;
    let request = server.get("/api/seen?a=1&b=%20").header("user-agent", "test").header("if-match", "\"v1\"");
    let seen = request.header("x-principal", "owner").header("x-tenant", "other").header("x-forwarded-host", "evil");
    let seen = seen.send().await.json();
    assert_eq!(seen["tenant"], "demo");
    assert_eq!(seen["principal"], "nobody");
    let meta = json!({"origin": "http://localhost", "user-agent": "test", "if-match": "\"v1\"", "query": "a=1&b=%20"});
    assert_eq!(seen["meta"], meta);
    assert_eq!((&seen["type"], &seen["body"]), (&json!("application/x-www-form-urlencoded"), &json!("a=1&b=%20")));
}

#[tokio::test]
async fn a_credential_is_a_bearer_or_the_cookie_and_the_bearer_wins() {
    let server = Server::start().await;
    let roles = |answer: crate::client::Response| answer.json()["principal"]["person"]["roles"].clone();
    let cookie = server.get("/api/seen").header("cookie", "a=b; session=t-viewer").send().await;
    assert_eq!(roles(cookie), json!(["viewer"]));
    let request = server.get("/api/seen").header("cookie", "session=t-viewer");
    assert_eq!(roles(request.header("authorization", "bearer t-editor").send().await), json!(["viewer", "editor"]));
}

#[tokio::test]
async fn an_application_of_resources_only_has_them_at_the_root() {
    let mut options = callboard_gateways::http::HttpOptions::new(platform().tenants);
    options.has_only_resources = true;
    let server = Server::with(options, Kept::InMemory).await;
    assert_eq!(server.get("/hello").send().await.text(), "\"hello\"");
    let made = server.request("POST", "/things").json(r#"{"title":"x"}"#).send().await;
    assert_eq!((made.status, made.header("location")), (201, Some("/things/x")));
    let seen = server.get("/seen").send().await.json();
    assert_eq!(seen["meta"]["resources"], "", "what describes the application says where they are");
    let missing = server.get("/media/x").send().await;
    assert_eq!((missing.status, missing.header("content-type")), (404, Some("application/problem+json")));
}

#[tokio::test]
async fn what_is_made_has_a_location_below_the_mount() {
    let server = Server::start().await;
    let made = server.request("POST", "/api/things").json(r#"{"title":"ä b"}"#).send().await;
    assert_eq!((made.status, made.header("location")), (201, Some("/api/things/%C3%A4%20b")));
    let made = server.request("POST", "/@other/api/things").json(r#"{"title":"x"}"#).send().await;
    assert_eq!((made.status, made.header("location")), (201, Some("/@other/api/things/x")));
}

#[tokio::test]
async fn unknown_uris_and_methods_are_said_apart() {
    let server = Server::start().await;
    assert_eq!(server.get("/api/nothing").send().await.problem(), (404, "no_such_uri".into()));
    let answer = server.request("PUT", "/api/things/7").send().await;
    assert_eq!(answer.problem(), (405, "method_not_allowed".into()));
    assert_eq!(answer.header("allow"), Some("GET, HEAD, DELETE, OPTIONS"));
    let answer = server.request("BREW", "/api/things/7").send().await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD, DELETE, OPTIONS")));
    let answer = server.request("OPTIONS", "/api/things/7").send().await;
    assert_eq!((answer.status, answer.header("allow")), (204, Some("GET, HEAD, DELETE, OPTIONS")));
    assert_eq!(server.request("OPTIONS", "/api/nothing").send().await.status, 404);
}

#[tokio::test]
async fn a_head_is_a_get_without_its_body() {
    let server = Server::start().await;
    let (head, get) = (server.request("HEAD", "/api/hello").send().await, server.get("/api/hello").send().await);
    assert_eq!((head.status, head.header("content-length")), (200, get.header("content-length")));
    assert_eq!(head.header("content-length"), Some("7"));
    let fault = server.request("HEAD", "/api/nothing").send().await;
    assert_eq!((fault.status, fault.body.len()), (404, 0));
}

#[tokio::test]
async fn a_body_over_its_limit_is_refused_however_it_is_sent() {
    let server = Server::start().await;
    let long = format!(r#"{{"title":"{}"}}"#, "x".repeat(1000));
    let declared = server.request("POST", "/api/things").json(long.clone()).send().await;
    assert_eq!(declared.problem(), (413, "body.too_large".into()));
    let chunked = format!("{:x}\r\n{long}\r\n0\r\n\r\n", long.len());
    let mut request = server.request("POST", "/api/things").header("content-type", "application/json");
    request = request.header("transfer-encoding", "chunked");
    let mut connection = request.open().await;
    tokio::io::AsyncWriteExt::write_all(&mut connection.stream, chunked.as_bytes()).await.unwrap();
    assert_eq!(connection.response(false).await.problem(), (413, "body.too_large".into()));
    let endless = server.request("POST", "/api/things").header("content-length", 1_u64 << 40).open().await;
    assert_eq!({ endless }.response(false).await.problem(), (413, "body.too_large".into()));
}

#[tokio::test]
async fn a_body_that_cannot_be_read_says_which_field() {
    let server = Server::start().await;
    let answer = server.request("POST", "/api/things").json(r#"{"title":7}"#).send().await;
    assert_eq!(answer.problem(), (400, "data.invalid".into()));
    assert_eq!(answer.json()["errors"][0]["field"], "title");
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let answer = server.request("POST", "/api/things").json(deep).send().await;
    assert_eq!(answer.problem(), (400, "data.too_deep".into()));
    let answer = server.request("POST", "/api/things").body("image/png", "x").send().await;
    assert_eq!(answer.problem(), (415, "media_type".into()));
    let answer = server.request("POST", "/api/things").json([0xff, 0xfe]).send().await;
    assert_eq!(answer.problem().0, 400);
}

#[tokio::test]
async fn a_path_that_climbs_or_hides_is_refused_before_any_function() {
    let server = Server::start().await;
    for path in [
        "/api/things/../hello",
        "/api/things/%2e%2e/hello",
        "/api/things/%2E%2e",
        "/api/a%2fb",
        "/api/a%5cb",
        "/api/a%00",
        "/api//hello",
        "/api/hello/",
        "/api/%ff",
        "/api/a%0ab",
    ] {
        assert_eq!(server.get(path).send().await.problem(), (400, "uri".into()), "{path}");
    }
    let twice = server.get("/api/things/%252e%252e").send().await;
    assert_eq!(twice.json()["id"], "%2e%2e", "decoded once, it is only a text");
}

#[tokio::test]
async fn a_representation_with_a_version_is_asked_for_only_once() {
    let server = Server::start().await;
    let first = server.get("/api/things/7").send().await;
    assert_eq!((first.header("etag"), first.header("cache-control")), (Some("\"v3\""), Some("private, no-cache")));
    assert_eq!(first.header("vary"), Some("cookie"));
    let again = server.get("/api/things/7").header("if-none-match", "W/\"v3\"").send().await;
    assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, Some("\"v3\"")));
    assert_eq!(server.get("/api/things/7").header("if-none-match", "\"v2\"").send().await.status, 200);
}

#[tokio::test]
async fn a_change_asked_for_by_another_site_is_refused() {
    let server = Server::start().await;
    let ask = || server.request("POST", "/api/things").json(r#"{"title":"x"}"#);
    let from = |name: &'static str, value: &'static str| ask().header("cookie", "session=t-editor").header(name, value);
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "http://evil.example"),
        ("origin", "null"),
        ("origin", "http://other.localhost"),
        ("accept", "*/*"),
    ] {
        assert_eq!(from(name, value).send().await.problem(), (403, "cross_site".into()), "{name}: {value}");
    }
    for (name, value) in [("sec-fetch-site", "same-origin"), ("sec-fetch-site", "none"), ("origin", "http://localhost")]
    {
        assert_eq!(from(name, value).send().await.status, 201, "{name}: {value}");
    }
    assert_eq!(ask().send().await.status, 201, "no browser and no cookie");
    let bearer = ask().header("authorization", "Bearer t-editor").header("origin", "http://evil.example");
    assert_eq!(bearer.send().await.status, 201);
    let read = server.get("/api/hello").header("sec-fetch-site", "cross-site").send().await;
    assert_eq!(read.status, 200, "reading changes nothing");
}

#[tokio::test]
async fn a_function_that_panics_takes_nobody_along() {
    let server = Server::start().await;
    let answer = server.get("/api/panic").send().await;
    assert_eq!(answer.problem(), (500, "bug".into()));
    assert!(!answer.text().contains("roof"), "the detail is for the log");
    assert_eq!(server.get("/api/hello").send().await.status, 200);
}

#[tokio::test]
async fn a_function_that_never_ends_is_given_up() {
    let mut options = crate::server::platform();
    options.limits.answer_timeout_ms = 20;
    let server = Server::with(options, callboard_bench::Kept::InMemory).await;
    assert_eq!(server.get("/api/slow").send().await.problem(), (503, "deadline".into()));
}

#[tokio::test]
async fn cookies_are_sent_as_browsers_protect_them_best() {
    let server = Server::start().await;
    let cookie = server.request("POST", "/api/sessions").send().await;
    assert_eq!(cookie.header("set-cookie"), Some("session=t-viewer; Path=/; HttpOnly; SameSite=Lax; Max-Age=60"));
    assert_eq!(cookie.header("cache-control"), Some("private, no-store"));
    let shared = server.request("POST", "/@other/api/sessions").send().await;
    assert!(shared.header("set-cookie").unwrap().starts_with("session.other=t-viewer;"));
}

#[tokio::test]
async fn a_head_of_a_request_that_is_too_large_is_refused() {
    let server = Server::start().await;
    let answer = server.get("/api/hello").header("x-long", "x".repeat(40_000)).send().await;
    assert_eq!(answer.status, 431);
}

#[tokio::test]
async fn connections_over_the_limit_are_told_so() {
    let mut options = crate::server::platform();
    options.limits.connections_max = 1;
    let server = Server::with(options, callboard_bench::Kept::InMemory).await;
    let mut first = server.get("/api/hello").open().await;
    assert_eq!(first.response(false).await.status, 200);
    let second = server.get("/api/hello").open().await;
    assert!(second.rest().await.starts_with("HTTP/1.1 503 "));
}

#[tokio::test]
async fn a_connection_that_never_says_what_it_wants_is_closed() {
    let mut options = crate::server::platform();
    options.limits.head_timeout_ms = 20;
    let server = Server::with(options, callboard_bench::Kept::InMemory).await;
    let mut connection = server.get("/api/hello").open().await;
    assert_eq!(connection.response(false).await.status, 200);
    tokio::io::AsyncWriteExt::write_all(&mut connection.stream, b"GET /api/hel").await.unwrap();
    assert!(!connection.rest().await.contains("200 OK"));
}

#[tokio::test]
async fn who_asks_for_ever_and_reads_nothing_is_cut_off() {
    let mut options = platform();
    options.limits.stall_timeout_ms = 20;
    let server = Server::with(options, Kept::InMemory).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let requests = b"GET /api/hello HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(1000);
    let asking = async { while stream.write_all(&requests).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(60), asking).await.expect("the server ends the connection");
    assert_eq!(server.get("/api/hello").send().await.status, 200);
}
