//! Identifiers: time-ordered UUIDv7 for records and messages, short random ones for addresses people see.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// A UUIDv7: sorts by creation time, unique without coordination.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Id(Uuid);

impl Id {
    /// Builds an id from a time in Unix milliseconds and ten random bytes.
    pub fn from_parts(time_ms: i64, random: [u8; 10]) -> Self {
        Self(uuid::Builder::from_unix_timestamp_millis(time_ms.max(0).unsigned_abs(), &random).into_uuid())
    }

    /// The id with these 128 bits, such as a trace that began elsewhere.
    pub fn from_u128(bits: u128) -> Self {
        Self(Uuid::from_u128(bits))
    }

    /// Its 128 bits.
    pub fn as_u128(&self) -> u128 {
        self.0.as_u128()
    }

    /// The all-zero id, for messages that have no cause.
    pub fn nil() -> Self {
        Self(Uuid::nil())
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Id {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text).map(Self)
    }
}

const BASE58: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// Writes 64 random bits as 11 base58 characters: a public id that does not tell when it was made.
pub fn pid(random: u64) -> String {
    let mut rest = random;
    let mut text = [b'1'; 11];
    for slot in text.iter_mut().rev() {
        *slot = BASE58[usize::try_from(rest % 58).expect("a remainder of 58 fits")];
        rest /= 58;
    }
    text.iter().map(|&byte| char::from(byte)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time() {
        let early = Id::from_parts(1_000, [255; 10]);
        let late = Id::from_parts(1_001, [0; 10]);
        assert!(early.to_string() < late.to_string());
        assert_eq!(early.to_string().parse::<Id>().ok(), Some(early));
    }

    #[test]
    fn public_ids_have_eleven_characters_and_differ() {
        assert_eq!(pid(0), "11111111111");
        assert_eq!(pid(u64::MAX).len(), 11);
        assert_ne!(pid(u64::MAX), pid(u64::MAX - 1));
    }
}
