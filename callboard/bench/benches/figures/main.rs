//! The figures of callboard, each beside its peer in the same run: one line of JSON a figure on standard output, for
//! `cargo xtask bench`. Words choose figures; `--data DIR` says which disk is measured.

mod allocations;
mod backlog;
mod callers;
mod commits;
mod dispatch;
mod fanout;
mod figure;
mod flows;
mod hello;
mod http;
mod idle;
mod invoke;
mod load;
mod policy;
mod processes;
mod records;
mod segment;
mod served;
mod stub;
mod syncs;
mod three;

use figure::Figure;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

type Measure = fn(&Path) -> Result<Vec<Figure>, String>;

const MEASURES: [(&str, Measure); 12] = [
    ("dispatch", dispatch::measure),
    ("policy", policy::measure),
    ("commits", commits::measure),
    ("http", http::measure),
    ("invoke", invoke::measure),
    ("segment", segment::measure),
    ("flows", flows::measure),
    ("flows-postgres", flows::measure_on_postgres),
    ("fanout", fanout::measure),
    ("backlog", backlog::measure),
    ("idle", idle::measure),
    ("processes", processes::measure),
];

fn main() -> ExitCode {
    if let Some(code) = callboard_hosts::sandbox::enter() {
        return code;
    }
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [role, server, data] = words.as_slice()
        && role == served::ROLE
    {
        return report(served::run(server, Path::new(data)));
    }
    let at = words.iter().position(|word| word == "--data");
    let data = at.and_then(|at| words.get(at + 1)).map_or_else(std::env::temp_dir, PathBuf::from);
    let names = MEASURES.map(|(name, _)| name);
    let chosen: Vec<&str> = names.into_iter().filter(|name| words.iter().any(|word| word == name)).collect();
    let measures = MEASURES.iter().filter(|(name, _)| chosen.is_empty() || chosen.contains(name));
    report(measures.into_iter().try_for_each(|(name, measure)| {
        let figures = measure(&data).map_err(|error| format!("{name}: {error}"))?;
        figures.iter().try_for_each(Figure::print)
    }))
}

fn report(result: Result<(), String>) -> ExitCode {
    use std::io::Write;
    let Err(error) = result else { return ExitCode::SUCCESS };
    // Where standard error is closed, there is nobody left to tell.
    drop(writeln!(std::io::stderr(), "error: {error}"));
    ExitCode::FAILURE
}
