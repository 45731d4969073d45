//! `cargo xtask up`: from a fresh checkout to a running demo, saying what each part took.

use crate::arguments::Up;
use crate::process::{self, Output};
use crate::project::Project;
use crate::tools::{FFMPEG, NODE};
use crate::{islands, table, timings, tools};
use std::os::unix::process::CommandExt;
use std::time::{Duration, Instant};

/// Prepares everything and then becomes `showrunner up --demo`; returns only when that fails.
pub(crate) fn run(project: &Project, order: &Up) -> Result<(), String> {
    let mut times = Vec::new();
    time(&mut times, "tools of the machine", || {
        tools::install(&[&FFMPEG, &NODE], &Output::Shown, &|line| println!("  {line}")).map(|count| count > 0)
    })?;
    time(&mut times, "packages of the islands", || islands::install(project, &Output::Shown))?;
    time(&mut times, "islands", || islands::build(project, &Output::Shown))?;
    if !project.binary(&order.profile).exists() {
        println!("showrunner is built for the first time: some 7 minutes on two cores; later builds are short");
    }
    time(&mut times, "showrunner", || {
        let line = format!("cargo build --locked --package showrunner --profile {} --timings", order.profile);
        process::run(&mut process::command_line(&line, &project.root), &Output::Shown).map(|()| true)
    })?;
    print_costs(project, times);
    let mut showrunner = process::command(project.binary(&order.profile), &project.root);
    showrunner.args(["up", "--demo"]).args(&order.arguments);
    println!("$ {}", process::line_of(&showrunner));
    Err(format!("cannot start showrunner: {}", showrunner.exec()))
}

fn time(
    times: &mut Vec<(String, Duration)>,
    name: &str,
    work: impl FnOnce() -> Result<bool, String>,
) -> Result<(), String> {
    println!("{name} …");
    let start = Instant::now();
    let has_worked = work().map_err(|error| format!("{name}: {error}"))?;
    let took = start.elapsed();
    println!("{name}: {}", if has_worked { table::seconds(took) } else { "nothing to do".to_string() });
    times.push((name.to_string(), took));
    Ok(())
}

/// What cost most, most first, and within the build its slowest parts.
fn print_costs(project: &Project, mut times: Vec<(String, Duration)>) {
    let total = times.iter().map(|(_, time)| *time).sum();
    times.sort_by_key(|(_, time)| std::cmp::Reverse(*time));
    let mut rows: Vec<Vec<String>> = times.into_iter().map(|(name, time)| vec![name, table::seconds(time)]).collect();
    let slowest = timings::slowest(&project.target, 5);
    rows.extend(slowest.into_iter().map(|(name, seconds)| vec![format!("· {name}"), format!("{seconds:.1} s")]));
    rows.push(vec!["together".to_string(), table::seconds(total)]);
    println!();
    for line in table::lines(&["What took how long", "Time"], &rows) {
        println!("{line}");
    }
    println!();
}
