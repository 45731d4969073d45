//! The bytes of an open file, chunk by chunk: what the page cache holds is read where it is asked for, what has to come from
//! the disk is read on a thread that may wait.

use super::{blocking, fault};
use bytes::Bytes;
use callboard::Fault;
use callboard::ports::{BoxFuture, ByteStream};
use futures_util::Stream;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// Bytes read at once.
const CHUNK_BYTES: u64 = 128 << 10;

/// No bytes.
pub(super) fn empty() -> ByteStream {
    Box::pin(futures_util::stream::empty())
}

/// A part of a file.
pub(super) fn of_file(file: File, range: Range<u64>, key: &str) -> ByteStream {
    Box::pin(FileStream { file: Arc::new(file), left: range, reading: None, key: key.to_owned() })
}

struct FileStream {
    file: Arc<File>,
    left: Range<u64>,
    reading: Option<BoxFuture<'static, Result<io::Result<Vec<u8>>, Fault>>>,
    key: String,
}

impl FileStream {
    /// Gives a chunk on, or ends the stream with what went wrong.
    fn give(&mut self, read: io::Result<Vec<u8>>) -> Result<Bytes, Fault> {
        let read = match read {
            Ok(chunk) if chunk.is_empty() => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            read => read,
        };
        match read {
            Ok(chunk) => {
                self.left.start += chunk.len() as u64;
                Ok(chunk.into())
            }
            Err(error) => {
                self.left = 0..0;
                Err(fault::from_io("read", &self.key, error))
            }
        }
    }
}

impl Stream for FileStream {
    type Item = Result<Bytes, Fault>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        let size = (self.left.end - self.left.start).min(CHUNK_BYTES) as usize;
        if self.reading.is_none() {
            if let Some(chunk) = read_cached(&self.file, self.left.start, size) {
                return Poll::Ready(Some(self.give(Ok(chunk))));
            }
            let (file, start) = (self.file.clone(), self.left.start);
            self.reading = Some(Box::pin(blocking(move || read_waiting(&file, start, size))));
        }
        let reading = self.reading.as_mut().expect("a chunk is being read");
        let read = ready!(reading.as_mut().poll(context));
        self.reading = None;
        let given = read.and_then(|read| self.give(read));
        Poll::Ready(Some(given))
    }
}

/// What the page cache holds; none where the disk, or an error, would have to be waited for.
#[cfg(target_os = "linux")]
fn read_cached(file: &File, start: u64, size: usize) -> Option<Vec<u8>> {
    use rustix::io::{ReadWriteFlags, preadv2};
    let mut chunk = vec![0; size];
    let read = preadv2(file, &mut [io::IoSliceMut::new(&mut chunk)], start, ReadWriteFlags::NOWAIT).ok()?;
    chunk.truncate(read);
    (read > 0).then_some(chunk)
}

#[cfg(not(target_os = "linux"))]
fn read_cached(_: &File, _: u64, _: usize) -> Option<Vec<u8>> {
    None
}

fn read_waiting(file: &File, start: u64, size: usize) -> io::Result<Vec<u8>> {
    let mut chunk = vec![0; size];
    let read = file.read_at(&mut chunk, start)?;
    chunk.truncate(read);
    Ok(chunk)
}
