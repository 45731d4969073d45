//! URIs inside a tenant: an absolute path of decoded segments, never a host or a query.

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// Longest URI accepted, in bytes of decoded text.
pub const URI_BYTES_MAX: usize = 1024;

const SEGMENT: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'<').add(b'>').add(b'?').add(b'`');

/// An absolute path such as `/series/night-shift`, decoded and checked: no empty, `.` or `..` segment, no control
/// character, no backslash. One URI has one spelling, so what was authorised is what is served.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Uri(Arc<str>);

/// Why a text is not a URI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UriError(&'static str);

impl fmt::Display for UriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for UriError {}

impl Uri {
    /// The root, `/`.
    pub fn root() -> Self {
        Self(Arc::from("/"))
    }

    /// Reads decoded text.
    ///
    /// # Errors
    /// Says which rule the text breaks.
    pub fn parse(text: &str) -> Result<Self, UriError> {
        if text == "/" {
            return Ok(Self::root());
        }
        let rest = text.strip_prefix('/').ok_or(UriError("a URI starts with `/`"))?;
        if text.len() > URI_BYTES_MAX {
            return Err(UriError("the URI is longer than 1024 bytes; shorten it"));
        }
        rest.split('/').try_for_each(check_segment)?;
        Ok(Self(Arc::from(text)))
    }

    /// Reads a percent-encoded path as HTTP carries it. An encoded slash is refused: it would make two spellings of one URI.
    ///
    /// # Errors
    /// Says which rule the path breaks.
    pub fn from_encoded(path: &str) -> Result<Self, UriError> {
        if !path.contains('%') {
            return Self::parse(path);
        }
        if path.to_ascii_lowercase().contains("%2f") {
            return Err(UriError("an encoded `/` inside a segment is not allowed"));
        }
        let text = percent_decode_str(path).decode_utf8().map_err(|_| UriError("the path is not UTF-8"))?;
        Self::parse(&text)
    }

    /// The decoded text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The segments, none for the root.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').skip(1).filter(|segment| !segment.is_empty())
    }

    /// The URI percent-encoded for a link or a header.
    pub fn encoded(&self) -> String {
        utf8_percent_encode(&self.0, SEGMENT).to_string()
    }

    /// The URI one segment above; none above the root.
    pub fn parent(&self) -> Option<Self> {
        let (above, last) = self.0.rsplit_once('/')?;
        (!last.is_empty()).then(|| if above.is_empty() { Self::root() } else { Self(Arc::from(above)) })
    }

    /// Whether this URI is `above` or lies in the subtree below it.
    pub fn is_within(&self, above: &Uri) -> bool {
        above.as_str() == "/"
            || self.0.strip_prefix(above.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

fn check_segment(segment: &str) -> Result<(), UriError> {
    match segment {
        "" => Err(UriError("the URI has an empty segment; remove the extra `/`")),
        "." | ".." => Err(UriError("`.` and `..` are not allowed in a URI")),
        _ if segment.contains('\\') => Err(UriError("a backslash is not allowed in a URI")),
        // A value put into a URI must not turn into its query.
        _ if segment.contains(['?', '#']) => Err(UriError("`?` and `#` are not allowed inside a segment")),
        _ if segment.chars().any(char::is_control) => Err(UriError("a control character is not allowed in a URI")),
        _ => Ok(()),
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Uri {
    type Error = UriError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Uri> for String {
    fn from(uri: Uri) -> Self {
        uri.0.to_string()
    }
}

/// Formats a URI: `uri!("/series/{id}")?`. Fails as bad input where the text is not a URI.
#[macro_export]
macro_rules! uri {
    ($($format:tt)*) => { $crate::Uri::parse(&::std::format!($($format)*)).map_err($crate::Fault::from) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_that_climb_or_hide_are_refused() {
        for path in [
            "/a/../b",
            "/a/%2e%2e/b",
            "/a/%2E./b",
            "/a%2fb",
            "/a%5cb",
            "/a/%00",
            "/a//b",
            "a/b",
            "/a/",
            "/a/./b",
            "/a%3Fb=1",
        ] {
            assert!(Uri::from_encoded(path).is_err(), "{path} should be refused");
        }
    }

    #[test]
    fn twice_encoded_dots_are_only_text() {
        assert_eq!(Uri::from_encoded("/a/%252e%252e").expect("plain text").as_str(), "/a/%2e%2e");
    }

    #[test]
    fn above_a_uri_is_its_parent_up_to_the_root() {
        let uri = Uri::parse("/a/b").expect("a URI");
        let above: Vec<_> = std::iter::successors(uri.parent(), Uri::parent).map(|uri| uri.to_string()).collect();
        assert_eq!(above, ["/a", "/"]);
    }

    #[test]
    fn a_subtree_ends_at_a_segment() {
        let parties = Uri::parse("/parties/1").expect("a URI");
        assert!(Uri::parse("/parties/1/chat").expect("a URI").is_within(&parties));
        assert!(!Uri::parse("/parties/12").expect("a URI").is_within(&parties));
    }

    proptest! {
        #[test]
        fn encoding_round_trips(segments in prop::collection::vec("[^/\\\\\\p{C}]{1,12}", 1..5)) {
            let text = format!("/{}", segments.join("/"));
            if let Ok(uri) = Uri::parse(&text) {
                prop_assert_eq!(Uri::from_encoded(&uri.encoded()), Ok(uri));
            }
        }

        #[test]
        fn no_accepted_uri_climbs(path in "\\PC{0,40}") {
            if let Ok(uri) = Uri::from_encoded(&path) {
                prop_assert!(uri.segments().all(|segment| segment != ".." && segment != "." && !segment.contains('\\')));
            }
        }
    }
}
