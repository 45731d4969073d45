//! Failed sign-ins of an address, and how long they lock it. Addresses nobody has an account with are treated alike.

use crate::email::Email;
use crate::model::digest;
use crate::records;
use callboard::{Env, Fault, Write, params};
use serde::Deserialize;

/// The failure from which on an address is locked.
const LOCKING_FAILURE: i64 = 5;
/// How long the first lock lasts; each further failure doubles it.
const LOCK_MS: i64 = 30_000;
/// The longest lock.
const LOCK_MS_MAX: i64 = 15 * 60_000;
/// After so long without an attempt, failures are forgotten.
const MEMORY_MS: i64 = 24 * 60 * 60_000;

#[derive(Deserialize)]
struct Stored {
    failures: i64,
    locked_until_ms: i64,
    updated_ms: i64,
}

/// An attempt that may be made. Its outcome must be committed before anybody hears of it.
pub(crate) struct Attempt {
    address: String,
    /// Failures in the records, and those that still count.
    stored: i64,
    counted: i64,
    now_ms: i64,
}

/// Begins an attempt.
///
/// # Errors
/// `sign_in.locked` with `retry-after`, as long as the address is locked.
pub(crate) async fn begin(env: &Env, email: &Email) -> Result<Attempt, Fault> {
    let (address, now_ms) = (digest(email.as_str()), env.now_ms());
    let stored: Option<Stored> = env.query(&records::ATTEMPT, params![&address]).await?.first()?;
    let Some(stored) = stored else { return Ok(Attempt { address, stored: 0, counted: 0, now_ms }) };
    if stored.locked_until_ms > now_ms {
        let wait_s = stored.locked_until_ms.saturating_sub(now_ms).saturating_add(999) / 1000;
        let message = format!("too many sign-ins failed with this address; try again in {wait_s} seconds");
        return Err(Fault::too_many("sign_in.locked", message).header("retry-after", wait_s.to_string()));
    }
    let is_forgotten = now_ms.saturating_sub(stored.updated_ms) >= MEMORY_MS;
    let counted = if is_forgotten { 0 } else { stored.failures };
    Ok(Attempt { address, stored: stored.failures, counted, now_ms })
}

/// Forgets what failed with an address, and so its lock.
pub(crate) fn forget(email: &Email) -> Write {
    records::FORGET_ATTEMPTS.with(params![digest(email.as_str())])
}

impl Attempt {
    /// The attempt failed: one more failure, and from the fifth on a lock.
    pub(crate) fn failed(&self) -> [Write; 2] {
        let failures = self.counted.saturating_add(1);
        let lock_ms = lock_ms(failures);
        self.record(failures, if lock_ms > 0 { self.now_ms.saturating_add(lock_ms) } else { 0 })
    }

    /// The attempt succeeded: nothing counts any more.
    pub(crate) fn passed(&self) -> [Write; 2] {
        self.record(0, 0)
    }

    fn record(&self, failures: i64, locked_until_ms: i64) -> [Write; 2] {
        let record =
            records::RECORD_ATTEMPT.with(params![&self.address, failures, locked_until_ms, self.now_ms, self.stored,]);
        let sweep = records::SWEEP_ATTEMPTS.with(params![self.now_ms.saturating_sub(MEMORY_MS)]);
        [record.expect_or_retry(1..=1), sweep]
    }
}

/// How long an address is locked after so many failures.
fn lock_ms(failures: i64) -> i64 {
    let doublings = failures.saturating_sub(LOCKING_FAILURE);
    if doublings < 0 { 0 } else { (LOCK_MS << doublings.min(10)).min(LOCK_MS_MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_fifth_failure_locks_and_each_further_one_longer() {
        let locks: Vec<i64> = (3..12).map(|failures| lock_ms(failures) / 1000).collect();
        assert_eq!(locks, [0, 0, 30, 60, 120, 240, 480, 900, 900]);
    }

    proptest! {
        #[test]
        fn more_failures_never_lock_for_a_shorter_time(failures in 0..i64::MAX) {
            prop_assert!(lock_ms(failures) <= lock_ms(failures + 1));
            prop_assert!((0..=LOCK_MS_MAX).contains(&lock_ms(failures)));
        }
    }
}
