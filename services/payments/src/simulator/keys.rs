//! Idempotency keys: for a day the first answer under a key is the answer to it, and a key belongs to what it was first sent with.

use super::{Answered, Asked};
use std::collections::HashMap;

/// How long a key is remembered, in milliseconds.
pub(super) const MEMORY_MS: i64 = 24 * 3_600_000;

#[derive(Debug, Default)]
pub(super) struct Keys(HashMap<String, Kept>);

#[derive(Debug)]
struct Kept {
    path: String,
    form: String,
    answer: Answered,
    since_ms: i64,
}

/// What is known of a key.
pub(super) enum Key {
    New,
    Known(Answered),
    ForAnother,
}

impl Keys {
    pub(super) fn find(&self, key: &str, asked: &Asked, now_ms: i64) -> Key {
        match self.0.get(key).filter(|kept| now_ms - kept.since_ms < MEMORY_MS) {
            None => Key::New,
            Some(kept) if kept.path == asked.path && kept.form == asked.form => Key::Known(kept.answer.clone()),
            Some(_) => Key::ForAnother,
        }
    }

    pub(super) fn keep(&mut self, key: &str, asked: &Asked, answer: &Answered, since_ms: i64) {
        let kept = Kept { path: asked.path.clone(), form: asked.form.clone(), answer: answer.clone(), since_ms };
        self.0.insert(key.to_owned(), kept);
    }
}
