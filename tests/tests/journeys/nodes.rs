//! Two servers that share records on PostgreSQL: one is stopped past its lease and goes on later, and the database restarts.

use crate::bank::{Bank, with_bank};
use crate::channel::{Channel, postgres, schema, showrunner};
use crate::exchange::Visitor;
use crate::kills::free_port;
use crate::programs::eventually;
use crate::storm::checker::check;
use crate::storm::{Dice, Storm, pause, trouble};
use rustix::process::Signal;
use serde_json::json;
use std::process::Command;

/// A channel with one server and what its second needs.
struct Pair {
    one: Channel,
    other: Channel,
    bank: Bank,
    ports: [u16; 2],
}

impl Pair {
    /// The first server runs.
    fn new() -> Self {
        assert!(
            postgres().is_some(),
            "CALLBOARD_BENCH_RECORDS names no PostgreSQL; `cargo xtask test --only tests-postgres`"
        );
        let (mut one, other, bank, ports) =
            (Channel::closed(), Channel::without_records(), Bank::open(), [free_port(), free_port()]);
        one.start_with(with_bank(&mut one.up_at(ports[0]), &bank));
        bank.tell(ports[0]);
        Self { one, other, bank, ports }
    }

    fn start_other(&mut self) {
        let data = self.other.data();
        let listen = format!("127.0.0.1:{}", self.ports[1]);
        let mut command = showrunner(&["up", "--listen", &listen, "--data", data.to_str().unwrap()]);
        command.env("SHOWRUNNER_RECORDS_SCHEMA", schema(&self.one.data()));
        self.other.start_with(with_bank(&mut command, &self.bank));
    }
}

#[test]
fn a_server_that_is_stopped_past_its_lease_changes_nothing_when_it_goes_on() {
    let mut pair = Pair::new();
    let (owner, viewer) = (pair.one.owner(), pair.one.member("Vera", "viewer"));
    let series = owner.make_series("Night ferry");
    // The payment service has charged, and the first server will hear of it only when it goes on.
    pair.bank.trouble("confirm", json!({"delay": {"delay_ms": 700}}), 1);
    let order = json!({"series": series, "amount": 500, "card": "pm_card_visa", "key": "one"});
    let tip = viewer.post("/api/tips", &order).ok().json()["id"].as_str().expect("an id").to_owned();
    eventually("is it charged", || pair.bank.book()["charges"].as_array().map(Vec::len), |seen| *seen == Some(1));
    pair.one.running().signal(Signal::STOP);
    pair.start_other();
    let there = Visitor { port: pair.ports[1], ..viewer };
    let state = |seen: &Visitor| seen.get(&format!("/api/tips/{tip}")).ok().json()["state"].clone();
    eventually("does the other take over", || state(&there), |seen| seen == "received");
    pair.one.running().signal(Signal::CONT);
    let owner = Visitor { port: pair.ports[1], ..owner };
    // It finds out when it says that it is still at work, or when it wants to settle.
    let stale = || owner.get("/api/-/queues").ok().json()["stale"].as_u64() >= Some(1);
    let is_told = || stale() || pair.one.log_text().contains("a claim was lost to another process");
    eventually("does it notice", is_told, |seen| *seen);
    assert_eq!(state(&there), "received");
    assert_eq!(pair.bank.book()["charges"].as_array().map(Vec::len), Some(1));
    assert_eq!(owner.get("/api/payments/books").ok().json()["is_balanced"], true);
}

fn rage(during: impl FnOnce(&mut Pair, &mut Dice)) {
    let mut pair = Pair::new();
    pair.start_other();
    let storm = Storm::new(pair.ports.to_vec(), pair.one.owner(), |name| pair.one.member(name, "viewer"));
    let mut dice = Dice::new("nodes");
    storm.rage(|| during(&mut pair, &mut dice));
    let evidence = storm.evidence(&pair.bank);
    let verdict = check(&evidence);
    eprintln!("{}; {} came too late", verdict.line(), storm.stale());
    assert_eq!(verdict.wrongs, Vec::<String>::new(), "{}", verdict.line());
    assert!(verdict.acknowledged > 20, "hardly anything happened: {}", verdict.line());
}

#[test]
fn two_servers_that_are_stopped_and_killed_in_turn_lose_nothing_and_repeat_nothing() {
    rage(|pair, dice| {
        for _ in 0..3 {
            trouble(&pair.bank, dice);
            pair.one.running().signal(Signal::STOP);
            // Longer than the lease of these servers.
            pause(1_300 + dice.below(500));
            pair.one.running().signal(Signal::CONT);
            trouble(&pair.bank, dice);
            pause(dice.below(300));
            pair.other.kill();
            pause(dice.below(300));
            pair.start_other();
        }
    });
}

#[test]
fn a_database_that_restarts_under_load_loses_nothing() {
    let restart = std::env::var("CALLBOARD_POSTGRES_RESTART")
        .expect("CALLBOARD_POSTGRES_RESTART has no command; `cargo xtask test --only tests-postgres` gives one");
    rage(|_, dice| {
        for _ in 0..3 {
            pause(300 + dice.below(500));
            let done = Command::new("sh").args(["-c", &restart]).output().unwrap();
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
            pause(700);
        }
    });
}
