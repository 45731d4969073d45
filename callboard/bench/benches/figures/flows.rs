//! A flow of three steps from a request over HTTP to its end on the disk, beside Restate with the same three steps.

use crate::callers::{self, Connection, Door, Load};
use crate::figure::{Figure, micros, middle};
use crate::records;
use crate::served::{FLOWS, Server};
use crate::syncs::Syncs;
use std::path::Path;
use std::time::Duration;

const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_secs(2);
const IN_FLIGHT: u32 = 32;
const STEPS: usize = 3;
/// Where whoever measures says that Restate's ingress is.
const RESTATE: &str = "FIGURES_RESTATE";

pub(crate) fn measure(data: &Path) -> Result<Vec<Figure>, String> {
    let folder = records::folder(data)?;
    let server = Server::start(FLOWS, folder.path())?;
    let ours = Door { address: server.address, path: "/api/runs", stream: Some("/api/callers") };
    let restate = std::env::var(RESTATE).ok().and_then(|address| address.parse().ok());
    let restate = restate.map(|address| Door { address, path: "/Three/run", stream: None });
    let mut pair = Pair { ours, restate, ask: Connection::open(server.address)?, runs: 0 };
    // Whoever compiles or fills caches at first does it now.
    pair.round(IN_FLIGHT)?;
    let (alone, together) = (pair.rounds(1)?, pair.rounds(IN_FLIGHT)?);
    let rows: usize = pair.read("/api/rows")?;
    if rows != pair.runs * STEPS {
        return Err(format!("{} runs of {STEPS} steps ended, and there are {rows} rows", pair.runs));
    }
    let mut figures = vec![alone.syncs()];
    figures.push(alone.rate("3-step flow, one after another", 1.5));
    figures.push(together.rate("3-step flow, 32 in flight", 6.0));
    figures.push(together.p99());
    Ok(figures)
}

/// Ours and the peer, who take turns.
struct Pair {
    ours: Door,
    restate: Option<Door>,
    ask: Connection,
    /// How many runs ours has ended.
    runs: usize,
}

/// One turn of each.
struct Round {
    ours: Load,
    /// Waits of ours for the disk.
    syncs: Syncs,
    restate: Option<Load>,
}

struct Rounds(Vec<Round>);

impl Pair {
    fn rounds(&mut self, callers: u32) -> Result<Rounds, String> {
        (0..ROUNDS).map(|_| self.round(callers)).collect::<Result<_, _>>().map(Rounds)
    }

    fn round(&mut self, callers: u32) -> Result<Round, String> {
        let before: Syncs = self.read("/api/syncs")?;
        let ours = callers::run(self.ours, callers, ROUND)?;
        let syncs = self.read::<Syncs>("/api/syncs")? - before;
        self.runs += ours.times.len();
        let restate = self.restate.map(|door| callers::run(door, callers, ROUND)).transpose()?;
        Ok(Round { ours, syncs, restate })
    }

    fn read<T: serde::de::DeserializeOwned>(&mut self, path: &str) -> Result<T, String> {
        serde_json::from_slice(&self.ask.get(path)?).map_err(|error| format!("{path} is not as expected: {error}"))
    }
}

impl Rounds {
    fn syncs(&self) -> Figure {
        let runs: usize = self.0.iter().map(|round| round.ours.times.len()).sum();
        let count: u64 = self.0.iter().map(|round| round.syncs.count).sum();
        let time_us: u64 = self.0.iter().map(|round| round.syncs.time_us).sum();
        let a_flow = count as f64 / runs as f64;
        let sync = micros(Duration::from_micros(time_us / count.max(1)));
        Figure::plain("3-step flow alone, waits for the disk a flow", format!("{a_flow:.2}"))
            .goal("≤ 4", a_flow <= 4.0)
            .note(format!("calls of fsync and fdatasync counted in the process over {runs} flows; one takes {sync}"))
    }

    fn rate(&self, work: &str, least: f64) -> Figure {
        let pairs = self.pairs(|load| load.per_s);
        let rate = |per_s: f64| format!("{per_s:.0}/s");
        let Some((ours, peer, ratio)) = pairs else { return self.without_peer(work, |load| rate(load.per_s)) };
        Figure::plain(work, rate(ours)).beside(rate(peer), ratio).goal(format!("≥ {least:.1}×"), ratio >= least).note(
            "from the request to the end, both on the disk: ours writes a row in every step; Restate's steps are `ctx.run`, in \
             its default settings, which sync its log",
        )
    }

    fn p99(&self) -> Figure {
        let work = "3-step flow, 32 in flight, 99 of 100 within";
        let pairs = self.pairs(|load| load.p99().as_secs_f64());
        let time = |seconds: f64| format!("{:.1} ms", seconds * 1e3);
        let Some((ours, peer, ratio)) = pairs else {
            return self.without_peer(work, |load| time(load.p99().as_secs_f64()));
        };
        Figure::plain(work, time(ours)).beside(time(peer), ratio).goal("≤ 0.5×", ratio <= 0.5)
    }

    fn pairs(&self, value: impl Fn(&Load) -> f64) -> Option<(f64, f64, f64)> {
        let pair = |round: &Round| Some((value(&round.ours), value(round.restate.as_ref()?)));
        self.0.iter().map(pair).collect::<Option<Vec<_>>>().map(middle)
    }

    fn without_peer(&self, work: &str, text: impl Fn(&Load) -> String) -> Figure {
        let middle = &self.0[ROUNDS / 2].ours;
        Figure::plain(work, text(middle)).note("Restate is not there; measure with `cargo xtask bench --only flows`")
    }
}
