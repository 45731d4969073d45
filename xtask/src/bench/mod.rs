//! `cargo xtask bench`: the figures of the project, measured in release, each beside its peer in the same run.

mod client;
mod dbos;
mod film;
mod floor;
mod library;
mod peers;
mod recorder;
mod restate;
mod server;
mod start;
mod upload;

use crate::arguments;
use crate::process::{self, Output};
use crate::project::Project;
use crate::table;
use std::path::PathBuf;

/// What a figure may use.
pub(crate) struct Site {
    /// The checkout.
    pub(crate) root: PathBuf,
    /// The release binary.
    pub(crate) binary: PathBuf,
    /// A folder on the disk that holds data.
    pub(crate) data: PathBuf,
    /// Where peers are installed that the machine does not have.
    pub(crate) peers: PathBuf,
}

/// One line of the table.
pub(crate) struct Row {
    /// What is done.
    pub(crate) work: String,
    /// What ours takes, with its unit.
    pub(crate) ours: String,
    /// What the peer takes, with its unit.
    pub(crate) beside: Option<String>,
    /// Ours by the peer's.
    pub(crate) ratio: Option<f64>,
    /// What is to be reached, and whether it is.
    pub(crate) goal: Option<Goal>,
    /// What else there is to know.
    pub(crate) note: Option<String>,
}

/// Something to reach.
pub(crate) struct Goal {
    pub(crate) reach: String,
    pub(crate) is_reached: bool,
}

impl Row {
    /// What is done, and what ours takes.
    pub(crate) fn new(work: impl Into<String>, ours: impl Into<String>) -> Self {
        Self { work: work.into(), ours: ours.into(), beside: None, ratio: None, goal: None, note: None }
    }

    pub(crate) fn beside(self, peer: impl Into<String>, ratio: f64) -> Self {
        Self { beside: Some(peer.into()), ratio: Some(ratio), ..self }
    }

    pub(crate) fn goal(self, goal: Goal) -> Self {
        Self { goal: Some(goal), ..self }
    }

    pub(crate) fn note(self, note: impl Into<String>) -> Self {
        Self { note: Some(note.into()), ..self }
    }
}

type Figure = fn(&Site) -> Result<Vec<Row>, String>;

/// Every figure, by name, and whether it needs the real binary.
const FIGURES: &[(&str, bool, Figure)] = &[
    ("floor", false, floor::measure),
    ("dispatch", false, library::dispatch),
    ("policy", false, library::policy),
    ("commits", false, library::commits),
    ("http", false, library::http),
    ("invoke", false, library::invoke),
    ("segment", false, library::segment),
    ("flows", false, library::flows),
    ("flows-postgres", false, library::flows_on_postgres),
    ("fanout", false, library::fanout),
    ("backlog", false, library::backlog),
    ("idle", false, library::idle),
    ("processes", false, library::processes),
    ("start", true, start::measure),
    ("upload", true, upload::measure),
];

/// Measures the chosen figures; says whether all goals are reached.
pub(crate) fn run(project: &Project, order: &arguments::Bench) -> Result<bool, String> {
    let names: Vec<&str> = FIGURES.iter().map(|(name, ..)| *name).collect();
    order.choice.check(&names)?;
    let data = order.data.clone().unwrap_or_else(|| project.target.join("xtask").join("bench"));
    let data = std::fs::create_dir_all(&data).and_then(|()| data.canonicalize());
    let data = data.map_err(|error| format!("cannot make a folder for data: {error}"))?;
    let site = Site {
        root: project.root.clone(),
        binary: project.binary("release"),
        data,
        peers: project.target.join("bench"),
    };
    let chosen: Vec<_> = FIGURES.iter().filter(|(name, ..)| order.choice.takes(name)).collect();
    if chosen.iter().any(|(_, needs_binary, _)| *needs_binary) {
        let build = "cargo build --locked --release --package showrunner";
        process::run(&mut process::command_line(build, &project.root), &Output::Shown)?;
    }
    let busy = busy().unwrap_or_default();
    let mut rows = Vec::new();
    for (name, _, figure) in chosen {
        eprintln!("{name} …");
        rows.extend(figure(&site).map_err(|error| format!("{name}: {error}"))?);
    }
    println!("data in {}{busy}", site.data.display());
    for line in lines(&rows).into_iter().chain(notes(&rows)) {
        println!("{line}");
    }
    Ok(rows.iter().all(|row| row.goal.as_ref().is_none_or(|goal| goal.is_reached)))
}

/// Says so where other programs keep the machine busy.
fn busy() -> Option<String> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    let load: f64 = text.split(' ').next()?.parse().ok()?;
    let cores = std::thread::available_parallelism().ok()?.get();
    (load > cores as f64)
        .then(|| format!("; the machine is busy (load {load} on {cores} cores): measure again when it rests"))
}

fn notes(rows: &[Row]) -> Vec<String> {
    rows.iter().filter_map(|row| row.note.as_ref().map(|note| format!("{}: {note}", row.work))).collect()
}

fn lines(rows: &[Row]) -> Vec<String> {
    let cells: Vec<Vec<String>> = rows.iter().map(cells).collect();
    table::lines(&["Work", "Ours", "Beside", "Ratio", "Reach", "Verdict"], &cells)
}

fn cells(row: &Row) -> Vec<String> {
    let none = || "–".to_string();
    let verdict = |goal: &Goal| if goal.is_reached { "reached" } else { "MISSED" }.to_string();
    vec![
        row.work.clone(),
        row.ours.clone(),
        row.beside.clone().unwrap_or_else(none),
        row.ratio.map_or_else(none, |ratio| format!("{ratio:.2}×")),
        row.goal.as_ref().map_or_else(none, |goal| goal.reach.clone()),
        row.goal.as_ref().map_or_else(none, verdict),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_tells_its_verdict() {
        let goal = Goal { reach: "≤ 2.0×".to_string(), is_reached: false };
        let hello = Row::new("hello", "30 µs").beside("12 µs", 2.5).goal(goal).note("of no use");
        assert_eq!(notes(std::slice::from_ref(&hello)), ["hello: of no use"]);
        let floor = Row::new("fdatasync", "9 µs");
        assert_eq!(
            lines(&[hello, floor]),
            [
                "Work       Ours   Beside  Ratio  Reach   Verdict",
                "─────────  ─────  ──────  ─────  ──────  ───────",
                "hello      30 µs   12 µs  2.50×  ≤ 2.0×  MISSED",
                "fdatasync   9 µs  –       –      –       –",
            ]
        );
    }
}
