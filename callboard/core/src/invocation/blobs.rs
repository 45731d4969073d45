//! Blobs as a function sees them: those of the engine, with the time it waits for them. What is known of blobs, what is changed, and as
//! much of them as a function reads is recorded.

use super::player::read_data;
use super::recording::{self, Entry};
use super::tape::{Late, OUTPUT_BYTES_MAX, Taken};
use super::{Open, Used};
use crate::ports::{BlobMeta, Blobs, ByteStream, next_bytes};
use crate::{BoxFuture, Fault};
use bytes::Bytes;
use futures_util::stream;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

impl Open {
    /// Something whose answer is recorded as `tell` says and read back as `hear` says.
    async fn blob<T>(
        &self,
        ask: impl Fn() -> String,
        used: Used<'_>,
        work: BoxFuture<'_, Result<T, Fault>>,
        tell: fn(&T) -> Value,
        hear: fn(&Value) -> Option<T>,
    ) -> Result<T, Fault> {
        if let Some(played) = self.mode.player(|player| player.blob(&ask())) {
            return hear(&played?).ok_or_else(|| Fault::bug("what was recorded of a blob cannot be read"));
        }
        let result = self.wait(used, work).await;
        let answer = || result.as_ref().map_or_else(recording::fault, tell);
        self.mode.record(|| Taken::Plain(Entry::Blob(ask(), answer())));
        result
    }

    fn change<'a>(
        &'a self,
        ask: impl Fn() -> String + Send + Sync + 'a,
        work: BoxFuture<'a, Result<(), Fault>>,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        let used = Used::Blobs { is_change: true };
        Box::pin(self.blob(ask, used, work, |()| Value::Null, |_| Some(())))
    }
}

/// What a function has read of a blob so far; recorded when it reads no more of it.
struct Heard {
    late: Late,
    ask: String,
    bytes: Vec<u8>,
    is_whole: bool,
}

impl Heard {
    fn with(self, stream: ByteStream) -> ByteStream {
        Box::pin(stream::unfold((self, stream), |(mut heard, mut stream)| async move {
            let next = next_bytes(&mut stream).await;
            match &next {
                None => heard.is_whole = true,
                // One byte more than is kept tells that there was more.
                Some(Ok(bytes)) => {
                    let room = (OUTPUT_BYTES_MAX + 1).saturating_sub(heard.bytes.len());
                    heard.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
                }
                Some(Err(_)) => {}
            }
            next.map(|next| (next, (heard, stream)))
        }))
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        let (ask, bytes, is_whole) = (std::mem::take(&mut self.ask), std::mem::take(&mut self.bytes), self.is_whole);
        let mut late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        late.push(Taken::Contents { ask, bytes, is_whole });
    }
}

/// As much of a blob as was recorded; who reads on hears that there is no more.
fn played_stream(answer: &Value) -> ByteStream {
    let bytes = Bytes::from(read_data(&answer["data"]));
    let fault = || Fault::unavailable("replay.unrecorded", "more of this blob is read than was recorded");
    let end = (answer["is_whole"] != true).then(|| Err(fault()));
    Box::pin(stream::iter(std::iter::once(Ok(bytes)).chain(end)))
}

fn meta(meta: &BlobMeta) -> Value {
    json!([meta.key, meta.size_bytes, meta.modified_ms, meta.etag])
}

fn read_meta(value: &Value) -> Option<BlobMeta> {
    let (key, size_bytes, modified_ms, etag) = serde_json::from_value(value.clone()).ok()?;
    Some(BlobMeta { key, size_bytes, modified_ms, etag })
}

impl Blobs for Open {
    fn put<'a>(&'a self, key: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<(), Fault>> {
        let content = bytes.clone();
        let ask = move || {
            let hash = Sha256::digest(&content).iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>();
            format!("put {key} of {} bytes, {hash}", content.len())
        };
        self.change(ask, self.inner.ports.blobs.put(key, bytes))
    }

    fn put_file<'a>(&'a self, key: &'a str, file: &'a Path) -> BoxFuture<'a, Result<(), Fault>> {
        self.change(move || format!("put a file at {key}"), self.inner.ports.blobs.put_file(key, file))
    }

    fn meta<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<BlobMeta>, Fault>> {
        let used = Used::Blobs { is_change: false };
        let tell = |found: &Option<BlobMeta>| json!({"blob": found.as_ref().map(meta)});
        let hear = |value: &Value| match &value["blob"] {
            Value::Null => Some(None),
            found => read_meta(found).map(Some),
        };
        Box::pin(self.blob(move || format!("look at {key}"), used, self.inner.ports.blobs.meta(key), tell, hear))
    }

    fn read<'a>(&'a self, key: &'a str, range: Option<Range<u64>>) -> BoxFuture<'a, Result<ByteStream, Fault>> {
        let ask = match &range {
            Some(range) => format!("read {key} from {} to {}", range.start, range.end),
            None => format!("read {key}"),
        };
        if let Some(played) = self.mode.player(|player| player.blob(&ask)) {
            return Box::pin(std::future::ready(played.map(|answer| played_stream(&answer))));
        }
        let work = self.inner.ports.blobs.read(key, range);
        Box::pin(async move {
            let result = self.wait(Used::Blobs { is_change: false }, work).await;
            match (self.mode.late(), result) {
                (Some(late), Ok(stream)) => Ok(Heard { late, ask, bytes: Vec::new(), is_whole: false }.with(stream)),
                (late, result) => {
                    if let (Some(_), Err(fault)) = (late, &result) {
                        self.mode.record(|| Taken::Plain(Entry::Blob(ask, recording::fault(fault))));
                    }
                    result
                }
            }
        })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<BlobMeta>, Fault>> {
        let used = Used::Blobs { is_change: false };
        let tell = |found: &Vec<BlobMeta>| json!({"blobs": found.iter().map(meta).collect::<Vec<_>>()});
        let hear = |value: &Value| value["blobs"].as_array()?.iter().map(read_meta).collect();
        Box::pin(self.blob(move || format!("list {prefix}"), used, self.inner.ports.blobs.list(prefix), tell, hear))
    }

    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), Fault>> {
        self.change(move || format!("remove {key}"), self.inner.ports.blobs.remove(key))
    }

    fn file(&self, key: &str) -> Option<PathBuf> {
        self.inner.ports.blobs.file(key)
    }
}
