//! Reading an event: quickly where it is right, and with the path of the field where it is not.

use callboard::Fault;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// Largest headers of one request, in bytes: what any of the gateways in front of a function lets through.
const HEADERS_BYTES_MAX: usize = 128 * 1024;
/// Most of a message that repeats what somebody sent, in characters.
const TEXT_CHARS_MAX: usize = 400;
/// Most headers of one request.
const HEADERS_MAX: usize = 1000;

/// A text, not copied where it needs no unescaping.
#[derive(Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(transparent)]
pub(crate) struct Text<'e>(#[serde(borrow)] pub(crate) Cow<'e, str>);

impl<'e> Text<'e> {
    /// The text of a field that may be missing; then it is empty.
    pub(crate) fn or_empty(text: Option<Self>) -> Cow<'e, str> {
        text.map_or(Cow::Borrowed(""), |text| text.0)
    }
}

/// Reads a part of an event; `at` is where it stands.
///
/// # Errors
/// `event.invalid` with the path of the field.
pub(crate) fn read<'e, T: Deserialize<'e>>(text: &'e str, at: &str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|_| explain::<T>(text, at))
}

/// Reads it again, noting the path: only who sent something wrong pays for that.
fn explain<'e, T: Deserialize<'e>>(text: &'e str, at: &str) -> Fault {
    let mut reader = serde_json::Deserializer::from_str(text);
    let (path, what) = match serde_path_to_error::deserialize::<_, T>(&mut reader) {
        Ok(_) => (".".to_owned(), "there is more behind its end".to_owned()),
        Err(error) => (error.path().to_string(), error.inner().to_string()),
    };
    let place = match (at, path.as_str()) {
        ("", "." | "?") => "the event".to_owned(),
        ("", path) => format!("`{path}`"),
        (at, "." | "?") => format!("`{at}`"),
        (at, path) => format!("`{at}.{path}`"),
    };
    invalid(format!("{place} is not what its source sends: {what}"))
}

/// The fault of an event that its source would not send.
pub(crate) fn invalid(message: String) -> Fault {
    Fault::bad_input("event.invalid", short(&message))
}

/// The beginning of what may be long, because it repeats what somebody sent.
pub(crate) fn short(text: &str) -> String {
    match text.char_indices().nth(TEXT_CHARS_MAX) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text.to_owned(),
    }
}

/// Headers, each once or several times.
#[derive(Debug, Default)]
pub(crate) struct Headers(pub(crate) HeaderMap);

/// Values of one header.
pub(crate) trait Values<'e>: Deserialize<'e> {
    fn each(self, put: impl FnMut(&str) -> Result<(), String>) -> Result<(), String>;
}

impl<'e> Values<'e> for Option<Text<'e>> {
    fn each(self, mut put: impl FnMut(&str) -> Result<(), String>) -> Result<(), String> {
        self.map_or(Ok(()), |text| put(&text.0))
    }
}

/// Several values of one name.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct Many<'e>(#[serde(borrow)] pub(crate) Option<Vec<Text<'e>>>);

impl<'e> Values<'e> for Many<'e> {
    fn each(self, mut put: impl FnMut(&str) -> Result<(), String>) -> Result<(), String> {
        self.0.unwrap_or_default().iter().try_for_each(|text| put(&text.0))
    }
}

struct Collect<V>(PhantomData<V>);

impl<'de, V: Values<'de>> Visitor<'de> for Collect<V> {
    type Value = Headers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("headers by their names")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Headers, A::Error> {
        let mut headers = HeaderMap::with_capacity(24);
        let mut size_bytes = 0;
        while let Some(name) = map.next_key::<Text<'de>>()? {
            let header = HeaderName::from_bytes(name.0.as_bytes())
                .map_err(|_| A::Error::custom(format!("`{}` is no name of a header", name.0)))?;
            let values: V = map.next_value()?;
            let put = |value: &str| {
                size_bytes += name.0.len() + value.len();
                if size_bytes > HEADERS_BYTES_MAX || headers.len() == HEADERS_MAX {
                    return Err(format!("there are at most {HEADERS_MAX} headers of {HEADERS_BYTES_MAX} bytes in all"));
                }
                let value = HeaderValue::from_str(value)
                    .map_err(|_| format!("the value of `{header}` cannot stand in a header"))?;
                headers.append(&header, value);
                Ok(())
            };
            values.each(put).map_err(A::Error::custom)?;
        }
        Ok(Headers(headers))
    }

    fn visit_unit<E: Error>(self) -> Result<Headers, E> {
        Ok(Headers::default())
    }
}

/// Headers with one value each.
pub(crate) fn single<'de, D: Deserializer<'de>>(from: D) -> Result<Headers, D::Error> {
    from.deserialize_any(Collect::<Option<Text<'de>>>(PhantomData))
}

/// Headers with several values each; none where the field is null.
pub(crate) fn multiple<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Headers>, D::Error> {
    let headers = from.deserialize_any(Collect::<Many<'de>>(PhantomData))?;
    Ok(Some(headers).filter(|headers| !headers.0.is_empty()))
}
