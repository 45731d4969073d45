//! Stored bytes over HTTP: whole, in ranges, under conditions; from memory and from files alike.

use crate::server::{Server, platform};
use callboard_bench::Kept;

async fn each(test: impl AsyncFn(Server)) {
    for kept in [Kept::InMemory, Kept::OnFiles] {
        test(Server::with(platform(), kept).await).await;
    }
}

#[tokio::test]
async fn a_blob_is_sent_whole_or_in_the_range_that_is_asked_for() {
    each(async |server| {
        server.put_blob("files/a", "0123456789").await;
        let whole = server.get("/api/files/a").send().await;
        assert_eq!((whole.status, whole.text(), whole.header("accept-ranges")), (200, "0123456789", Some("bytes")));
        assert_eq!(whole.header("content-type"), Some("text/plain"));
        assert!(whole.header("content-security-policy").unwrap().contains("sandbox"));
        for (range, text, place) in [
            ("bytes=2-4", "234", "bytes 2-4/10"),
            ("bytes=-3", "789", "bytes 7-9/10"),
            ("bytes=8-", "89", "bytes 8-9/10"),
        ] {
            let part = server.get("/api/files/a").header("range", range).send().await;
            assert_eq!((part.status, part.text(), part.header("content-range")), (206, text, Some(place)));
        }
        let outside = server.get("/api/files/a").header("range", "bytes=10-").send().await;
        assert_eq!(outside.problem(), (416, "range".into()));
        assert_eq!(outside.header("content-range"), Some("bytes */10"));
    })
    .await;
}

#[tokio::test]
async fn what_the_browser_has_is_not_sent_again() {
    each(async |server| {
        server.put_blob("files/a", "0123456789").await;
        let first = server.get("/api/files/a").send().await;
        let (etag, date) = (first.header("etag").unwrap(), first.header("last-modified").unwrap());
        let again = server.get("/api/files/a").header("if-none-match", etag).send().await;
        assert_eq!((again.status, again.body.len()), (304, 0));
        assert_eq!(server.get("/api/files/a").header("if-modified-since", date).send().await.status, 304);
        let part = server.get("/api/files/a").header("range", "bytes=0-1").header("if-range", etag).send().await;
        assert_eq!(part.status, 206);
        let part = server.get("/api/files/a").header("range", "bytes=0-1").header("if-range", "\"old\"").send().await;
        assert_eq!((part.status, part.body.len()), (200, 10));
    })
    .await;
}

#[tokio::test]
async fn a_blob_larger_than_one_read_arrives_as_it_is() {
    each(async |server| {
        let bytes: Vec<u8> = (0..10_u32 << 20).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect();
        server.put_blob("files/big", bytes.clone()).await;
        let whole = server.get("/api/files/big").send().await;
        assert_eq!(whole.header("content-length"), Some("10485760"));
        assert!(whole.body == bytes, "the bytes differ");
        let part = server.get("/api/files/big").header("range", "bytes=1000000-7000000").send().await;
        assert!(part.body == bytes[1_000_000..=7_000_000], "the part differs");
        let head = server.request("HEAD", "/api/files/big").send().await;
        assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, Some("10485760"), 0));
    })
    .await;
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    each(async |server| {
        server.put_blob("files/folder/a", "x").await;
        for path in ["/api/files/nothing", "/api/files/folder"] {
            assert_eq!(server.get(path).send().await.problem(), (404, "no_such_uri".into()), "{path}");
        }
        server.put_blob("files/empty", "").await;
        let empty = server.get("/api/files/empty").send().await;
        assert_eq!((empty.status, empty.header("content-length")), (200, Some("0")));
    })
    .await;
}
