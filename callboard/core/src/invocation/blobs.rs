//! Blobs as a function sees them: those of the engine, with the time it waits for them.

use super::{Open, Used};
use crate::ports::{BlobMeta, Blobs, ByteStream};
use crate::{BoxFuture, Fault};
use bytes::Bytes;
use std::ops::Range;
use std::path::{Path, PathBuf};

impl Open {
    fn blob<'a, T>(
        &'a self,
        key: &'a str,
        is_change: bool,
        work: BoxFuture<'a, Result<T, Fault>>,
    ) -> BoxFuture<'a, Result<T, Fault>>
    where
        T: 'a,
    {
        let leave = self.unrecorded("blobs");
        Box::pin(async move {
            leave?;
            self.wait(Used::Blobs { key, is_change }, work).await
        })
    }
}

impl Blobs for Open {
    fn put<'a>(&'a self, key: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<(), Fault>> {
        self.blob(key, true, self.inner.ports.blobs.put(key, bytes))
    }

    fn put_file<'a>(&'a self, key: &'a str, file: &'a Path) -> BoxFuture<'a, Result<(), Fault>> {
        self.blob(key, true, self.inner.ports.blobs.put_file(key, file))
    }

    fn meta<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<BlobMeta>, Fault>> {
        self.blob(key, false, self.inner.ports.blobs.meta(key))
    }

    fn read<'a>(&'a self, key: &'a str, range: Option<Range<u64>>) -> BoxFuture<'a, Result<ByteStream, Fault>> {
        self.blob(key, false, self.inner.ports.blobs.read(key, range))
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<BlobMeta>, Fault>> {
        self.blob(prefix, false, self.inner.ports.blobs.list(prefix))
    }

    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), Fault>> {
        self.blob(key, true, self.inner.ports.blobs.remove(key))
    }

    fn file(&self, key: &str) -> Option<PathBuf> {
        self.inner.ports.blobs.file(key)
    }
}
