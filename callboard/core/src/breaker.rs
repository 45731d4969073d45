//! Circuit breakers: a system outside that keeps failing is left alone for a while, and then tried once before everybody goes
//! there again. The state machine is pure; time is what the caller says.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// So many failures in a row open it.
pub const FAILURES_MAX: u32 = 5;
/// First pause after it opened, in milliseconds; it doubles with every trial that fails.
pub const PAUSE_MS: i64 = 5_000;
/// Longest pause, in milliseconds.
pub const PAUSE_MS_MAX: i64 = 60_000;
/// A trial that says nothing for so long has failed, in milliseconds.
pub const TRIAL_MS: i64 = 60_000;

/// One breaker.
#[derive(Clone, Debug)]
pub struct Breaker {
    state: State,
    /// Counts changes of state, so that an answer to a call from before says nothing.
    turn: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed { failures: u32 },
    Open { until_ms: i64, pause_ms: i64 },
    HalfOpen { until_ms: i64, pause_ms: i64 },
}

/// Leave to make one call; tell the breaker how it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leave(u64);

impl Default for Breaker {
    fn default() -> Self {
        Self { state: State::Closed { failures: 0 }, turn: 0 }
    }
}

impl Breaker {
    /// Asks to make a call.
    ///
    /// # Errors
    /// In how many milliseconds to ask again.
    pub fn ask(&mut self, now_ms: i64) -> Result<Leave, i64> {
        if let Some(wait_ms) = self.wait_ms(now_ms) {
            return Err(wait_ms);
        }
        if let State::Open { pause_ms, .. } | State::HalfOpen { pause_ms, .. } = self.state {
            self.turn_to(State::HalfOpen { until_ms: now_ms.saturating_add(TRIAL_MS), pause_ms });
        }
        Ok(Leave(self.turn))
    }

    /// How long nobody should call, in milliseconds; none where calls are let through, or one as a trial.
    pub fn wait_ms(&self, now_ms: i64) -> Option<i64> {
        let (until_ms, longest_ms) = match self.state {
            State::Closed { .. } => return None,
            State::Open { until_ms, pause_ms } => (until_ms, pause_ms),
            State::HalfOpen { until_ms, .. } => (until_ms, TRIAL_MS),
        };
        let wait_ms = until_ms.saturating_sub(now_ms);
        // A clock that was set back must not leave it open for as long.
        (1..=longest_ms).contains(&wait_ms).then_some(wait_ms)
    }

    /// Says how a call went: whether the other system works.
    pub fn tell(&mut self, leave: Leave, is_alive: bool, now_ms: i64) {
        if leave.0 != self.turn {
            return;
        }
        let open = |pause_ms: i64| State::Open { until_ms: now_ms.saturating_add(pause_ms), pause_ms };
        match (self.state, is_alive) {
            (State::Closed { .. }, true) => self.state = State::Closed { failures: 0 },
            (State::Closed { failures }, false) if failures + 1 < FAILURES_MAX => {
                self.state = State::Closed { failures: failures + 1 };
            }
            (State::Closed { .. }, false) => self.turn_to(open(PAUSE_MS)),
            (State::HalfOpen { .. }, true) => self.turn_to(State::Closed { failures: 0 }),
            (State::HalfOpen { pause_ms, .. }, false) => self.turn_to(open((pause_ms * 2).min(PAUSE_MS_MAX))),
            (State::Open { .. }, _) => {}
        }
    }

    fn turn_to(&mut self, state: State) {
        self.state = state;
        self.turn += 1;
    }
}

/// The breakers of an application, one a dependency.
#[derive(Debug, Default)]
pub(crate) struct Breakers(Mutex<HashMap<&'static str, Breaker>>);

impl Breakers {
    pub(crate) fn with<T>(&self, dependency: &'static str, work: impl FnOnce(&mut Breaker) -> T) -> T {
        let mut breakers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        work(breakers.entry(dependency).or_default())
    }
}

/// A call under way: one that is dropped before it is told of has failed.
pub(crate) struct Watched<'a> {
    pub(crate) breakers: &'a Breakers,
    pub(crate) dependency: &'static str,
    pub(crate) leave: Leave,
    pub(crate) clock: &'a dyn crate::ports::Clock,
    pub(crate) is_alive: bool,
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        let now_ms = self.clock.now_ms();
        self.breakers.with(self.dependency, |breaker| breaker.tell(self.leave, self.is_alive, now_ms));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fail(breaker: &mut Breaker, times: u32, now_ms: i64) {
        for _ in 0..times {
            let leave = breaker.ask(now_ms).expect("it is closed");
            breaker.tell(leave, false, now_ms);
        }
    }

    #[test]
    fn it_opens_after_so_many_failures_in_a_row() {
        let mut breaker = Breaker::default();
        fail(&mut breaker, FAILURES_MAX - 1, 0);
        let leave = breaker.ask(0).expect("one more is allowed");
        breaker.tell(leave, true, 0);
        fail(&mut breaker, FAILURES_MAX, 0);
        assert_eq!(breaker.ask(0), Err(PAUSE_MS));
        assert_eq!(breaker.ask(PAUSE_MS - 1), Err(1));
    }

    #[test]
    fn one_trial_decides() {
        let mut breaker = Breaker::default();
        fail(&mut breaker, FAILURES_MAX, 0);
        let trial = breaker.ask(PAUSE_MS).expect("a trial");
        assert_eq!(breaker.ask(PAUSE_MS), Err(TRIAL_MS));
        breaker.tell(trial, false, PAUSE_MS);
        assert_eq!(breaker.ask(PAUSE_MS), Err(2 * PAUSE_MS));
        let trial = breaker.ask(3 * PAUSE_MS).expect("another trial");
        breaker.tell(trial, true, 3 * PAUSE_MS);
        assert!(breaker.ask(3 * PAUSE_MS).is_ok() && breaker.ask(3 * PAUSE_MS).is_ok());
    }

    #[test]
    fn an_answer_from_before_it_opened_changes_nothing() {
        let mut breaker = Breaker::default();
        let early = breaker.ask(0).expect("closed");
        fail(&mut breaker, FAILURES_MAX, 0);
        breaker.tell(early, true, 1);
        assert!(breaker.ask(1).is_err());
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_keep_it_open() {
        let mut breaker = Breaker::default();
        fail(&mut breaker, FAILURES_MAX, 3_600_000);
        assert!(breaker.ask(0).is_ok());
    }

    #[derive(Clone, Debug)]
    enum Act {
        Ask,
        Tell { nth: usize, is_alive: bool },
        Pass { time_ms: i64 },
    }

    fn acts() -> impl Strategy<Value = Vec<Act>> {
        let act = prop_oneof![
            3 => Just(Act::Ask),
            3 => (any::<usize>(), any::<bool>()).prop_map(|(nth, is_alive)| Act::Tell { nth, is_alive }),
            1 => (0..TRIAL_MS * 2).prop_map(|time_ms| Act::Pass { time_ms }),
        ];
        proptest::collection::vec(act, 0..200)
    }

    proptest! {
        #[test]
        fn whoever_asks_is_let_through_sooner_or_later_and_trials_are_single(acts in acts()) {
            let (mut breaker, mut now_ms, mut open): (_, i64, Vec<(Leave, i64)>) = (Breaker::default(), 0, Vec::new());
            for act in acts {
                match act {
                    Act::Ask => {
                        let was_closed = matches!(breaker.state, State::Closed { .. });
                        match breaker.ask(now_ms) {
                            Ok(leave) => {
                                let rivals = open.iter().filter(|(other, since_ms)| *other == leave && now_ms - since_ms < TRIAL_MS);
                                prop_assert!(was_closed || rivals.count() == 0, "two trials at once");
                                open.push((leave, now_ms));
                            }
                            Err(wait_ms) => {
                                prop_assert!(!was_closed && (1..=TRIAL_MS.max(PAUSE_MS_MAX)).contains(&wait_ms));
                                prop_assert!(breaker.clone().ask(now_ms + wait_ms).is_ok(), "it says when, and then it is so");
                            }
                        }
                    }
                    Act::Tell { nth, is_alive } if !open.is_empty() => {
                        let (leave, _) = open.swap_remove(nth % open.len());
                        breaker.tell(leave, is_alive, now_ms);
                    }
                    Act::Tell { .. } => {}
                    Act::Pass { time_ms } => now_ms += time_ms,
                }
            }
        }
    }
}
