//! Times of schedules: the days on which clocks are moved, and that time only goes on.

use super::When;
use jiff::Timestamp;
use proptest::prelude::*;

/// What fires after a time, so many times.
fn times(expression: &'static str, after: &str, count: usize) -> Vec<String> {
    let when = When::cron(expression, "Europe/Zurich").expect("a schedule");
    let first = after.parse::<Timestamp>().expect("a time").as_millisecond();
    let all = std::iter::successors(when.next_after(first), |last| when.next_after(*last));
    all.take(count).map(|ms| Timestamp::from_millisecond(ms).expect("a time").to_string()).collect()
}

#[test]
fn a_time_that_the_clocks_leave_out_fires_when_they_have_moved_on() {
    let want = ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"];
    assert_eq!(times("30 2 * * *", "2026-03-28T00:00:00Z", 3), want);
}

#[test]
fn a_time_that_the_clocks_show_twice_fires_once() {
    let want = ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"];
    assert_eq!(times("30 2 * * *", "2026-10-23T12:00:00Z", 3), want);
}

#[test]
fn every_half_hour_is_every_half_hour_also_when_clocks_move() {
    let want = ["2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:00:00Z"];
    assert_eq!(times("*/30 * * * *", "2026-10-25T00:00:00Z", 4), want);
    let want = ["2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"];
    assert_eq!(times("*/30 * * * *", "2026-03-29T00:00:00Z", 3), want);
}

#[test]
fn the_twenty_ninth_of_february_comes_every_fourth_year() {
    assert_eq!(times("0 0 29 2 *", "2026-01-01T00:00:00Z", 2), ["2028-02-28T23:00:00Z", "2032-02-28T23:00:00Z"]);
}

proptest! {
    #[test]
    fn the_next_time_is_always_later(at_ms in 0_i64..4_000_000_000_000, which in 0_usize..5) {
        let expressions = ["*/7 * * * *", "30 2 * * *", "0 3 * * 0", "15 1-3 * 3,10 *", "0 0 1 * *"];
        let cron = When::cron(expressions[which], "Europe/Zurich").expect("a schedule");
        for when in [cron, When::Every { every_ms: 90_000 }] {
            let next = when.next_after(at_ms).expect("there is always a next");
            prop_assert!(next > at_ms);
            // Nothing lies between: asked a moment before it, the answer is the same.
            prop_assert_eq!(when.next_after(next - 1), Some(next));
        }
    }
}
