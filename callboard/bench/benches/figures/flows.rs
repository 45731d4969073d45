//! A flow of three steps from a request over HTTP to its end on the disk, beside Restate with the same three steps; and on
//! PostgreSQL, beside DBOS on the same server.

use crate::callers::{self, Connection, Door, Load};
use crate::figure::{Figure, micros, middle};
use crate::records;
use crate::served::{FLOWS, FLOWS_ON_POSTGRES, POSTGRES, Server};
use crate::syncs::Syncs;
use std::path::Path;
use std::time::Duration;

const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_secs(2);
const IN_FLIGHT: u32 = 32;
const STEPS: usize = 3;

/// Who does the same beside ours.
struct Peer {
    name: &'static str,
    /// Where whoever measures says where it listens, separated by commas.
    addresses: &'static str,
    path: &'static str,
    /// Which figure has it installed and started.
    figure: &'static str,
    note: &'static str,
}

const RESTATE: Peer = Peer {
    name: "Restate",
    addresses: "FIGURES_RESTATE",
    path: "/Three/run",
    figure: "flows",
    note: "from the request to the end, both on the disk: ours writes a row in every step; Restate's steps are `ctx.run`, in its \
           default settings, which sync its log",
};
const DBOS: Peer = Peer {
    name: "DBOS",
    addresses: "FIGURES_DBOS",
    path: "/",
    figure: "flows-postgres",
    note: "from the request to the end, both on the same server and disk, which loses nothing: both write a row in every step. \
           DBOS has a process for each core, transactions of its datasource as steps, and a connection for each caller",
};

pub(crate) fn measure(data: &Path) -> Result<Vec<Figure>, String> {
    let folder = records::folder(data)?;
    let server = Server::start(FLOWS, folder.path())?;
    let mut pair = Pair::new(&server, &RESTATE)?;
    let (alone, together) = (pair.rounds(1)?, pair.rounds(IN_FLIGHT)?);
    pair.check()?;
    Ok(vec![
        alone.syncs(),
        alone.rate("3-step flow, one after another", Some(1.5)),
        together.rate("3-step flow, 32 in flight", Some(6.0)),
        together.p99("3-step flow, 32 in flight, 99 of 100 within", Some(0.5)),
    ])
}

pub(crate) fn measure_on_postgres(data: &Path) -> Result<Vec<Figure>, String> {
    let work = "3-step flow on PostgreSQL";
    if std::env::var_os(POSTGRES).is_none() {
        return Ok(vec![Figure::skipped(
            work,
            "no PostgreSQL; measure with `cargo xtask bench --only flows-postgres`",
        )]);
    }
    let folder = records::folder(data)?;
    let server = Server::start(FLOWS_ON_POSTGRES, folder.path())?;
    let mut pair = Pair::new(&server, &DBOS)?;
    let (alone, together) = (pair.rounds(1)?, pair.rounds(IN_FLIGHT)?);
    pair.check()?;
    Ok(vec![
        alone.rate(&format!("{work}, one after another"), None),
        together.rate(&format!("{work}, 32 in flight"), Some(5.0)),
        together.p99(&format!("{work}, 32 in flight, 99 of 100 within"), None),
    ])
}

/// Ours and the peer, who take turns.
struct Pair {
    ours: Door,
    peer: &'static Peer,
    /// Where it listens; nowhere where it is not there.
    theirs: Vec<Door>,
    ask: Connection,
    /// How many runs ours has ended.
    runs: usize,
}

/// One turn of each.
struct Round {
    ours: Load,
    /// Waits of ours for the disk.
    syncs: Syncs,
    theirs: Option<Load>,
}

struct Rounds {
    peer: &'static Peer,
    rounds: Vec<Round>,
}

impl Pair {
    fn new(server: &Server, peer: &'static Peer) -> Result<Self, String> {
        let ours = Door { address: server.address, path: "/api/runs", stream: Some("/api/callers") };
        let addresses = std::env::var(peer.addresses).unwrap_or_default();
        let addresses = addresses.split(',').filter_map(|address| address.parse().ok());
        let theirs = addresses.map(|address| Door { address, path: peer.path, stream: None }).collect();
        let mut pair = Self { ours, peer, theirs, ask: Connection::open(server.address)?, runs: 0 };
        // Whoever compiles or fills caches at first does it now.
        pair.round(IN_FLIGHT)?;
        Ok(pair)
    }

    fn rounds(&mut self, callers: u32) -> Result<Rounds, String> {
        let rounds = (0..ROUNDS).map(|_| self.round(callers)).collect::<Result<_, _>>()?;
        Ok(Rounds { peer: self.peer, rounds })
    }

    fn round(&mut self, callers: u32) -> Result<Round, String> {
        let before: Syncs = self.read("/api/syncs")?;
        let ours = callers::run(&[self.ours], callers, ROUND)?;
        let syncs = self.read::<Syncs>("/api/syncs")? - before;
        self.runs += ours.times.len();
        let has_peer = !self.theirs.is_empty();
        let theirs = has_peer.then(|| callers::run(&self.theirs, callers, ROUND)).transpose()?;
        Ok(Round { ours, syncs, theirs })
    }

    /// Every run that ended has written its rows.
    fn check(&mut self) -> Result<(), String> {
        let (runs, rows) = (self.runs, self.read::<usize>("/api/rows")?);
        if rows == runs * STEPS {
            Ok(())
        } else {
            Err(format!("{runs} runs of {STEPS} steps ended, and there are {rows} rows"))
        }
    }

    fn read<T: serde::de::DeserializeOwned>(&mut self, path: &str) -> Result<T, String> {
        serde_json::from_slice(&self.ask.get(path)?).map_err(|error| format!("{path} is not as expected: {error}"))
    }
}

impl Rounds {
    fn syncs(&self) -> Figure {
        let runs: usize = self.rounds.iter().map(|round| round.ours.times.len()).sum();
        let count: u64 = self.rounds.iter().map(|round| round.syncs.count).sum();
        let time_us: u64 = self.rounds.iter().map(|round| round.syncs.time_us).sum();
        let a_flow = count as f64 / runs as f64;
        let sync = micros(Duration::from_micros(time_us / count.max(1)));
        Figure::plain("3-step flow alone, waits for the disk a flow", format!("{a_flow:.2}"))
            .goal("≤ 4", a_flow <= 4.0)
            .note(format!("calls of fsync and fdatasync counted in the process over {runs} flows; one takes {sync}"))
    }

    fn rate(&self, work: &str, least: Option<f64>) -> Figure {
        let pairs = self.pairs(|load| load.per_s);
        let rate = |per_s: f64| format!("{per_s:.0}/s");
        let Some((ours, theirs, ratio)) = pairs else { return self.without_peer(work, |load| rate(load.per_s)) };
        let figure = Figure::plain(work, rate(ours)).beside(rate(theirs), ratio).note(self.peer.note);
        match least {
            Some(least) => figure.goal(format!("≥ {least:.1}×"), ratio >= least),
            None => figure,
        }
    }

    fn p99(&self, work: &str, most: Option<f64>) -> Figure {
        let pairs = self.pairs(|load| load.p99().as_secs_f64());
        let time = |seconds: f64| format!("{:.1} ms", seconds * 1e3);
        let Some((ours, theirs, ratio)) = pairs else {
            return self.without_peer(work, |load| time(load.p99().as_secs_f64()));
        };
        let figure = Figure::plain(work, time(ours)).beside(time(theirs), ratio);
        match most {
            Some(most) => figure.goal(format!("≤ {most:.1}×"), ratio <= most),
            None => figure,
        }
    }

    fn pairs(&self, value: impl Fn(&Load) -> f64) -> Option<(f64, f64, f64)> {
        let pair = |round: &Round| Some((value(&round.ours), value(round.theirs.as_ref()?)));
        self.rounds.iter().map(pair).collect::<Option<Vec<_>>>().map(middle)
    }

    fn without_peer(&self, work: &str, text: impl Fn(&Load) -> String) -> Figure {
        let Peer { name, figure, .. } = self.peer;
        let note = format!("{name} is not there; measure with `cargo xtask bench --only {figure}`");
        Figure::plain(work, text(&self.rounds[ROUNDS / 2].ours)).note(note)
    }
}
