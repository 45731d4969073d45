//! How a source that sends several events at once hears which of them failed.

use super::arrival::Arrival;
use super::event::Origin;
use callboard::Fault;
use serde_json::json;
use std::borrow::Cow;

/// An event that failed, or that was not begun because one before it failed.
pub(crate) type Failed<'e> = (Option<Cow<'e, str>>, Option<Fault>);

/// What a source makes of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Each message may come again alone.
    Each,
    /// Order counts: what follows a failure waits for it.
    Ordered,
    /// A stream goes on at the first failure.
    Stream,
    /// It only hears of the whole.
    Whole,
}

impl Rule {
    pub(crate) fn of(origin: Origin, arrivals: &[Arrival<'_>]) -> Self {
        match origin {
            Origin::Sqs if arrivals.iter().any(|arrival| arrival.source.ends_with(".fifo")) => Self::Ordered,
            Origin::Sqs | Origin::Nobody => Self::Each,
            Origin::DynamoDb | Origin::Kinesis => Self::Stream,
            Origin::Sns | Origin::S3 => Self::Whole,
        }
    }

    /// Whether nothing is begun after a failure.
    pub(crate) fn stops(self) -> bool {
        matches!(self, Self::Ordered | Self::Stream)
    }

    /// The answer to the source.
    ///
    /// # Errors
    /// The first fault, where the source has no other way to hear of it.
    pub(crate) fn answer(self, failed: Vec<Failed<'_>>) -> Result<Vec<u8>, Fault> {
        if self == Self::Whole {
            return match failed.into_iter().find_map(|(_, fault)| fault) {
                Some(fault) => Err(fault),
                None => Ok(b"null".to_vec()),
            };
        }
        let most = if self == Self::Stream { 1 } else { usize::MAX };
        let items: Vec<_> = failed.iter().take(most).map(|(item, _)| json!({"itemIdentifier": item})).collect();
        Ok(json!({"batchItemFailures": items}).to_string().into_bytes())
    }
}
