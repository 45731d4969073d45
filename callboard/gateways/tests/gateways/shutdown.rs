//! The end of a server: what runs is finished, streams and uploads end at once, idle connections hold nobody up.

use crate::server::Server;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

#[tokio::test]
async fn what_runs_is_finished_and_nothing_new_is_taken() {
    let server = Server::start().await;
    let mut idle = server.get("/api/hello").open().await;
    assert_eq!(idle.response(false).await.status, 200);
    let silent = TcpStream::connect(server.address).await.unwrap();
    let running = server.get("/api/slow").open().await;
    server.doors.entered.acquire().await.unwrap().forget();
    server.stop();
    assert_eq!(idle.rest().await, "", "an idle connection is closed");
    server.doors.leave.add_permits(1);
    let answer = { running }.response(false).await;
    assert_eq!((answer.status, answer.text()), (200, "\"late\""));
    let address = server.address;
    server.ended().await;
    drop(silent);
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_stream_ends_at_once() {
    let server = Server::start().await;
    let mut room = server.get("/api/rooms/1/**").header("accept", "text/event-stream").open().await;
    room.until("\r\n\r\n").await;
    server.stop();
    assert_eq!(room.rest().await, "0\r\n\r\n");
    server.ended().await;
}

#[tokio::test]
async fn an_upload_keeps_what_came_and_can_go_on_later() {
    let server = Server::start().await;
    server.request("POST", "/api/uploads/1").header("upload-length", 5000).send().await;
    let request = server.request("PATCH", "/api/uploads/1").header("upload-offset", 0);
    let request = request.header("content-type", "application/offset+octet-stream").header("content-length", 5000);
    let mut open = request.header("expect", "100-continue").open().await;
    assert!(open.until("\r\n\r\n").await.starts_with("HTTP/1.1 100"), "the server reads the body");
    open.stream.write_all(&[7; 1000]).await.unwrap();
    server.stop();
    let answer = open.response(false).await;
    assert_eq!(answer.problem(), (503, "stopping".into()));
    let blobs = server.bench.host().ports().blobs.clone();
    let row = server.bench.nobody().get("/uploads/1").await.unwrap();
    let stored: u64 = blobs.list("uploads/demo/1").await.unwrap().iter().map(|meta| meta.size_bytes).sum();
    assert_eq!(row.headers, [("upload-offset", stored.to_string())], "what is stored is counted");
    server.ended().await;
}
