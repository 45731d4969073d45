//! What must not reach a recording: secrets that are known by their value, and whatever stands under a name that says what it is.

use crate::Data;
use serde_json::Value;

/// Stands for what was left out.
pub(super) const REDACTED: &str = "[redacted]";
/// Shorter values of secrets are not looked for: they would stand anywhere.
const SECRET_BYTES_MIN: usize = 6;
/// Whatever has one of these words in its name is left out.
const NAMES: [&str; 11] = [
    "password",
    "passwd",
    "secret",
    "token",
    "authorization",
    "cookie",
    "credential",
    "api_key",
    "apikey",
    "private_key",
    "signature",
];

/// A secret by its value, and what stands for it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) value: String,
    pub(super) label: String,
}

/// Takes secrets out of what is recorded, and counts what it took.
pub(super) struct Redactor {
    known: Vec<Known>,
    pub(super) count: u32,
}

pub(super) fn is_sensitive(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    NAMES.iter().any(|word| name.contains(word))
}

impl Redactor {
    pub(super) fn new(mut known: Vec<Known>) -> Self {
        known.retain(|secret| secret.value.len() >= SECRET_BYTES_MIN);
        // What contains another secret goes first.
        known.sort_by_key(|secret| std::cmp::Reverse(secret.value.len()));
        Self { known, count: 0 }
    }

    /// A value, whatever is inside of it.
    pub(super) fn value(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => self.text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(fields) => fields.iter_mut().for_each(|(name, field)| self.named(name, field)),
            _ => {}
        }
    }

    /// A value with its name.
    pub(super) fn named(&mut self, name: &str, value: &mut Value) {
        let is_bare = matches!(value, Value::String(_) | Value::Number(_));
        if is_bare && is_sensitive(name) {
            self.take(value);
        } else {
            self.value(value);
        }
    }

    fn take(&mut self, value: &mut Value) {
        // What already has a label stays what it is.
        let is_labelled = |text: &str| text == REDACTED || text.starts_with("[secret ");
        if !value.as_str().is_some_and(is_labelled) {
            *value = Value::String(REDACTED.to_owned());
            self.count += 1;
        }
    }

    /// A text, which may be JSON with names of its own.
    pub(super) fn text(&mut self, text: &mut String) {
        for secret in &self.known {
            if text.contains(&secret.value) {
                *text = text.replace(&secret.value, &secret.label);
                self.count += 1;
            }
        }
        if text.starts_with("$argon2") {
            REDACTED.clone_into(text);
            self.count += 1;
        }
        if text.starts_with(['{', '[']) && is_sensitive(text) {
            let before = self.count;
            if let Ok(mut inner) = serde_json::from_str::<Value>(text) {
                self.value(&mut inner);
                if self.count > before {
                    *text = inner.to_string();
                }
            }
        }
    }

    /// A body, as text where it is one.
    pub(super) fn data(&mut self, data: &Data) -> Value {
        let Ok(text) = std::str::from_utf8(&data.bytes) else { return super::recording::bytes(&data.bytes) };
        let mut text = text.to_owned();
        if data.media_type.starts_with("application/x-www-form-urlencoded") && is_sensitive(&text) {
            text = text.split('&').map(|pair| self.pair(pair)).collect::<Vec<_>>().join("&");
        }
        self.text(&mut text);
        Value::String(text)
    }

    /// A field of a form.
    fn pair(&mut self, pair: &str) -> String {
        match pair.split_once('=') {
            Some((name, value)) if is_sensitive(name) && !value.is_empty() => {
                self.count += 1;
                format!("{name}=%5Bredacted%5D")
            }
            _ => pair.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn redactor() -> Redactor {
        let known = |value: &str, label: &str| Known { value: value.to_owned(), label: label.to_owned() };
        Redactor::new(vec![
            known("sk_live_77", "[secret key]"),
            known("sk_live_77_long", "[secret 1]"),
            known("abc", "x"),
        ])
    }

    #[test]
    fn what_a_name_gives_away_is_left_out_however_deep() {
        let mut value = json!({"email": "a@b.c", "password": "hunter2", "in": [{"Api-Key": 7, "n": 7}],
            "text": "{\"session_token\":\"t\",\"n\":1}", "hash": "$argon2id$v=19$x", "secret": null});
        let mut redactor = redactor();
        redactor.value(&mut value);
        let want = json!({"email": "a@b.c", "password": REDACTED, "in": [{"Api-Key": REDACTED, "n": 7}],
            "text": "{\"session_token\":\"[redacted]\",\"n\":1}", "hash": REDACTED, "secret": null});
        assert_eq!((value, redactor.count), (want, 4));
    }

    #[test]
    fn a_secret_is_found_by_its_value_and_the_longest_first() {
        let mut redactor = redactor();
        let mut text = "Bearer sk_live_77, then sk_live_77_long, and abc".to_owned();
        redactor.text(&mut text);
        assert_eq!(text, "Bearer [secret key], then [secret 1], and abc");
    }

    #[test]
    fn fields_of_forms_are_left_out_too() {
        let data = redactor().data(&Data::form("email=a%40b.c&password=hunter2&new-password="));
        assert_eq!(data, json!("email=a%40b.c&password=%5Bredacted%5D&new-password="));
    }
}
