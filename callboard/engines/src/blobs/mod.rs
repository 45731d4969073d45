//! Blobs over `object_store`: files of this machine, memory, or any other store. What it takes to make files durable, to
//! adopt them without copying and to stream them cheaply is added here.

#[cfg(test)]
mod conformance;
mod disk;
mod fault;
mod key;
mod stream;
#[cfg(test)]
mod tests;

use bytes::{Bytes, BytesMut};
use callboard::Fault;
use callboard::ports::{BlobMeta, Blobs, BoxFuture, ByteStream};
use futures_util::{StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::{GetOptions, GetRange, GetResultPayload, ObjectMeta, ObjectStore, ObjectStoreExt};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::AsyncReadExt;

/// A file is sent to a store that is not a folder in parts of this size.
const PART_BYTES: usize = 8 << 20;
/// How often a write starts again because somebody pruned the folder it goes to.
const ATTEMPTS_MAX: usize = 16;

/// Blobs in a folder of this machine, in memory, or in any object store.
pub struct LocalBlobs {
    store: Arc<dyn ObjectStore>,
    /// The folder, where the store is one.
    root: Option<PathBuf>,
}

impl LocalBlobs {
    /// Blobs as files below a folder, which is made where it is not there. What is stored survives a power cut.
    ///
    /// # Errors
    /// `disk.full`, `blob.unavailable`: the folder cannot be made or read.
    pub fn open(root: &Path) -> Result<Self, Fault> {
        let failed = |error: std::io::Error| fault::from_io("open", &root.display().to_string(), error);
        std::fs::create_dir_all(root).map_err(failed)?;
        let root = root.canonicalize().map_err(failed)?;
        let store = LocalFileSystem::new_with_prefix(&root).map_err(|error| fault::from_store("open", "", error))?;
        Ok(Self { store: Arc::new(store.with_fsync(true)), root: Some(root) })
    }

    /// Blobs that end with the process.
    pub fn in_memory() -> Self {
        Self::over(Arc::new(InMemory::new()))
    }

    /// Blobs in another object store, which must make them durable by itself.
    pub fn over(store: Arc<dyn ObjectStore>) -> Self {
        Self { store, root: None }
    }

    async fn put_bytes(&self, key: &str, bytes: Bytes) -> Result<(), Fault> {
        let path = key::check(key)?;
        let mut attempt = 1;
        loop {
            match self.store.put(&path, bytes.clone().into()).await {
                Ok(_) => return Ok(()),
                Err(error) if fault::is_folder_gone(&error) && attempt < ATTEMPTS_MAX => attempt += 1,
                Err(error) => return Err(fault::from_store("put", key, error)),
            }
        }
    }

    async fn adopt(&self, key: &str, file: &Path) -> Result<(), Fault> {
        let path = key::check(key)?;
        let Some(root) = self.root.clone() else { return self.send(key, &path, file).await };
        let (from, to) = (file.to_owned(), root.join(key));
        blocking(move || disk::adopt(&from, &to)).await?.map_err(|error| fault::from_source(key, file, error))
    }

    /// Sends a file part by part.
    async fn send(&self, key: &str, path: &object_store::path::Path, source: &Path) -> Result<(), Fault> {
        let broken = |error| fault::from_source(key, source, error);
        let refused = |error| fault::from_store("put_file", key, error);
        let mut file = tokio::fs::File::open(source).await.map_err(broken)?;
        let mut part = read_part(&mut file).await.map_err(broken)?;
        if part.len() < PART_BYTES {
            return self.store.put(path, part.into()).await.map(drop).map_err(refused);
        }
        let mut upload = self.store.put_multipart(path).await.map_err(refused)?;
        let sent = async {
            while !part.is_empty() {
                upload.put_part(part.into()).await.map_err(refused)?;
                part = read_part(&mut file).await.map_err(broken)?;
            }
            upload.complete().await.map(drop).map_err(refused)
        };
        let sent = sent.await;
        if sent.is_err()
            && let Err(error) = upload.abort().await
        {
            tracing::warn!(blob.key = key, %error, "parts of a failed upload may remain in the object store");
        }
        sent
    }

    async fn meta_of(&self, key: &str) -> Result<Option<BlobMeta>, Fault> {
        match self.store.head(&key::check(key)?).await {
            Ok(meta) => Ok(Some(blob_meta(meta))),
            Err(error) if fault::is_missing(&error) => Ok(None),
            Err(error) => Err(fault::from_store("meta", key, error)),
        }
    }

    async fn stream(&self, key: &str, range: Option<Range<u64>>) -> Result<ByteStream, Fault> {
        let path = key::check(key)?;
        if range.as_ref().is_some_and(Range::is_empty) {
            let meta = self.meta_of(key).await?;
            return meta.map(|_| stream::empty()).ok_or_else(|| fault::missing(key));
        }
        let options = GetOptions { range: range.clone().map(GetRange::Bounded), ..GetOptions::default() };
        match self.store.get_opts(&path, options).await {
            Ok(found) => Ok(match found.payload {
                GetResultPayload::File(file, _) => stream::of_file(file, found.range, key),
                GetResultPayload::Stream(bytes) => {
                    let key = key.to_owned();
                    Box::pin(bytes.map_err(move |error| fault::from_store("read", &key, error)))
                }
            }),
            Err(error) if fault::is_missing(&error) => Err(fault::missing(key)),
            Err(error) => {
                Err(self.range_fault(key, range).await.unwrap_or_else(|| fault::from_store("read", key, error)))
            }
        }
    }

    /// The fault of a range that starts behind the end.
    async fn range_fault(&self, key: &str, range: Option<Range<u64>>) -> Option<Fault> {
        let size_bytes = self.meta_of(key).await.ok()??.size_bytes;
        let start = range?.start;
        let message = || format!("the range starts at {start}, but there are only {size_bytes} bytes");
        (start >= size_bytes).then(|| Fault::bad_input("range", message()))
    }

    async fn list_below(&self, prefix: &str) -> Result<Vec<BlobMeta>, Fault> {
        let path = if prefix.is_empty() { None } else { Some(key::check(prefix)?) };
        let mut found = Vec::new();
        let mut metas = self.store.list(path.as_ref());
        while let Some(meta) = metas.next().await {
            match meta {
                Ok(meta) => found.push(blob_meta(meta)),
                Err(error) if fault::is_missing(&error) => {}
                Err(error) => return Err(fault::from_store("list", prefix, error)),
            }
        }
        found.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        Ok(found)
    }

    async fn remove_tree(&self, key: &str) -> Result<(), Fault> {
        let path = key::check(key)?;
        if let Some(root) = self.root.clone() {
            let target = root.join(key);
            let removed = blocking(move || disk::remove(&root, &target)).await?;
            return removed.map_err(|error| fault::from_io("remove", key, error));
        }
        let below = self.store.list(Some(&path)).map_ok(|meta| meta.location);
        let all = futures_util::stream::once(std::future::ready(Ok(path))).chain(below).boxed();
        let mut removed = self.store.delete_stream(all);
        while let Some(outcome) = removed.next().await {
            match outcome {
                Err(error) if !fault::is_missing(&error) => return Err(fault::from_store("remove", key, error)),
                _ => {}
            }
        }
        Ok(())
    }
}

impl Blobs for LocalBlobs {
    fn put<'a>(&'a self, key: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(self.put_bytes(key, bytes))
    }

    /// In a folder on the same disk the file is linked, not copied: whoever gave it must not write to it afterwards.
    fn put_file<'a>(&'a self, key: &'a str, file: &'a Path) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(self.adopt(key, file))
    }

    fn meta<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<BlobMeta>, Fault>> {
        Box::pin(self.meta_of(key))
    }

    fn read<'a>(&'a self, key: &'a str, range: Option<Range<u64>>) -> BoxFuture<'a, Result<ByteStream, Fault>> {
        Box::pin(self.stream(key, range))
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<BlobMeta>, Fault>> {
        Box::pin(self.list_below(prefix))
    }

    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(self.remove_tree(key))
    }

    fn file(&self, key: &str) -> Option<PathBuf> {
        key::check(key).ok()?;
        self.root.as_ref().map(|root| root.join(key))
    }
}

fn blob_meta(meta: ObjectMeta) -> BlobMeta {
    let modified_ms = meta.last_modified.timestamp_millis();
    let etag = match meta.e_tag {
        Some(etag) => etag.trim_matches('"').to_owned(),
        None => format!("{modified_ms:x}-{:x}", meta.size),
    };
    BlobMeta { key: meta.location.into(), size_bytes: meta.size, modified_ms, etag }
}

/// Reads until the part is full or the file ends.
async fn read_part(file: &mut tokio::fs::File) -> std::io::Result<Bytes> {
    let mut part = BytesMut::with_capacity(PART_BYTES);
    let mut rest = file.take(PART_BYTES as u64);
    while rest.read_buf(&mut part).await? > 0 {}
    Ok(part.freeze())
}

/// Runs what waits for the disk where it holds up nobody.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Fault> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Fault::bug(format!("work on the disk was not finished: {error}")))
}
