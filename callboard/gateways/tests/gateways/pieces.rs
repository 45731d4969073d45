//! Bodies that come while they are sent.

use crate::server::Server;

#[tokio::test]
async fn the_first_piece_arrives_while_the_last_is_held_back() {
    let server = Server::start().await;
    let mut drip = server.get("/api/drip/good").header("accept-encoding", "gzip").open().await;
    let head = drip.until("\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("content-type: text/plain"), "{head}");
    assert_eq!(drip.until("first\r\n").await, "5\r\nfirst\r\n");
    server.doors.leave.add_permits(1);
    assert_eq!(drip.until("0\r\n\r\n").await, "4\r\nlast\r\n0\r\n\r\n");
}

#[tokio::test]
async fn a_fault_behind_the_first_piece_cuts_the_body_short() {
    let server = Server::start().await;
    let mut drip = server.get("/api/drip/bad").open().await;
    drip.until("first\r\n").await;
    server.doors.leave.add_permits(1);
    assert_eq!(drip.rest().await, "", "no chunk says that this is the end");
}

#[tokio::test]
async fn who_makes_the_pieces_hears_that_nobody_wants_the_rest() {
    let server = Server::start().await;
    let mut drip = server.get("/api/drip/good").open().await;
    drip.until("first\r\n").await;
    drop(drip);
    server.doors.entered.acquire().await.expect("the pieces were dropped").forget();
}

#[tokio::test]
async fn who_asks_for_the_head_gets_no_piece() {
    let server = Server::start().await;
    let head = server.request("HEAD", "/api/drip/good").send().await;
    assert_eq!((head.status, head.header("content-type")), (200, Some("text/plain")));
    server.doors.entered.acquire().await.expect("the pieces were dropped").forget();
}
