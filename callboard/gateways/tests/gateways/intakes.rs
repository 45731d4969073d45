//! Bodies stored part by part: resumed after a break, taken over by a newer connection, refused where they are too long.

use crate::client::{Connection, Request};
use crate::server::{Server, platform};
use callboard_bench::Kept;
use futures_util::TryStreamExt;
use tokio::io::AsyncWriteExt;

const PART: usize = 8 << 20;

fn bytes(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect()
}

async fn begin(server: &Server, length: usize) {
    let begun = server.request("POST", "/api/uploads/1").header("upload-length", length).send().await;
    assert_eq!(begun.status, 204);
}

fn patch(server: &Server, offset: usize) -> Request {
    server.request("PATCH", "/api/uploads/1").header("upload-offset", offset)
}

fn send(server: &Server, offset: usize, body: &[u8]) -> Request {
    patch(server, offset).body("application/offset+octet-stream", body)
}

async fn offset(server: &Server) -> usize {
    let answer = server.get("/api/uploads/1").send().await;
    answer.header("upload-offset").unwrap().parse().unwrap()
}

/// Everything stored, in order, and the sizes of the parts.
async fn stored(server: &Server) -> (Vec<u8>, Vec<u64>) {
    let blobs = &server.bench.host().ports().blobs;
    let (mut whole, mut sizes) = (Vec::new(), Vec::new());
    let mut parts = blobs.list("uploads/demo/1").await.unwrap();
    // Every connection stores under a prefix of its own; behind it stands the offset.
    parts.sort_by_key(|meta| meta.key.rsplit('/').next().map(str::to_owned));
    for meta in parts {
        sizes.push(meta.size_bytes);
        let pieces: Vec<bytes::Bytes> = blobs.read(&meta.key, None).await.unwrap().try_collect().await.unwrap();
        whole.extend(pieces.concat());
    }
    (whole, sizes)
}

/// Asks until the server has counted so many bytes.
async fn until_offset(server: &Server, want: usize) {
    while offset(server).await != want {}
}

/// Sends the beginning of a body of `length` bytes and leaves it unfinished.
async fn leave_open(server: &Server, at: usize, length: usize, begun: &[u8]) -> Connection {
    let request = patch(server, at).header("content-type", "application/offset+octet-stream");
    let mut connection = request.header("content-length", length).header("expect", "100-continue").open().await;
    // The server asks for the body once it is past the question whether the upload is there and where it goes on.
    assert!(connection.until("\r\n\r\n").await.starts_with("HTTP/1.1 100"));
    connection.stream.write_all(begun).await.unwrap();
    connection
}

#[tokio::test]
async fn a_body_is_stored_in_parts_and_the_last_part_answers() {
    let server = Server::start().await;
    let body = bytes(2 * PART + 5);
    begin(&server, body.len()).await;
    let answer = send(&server, 0, &body).send().await;
    assert_eq!((answer.status, answer.header("upload-offset")), (204, Some(body.len().to_string().as_str())));
    assert_eq!(answer.header("tus-resumable"), Some("1.0.0"));
    assert_eq!(answer.headers.iter().filter(|(name, _)| name == "upload-offset").count(), 1);
    let (whole, sizes) = stored(&server).await;
    assert!(whole == body, "the bytes differ");
    assert_eq!(sizes, [PART as u64, PART as u64, 5]);
}

#[tokio::test]
async fn what_came_before_a_connection_broke_is_kept_and_continued() {
    let server = Server::start().await;
    let body = bytes(PART + 3000);
    begin(&server, body.len()).await;
    drop(leave_open(&server, 0, body.len(), &body[..PART + 1000]).await);
    until_offset(&server, PART + 1000).await;
    let wrong = send(&server, PART, &body[PART..]).send().await;
    assert_eq!(wrong.problem(), (409, "uploads.offset".into()));
    let answer = send(&server, PART + 1000, &body[PART + 1000..]).send().await;
    assert_eq!(answer.status, 204);
    assert!(stored(&server).await.0 == body, "the bytes differ");
}

#[tokio::test]
async fn a_newer_connection_takes_over_from_one_that_hangs() {
    let server = Server::start().await;
    let body = bytes(5000);
    begin(&server, body.len()).await;
    let hanging = leave_open(&server, 0, body.len(), &body[..1000]).await;
    let answer = send(&server, 0, &body).send().await;
    assert_eq!((answer.status, offset(&server).await), (204, 5000));
    let mut hanging = hanging;
    assert_eq!(hanging.response(false).await.problem(), (409, "intake.taken_over".into()));
    assert!(stored(&server).await.0 == body, "the bytes differ");
}

#[tokio::test]
async fn two_who_send_the_same_offset_never_mix() {
    let server = Server::start().await;
    let body = bytes(100_000);
    begin(&server, body.len()).await;
    let (one, two) = tokio::join!(send(&server, 0, &body).send(), send(&server, 0, &body[..70_000]).send());
    let won = [one.status, two.status].iter().filter(|&&status| status == 204).count();
    assert!(won <= 1, "{} and {}", one.status, two.status);
    let at = offset(&server).await;
    let (whole, _) = stored(&server).await;
    assert!(whole.len() == at && whole == body[..at], "{at} counted, {} stored", whole.len());
}

#[tokio::test]
async fn a_body_longer_than_the_rest_is_refused_and_nothing_of_it_is_counted() {
    let server = Server::start().await;
    begin(&server, 10).await;
    let declared = send(&server, 0, b"12345678901").send().await;
    assert_eq!(declared.problem(), (413, "body.too_large".into()));
    let request = patch(&server, 0).header("content-type", "application/offset+octet-stream");
    let mut connection = request.header("transfer-encoding", "chunked").open().await;
    connection.stream.write_all(b"b\r\n12345678901\r\n0\r\n\r\n").await.unwrap();
    assert_eq!(connection.response(false).await.problem(), (413, "body.too_large".into()));
    assert_eq!(offset(&server).await, 0);
    assert_eq!(stored(&server).await.0, b"");
}

#[tokio::test]
async fn an_upload_that_is_deleted_meanwhile_leaves_no_part_behind() {
    let server = Server::start().await;
    begin(&server, 5000).await;
    let mut open = leave_open(&server, 0, 5000, &bytes(1000)).await;
    assert_eq!(server.request("DELETE", "/api/uploads/1").send().await.status, 204);
    open.stream.write_all(&bytes(4000)).await.unwrap();
    assert_eq!(open.response(false).await.problem().0, 404);
    assert_eq!(stored(&server).await.0, b"");
}

#[tokio::test]
async fn a_sender_that_stalls_is_told_and_what_came_is_counted() {
    let mut options = platform();
    options.limits.intake_pause_ms = 20;
    let server = Server::with(options, Kept::InMemory).await;
    begin(&server, 5000).await;
    let mut open = leave_open(&server, 0, 5000, &bytes(1000)).await;
    assert_eq!(open.response(false).await.problem(), (400, "body.broken".into()));
    assert_eq!(offset(&server).await, stored(&server).await.0.len());
}

#[tokio::test]
async fn a_part_that_cannot_be_stored_is_not_counted() {
    let server = Server::with(platform(), Kept::OnFiles).await;
    begin(&server, 5000).await;
    server.put_blob("uploads/demo/1", "a blob where the parts should go").await;
    let answer = send(&server, 0, &bytes(5000)).send().await;
    assert_eq!((answer.problem(), offset(&server).await), ((400, "blob.key".into()), 0));
    server.bench.host().ports().blobs.remove("uploads/demo/1").await.unwrap();
    assert_eq!(send(&server, 0, &bytes(5000)).send().await.status, 204, "it goes on where it stopped");
}

#[tokio::test]
async fn intakes_over_the_limit_are_asked_to_come_back() {
    let mut options = platform();
    options.limits.intakes_max = 0;
    let server = Server::with(options, Kept::InMemory).await;
    begin(&server, 10).await;
    let answer = send(&server, 0, b"1234567890").send().await;
    assert_eq!((answer.problem(), answer.header("retry-after")), ((503, "intake.busy".into()), Some("2")));
}

#[tokio::test]
async fn bytes_of_another_type_are_not_taken_for_an_upload() {
    let server = Server::start().await;
    begin(&server, 2).await;
    let answer = patch(&server, 0).json("{}").send().await;
    assert_eq!(answer.problem(), (415, "media_type".into()));
}

#[tokio::test]
async fn an_empty_body_changes_nothing() {
    let server = Server::start().await;
    begin(&server, 2).await;
    let answer = send(&server, 0, b"").send().await;
    assert_eq!((answer.status, answer.header("upload-offset")), (204, Some("0")));
}
