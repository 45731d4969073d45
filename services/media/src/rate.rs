//! Frame rates as fractions, and the standard rate a source is encoded at.

use serde::{Deserialize, Serialize};

/// Frames per second as a fraction, as ffmpeg writes it: `30000/1001`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// Frames …
    pub frames: u32,
    /// … in this many seconds, never 0.
    pub seconds: u32,
}

/// The rates broadcasters and screens use, none above 60.
pub const STANDARD: [Rate; 9] = [
    Rate { frames: 24000, seconds: 1001 },
    Rate { frames: 24, seconds: 1 },
    Rate { frames: 25, seconds: 1 },
    Rate { frames: 30000, seconds: 1001 },
    Rate { frames: 30, seconds: 1 },
    Rate { frames: 48, seconds: 1 },
    Rate { frames: 50, seconds: 1 },
    Rate { frames: 60000, seconds: 1001 },
    Rate { frames: 60, seconds: 1 },
];

impl Rate {
    /// Reads `30000/1001`; `None` for `0/0` and anything that is not a positive fraction.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (frames, seconds) = text.split_once('/')?;
        let rate = Self { frames: frames.parse().ok()?, seconds: seconds.parse().ok()? };
        (rate.frames > 0 && rate.seconds > 0).then_some(rate)
    }

    /// Frames per second.
    #[must_use]
    pub fn hertz(self) -> f64 {
        f64::from(self.frames) / f64::from(self.seconds)
    }

    /// The rate to encode at: above 60 the fastest standard rate that divides it evenly, else the nearest standard one.
    #[must_use]
    pub fn standard(self) -> Self {
        let hertz = self.hertz();
        if hertz > 60.5 {
            let even = STANDARD.iter().rev().find(|rate| {
                let times = hertz / rate.hertz();
                times >= 1.5 && (times - times.round()).abs() < 0.0005 * times
            });
            if let Some(rate) = even {
                return *rate;
            }
        }
        let distance = |rate: &Rate| (rate.hertz() - hertz).abs();
        let nearest = STANDARD.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)));
        *nearest.expect("the list of standard rates is not empty")
    }

    /// Frames between two keyframes: two seconds' worth.
    #[must_use]
    pub fn gop(self) -> u32 {
        let frames = (2.0 * self.hertz()).round();
        frames as u32
    }

    /// Length of a segment in microseconds: two groups of pictures, so 4 s, or 4.004 s at the 1001 rates.
    #[must_use]
    pub fn segment_us(self) -> u64 {
        u64::from(2 * self.gop()) * u64::from(self.seconds) * 1_000_000 / u64::from(self.frames)
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.frames, self.seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn standard(text: &str) -> String {
        Rate::parse(text).expect("a rate").standard().to_string()
    }

    #[test]
    fn a_source_is_encoded_at_the_nearest_standard_rate() {
        let cases = [
            ("24000/1001", "24000/1001"),
            ("2397/100", "24000/1001"),
            ("25/1", "25/1"),
            ("30000/1001", "30000/1001"),
            ("2991/100", "30000/1001"),
            ("30/1", "30/1"),
            ("15/1", "24000/1001"),
            ("45/1", "48/1"),
            ("60/1", "60/1"),
        ];
        for (source, encoded) in cases {
            assert_eq!(standard(source), encoded, "{source}");
        }
    }

    #[test]
    fn a_fast_source_loses_every_second_frame_rather_than_an_uneven_share() {
        let cases = [
            ("120/1", "60/1"),
            ("120000/1001", "60000/1001"),
            ("100/1", "50/1"),
            ("90/1", "30/1"),
            ("75/1", "25/1"),
            ("240/1", "60/1"),
        ];
        for (source, encoded) in cases {
            assert_eq!(standard(source), encoded, "{source}");
        }
    }

    #[test]
    fn segments_are_a_whole_number_of_microseconds() {
        for rate in STANDARD {
            let length = rate.segment_us();
            assert!(length == 4_000_000 || length == 4_004_000, "{rate}: {length}");
            assert_eq!(length * u64::from(rate.frames) % (u64::from(rate.seconds) * 1_000_000), 0, "{rate}");
        }
    }

    proptest! {
        #[test]
        fn any_rate_becomes_a_standard_one(frames in 1u32.., seconds in 1u32..) {
            let standard = Rate { frames, seconds }.standard();
            prop_assert!(STANDARD.contains(&standard));
        }

        #[test]
        fn any_text_is_a_rate_or_nothing(text in ".{0,20}") {
            if let Some(rate) = Rate::parse(&text) {
                prop_assert!(rate.hertz() > 0.0);
            }
        }
    }
}
