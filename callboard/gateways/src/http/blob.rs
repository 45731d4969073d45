//! Stored bytes as a response: ranges, conditions, and few large reads instead of many small ones.

use super::body::Body;
use super::conditions::{Conditions, Decision, whole_seconds};
use super::pieces::{self, PIECE_BYTES, on_a_waiting_thread};
use bytes::Bytes;
use callboard::Fault;
use callboard::ports::{BlobMeta, Blobs};
use hyper::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderValue, LAST_MODIFIED};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use std::fs::File;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

/// What is there, and what to do about it.
struct Found {
    size_bytes: u64,
    modified_ms: i64,
    etag: String,
    decision: Decision,
}

impl Found {
    fn new(meta: &BlobMeta, conditions: &Conditions) -> Self {
        let etag = if meta.etag.starts_with('"') { meta.etag.clone() } else { format!("\"{}\"", meta.etag) };
        let decision = conditions.decide(meta.size_bytes, &etag, meta.modified_ms);
        Self { size_bytes: meta.size_bytes, modified_ms: meta.modified_ms, etag, decision }
    }

    fn span(&self) -> Option<Range<u64>> {
        match &self.decision {
            Decision::Whole => Some(0..self.size_bytes),
            Decision::Part(range) => Some(range.clone()),
            Decision::NotModified | Decision::Unsatisfiable => None,
        }
    }
}

/// The response to a request for a blob, without the headers of its surface; none where there is no such blob.
///
/// # Errors
/// The store's fault; `range` where the range lies outside.
pub(crate) async fn serve(
    blobs: &Arc<dyn Blobs>,
    key: &str,
    media_type: &str,
    parts: &Parts,
) -> Result<Option<Response<Body>>, Fault> {
    let conditions = Conditions::read(&parts.headers);
    let is_head = parts.method == Method::HEAD;
    let (found, body) = match blobs.file(key) {
        Some(path) => match read_file(path, conditions, is_head).await? {
            Some(read) => read,
            None => return Ok(None),
        },
        None => {
            let Some(meta) = blobs.meta(key).await? else { return Ok(None) };
            let found = Found::new(&meta, &conditions);
            let body = match found.span() {
                Some(span) if !is_head && !span.is_empty() => {
                    Body::stream(axum::body::Body::from_stream(blobs.read(key, Some(span)).await?))
                }
                _ => Body::empty(),
            };
            (found, body)
        }
    };
    respond(found, body, media_type).map(Some)
}

fn respond(found: Found, body: Body, media_type: &str) -> Result<Response<Body>, Fault> {
    let size_bytes = found.size_bytes;
    if found.decision == Decision::Unsatisfiable {
        let message = format!("ask for bytes below {size_bytes}");
        return Err(Fault::bad_input("range", message).header("content-range", format!("bytes */{size_bytes}")));
    }
    let value = |text: &str| HeaderValue::from_str(text).map_err(|_| Fault::bug("a blob's header cannot be sent"));
    let span = found.span();
    let mut response = Response::new(body);
    let to = response.headers_mut();
    to.reserve(14);
    to.insert(ETAG, value(&found.etag)?);
    to.insert(LAST_MODIFIED, value(&httpdate::fmt_http_date(whole_seconds(found.modified_ms)))?);
    to.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Some(span) = span {
        to.insert(CONTENT_TYPE, value(media_type)?);
        to.insert(CONTENT_LENGTH, (span.end - span.start).into());
        if let Decision::Part(range) = &found.decision {
            to.insert(CONTENT_RANGE, value(&format!("bytes {}-{}/{size_bytes}", range.start, range.end - 1))?);
        }
    }
    *response.status_mut() = match found.decision {
        Decision::Part(_) => StatusCode::PARTIAL_CONTENT,
        Decision::NotModified => StatusCode::NOT_MODIFIED,
        _ => StatusCode::OK,
    };
    Ok(response)
}

/// Opens, looks and reads on a thread that may wait, in one visit where what is wanted fits.
async fn read_file(path: PathBuf, conditions: Conditions, is_head: bool) -> Result<Option<(Found, Body)>, Fault> {
    let work = move || -> std::io::Result<Option<(Found, Option<File>, Bytes)>> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Ok(None);
        }
        let modified = meta.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        let meta = BlobMeta {
            key: String::new(),
            size_bytes: meta.len(),
            modified_ms: i64::try_from(modified.as_millis()).unwrap_or(i64::MAX),
            etag: format!("\"{:x}-{:x}\"", meta.len(), modified.as_nanos()),
        };
        let found = Found::new(&meta, &conditions);
        match found.span().filter(|_| !is_head) {
            None => Ok(Some((found, None, Bytes::new()))),
            Some(span) if span.end - span.start <= PIECE_BYTES => {
                let bytes = pieces::read(&file, &span)?;
                Ok(Some((found, None, bytes)))
            }
            Some(_) => Ok(Some((found, Some(file), Bytes::new()))),
        }
    };
    let Some((found, file, bytes)) = on_a_waiting_thread(work).await? else { return Ok(None) };
    let body = match (file, found.span()) {
        (Some(file), Some(span)) => Body::stream(axum::body::Body::from_stream(pieces::pieces(file, span))),
        _ => Body::full(bytes),
    };
    Ok(Some((found, body)))
}

fn is_absent(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{InvalidFilename, IsADirectory, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | IsADirectory | InvalidFilename)
}
