//! Load on servers that are killed, stopped and lied to, by clients who repeat what nobody acknowledged.

pub(crate) mod checker;

use crate::bank::Bank;
use crate::exchange::{Answer, Visitor};
use checker::{Charge, Evidence, Given};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long everything may take to come to rest when the storm is over.
const REST_MAX: Duration = Duration::from_secs(180);
/// How long a client goes on repeating.
const PATIENCE: Duration = Duration::from_secs(120);
/// Clients who give tips.
const GIVERS: usize = 4;

/// Numbers that a seed repeats.
pub(crate) struct Dice(u64);

impl Dice {
    /// The seed of `STORM_SEED`, or a new one; printed, so that a storm can be played again.
    pub(crate) fn new(name: &str) -> Self {
        let given = std::env::var("STORM_SEED").ok().and_then(|text| text.parse().ok());
        let seed = given.unwrap_or_else(|| u64::from(std::process::id()) << 20 ^ name.len() as u64);
        eprintln!("{name}: STORM_SEED={seed}");
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % most
    }
}

pub(crate) fn pause(time_ms: u64) {
    let until = Instant::now() + Duration::from_millis(time_ms);
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        thread::park_timeout(left);
    }
}

/// Who takes part: the servers by their ports, people who are signed in, and what they were told.
pub(crate) struct Storm {
    pub(crate) ports: Vec<u16>,
    owner: Visitor,
    givers: Vec<Visitor>,
    series: String,
    is_over: AtomicBool,
    turn: AtomicUsize,
    tips: Mutex<Vec<Given>>,
    made: Mutex<Vec<String>>,
}

fn all<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Storm {
    /// Gets ready while everything still works.
    pub(crate) fn new(ports: Vec<u16>, owner: Visitor, member: impl Fn(&str) -> Visitor) -> Self {
        let series = owner.make_series("Night ferry");
        let givers = (0..GIVERS).map(|at| member(&format!("giver-{at}"))).collect();
        Self {
            ports,
            owner,
            givers,
            made: Mutex::new(vec![series.clone()]),
            series,
            is_over: AtomicBool::new(false),
            turn: AtomicUsize::new(0),
            tips: Mutex::default(),
        }
    }

    /// Does something while clients are busy, and waits until each of them has heard what became of its last request.
    pub(crate) fn rage(&self, trouble: impl FnOnce()) {
        thread::scope(|scope| {
            for (at, giver) in self.givers.iter().enumerate() {
                scope.spawn(move || self.give(giver, at));
            }
            scope.spawn(|| self.make());
            // Clients must end also where the trouble fails.
            let over = Over(&self.is_over);
            trouble();
            drop(over);
        });
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    /// Sends until somebody has answered, to one server after the other.
    fn insist(&self, who: &Visitor, method: &str, path: &str, key: &str, data: &Value) -> Answer {
        let until = Instant::now() + PATIENCE;
        loop {
            let port = self.ports[self.turn.fetch_add(1, Ordering::Relaxed) % self.ports.len()];
            let visitor = Visitor { port, ..who.clone() };
            match visitor.attempt(method, path, key, data) {
                Some(answer) if !matches!(answer.status, 429 | 502 | 503) => return answer,
                answer => assert!(
                    Instant::now() < until,
                    "nobody answers {method} {path}: {:?}",
                    answer.map(|answer| answer.text())
                ),
            }
            pause(20);
        }
    }

    fn give(&self, giver: &Visitor, at: usize) {
        for number in 0_i64.. {
            if self.is_over() {
                return;
            }
            let amount = 100 + number * 37 % 900;
            let key = format!("{at}-{number}");
            let tip = json!({"series": self.series, "amount": amount, "card": "pm_card_visa", "key": key});
            let answer = self.insist(giver, "POST", "/api/tips", "", &tip);
            assert_eq!(answer.status, 202, "{}", answer.text());
            let id = answer.json()["id"].as_str().expect("a tip has an id").to_owned();
            all(&self.tips).push(Given { id, amount });
        }
    }

    fn make(&self) {
        for number in 0.. {
            if self.is_over() {
                return;
            }
            let title = format!("Series {number}");
            let series = json!({"title": title, "access": "public", "active": true});
            let answer = self.insist(&self.owner, "POST", "/api/series", &title.replace(' ', "-"), &series);
            assert_eq!(answer.status, 201, "{}", answer.text());
            all(&self.made).push(answer.json()["id"].as_str().expect("a series has an id").to_owned());
        }
    }

    fn ask(&self, path: &str) -> Value {
        self.insist(&self.owner, "GET", path, "", &Value::Null).ok().json()
    }

    /// Every item of a list of pages.
    fn list(&self, path: &str, page: impl Fn(&Value) -> (Vec<Value>, Option<String>)) -> Vec<Value> {
        let (mut items, mut after) = (Vec::new(), String::new());
        loop {
            let (found, next) = page(&self.ask(&format!("{path}{after}")));
            items.extend(found);
            match next {
                Some(next) => after = format!("&after={next}"),
                None => return items,
            }
        }
    }

    fn runs(&self) -> BTreeMap<String, u64> {
        let page = |list: &Value| {
            let runs = list.as_array().expect("a list").clone();
            let next = runs.last().filter(|_| runs.len() == 200).and_then(|run| run["id"].as_str().map(str::to_owned));
            (runs, next)
        };
        let mut counts = BTreeMap::new();
        for run in self.list("/api/-/flows?limit=200", page) {
            *counts.entry(run["status"].as_str().expect("a status").to_owned()).or_default() += 1;
        }
        counts
    }

    /// Messages that wait, without those by which schedules wait for their time.
    fn waiting(&self) -> u64 {
        let queues = self.ask("/api/-/queues");
        let queues = queues["queues"].as_array().expect("a list").iter();
        let queues =
            queues.filter(|queue| !queue["target"].as_str().is_some_and(|target| target.starts_with("schedule ")));
        queues.filter_map(|queue| queue["waiting"].as_u64()).sum()
    }

    /// Completions that came too late, as far as anybody knows.
    pub(crate) fn stale(&self) -> u64 {
        self.ask("/api/-/queues")["stale"].as_u64().expect("a count")
    }

    /// Tries again what was put aside because the process ended too often while it was at work; whether there was any.
    fn help(&self) -> bool {
        let parked = self.ask("/api/-/flows?status=parked&limit=200");
        for run in parked.as_array().expect("a list") {
            let retry = format!("/api/-/flows/{}/retry", run["id"].as_str().expect("an id"));
            self.insist(&self.owner, "POST", &retry, "", &json!({"why": "the storm is over"})).ok();
        }
        parked != json!([])
    }

    /// Waits until nothing moves, helps what is put aside, and looks at everything.
    pub(crate) fn evidence(&self, bank: &Bank) -> Evidence {
        let until = Instant::now() + REST_MAX;
        let moves =
            |runs: &BTreeMap<String, u64>| ["queued", "running", "undoing"].iter().any(|it| runs.contains_key(*it));
        let (mut waiting, mut runs) = (self.waiting(), self.runs());
        while Instant::now() < until {
            if waiting == 0 && !moves(&runs) && !self.help() {
                break;
            }
            pause(200);
            (waiting, runs) = (self.waiting(), self.runs());
        }
        let tips = all(&self.tips).clone();
        let state = |tip: &Given| {
            let answer = self.insist(&self.owner, "GET", &format!("/api/tips/{}", tip.id), "", &Value::Null);
            let known = (answer.status == 200).then(|| answer.json()["state"].as_str().expect("a state").to_owned());
            (tip.id.clone(), known)
        };
        let charge = |charge: &Value| Charge {
            tip: charge["tip"].as_str().expect("a tip").to_owned(),
            amount: charge["amount"].as_i64().expect("an amount"),
            refunded: charge["refunded"].as_i64().expect("an amount"),
        };
        let page = |page: &Value| {
            let next = page["next"].as_str().map(str::to_owned);
            (page["items"].as_array().expect("a list").clone(), next)
        };
        let series = |one: &Value| {
            let text = |name: &str| one[name].as_str().expect("a text").to_owned();
            (text("id"), text("title"))
        };
        let books = self.ask("/api/payments/books");
        let held = books["accounts"].as_array().expect("accounts").iter().find(|one| one["account"] == "provider");
        Evidence {
            states: tips.iter().map(state).collect(),
            tips,
            series: all(&self.made).clone(),
            charges: bank.book()["charges"].as_array().expect("a list").iter().map(charge).collect(),
            series_there: self.list("/api/series?limit=100", page).iter().map(series).collect(),
            is_balanced: books["is_balanced"] == true,
            held: held.and_then(|one| one["amount"].as_i64()).unwrap_or(0),
            runs,
            waiting,
        }
    }
}

/// Says that it is over when it goes.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Something goes wrong with the next request of some kind to the payment service.
pub(crate) fn trouble(bank: &Bank, dice: &mut Dice) {
    let operations = ["create", "read", "confirm"];
    let troubles = [
        json!("lose_answer"),
        json!("lose_request"),
        json!("late"),
        json!("fail"),
        json!("fail_after"),
        json!("busy"),
        json!("limit"),
        json!({"delay": {"delay_ms": 150}}),
    ];
    let pick = |most: usize, dice: &mut Dice| usize::try_from(dice.below(most as u64)).expect("small");
    let (operation, trouble) = (operations[pick(operations.len(), dice)], &troubles[pick(troubles.len(), dice)]);
    bank.trouble(operation, trouble.clone(), 1);
}
