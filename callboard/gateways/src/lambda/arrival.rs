//! One event of a source, on its way to a message: what it carries, where it came from, and the key under which it may come again.

use callboard::{Data, KEY_BYTES_MAX};
use serde::de::IgnoredAny;
use std::borrow::Cow;
use std::sync::Arc;

/// One event.
#[derive(Clone, Debug)]
pub(crate) struct Arrival<'e> {
    /// Its kind of source, such as `aws:sqs`.
    pub(crate) from: &'static str,
    /// Which one, as `lambda_sources` names it: mostly an ARN.
    pub(crate) source: Cow<'e, str>,
    /// How a failure of this one is reported to a source that sends batches.
    pub(crate) item: Option<Cow<'e, str>>,
    /// Under which key it would come again.
    pub(crate) key: Option<Arc<str>>,
    /// Parts that an address may be made of.
    pub(crate) parts: Vec<(&'static str, Cow<'e, str>)>,
    /// What it carries.
    pub(crate) data: Data,
    /// Which attempt, from 1, where the source counts.
    pub(crate) attempt: u32,
}

impl<'e> Arrival<'e> {
    pub(crate) fn new(from: &'static str, source: impl Into<Cow<'e, str>>) -> Self {
        Self { from, source: source.into(), item: None, key: None, parts: Vec::new(), data: Data::EMPTY, attempt: 1 }
    }

    /// A part by its name.
    pub(crate) fn part(&self, name: &str) -> Option<&str> {
        self.parts.iter().find(|(have, _)| *have == name).map(|(_, value)| &**value)
    }

    /// The last part of an ARN behind a mark.
    pub(crate) fn name_of(arn: &str, mark: char) -> String {
        arn.rsplit(mark).next().unwrap_or_default().to_owned()
    }
}

/// A key of what names an event; one that is too long for a key, or that records cannot keep, is hashed.
pub(crate) fn key_of(parts: &[&str]) -> Arc<str> {
    let key = parts.join(" ");
    if key.len() <= KEY_BYTES_MAX && !key.contains('\0') {
        return key.into();
    }
    blake3::hash(key.as_bytes()).to_hex().as_str().into()
}

/// Text as data: JSON where it is JSON.
pub(crate) fn data_of(text: &str) -> Data {
    let is_json = serde_json::from_str::<IgnoredAny>(text).is_ok();
    let media_type = if is_json { "application/json" } else { "text/plain; charset=utf-8" };
    Data { media_type: media_type.into(), bytes: text.to_owned().into() }
}

/// Bytes as data: JSON or text where they are that.
pub(crate) fn data_of_bytes(bytes: Vec<u8>) -> Data {
    match String::from_utf8(bytes) {
        Ok(text) => data_of(&text),
        Err(error) => Data { media_type: "application/octet-stream".into(), bytes: error.into_bytes().into() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_cannot_be_kept_is_hashed() {
        assert_eq!(&*key_of(&["a", "b"]), "a b");
        for part in ["x".repeat(KEY_BYTES_MAX + 1), "a\0b".to_owned()] {
            let key = key_of(&[&part]);
            assert_eq!((key.len(), key.contains('\0')), (64, false), "{part:?}");
            assert_ne!(key, key_of(&[&part, "other"]));
        }
    }
}
