//! Reading a file piece by piece: what the system has in memory at once, what it must fetch on a thread that may wait.
//! A piece stays small enough to be sent while it is still in the processor's cache.

use bytes::Bytes;
use callboard::Fault;
use futures_util::{Stream, stream};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Size of a piece.
pub(crate) const PIECE_BYTES: u64 = 256 << 10;

/// The bytes of a file from one place to another.
pub(crate) fn pieces(file: File, span: Range<u64>) -> impl Stream<Item = Result<Bytes, Fault>> + Send {
    stream::try_unfold((Arc::new(file), span), |(file, span)| async move {
        if span.is_empty() {
            return Ok(None);
        }
        let piece = span.start..span.end.min(span.start + PIECE_BYTES);
        let bytes = match read_cached(&file, &piece) {
            Some(bytes) => bytes,
            None => {
                let (file, piece) = (file.clone(), piece.clone());
                on_a_waiting_thread(move || read(&file, &piece)).await?
            }
        };
        let rest = span.start + bytes.len() as u64..span.end;
        Ok(Some((bytes, (file, rest))))
    })
}

fn buffer(span: &Range<u64>) -> Vec<u8> {
    vec![0; usize::try_from(span.end - span.start).expect("a piece fits in memory")]
}

/// What of a piece can be had without waiting for a disk; none where nothing can.
#[cfg(target_os = "linux")]
fn read_cached(file: &File, piece: &Range<u64>) -> Option<Bytes> {
    use rustix::io::{ReadWriteFlags, preadv2};
    let mut bytes = buffer(piece);
    let count = preadv2(file, &mut [io::IoSliceMut::new(&mut bytes)], piece.start, ReadWriteFlags::NOWAIT).ok()?;
    bytes.truncate(count);
    (count > 0).then(|| bytes.into())
}

/// No other system tells whether a read would wait.
#[cfg(not(target_os = "linux"))]
fn read_cached(_: &File, _: &Range<u64>) -> Option<Bytes> {
    None
}

/// A piece, however long it takes.
pub(crate) fn read(file: &File, piece: &Range<u64>) -> io::Result<Bytes> {
    let mut bytes = buffer(piece);
    file.read_exact_at(&mut bytes, piece.start)?;
    Ok(bytes.into())
}

/// Runs what may wait for a disk.
pub(crate) async fn on_a_waiting_thread<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Fault> {
    let result = tokio::task::spawn_blocking(work).await;
    let result = result.map_err(|error| Fault::bug(format!("reading a blob stopped: {error}")))?;
    result.map_err(|error| {
        Fault::unavailable("blob.unreadable", "this file cannot be read at the moment; try again")
            .detail(error.to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::TryStreamExt;
    use std::io::Write;

    #[tokio::test]
    async fn any_part_of_a_file_comes_as_it_is() {
        let bytes: Vec<u8> = (0..1_000_000_u32).map(|at| (at ^ (at >> 8)) as u8).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        for span in [0..0, 0..1, 0..1_000_000, 7..262_151, 262_144..524_288, 999_999..1_000_000] {
            let got: Vec<Bytes> = pieces(file.try_clone().unwrap(), span.clone()).try_collect().await.unwrap();
            assert!(got.concat() == bytes[span.start as usize..span.end as usize], "{span:?} differs");
        }
    }

    #[tokio::test]
    async fn a_file_that_was_cut_meanwhile_is_an_error_and_no_short_answer() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[7; 1000]).unwrap();
        let got: Result<Vec<Bytes>, Fault> = pieces(file, 0..2000).try_collect().await;
        assert_eq!(got.expect_err("half is missing").code, "blob.unreadable");
    }
}
