//! `cargo xtask bench`: the figures of the project, measured in release, each beside its peer in the same run.

mod floor;

use crate::arguments;
use crate::process::{self, Output};
use crate::project::Project;
use crate::table;
use std::path::PathBuf;

/// What a figure may use.
pub(crate) struct Site {
    /// The release binary.
    pub(crate) binary: PathBuf,
    /// A folder on the disk that holds data.
    pub(crate) data: PathBuf,
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
}

/// Something to reach.
pub(crate) struct Goal {
    pub(crate) reach: String,
    pub(crate) is_reached: bool,
}

type Figure = fn(&Site) -> Result<Vec<Row>, String>;

/// Every figure, by name.
const FIGURES: &[(&str, Figure)] = &[("floor", floor::measure)];

/// Measures the chosen figures; says whether all goals are reached.
pub(crate) fn run(project: &Project, order: &arguments::Bench) -> Result<bool, String> {
    let names: Vec<&str> = FIGURES.iter().map(|(name, _)| *name).collect();
    order.choice.check(&names)?;
    let build = "cargo build --locked --release --package showrunner";
    process::run(&mut process::command_line(build, &project.root), &Output::Shown)?;
    let data = order.data.clone().unwrap_or_else(|| project.target.join("xtask").join("bench"));
    std::fs::create_dir_all(&data).map_err(|error| format!("cannot make {}: {error}", data.display()))?;
    let site = Site { binary: project.binary("release"), data };
    let mut rows = Vec::new();
    for (name, figure) in FIGURES.iter().filter(|(name, _)| order.choice.takes(name)) {
        eprintln!("{name} …");
        rows.extend(figure(&site).map_err(|error| format!("{name}: {error}"))?);
    }
    println!("{} with data in {}", site.binary.display(), site.data.display());
    for line in lines(&rows) {
        println!("{line}");
    }
    Ok(rows.iter().all(|row| row.goal.as_ref().is_none_or(|goal| goal.is_reached)))
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
        let hello = Row {
            work: "hello".to_string(),
            ours: "30 µs".to_string(),
            beside: Some("12 µs".to_string()),
            ratio: Some(2.5),
            goal: Some(goal),
        };
        let floor =
            Row { work: "fdatasync".to_string(), ours: "9 µs".to_string(), beside: None, ratio: None, goal: None };
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
