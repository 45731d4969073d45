//! Clocks: that of the operating system, and one that a test moves by hand.

use callboard::ports::Clock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The wall clock. It may jump: whoever measures a duration must not use it.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        let ms = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()),
            Err(before) => i64::try_from(before.duration().as_millis()).map(|ms| -ms),
        };
        ms.expect("the time is within 292 million years of 1970")
    }
}

/// A clock that stands still until somebody moves it.
#[derive(Debug)]
pub struct ManualClock {
    now_ms: AtomicI64,
}

impl ManualClock {
    /// A clock that shows this time, in Unix milliseconds.
    pub fn new(now_ms: i64) -> Self {
        Self { now_ms: AtomicI64::new(now_ms) }
    }

    /// Shows this time from now on, also one that is past.
    pub fn set(&self, now_ms: i64) {
        self.now_ms.store(now_ms, Ordering::SeqCst);
    }

    /// Moves on by so many milliseconds, or back where they are negative. Gives the new time.
    pub fn advance(&self, time_ms: i64) -> i64 {
        self.now_ms.fetch_add(time_ms, Ordering::SeqCst) + time_ms
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        self.now_ms.load(Ordering::SeqCst)
    }

    fn monotonic_ns(&self) -> u64 {
        self.now_ms().max(0).unsigned_abs() * 1_000_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = ManualClock::new(1_000);
        assert_eq!((clock.now_ms(), clock.now_ms()), (1_000, 1_000));
        assert_eq!(clock.advance(500), 1_500);
        assert_eq!(clock.advance(-700), 800);
        clock.set(5);
        assert_eq!(clock.now_ms(), 5);
    }

    #[test]
    fn the_system_clock_shows_this_century() {
        let year_2020_ms = 1_577_836_800_000;
        let year_2100_ms = 4_102_444_800_000;
        assert!((year_2020_ms..year_2100_ms).contains(&SystemClock.now_ms()));
    }
}
