//! What a process is given to do and what it gives back, as values.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use tokio::sync::mpsc;

/// Work for a process.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Its id; visible ASCII without `/`, such as a message's id.
    pub id: String,
    /// The event, as JSON.
    pub payload: Bytes,
    /// When nobody waits any more, in Unix milliseconds.
    pub deadline_ms: i64,
    /// ARN or name of the function; left out where empty.
    pub function: String,
    /// Trace header; left out where empty.
    pub trace: String,
    /// Client context, as JSON; left out where empty.
    pub client_context: String,
}

impl Invocation {
    /// Work without a trace or a client context.
    pub fn new(id: impl Into<String>, payload: impl Into<Bytes>, deadline_ms: i64) -> Self {
        Self {
            id: id.into(),
            payload: payload.into(),
            deadline_ms,
            function: String::new(),
            trace: String::new(),
            client_context: String::new(),
        }
    }
}

/// What a process answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answered {
    /// Media type it named.
    pub media_type: String,
    /// Status, headers and cookies that it sent before a streamed body.
    pub prelude: Option<Prelude>,
    /// The body; of a streamed answer what follows the prelude.
    pub body: Bytes,
}

/// A streamed answer that has begun, for whoever passes it on while the rest comes.
#[derive(Debug)]
pub struct Begun {
    /// Media type it named.
    pub media_type: String,
    /// Status, headers and cookies.
    pub prelude: Option<Prelude>,
    /// The body, piece by piece. It ends where the invocation ends, which alone tells whether it is whole. Dropped, the process
    /// hears that nobody takes the rest.
    pub pieces: mpsc::Receiver<Bytes>,
}

/// What stands before the body of a streamed answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Prelude {
    /// HTTP status.
    pub status_code: Option<u16>,
    /// Headers.
    pub headers: BTreeMap<String, String>,
    /// Cookies, as `Set-Cookie` has them.
    pub cookies: Vec<String>,
}

/// How a function says that it failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FunctionError {
    /// What happened.
    pub error_message: String,
    /// Its class, such as `ValueError`.
    pub error_type: String,
    /// Where, a line each.
    pub stack_trace: Vec<String>,
}

impl FunctionError {
    /// Reads what a process sent; whatever it is, something is to be told.
    pub(crate) fn read(body: &[u8], header: Option<&str>) -> Self {
        let mut error: Self = serde_json::from_slice(body).unwrap_or_else(|_| Self {
            error_message: String::from_utf8_lossy(&body[..body.len().min(1024)]).into_owned(),
            ..Self::default()
        });
        if error.error_type.is_empty() {
            error.error_type = header.unwrap_or("Unknown").to_owned();
        }
        error
    }
}

/// Why an invocation has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvokeError {
    /// The function failed.
    Function(FunctionError),
    /// Its answer is larger than an answer may be.
    ResponseTooLarge {
        /// So many bytes came, or were announced.
        size_bytes: u64,
    },
    /// Its streamed answer begins with no prelude that can be read.
    Prelude(String),
    /// It has said that it cannot start.
    Init(FunctionError),
    /// Its connection broke in the middle of the answer.
    Broken,
    /// Nobody takes the rest of its streamed answer.
    Left,
}

impl fmt::Display for InvokeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Function(error) => write!(f, "{}: {}", error.error_type, error.error_message),
            Self::ResponseTooLarge { size_bytes } => write!(f, "the answer has {size_bytes} bytes"),
            Self::Prelude(what) => write!(f, "the streamed answer has no prelude: {what}"),
            Self::Init(error) => write!(f, "it cannot start: {}: {}", error.error_type, error.error_message),
            Self::Broken => write!(f, "its connection broke in the middle of the answer"),
            Self::Left => write!(f, "nobody takes the rest of its answer"),
        }
    }
}

impl std::error::Error for InvokeError {}

/// Media type of a streamed answer with a prelude.
pub(crate) const WITH_PRELUDE: &str = "application/vnd.awslambda.http-integration-response";
/// What parts the prelude from the body.
const GAP: [u8; 8] = [0; 8];
/// Longest prelude.
const PRELUDE_BYTES_MAX: usize = 64 * 1024;

/// Takes a streamed answer apart.
pub(crate) fn read_streamed(media_type: &str, body: Bytes) -> Result<Answered, InvokeError> {
    read_beginning(media_type, &body)?.ok_or_else(|| InvokeError::Prelude("eight NUL bytes end it".to_owned()))
}

/// The same for the beginning of one; none where its prelude goes on.
pub(crate) fn read_beginning(media_type: &str, body: &Bytes) -> Result<Option<Answered>, InvokeError> {
    if media_type != WITH_PRELUDE {
        return Ok(Some(Answered { media_type: media_type.to_owned(), prelude: None, body: body.clone() }));
    }
    let head = &body[..body.len().min(PRELUDE_BYTES_MAX + GAP.len())];
    let Some(end) = head.windows(GAP.len()).position(|window| window == GAP) else {
        let is_too_long = head.len() == PRELUDE_BYTES_MAX + GAP.len();
        let wrong = InvokeError::Prelude(format!("it has more than {PRELUDE_BYTES_MAX} bytes"));
        return if is_too_long { Err(wrong) } else { Ok(None) };
    };
    let prelude: Prelude =
        serde_json::from_slice(&body[..end]).map_err(|error| InvokeError::Prelude(error.to_string()))?;
    let named = prelude.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let media_type = named.map_or_else(|| "application/octet-stream".to_owned(), |(_, value)| value.clone());
    Ok(Some(Answered { media_type, prelude: Some(prelude), body: body.slice(end + GAP.len()..) }))
}

/// Whether an answer may be read as a whole only: as JSON, which may say what should change.
pub(crate) fn is_json(media_type: &str) -> bool {
    let kind = media_type.split(';').next().unwrap_or_default().trim();
    matches!(kind, "" | "application/json" | "application/octet-stream") || kind.ends_with("+json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prelude_is_taken_off() {
        let body = Bytes::from_static(
            b"{\"statusCode\":201,\"headers\":{\"Content-Type\":\"text/plain\"},\"cookies\":[\"a=b\"]}\0\0\0\0\0\0\0\0hi\0",
        );
        let answered = read_streamed(WITH_PRELUDE, body).unwrap();
        let prelude = answered.prelude.expect("it has one");
        assert_eq!((prelude.status_code, &*prelude.cookies[0]), (Some(201), "a=b"));
        assert_eq!((&*answered.media_type, &answered.body[..]), ("text/plain", &b"hi\0"[..]));
    }

    #[test]
    fn a_prelude_that_never_ends_is_refused_and_none_is_none() {
        for body in [&b"{}"[..], b"{}\0\0\0\0\0\0\0", b"no\0\0\0\0\0\0\0\0"] {
            assert!(matches!(read_streamed(WITH_PRELUDE, body.into()), Err(InvokeError::Prelude(_))));
        }
        assert_eq!(read_streamed("text/plain", Bytes::from_static(b"{}")).unwrap().body.len(), 2);
    }

    #[test]
    fn an_error_of_any_form_is_told() {
        let error = FunctionError::read(br#"{"errorMessage":"no","errorType":"E","stackTrace":["a"]}"#, None);
        assert_eq!((&*error.error_message, &*error.error_type, error.stack_trace.len()), ("no", "E", 1));
        let error = FunctionError::read(b"\xff{", Some("Runtime.X"));
        assert_eq!((&*error.error_message, &*error.error_type), ("\u{fffd}{", "Runtime.X"));
    }
}
