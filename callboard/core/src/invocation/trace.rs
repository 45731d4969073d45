//! Traces as W3C Trace Context has them. The trace is the correlation id, so that there is one for each; a message carries only
//! its parent and whether somebody asked to see it.

use crate::Id;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// Where a message stands in the trace of its correlation id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Trace {
    /// The span that caused it; 0 where there is none.
    pub parent: u64,
    /// Whether its sender asks to record it. It counts only from an owner, a service or the operator.
    pub is_asked: bool,
}

impl From<Traceparent> for Trace {
    fn from(Traceparent { parent, is_sampled, .. }: Traceparent) -> Self {
        Self { parent, is_asked: is_sampled }
    }
}

/// The header `traceparent`: `00-{trace}-{parent}-{flags}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Traceparent {
    /// The trace, which is the correlation id.
    pub trace: Id,
    /// The span that caused this.
    pub parent: u64,
    /// Whether its sender records it.
    pub is_sampled: bool,
}

impl fmt::Display for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = u8::from(self.is_sampled);
        write!(f, "00-{:032x}-{:016x}-{flags:02x}", self.trace.as_u128(), self.parent)
    }
}

impl Traceparent {
    /// Reads a header as the specification says: lower-case hexadecimal, nothing all zero; later versions may have more behind.
    /// What is anything else is none, and a trace begins anew.
    pub fn read(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('-');
        let (version, trace) = (hex(parts.next()?, 2)?, hex(parts.next()?, 32)?);
        let (parent, flags) = (hex(parts.next()?, 16)?, hex(parts.next()?, 2)?);
        let has_more = parts.next().is_some();
        if version == 0xff || (version == 0 && has_more) || trace == 0 || parent == 0 {
            return None;
        }
        let parent = u64::try_from(parent).ok()?;
        Some(Self { trace: Id::from_u128(trace), parent, is_sampled: flags & 1 == 1 })
    }
}

fn hex(text: &str, digits: usize) -> Option<u128> {
    let is_plain = text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_plain.then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

impl Serialize for Traceparent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Traceparent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::read(&text).ok_or_else(|| serde::de::Error::custom("this is no traceparent"))
    }
}

impl JsonSchema for Traceparent {
    fn schema_name() -> Cow<'static, str> {
        "Traceparent".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"})
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands fields over like this")]
pub(super) fn as_hex<S: Serializer>(span: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{span:016x}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_traceparent_reads_and_writes_as_w3c_says() {
        let read = Traceparent::read(GOOD).expect("it is valid");
        assert_eq!((read.parent, read.is_sampled), (0x00f0_67aa_0ba9_02b7, true));
        assert_eq!(read.trace.to_string(), "4bf92f35-77b3-4da6-a3ce-929d0e0e4736");
        assert_eq!(read.to_string(), GOOD);
        let later = GOOD.replacen("00", "cc", 1) + "-what-comes-later";
        assert_eq!(Traceparent::read(&later), Some(read), "of a later version the known part is read");
    }

    #[test]
    fn what_is_no_traceparent_is_none() {
        for wrong in [
            "",
            "00",
            &GOOD.to_uppercase(),
            &GOOD.replacen("00", "ff", 1),
            &format!("{GOOD}-more"),
            &GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            &GOOD.replace("00f067aa0ba902b7", &"0".repeat(16)),
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-+0f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
        ] {
            assert_eq!(Traceparent::read(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_or_refused(text in "\\PC{0,70}") {
            if let Some(read) = Traceparent::read(&text) {
                prop_assert_eq!(Traceparent::read(&read.to_string()), Some(read));
            }
        }
    }
}
