//! Waking processes that are not resident: after a commit that left something to do, and before the answer, somebody is told to look
//! again. What is told is only a reason to look: a wake-up that is lost costs time, one too many costs a look.

mod signature;
mod sqs;

pub use signature::Keys;
pub use sqs::SqsWakes;

use callboard::{BoxFuture, Fault};

/// Longest delay of a wake-up, in milliseconds; what is due later is found by whoever looks every minute.
pub const DELAY_MS_MAX: i64 = 900_000;

/// Wakes whoever delivers for a service.
pub trait Wakes: Send + Sync {
    /// Says that something will be due in so many milliseconds, at most [`DELAY_MS_MAX`].
    fn wake(&self, delay_ms: i64) -> BoxFuture<'_, Result<(), Fault>>;
    /// Whether there is nobody else to wake, so that what waits is done before the answer.
    fn is_here(&self) -> bool;
}

/// Nobody else is there to be woken.
#[derive(Clone, Copy, Debug, Default)]
pub struct HereWakes;

impl Wakes for HereWakes {
    fn wake(&self, _: i64) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn is_here(&self) -> bool {
        true
    }
}
