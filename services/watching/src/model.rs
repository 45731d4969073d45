//! What a position in an episode is, and which ones make sense.

use callboard::{Fault, Id};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Longest video that a position can be in: a day.
const DURATION_MS_MAX: i64 = 24 * 3_600_000;
/// From so much on an episode counts as watched to its end.
const FINISHED_PERCENT: i64 = 95;

/// What a player says.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Progress {
    pub(crate) position_ms: i64,
    pub(crate) duration_ms: i64,
}

/// Where somebody stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Position {
    pub(crate) episode: String,
    pub(crate) position_ms: i64,
    pub(crate) duration_ms: i64,
    /// Zero where they never started.
    pub(crate) updated_ms: i64,
}

impl Progress {
    /// Refuses what no video can have.
    ///
    /// # Errors
    /// `position.invalid` with the wrong field.
    pub(crate) fn check(self) -> Result<(), Fault> {
        let wrong = |field: &str, message: String| {
            Err(Fault::bad_input("position.invalid", format!("{field}: {message}")).field(field, message))
        };
        if !(1..=DURATION_MS_MAX).contains(&self.duration_ms) {
            return wrong("duration_ms", format!("use 1 to {DURATION_MS_MAX} milliseconds, not {}", self.duration_ms));
        }
        if !(0..=self.duration_ms).contains(&self.position_ms) {
            return wrong(
                "position_ms",
                format!("use 0 to the duration, {}, not {}", self.duration_ms, self.position_ms),
            );
        }
        Ok(())
    }

    /// Whether the end is near enough.
    pub(crate) fn is_finished(self) -> bool {
        self.position_ms * 100 >= self.duration_ms * FINISHED_PERCENT
    }
}

/// The id of an episode as it stands in a URI; only the one spelling counts.
///
/// # Errors
/// `episode.not_found`
pub(crate) fn episode_id(text: &str) -> Result<&str, Fault> {
    match text.parse::<Id>() {
        Ok(id) if id.to_string() == text => Ok(text),
        _ => Err(no_episode()),
    }
}

/// No such episode, or none that the caller may know of.
pub(crate) fn no_episode() -> Fault {
    Fault::not_found("episode.not_found", "there is no such episode, or it is not open to you")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_borders_of_a_position() {
        for (position_ms, duration_ms, is_right) in [
            (0, 1, true),
            (1, 1, true),
            (2, 1, false),
            (-1, 1, false),
            (0, 0, false),
            (0, DURATION_MS_MAX, true),
            (DURATION_MS_MAX, DURATION_MS_MAX, true),
            (0, DURATION_MS_MAX + 1, false),
            (i64::MAX, i64::MAX, false),
            (i64::MIN, 1, false),
        ] {
            let checked = Progress { position_ms, duration_ms }.check();
            assert_eq!(checked.is_ok(), is_right, "{position_ms} of {duration_ms}");
        }
    }

    #[test]
    fn ninety_five_percent_is_the_end() {
        assert!(!Progress { position_ms: 949, duration_ms: 1000 }.is_finished());
        assert!(Progress { position_ms: 950, duration_ms: 1000 }.is_finished());
    }
}
