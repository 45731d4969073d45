//! Event streams: of a URI, of a subtree, only for who may read it, within the limit of an address.

use crate::client::Connection;
use crate::server::{Server, platform};
use callboard::{LiveMessage, Tenant, Uri, event};
use callboard_bench::Kept;
use serde_json::json;

async fn listen(server: &Server, target: &str) -> Connection {
    let mut connection = server.get(target).header("accept", "text/event-stream").open().await;
    let head = connection.until("\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("content-type: text/event-stream"), "{head}");
    assert!(head.contains("cache-control: no-store"), "{head}");
    connection
}

fn publish(server: &Server, tenant: &str, uri: &str, data: serde_json::Value) {
    let message = LiveMessage { uri: Uri::parse(uri).unwrap(), kind: event("said"), data };
    server.bench.host().ports().live.publish(&Tenant::new(tenant), message);
}

#[tokio::test]
async fn a_subtree_tells_what_happens_in_it_and_nothing_beside() {
    let server = Server::start().await;
    let mut room = listen(&server, "/api/rooms/1/**").await;
    publish(&server, "demo", "/rooms/12", json!({"n": 1}));
    publish(&server, "other", "/rooms/1", json!({"n": 2}));
    let said = server.request("POST", "/api/rooms/1/words").json(r#"{"text":"a\nb"}"#).send().await;
    assert_eq!(said.status, 204);
    let heard = room.until("\n\n").await;
    let (_, heard) = heard.split_once("\r\n").unwrap();
    assert_eq!(heard, "event: said\ndata: {\"text\":\"a\\nb\",\"uri\":\"/rooms/1/words\"}\n\n");
}

#[tokio::test]
async fn what_is_committed_is_told() {
    let server = Server::start().await;
    let mut thing = listen(&server, "/api/things/x/**").await;
    assert_eq!(server.request("POST", "/api/things").json(r#"{"title":"x"}"#).send().await.status, 201);
    let heard = thing.until("\n\n").await;
    assert!(heard.contains("event: created\ndata: {\"uri\":\"/things/x\",\"version\":"), "{heard}");
}

#[tokio::test]
async fn without_the_wildcard_only_the_uri_itself_tells() {
    let server = Server::start().await;
    let mut room = listen(&server, "/api/rooms/1").await;
    publish(&server, "demo", "/rooms/1/words", json!({"n": 1}));
    publish(&server, "demo", "/rooms/1", json!("plain"));
    let heard = room.until("\n\n").await;
    assert!(heard.contains("data: {\"data\":\"plain\",\"uri\":\"/rooms/1\"}"), "{heard}");
}

#[tokio::test]
async fn a_list_does_not_tell_of_items_that_the_listener_may_not_read() {
    let server = Server::start().await;
    let mut vaults = listen(&server, "/api/vaults/**").await;
    publish(&server, "demo", "/vaults/1", json!({"n": 1}));
    publish(&server, "demo", "/vaults/1/doors", json!({"n": 2}));
    publish(&server, "demo", "/vaults", json!({"n": 3}));
    let heard = vaults.until("\n\n").await;
    assert!(heard.contains("data: {\"n\":3,\"uri\":\"/vaults\"}"), "{heard}");
}

#[tokio::test]
async fn who_may_not_read_a_uri_may_not_listen_to_it() {
    let server = Server::start().await;
    let ask = |target: &str, token: &str| {
        let request = server.get(target).header("accept", "text/event-stream");
        request.header("authorization", format!("Bearer {token}")).send()
    };
    for target in ["/api/vaults/1/**", "/api/vaults/1", "/api/nothing/**", "/api/**"] {
        assert_eq!(ask(target, "t-viewer").await.problem(), (404, "no_such_uri".into()), "{target}");
    }
    assert_eq!(ask("/api/rooms/%2e%2e/**", "t-viewer").await.problem(), (400, "uri".into()));
    let request = server.get("/api/vaults/1/**").header("accept", "text/event-stream");
    let mut open = request.header("authorization", "Bearer t-editor").open().await;
    assert!(open.until("\r\n\r\n").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn an_address_has_so_many_streams_and_gets_a_place_back() {
    let mut options = platform();
    options.limits.streams_per_address_max = 1;
    let server = Server::with(options, Kept::InMemory).await;
    let first = listen(&server, "/api/rooms/1/**").await;
    let ask = || server.get("/api/rooms/1/**").header("accept", "text/event-stream");
    let refused = ask().send().await;
    assert_eq!(refused.problem(), (429, "streams.too_many".into()));
    assert!(refused.header("retry-after").is_some());
    drop(first);
    // The server sees that the browser is gone when it does: asking again is the only way to know.
    loop {
        let mut again = ask().open().await;
        if again.until("\r\n\r\n").await.starts_with("HTTP/1.1 200") {
            break;
        }
    }
}
