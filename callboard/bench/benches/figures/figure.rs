//! One figure as `cargo xtask bench` reads it, and what figures are made from: medians and units.

use serde::Serialize;
use std::io::Write;
use std::time::Duration;

/// A line of the table.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Figure {
    /// What is done.
    work: String,
    /// What ours takes, with its unit.
    ours: String,
    /// What the peer takes, with its unit.
    beside: Option<String>,
    /// Ours by the peer's.
    ratio: Option<f64>,
    /// What is to be reached.
    reach: Option<String>,
    /// Whether it is.
    is_reached: bool,
    /// What else there is to know.
    note: Option<String>,
}

impl Figure {
    /// Something measured that has no goal of its own.
    pub(crate) fn plain(work: impl Into<String>, ours: impl Into<String>) -> Self {
        Self { work: work.into(), ours: ours.into(), ..Self::default() }
    }

    /// What could not be measured here, and what to do about it.
    pub(crate) fn skipped(work: impl Into<String>, why: impl Into<String>) -> Self {
        Self::plain(work, "skipped").note(why)
    }

    /// The peer's value and ours by it.
    pub(crate) fn beside(self, peer: impl Into<String>, ratio: f64) -> Self {
        Self { beside: Some(peer.into()), ratio: Some(ratio), ..self }
    }

    /// A goal.
    pub(crate) fn goal(self, reach: impl Into<String>, is_reached: bool) -> Self {
        Self { reach: Some(reach.into()), is_reached, ..self }
    }

    /// What else there is to know.
    pub(crate) fn note(self, note: impl Into<String>) -> Self {
        Self { note: Some(note.into()), ..self }
    }

    /// Prints it as one line of JSON.
    ///
    /// # Errors
    /// When standard output is closed.
    pub(crate) fn print(&self) -> Result<(), String> {
        let line = serde_json::to_string(self).map_err(|error| error.to_string())?;
        writeln!(std::io::stdout(), "{line}").map_err(|error| error.to_string())
    }
}

/// The one in the middle.
pub(crate) fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Of rounds of ours and the peer, the one whose ratio is in the middle: ours, the peer's, ours by the peer's. They take
/// turns, so that what else the machine does falls on both.
pub(crate) fn middle(mut rounds: Vec<(f64, f64)>) -> (f64, f64, f64) {
    rounds.sort_by(|(a, b), (c, d)| (a / b).total_cmp(&(c / d)));
    let (ours, peer) = rounds[rounds.len() / 2];
    (ours, peer, ours / peer)
}

/// A short time with its unit.
pub(crate) fn micros(time: Duration) -> String {
    let us = time.as_secs_f64() * 1e6;
    if us < 100.0 { format!("{us:.2} µs") } else { format!("{us:.0} µs") }
}
