//! Blobs as a function sees them: those of the engine, with the time it waits for them. What is known of blobs and what is changed
//! is recorded; what is in them is not.

use super::recording::{self, Entry};
use super::tape::Taken;
use super::{Open, Used};
use crate::ports::{BlobMeta, Blobs, ByteStream};
use crate::{BoxFuture, Fault};
use bytes::Bytes;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::ops::Range;
use std::path::{Path, PathBuf};

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
        let leave = self.unrecorded("contents of blobs");
        let work = self.inner.ports.blobs.read(key, range);
        Box::pin(async move {
            leave?;
            self.wait(Used::Blobs { is_change: false }, work).await
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
