//! Faults: a small closed set of what can go wrong, said once for the caller and once for the log (RFC 9457).

use crate::UriError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The kinds of fault. Nothing else reaches a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The request itself is wrong; sending it again cannot help (400).
    BadInput,
    /// Nobody is signed in (401).
    NotSignedIn,
    /// The caller may not (403).
    Denied,
    /// There is nothing here, or the caller may not know (404).
    NotFound,
    /// The state is not what the caller assumed (409).
    Conflict,
    /// A size limit is hit (413).
    TooLarge,
    /// A rate or count limit is hit (429).
    TooMany,
    /// Something this depends on is away; trying later can help (503).
    Unavailable,
    /// A defect of ours (500).
    Bug,
}

/// One wrong field of the input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// Path of the field, such as `title` or `items[2].name`.
    pub field: String,
    /// What is wrong and what to do, in the caller's terms.
    pub message: String,
}

impl FieldError {
    /// The path as a JSON pointer into the body: `/items/2/name`.
    pub fn pointer(&self) -> String {
        if self.field == "body" {
            return String::new();
        }
        let segments = self.field.split(['.', '[']).map(|segment| segment.trim_end_matches(']'));
        segments.map(|segment| format!("/{}", segment.replace('~', "~0").replace('/', "~1"))).collect()
    }
}

/// A failure with a stable code, a message for the caller and a detail for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What kind of failure.
    pub kind: FaultKind,
    /// Stable, documented in `docs/errors/<code>.md`.
    pub code: &'static str,
    /// For the caller: what happened and what to do.
    pub message: String,
    /// For the log only.
    pub detail: Option<String>,
    /// Wrong fields, where the input has fields.
    pub errors: Vec<FieldError>,
    /// HTTP headers that belong to this failure, such as `retry-after`.
    pub headers: Vec<(&'static str, String)>,
    /// Whether whoever must know it was told already, so that the log need not say it.
    pub is_told: bool,
}

macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident => $kind:ident),+ $(,)?) => {
        $($(#[$doc])*
        pub fn $name(code: &'static str, message: impl Into<String>) -> Self {
            Self::new(FaultKind::$kind, code, message)
        })+
    };
}

impl Fault {
    fn new(kind: FaultKind, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            code,
            message: message.into(),
            detail: None,
            errors: Vec::new(),
            headers: Vec::new(),
            is_told: false,
        }
    }

    constructors! {
        /// The request is wrong.
        bad_input => BadInput,
        /// Nobody is signed in.
        not_signed_in => NotSignedIn,
        /// The caller may not.
        denied => Denied,
        /// Nothing here.
        not_found => NotFound,
        /// The state is not what the caller assumed.
        conflict => Conflict,
        /// A size limit is hit.
        too_large => TooLarge,
        /// A rate or count limit is hit.
        too_many => TooMany,
        /// A dependency is away.
        unavailable => Unavailable,
    }

    /// A defect of ours: the caller hears only that, the log hears the detail.
    pub fn bug(detail: impl Into<String>) -> Self {
        Self::new(
            FaultKind::Bug,
            "bug",
            "something went wrong on our side; try again, and tell us the id of this answer",
        )
        .detail(detail)
    }

    /// Adds what only the log should hear.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds a wrong field.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>, message: impl Into<String>) -> Self {
        self.errors.push(FieldError { field: field.into(), message: message.into() });
        self
    }

    /// Adds an HTTP header to the answer.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The HTTP status. A few codes of the framework are finer than their kind.
    pub fn status(&self) -> u16 {
        match (self.kind, self.code) {
            (_, "method_not_allowed") => 405,
            (_, "precondition_failed") => 412,
            (_, "media_type") => 415,
            (_, "range") => 416,
            (FaultKind::BadInput, _) => 400,
            (FaultKind::NotSignedIn, _) => 401,
            (FaultKind::Denied, _) => 403,
            (FaultKind::NotFound, _) => 404,
            (FaultKind::Conflict, _) => 409,
            (FaultKind::TooLarge, _) => 413,
            (FaultKind::TooMany, _) => 429,
            (FaultKind::Unavailable, _) => 503,
            (FaultKind::Bug, _) => 500,
        }
    }

    /// Whether the same message may succeed later without anybody changing it.
    pub fn is_retryable(&self) -> bool {
        matches!(self.kind, FaultKind::Unavailable | FaultKind::Bug | FaultKind::TooMany)
    }

    /// A short name of what went wrong, for people; as fine as the status.
    fn title(&self) -> &'static str {
        match (self.kind, self.code) {
            (_, "method_not_allowed") => "Method not allowed",
            (_, "media_type") => "Unsupported media type",
            (_, "range") => "Range not satisfiable",
            (FaultKind::BadInput, _) => "The request is not valid",
            (FaultKind::NotSignedIn, _) => "Please sign in",
            (FaultKind::Denied, _) => "You may not do this",
            (FaultKind::NotFound, _) => "Nothing here",
            (FaultKind::Conflict, _) => "The state has changed",
            (FaultKind::TooLarge, _) => "Too large",
            (FaultKind::TooMany, _) => "Too many requests",
            (FaultKind::Unavailable, _) => "Temporarily unavailable",
            (FaultKind::Bug, _) => "Something went wrong",
        }
    }

    /// The RFC 9457 problem document. `instance` is the id of the message that failed.
    pub fn problem(&self, instance: &str) -> serde_json::Value {
        let mut problem = serde_json::json!({
            "type": format!("/about/errors/{}", self.code),
            "title": self.title(),
            "status": self.status(),
            "code": self.code,
            "detail": self.message,
            "instance": instance,
        });
        if !self.errors.is_empty() {
            let told = |error: &FieldError| serde_json::json!({"field": error.field, "pointer": error.pointer(), "message": error.message});
            problem["errors"] = self.errors.iter().map(told).collect();
        }
        problem
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)?;
        self.errors.iter().try_for_each(|error| write!(f, "; {}: {}", error.field, error.message))
    }
}

impl std::error::Error for Fault {}

impl From<UriError> for Fault {
    fn from(error: UriError) -> Self {
        Self::bad_input("uri", error.to_string())
    }
}
