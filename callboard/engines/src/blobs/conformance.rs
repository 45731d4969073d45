//! What every engine of blobs does alike. A new engine passes these cases before it is used.

use bytes::Bytes;
use callboard::Fault;
use callboard::ports::Blobs;
use futures_util::TryStreamExt;
use std::ops::Range;
use std::path::Path;

/// Makes a module with one test per case; `$make` gives the engine and whatever must outlive it.
macro_rules! conforms {
    ($engine:ident, $make:expr) => {
        conforms!($engine, $make, [
            what_is_put_is_read_back,
            a_put_replaces_and_changes_the_etag,
            a_range_is_cut_at_the_end,
            a_range_behind_the_end_is_refused,
            what_is_missing_is_said_to_be,
            a_list_is_sorted_and_ends_at_a_segment,
            removing_takes_the_subtree_and_nothing_beside_it,
            a_file_is_stored_whole,
            a_file_that_is_not_one_is_refused,
            a_key_that_climbs_is_refused_everywhere,
            a_reader_keeps_what_it_opened,
            many_write_and_remove_at_once,
        ]);
    };
    ($engine:ident, $make:expr, [$($case:ident),+ $(,)?]) => {
        mod $engine {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let (blobs, _keep) = $make;
                let scratch = tempfile::tempdir().expect("a scratch folder");
                $crate::blobs::conformance::$case(&blobs, scratch.path()).await;
            })+
        }
    };
}
pub(super) use conforms;

pub(super) async fn read(blobs: &dyn Blobs, key: &str, range: Option<Range<u64>>) -> Result<Vec<u8>, Fault> {
    let chunks: Vec<Bytes> = blobs.read(key, range).await?.try_collect().await?;
    Ok(chunks.concat())
}

async fn put(blobs: &dyn Blobs, key: &str, text: &str) {
    blobs.put(key, Bytes::copy_from_slice(text.as_bytes())).await.unwrap_or_else(|fault| panic!("{key}: {fault:?}"));
}

async fn keys(blobs: &dyn Blobs, prefix: &str) -> Vec<String> {
    blobs.list(prefix).await.expect("a list").into_iter().map(|meta| meta.key).collect()
}

fn code<T>(result: Result<T, Fault>) -> &'static str {
    result.err().expect("a fault").code
}

/// Bytes whose every position tells where it is.
fn pattern(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect()
}

pub(super) async fn what_is_put_is_read_back(blobs: &dyn Blobs, _: &Path) {
    for size in [0, 1, 131_072, 131_073, 1_500_000] {
        let bytes = pattern(size);
        blobs.put("media/a", bytes.clone().into()).await.expect("it is stored");
        assert!(read(blobs, "media/a", None).await.expect("it is there") == bytes, "{size} bytes differ");
        let meta = blobs.meta("media/a").await.expect("an answer").expect("it is there");
        assert_eq!((meta.key.as_str(), meta.size_bytes), ("media/a", size as u64));
        assert!(meta.modified_ms > 1_577_836_800_000 && !meta.etag.contains('"'), "{meta:?}");
    }
}

pub(super) async fn a_put_replaces_and_changes_the_etag(blobs: &dyn Blobs, _: &Path) {
    let mut etags = Vec::new();
    for text in ["same size 1", "same size 2", "same size 2"] {
        put(blobs, "a", text).await;
        assert_eq!(read(blobs, "a", None).await, Ok(text.into()));
        etags.push(blobs.meta("a").await.expect("an answer").expect("it is there").etag);
    }
    assert_ne!(etags[0], etags[1]);
    let again = blobs.meta("a").await.expect("an answer").expect("it is there").etag;
    assert_eq!(etags[2], again);
}

pub(super) async fn a_range_is_cut_at_the_end(blobs: &dyn Blobs, _: &Path) {
    let bytes = pattern(300_000);
    blobs.put("a", bytes.clone().into()).await.expect("it is stored");
    for range in [0..1, 1..3, 131_071..131_073, 100_000..290_000, 299_999..300_000, 299_990..900_000, 0..u64::MAX >> 1]
    {
        let expected = &bytes[range.start as usize..range.end.min(300_000) as usize];
        assert!(read(blobs, "a", Some(range.clone())).await.expect("a part") == expected, "{range:?} differs");
    }
    assert_eq!(read(blobs, "a", Some(7..7)).await, Ok(Vec::new()));
}

pub(super) async fn a_range_behind_the_end_is_refused(blobs: &dyn Blobs, _: &Path) {
    put(blobs, "a", "four").await;
    put(blobs, "empty", "").await;
    assert_eq!(code(read(blobs, "a", Some(4..9)).await), "range");
    assert_eq!(code(read(blobs, "empty", Some(0..1)).await), "range");
}

pub(super) async fn what_is_missing_is_said_to_be(blobs: &dyn Blobs, _: &Path) {
    put(blobs, "a/b", "x").await;
    for key in ["b", "a", "a/c", "a/b/c", "a/bb"] {
        assert_eq!(blobs.meta(key).await, Ok(None), "{key}");
        for range in [None, Some(0..1), Some(1..1)] {
            assert_eq!(code(read(blobs, key, range).await), "blob.missing", "{key}");
        }
        assert_eq!(blobs.list("a/c").await, Ok(Vec::new()));
    }
    blobs.remove("a/c").await.expect("removing nothing is no error");
    blobs.remove("a/b/c/d").await.expect("removing nothing is no error");
    assert_eq!(keys(blobs, "").await, ["a/b"]);
}

pub(super) async fn a_list_is_sorted_and_ends_at_a_segment(blobs: &dyn Blobs, _: &Path) {
    for key in ["m/b", "m/a/2", "m/a/10", "m/a.b", "mm/c", "m/a-/1", "z"] {
        put(blobs, key, key).await;
    }
    assert_eq!(keys(blobs, "m").await, ["m/a-/1", "m/a.b", "m/a/10", "m/a/2", "m/b"]);
    assert_eq!(keys(blobs, "m/a").await, ["m/a/10", "m/a/2"]);
    assert_eq!(keys(blobs, "m/b").await, [""; 0]);
    assert_eq!(keys(blobs, "").await.len(), 7);
    let listed = blobs.list("mm").await.expect("a list");
    assert_eq!(Ok(listed.into_iter().next()), blobs.meta("mm/c").await);
}

pub(super) async fn removing_takes_the_subtree_and_nothing_beside_it(blobs: &dyn Blobs, _: &Path) {
    for key in ["u/1/a", "u/1/b/c", "u/12", "u/2/a"] {
        put(blobs, key, key).await;
    }
    blobs.remove("u/1").await.expect("it goes");
    assert_eq!(keys(blobs, "").await, ["u/12", "u/2/a"]);
    blobs.remove("u/2/a").await.expect("it goes");
    blobs.remove("u/12").await.expect("it goes");
    assert_eq!(keys(blobs, "").await, [""; 0]);
    put(blobs, "u", "a blob where a folder was").await;
    assert_eq!(keys(blobs, "").await, ["u"]);
}

pub(super) async fn a_file_is_stored_whole(blobs: &dyn Blobs, scratch: &Path) {
    let file = scratch.join("file");
    for size in [0, 10, 9 << 20] {
        let bytes = pattern(size);
        std::fs::write(&file, &bytes).expect("a file");
        blobs.put_file("v/1/file", &file).await.expect("it is stored");
        blobs.put_file("v/1/file", &file).await.expect("storing it again is no error");
        std::fs::remove_file(&file).expect("the file is still there");
        assert!(read(blobs, "v/1/file", None).await.expect("it is there") == bytes, "{size} bytes differ");
        assert_eq!(keys(blobs, "").await, ["v/1/file"]);
    }
}

pub(super) async fn a_file_that_is_not_one_is_refused(blobs: &dyn Blobs, scratch: &Path) {
    assert_eq!(code(blobs.put_file("a", &scratch.join("absent")).await), "bug");
    assert!(blobs.put_file("a", scratch).await.is_err());
    assert_eq!(keys(blobs, "").await, [""; 0]);
}

pub(super) async fn a_key_that_climbs_is_refused_everywhere(blobs: &dyn Blobs, scratch: &Path) {
    let file = scratch.join("file");
    std::fs::write(&file, "x").expect("a file");
    for key in ["../a", "a/../../b", "/etc/passwd", "a\\..\\b", "a\0", "%2e%2e/a", ".", ""] {
        assert_eq!(code(blobs.put(key, Bytes::from_static(b"x")).await), "blob.key", "{key:?}");
        assert_eq!(code(blobs.put_file(key, &file).await), "blob.key", "{key:?}");
        assert_eq!(code(blobs.meta(key).await), "blob.key", "{key:?}");
        assert_eq!(code(blobs.read(key, None).await), "blob.key", "{key:?}");
        assert_eq!(code(blobs.remove(key).await), "blob.key", "{key:?}");
        assert!(key.is_empty() || code(blobs.list(key).await) == "blob.key", "{key:?}");
        assert_eq!(blobs.file(key), None, "{key:?}");
    }
}

pub(super) async fn a_reader_keeps_what_it_opened(blobs: &dyn Blobs, _: &Path) {
    let old = pattern(1_000_000);
    blobs.put("a", old.clone().into()).await.expect("it is stored");
    let mut replaced = blobs.read("a", None).await.expect("it is there");
    let first = replaced.try_next().await.expect("bytes").expect("the first chunk");
    put(blobs, "a", "new").await;
    let removed = blobs.read("a", None).await.expect("it is there");
    blobs.remove("a").await.expect("it goes");
    let rest: Vec<Bytes> = replaced.try_collect().await.expect("the rest");
    assert!([vec![first], rest].concat().concat() == old);
    let rest: Vec<Bytes> = removed.try_collect().await.expect("bytes");
    assert_eq!(rest.concat(), b"new");
}

pub(super) async fn many_write_and_remove_at_once(blobs: &dyn Blobs, scratch: &Path) {
    let file = scratch.join("file");
    std::fs::write(&file, "x").expect("a file");
    let file = &file;
    let work = (0..8).map(|writer| async move {
        for round in 0..10 {
            let key = format!("deep/er/{writer}/{round}");
            match writer % 2 {
                0 => put(blobs, &key, "x").await,
                _ => blobs.put_file(&key, file).await.expect("it is stored"),
            }
            blobs.remove(&format!("deep/er/{writer}")).await.expect("it goes");
        }
        put(blobs, &format!("deep/last/{writer}"), "x").await;
    });
    futures_util::future::join_all(work).await;
    assert_eq!(keys(blobs, "").await, (0..8).map(|writer| format!("deep/last/{writer}")).collect::<Vec<_>>());
}
