//! How far a running ffmpeg is, from the `key=value` lines of `-progress pipe:1`.

/// Reads one line. `None` when it says nothing about time; otherwise the finished share, from 0 to 1.
///
/// ```
/// use media::progress::share;
/// assert_eq!(share("out_time_us=2500000", 10_000), Some(0.25));
/// assert_eq!(share("progress=end", 10_000), Some(1.0));
/// assert_eq!(share("frame=75", 10_000), None);
/// ```
#[must_use]
pub fn share(line: &str, duration_ms: u64) -> Option<f64> {
    match line.trim_end().split_once('=')? {
        ("progress", "end") => Some(1.0),
        ("out_time_us", time_us) => {
            let time_us: f64 = time_us.parse().ok().filter(|it: &f64| it.is_finite())?;
            let whole_us = duration_ms.max(1) as f64 * 1000.0;
            Some((time_us / whole_us).clamp(0.0, 1.0))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_is_said_before_the_first_frame() {
        assert_eq!(share("out_time_us=N/A", 10_000), None);
        assert_eq!(share("out_time_us=-21333", 10_000), Some(0.0));
    }

    proptest! {
        #[test]
        fn a_share_stays_between_nothing_and_all(line in "(out_time_us|progress|frame)=.{0,24}", ms in any::<u64>()) {
            if let Some(share) = share(&line, ms) {
                prop_assert!((0.0..=1.0).contains(&share));
            }
        }
    }
}
