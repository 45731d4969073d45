//! The server is killed again and again while people work with it: what was acknowledged is there, once.
//!
//! `STORM_KILLS` says how often, `STORM_MINUTES` how long a soak lasts; `cargo xtask soak` runs that on an optimised server.

use crate::bank::{Bank, with_bank};
use crate::channel::Channel;
use crate::storm::checker::{Verdict, check};
use crate::storm::{Dice, Storm, pause, trouble};
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// How often it is killed where nobody says otherwise.
const KILLS: u64 = 50;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// A port that is free now, so that clients find the server again after each start.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Kills while `goes_on`, given how often it was so far, and gives what the checker says when everything is at rest.
fn storm(goes_on: impl Fn(u64) -> bool, progress: impl Fn(u64)) -> Verdict {
    let (mut channel, bank, port) = (Channel::closed(), Bank::open(), free_port());
    channel.start_with(with_bank(&mut channel.up_at(port), &bank));
    bank.tell(port);
    let storm = Storm::new(vec![port], channel.owner(), |name| channel.member(name, "viewer"));
    let mut dice = Dice::new("kills");
    storm.rage(|| {
        let mut kills = 0;
        while goes_on(kills) {
            for _ in 0..dice.below(4) {
                trouble(&bank, &mut dice);
            }
            pause(dice.below(300));
            channel.kill();
            kills += 1;
            channel.start_with(with_bank(&mut channel.up_at(port), &bank));
            progress(kills);
        }
    });
    check(&storm.evidence(&bank))
}

#[test]
fn what_was_acknowledged_is_there_once_however_often_the_server_is_killed() {
    let most = number("STORM_KILLS").unwrap_or(KILLS);
    let verdict = storm(|kills| kills < most, |_| {});
    eprintln!("{}", verdict.line());
    assert_eq!(verdict.wrongs, Vec::<String>::new(), "{}", verdict.line());
    assert!(
        verdict.acknowledged > usize::try_from(most).expect("small"),
        "hardly anything happened: {}",
        verdict.line()
    );
}

#[test]
#[ignore = "minutes; `cargo xtask soak` runs it"]
fn soak() {
    let start = Instant::now();
    let most = Duration::from_secs(60 * number("STORM_MINUTES").unwrap_or(1));
    let verdict = storm(
        |_| start.elapsed() < most,
        |kills| {
            if kills.is_multiple_of(20) {
                eprintln!("{:>5} s: killed {kills} times", start.elapsed().as_secs());
            }
        },
    );
    eprintln!("{}", verdict.line());
    assert_eq!(verdict.wrongs, Vec::<String>::new(), "{}", verdict.line());
}
