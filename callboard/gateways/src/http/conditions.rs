//! Conditional requests and ranges (RFC 9110, 13 and 14) as pure rules: what was asked against what is there.

use hyper::HeaderMap;
use hyper::header::{HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, RANGE};
use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What a request asks for under which conditions. Owned, so that it can go to another thread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Conditions {
    if_none_match: Option<String>,
    if_modified_since: Option<String>,
    range: Option<String>,
    if_range: Option<String>,
}

/// What to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// 200 with everything.
    Whole,
    /// 206 with these bytes.
    Part(Range<u64>),
    /// 304.
    NotModified,
    /// 416.
    Unsatisfiable,
}

impl Conditions {
    pub(crate) fn read(headers: &HeaderMap) -> Self {
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Self {
            if_none_match: text(IF_NONE_MATCH),
            if_modified_since: text(IF_MODIFIED_SINCE),
            range: text(RANGE),
            if_range: text(IF_RANGE),
        }
    }

    /// Decides about something of a size, with its tag and the time it was last changed.
    pub(crate) fn decide(&self, size_bytes: u64, etag: &str, modified_ms: i64) -> Decision {
        if self.is_known(etag, Some(modified_ms)) {
            return Decision::NotModified;
        }
        let wanted = self.range.as_deref().filter(|_| self.is_still(etag, modified_ms));
        match wanted.map_or(Wanted::Everything, |text| parse_range(text, size_bytes)) {
            Wanted::Everything => Decision::Whole,
            Wanted::Bytes(range) => Decision::Part(range),
            Wanted::Nothing => Decision::Unsatisfiable,
        }
    }

    /// Whether the client has this already. `If-None-Match` decides alone where it is sent.
    pub(crate) fn is_known(&self, etag: &str, modified_ms: Option<i64>) -> bool {
        if let Some(tags) = &self.if_none_match {
            return names(tags, etag);
        }
        let since = self.if_modified_since.as_deref().and_then(|text| httpdate::parse_http_date(text).ok());
        since.zip(modified_ms).is_some_and(|(since, modified_ms)| whole_seconds(modified_ms) <= since)
    }

    /// Whether what the client holds a part of is still what is here.
    fn is_still(&self, etag: &str, modified_ms: i64) -> bool {
        match self.if_range.as_deref() {
            None => true,
            Some(text) if text.starts_with('"') => text == etag,
            Some(text) => httpdate::parse_http_date(text).is_ok_and(|date| date == whole_seconds(modified_ms)),
        }
    }
}

/// Whether an `If-None-Match` names the tag; weak tags compare as strong ones.
pub(crate) fn names(tags: &str, etag: &str) -> bool {
    let same = |tag: &str| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag;
    tags.split(',').any(|tag| same(tag.trim()))
}

/// HTTP dates have no milliseconds.
pub(crate) fn whole_seconds(time_ms: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(time_ms.max(0).unsigned_abs() / 1000)
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted {
    Everything,
    Bytes(Range<u64>),
    Nothing,
}

/// Reads `bytes=0-99`, `bytes=100-` or `bytes=-100`. Several ranges, or what is no range, mean everything.
fn parse_range(text: &str, size_bytes: u64) -> Wanted {
    let Some((first, last)) = text.strip_prefix("bytes=").and_then(|spec| spec.trim().split_once('-')) else {
        return Wanted::Everything;
    };
    let number = |text: &str| match text {
        "" => Some(None),
        _ if text.bytes().all(|byte| byte.is_ascii_digit()) => Some(Some(text.parse().unwrap_or(u64::MAX))),
        _ => None,
    };
    match (number(first), number(last)) {
        (Some(Some(first)), Some(last)) if last.is_none_or(|last| first <= last) => {
            let end = last.map_or(size_bytes, |last| last.saturating_add(1).min(size_bytes));
            if first < size_bytes { Wanted::Bytes(first..end) } else { Wanted::Nothing }
        }
        (Some(None), Some(Some(count))) => match count.min(size_bytes) {
            0 => Wanted::Nothing,
            count => Wanted::Bytes(size_bytes - count..size_bytes),
        },
        _ => Wanted::Everything,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_are_read_as_the_standard_says() {
        for (text, want) in [
            ("bytes=0-99", Wanted::Bytes(0..100)),
            ("bytes=0-0", Wanted::Bytes(0..1)),
            ("bytes=990-2000", Wanted::Bytes(990..1000)),
            ("bytes=500-", Wanted::Bytes(500..1000)),
            ("bytes=-100", Wanted::Bytes(900..1000)),
            ("bytes=-5000", Wanted::Bytes(0..1000)),
            ("bytes=1000-", Wanted::Nothing),
            ("bytes=99999999999999999999-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=5-2", Wanted::Everything),
            ("bytes=0-1,5-6", Wanted::Everything),
            ("bytes=-", Wanted::Everything),
            ("bytes=+1-2", Wanted::Everything),
            ("lines=0-5", Wanted::Everything),
        ] {
            assert_eq!(parse_range(text, 1000), want, "{text}");
        }
        assert_eq!(parse_range("bytes=0-", 0), Wanted::Nothing);
    }

    #[test]
    fn a_range_of_something_that_changed_gives_all_of_it() {
        let ask = |if_range: &str| Conditions {
            range: Some("bytes=0-1".into()),
            if_range: Some(if_range.into()),
            ..Conditions::default()
        };
        assert_eq!(ask("\"a\"").decide(9, "\"a\"", 0), Decision::Part(0..2));
        assert_eq!(ask("\"b\"").decide(9, "\"a\"", 0), Decision::Whole);
        assert_eq!(ask("Thu, 01 Jan 1970 00:00:01 GMT").decide(9, "\"a\"", 1500), Decision::Part(0..2));
        assert_eq!(ask("Thu, 01 Jan 1970 00:00:00 GMT").decide(9, "\"a\"", 1500), Decision::Whole);
        assert_eq!(ask("W/\"a\"").decide(9, "\"a\"", 0), Decision::Whole);
    }

    #[test]
    fn what_the_client_has_is_not_sent_again() {
        let tags = |text: &str| Conditions { if_none_match: Some(text.into()), ..Conditions::default() };
        assert_eq!(tags("\"x\", W/\"a\"").decide(9, "\"a\"", 0), Decision::NotModified);
        assert_eq!(tags("*").decide(9, "\"a\"", 0), Decision::NotModified);
        assert_eq!(tags("\"x\"").decide(9, "\"a\"", 0), Decision::Whole);
        let since = |text: &str| Conditions { if_modified_since: Some(text.into()), ..Conditions::default() };
        assert_eq!(since("Thu, 01 Jan 1970 00:00:01 GMT").decide(9, "\"a\"", 1999), Decision::NotModified);
        assert_eq!(since("Thu, 01 Jan 1970 00:00:01 GMT").decide(9, "\"a\"", 2000), Decision::Whole);
    }

    proptest! {
        #[test]
        fn no_range_leaves_the_body(text in "(bytes=)?[0-9]{0,21}-?[0-9]{0,21}|\\PC{0,30}", size in 0_u64..5000) {
            if let Wanted::Bytes(range) = parse_range(&text, size) {
                prop_assert!(range.start < range.end && range.end <= size, "{:?} of {}", range, size);
            }
        }

        #[test]
        fn a_range_within_the_body_is_served_exactly(first in 0_u64..1000, count in 1_u64..1000, beyond in 0_u64..1000) {
            let text = format!("bytes={first}-{}", first + count - 1);
            prop_assert_eq!(parse_range(&text, first + count + beyond), Wanted::Bytes(first..first + count));
        }
    }
}
