//! `cargo xtask test`: everything that must hold, phase by phase; a later phase runs although an earlier one failed.

use crate::arguments::Choice;
use crate::postgres::Postgres;
use crate::process::{self, Output};
use crate::project::Project;
use crate::tools::{CHROMIUM, FFMPEG, NODE, POSTGRESQL, PYTHON};
use crate::{contracts, islands, postgres, table, tidy, tools};
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::process::Command;
use std::time::{Duration, Instant};

type Work = fn(&Project, &Output) -> Result<(), String>;

/// In this order: cheap answers first, and what others need before them.
const PHASES: &[(&str, Work)] = &[
    ("tools", install_tools),
    ("format", check_format),
    ("tidy", check_tidiness),
    ("islands", build_islands),
    ("clippy", check_lints),
    ("build", build),
    ("tests", run_tests),
    ("tests-postgres", run_tests_on_postgres),
    ("model", run_model),
    ("doctests", run_doctests),
    ("docs", write_docs),
    ("contracts", contracts::run),
    ("browser", run_browser),
    ("browser-postgres", run_browser_on_postgres),
];

/// How much of a later failure is shown; the whole of it is in its log.
const TAIL_LINES: usize = 40;

struct Outcome {
    name: &'static str,
    took: Duration,
    failure: Option<String>,
}

/// Runs the chosen phases; says whether all passed.
///
/// # Errors
/// When a phase is asked for that does not exist.
pub(crate) fn run(project: &Project, choice: &Choice) -> Result<bool, String> {
    let names: Vec<&str> = PHASES.iter().map(|(name, _)| *name).collect();
    choice.check(&names)?;
    let mut outcomes: Vec<Outcome> = Vec::new();
    for (name, work) in PHASES.iter().filter(|(name, _)| choice.takes(name)) {
        let outcome = run_phase(project, name, *work);
        let is_first = outcomes.iter().all(|earlier| earlier.failure.is_none());
        if let Some(failure) = &outcome.failure {
            print_failure(project, name, failure, is_first);
        }
        outcomes.push(outcome);
    }
    print_summary(&outcomes);
    Ok(outcomes.iter().all(|outcome| outcome.failure.is_none()))
}

fn run_phase(project: &Project, name: &'static str, work: Work) -> Outcome {
    let output = project.log(name);
    if let Output::Logged(path) = &output {
        // What a former run left; when there is nothing to remove, all is well.
        let _ = fs::remove_file(path);
    }
    if io::stdout().is_terminal() {
        print!("      {name} …\r");
        // A terminal that cannot be written to shows nothing more either.
        let _ = io::stdout().flush();
    }
    let start = Instant::now();
    let failure = work(project, &output).err();
    let took = start.elapsed();
    let verdict = if failure.is_some() { "FAIL" } else { "ok" };
    println!("{verdict:4}  {name:14} {:>12}  {}", table::seconds(took), count_of(&read_log(project, name)));
    Outcome { name, took, failure }
}

fn read_log(project: &Project, name: &str) -> String {
    match project.log(name) {
        Output::Logged(path) => {
            fs::read(path).map(|log| String::from_utf8_lossy(&log).into_owned()).unwrap_or_default()
        }
        Output::Shown => String::new(),
    }
}

/// What the runner says of its tests: the last line that counts them.
fn count_of(log: &str) -> String {
    let is_count = |line: &&str| line.contains(" passed") && line.contains(|sign: char| sign.is_ascii_digit());
    log.lines().rfind(is_count).map(|line| line.trim().to_string()).unwrap_or_default()
}

fn print_failure(project: &Project, name: &str, failure: &str, is_whole: bool) {
    let log = read_log(project, name);
    let lines: Vec<&str> = log.lines().collect();
    let from = if is_whole { 0 } else { lines.len().saturating_sub(TAIL_LINES) };
    println!("──── {name}{}", if from > 0 { ", its end" } else { "" });
    for line in &lines[from..] {
        println!("{line}");
    }
    println!("──── {name}: {failure}");
}

fn print_summary(outcomes: &[Outcome]) {
    let total: Duration = outcomes.iter().map(|outcome| outcome.took).sum();
    let rows = outcomes.iter().map(|outcome| {
        let verdict = if outcome.failure.is_some() { "FAILED" } else { "passed" };
        vec![outcome.name.to_string(), verdict.to_string(), table::seconds(outcome.took)]
    });
    let rows: Vec<Vec<String>> = rows.chain([vec!["together".into(), String::new(), table::seconds(total)]]).collect();
    println!();
    for line in table::lines(&["Phase", "Verdict", "Time"], &rows) {
        println!("{line}");
    }
    println!("\n{}", closing_line(outcomes));
}

fn closing_line(outcomes: &[Outcome]) -> String {
    let failed = outcomes.iter().filter(|outcome| outcome.failure.is_some()).count();
    format!("{} passed, {failed} failed", outcomes.len() - failed)
}

fn cargo(project: &Project, line: &str, output: &Output) -> Result<(), String> {
    process::run(&mut process::command_line(line, &project.root), output)
}

fn write_log(output: &Output, text: &str) {
    if let Output::Logged(path) = output {
        let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
        let log = folder.and_then(|()| fs::File::options().create(true).append(true).open(path));
        // The log only repeats what the phase answers; without it the answer still stands.
        let _ = log.and_then(|mut log| writeln!(log, "{text}"));
    }
}

fn install_tools(project: &Project, output: &Output) -> Result<(), String> {
    tools::install(&[&FFMPEG, &NODE, &POSTGRESQL, &PYTHON, &CHROMIUM], output, &|line| write_log(output, line))?;
    for (component, probe) in [("rustfmt", "cargo fmt --version"), ("clippy", "cargo clippy --version")] {
        if process::read(&mut process::command_line(probe, &project.root)).is_none() {
            cargo(project, &format!("rustup component add {component}"), output)?;
        }
    }
    Ok(())
}

fn check_format(project: &Project, output: &Output) -> Result<(), String> {
    cargo(project, "cargo fmt --all --check", output)
}

fn check_tidiness(project: &Project, output: &Output) -> Result<(), String> {
    let findings = tidy::run(&project.root)?;
    findings.iter().for_each(|finding| write_log(output, &finding.to_string()));
    if findings.is_empty() { Ok(()) } else { Err(format!("{} to put right", findings.len())) }
}

fn build_islands(project: &Project, output: &Output) -> Result<(), String> {
    islands::install(project, output)?;
    islands::build(project, output)?;
    islands::check(project, output)
}

fn check_lints(project: &Project, output: &Output) -> Result<(), String> {
    cargo(project, "cargo clippy --locked --workspace --all-targets -- -D warnings", output)
}

/// Everything with the features that tests unify, so that the phases after this build nothing again.
fn build(project: &Project, output: &Output) -> Result<(), String> {
    cargo(project, "cargo build --locked --workspace --all-targets", output)
}

fn run_tests(project: &Project, output: &Output) -> Result<(), String> {
    let postgres = Postgres::start(output)?;
    let mut command = without(&runner(project, "--workspace"), &ON_POSTGRES_ONLY, project);
    process::run(with_binary(project, command.env(postgres::URL, postgres.url())), output)
}

/// Runs tests, but not those whose names begin so.
fn without(line: &str, names: &[&str], project: &Project) -> Command {
    let mut command = process::command_line(line, &project.root);
    match line.contains("nextest") {
        true => command.args(["-E", &format!("not test(/^({})/)", names.join("|"))]),
        false => command.arg("--").args(names.iter().flat_map(|name| ["--skip", name])),
    };
    command
}

/// What services and journeys show on the records of one process, once more on those of many. A few tests are about what only
/// files have.
fn run_tests_on_postgres(project: &Project, output: &Output) -> Result<(), String> {
    let postgres = Postgres::start(output)?;
    let services = fs::read_dir(project.root.join("services")).map_err(|error| error.to_string())?;
    let mut names: Vec<String> = services.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.extend(["callboard-bench", "callboard-gateways", "journeys"].map(str::to_owned));
    names.sort();
    let packages: Vec<String> = names.iter().map(|name| format!("-p {name}")).collect();
    let names = [ON_FILES_ONLY.as_slice(), &[RESTARTING]].concat();
    let mut command = without(&runner(project, &packages.join(" ")), &names, project);
    process::run(with_binary(project, command.env(postgres::RECORDS, postgres.url())), output)?;
    // Nobody else may be at work while the server restarts.
    let line = format!("cargo test --locked --quiet --package journeys --test journeys -- {RESTARTING}");
    let mut command = process::command_line(&line, &project.root);
    command.env(postgres::RECORDS, postgres.url()).env(postgres::RESTART, postgres.restart());
    process::run(with_binary(project, &mut command), output)
}

/// Tests about records that are files.
const ON_FILES_ONLY: [&str; 2] = ["disk::", "full::"];
/// Tests about records that several processes share.
const ON_POSTGRES_ONLY: [&str; 2] = ["functions::", "nodes::"];
/// The test that restarts the server.
const RESTARTING: &str = "nodes::a_database_that_restarts_under_load_loses_nothing";

/// The line that runs the tests of these packages.
fn runner(project: &Project, packages: &str) -> String {
    let has_nextest = process::read(&mut process::command_line("cargo nextest --version", &project.root)).is_some();
    if has_nextest {
        format!("cargo nextest run --locked --no-fail-fast {packages}")
    } else {
        format!("cargo test --locked --no-fail-fast --lib --bins --tests {packages}")
    }
}

/// Every way in which a flow of four nodes can go, with the process ending at every transition.
fn run_model(project: &Project, output: &Output) -> Result<(), String> {
    cargo(project, "cargo test --locked --profile model -p callboard --lib -- --ignored four_nodes", output)
}

fn run_doctests(project: &Project, output: &Output) -> Result<(), String> {
    cargo(project, "cargo test --locked --workspace --doc", output)
}

fn write_docs(project: &Project, output: &Output) -> Result<(), String> {
    let mut command = process::command_line("cargo doc --locked --workspace --no-deps", &project.root);
    process::run(command.env("RUSTDOCFLAGS", "-D warnings"), output)
}

fn run_browser(project: &Project, output: &Output) -> Result<(), String> {
    browse(project, output, &[], None)
}

/// What people do, once more on the records of many processes; how pages look does not depend on them.
fn run_browser_on_postgres(project: &Project, output: &Output) -> Result<(), String> {
    let postgres = Postgres::start(output)?;
    browse(project, output, &["journey", "plain", "text"], Some(&postgres))
}

fn browse(project: &Project, output: &Output, specs: &[&str], records: Option<&Postgres>) -> Result<(), String> {
    let folder = project.browser_tests();
    islands::install_packages(&folder, output)?;
    build(project, output)?;
    let chromium = tools::chromium().ok_or("no Chromium or Chrome is found; name one in CHROMIUM")?;
    let mut command = process::command_line("npx --no-install playwright test", &folder);
    command.args(specs);
    if let Some(postgres) = records {
        command.env(postgres::RECORDS, postgres.url());
    }
    process::run(with_binary(project, command.env("CHROMIUM", chromium)), output)
}

/// Tells tests where the built binary is.
fn with_binary<'a>(project: &Project, command: &'a mut Command) -> &'a mut Command {
    command.env("SHOWRUNNER", project.binary("dev"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(failure: Option<&str>) -> Outcome {
        Outcome { name: "docs", took: Duration::ZERO, failure: failure.map(str::to_string) }
    }

    #[test]
    fn the_closing_line_counts_phases() {
        assert_eq!(closing_line(&[outcome(None), outcome(Some("x")), outcome(None)]), "2 passed, 1 failed");
    }

    #[test]
    fn a_failing_phase_is_told_with_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let project = Project { root: folder.path().to_path_buf(), target: folder.path().join("target") };
        let outcome = run_phase(&project, "docs", |project, output| cargo(project, "ls there-is-nothing", output));
        assert!(outcome.failure.unwrap().starts_with("`ls there-is-nothing` failed"));
        assert!(read_log(&project, "docs").starts_with("$ ls there-is-nothing\n"));
        let again = run_phase(&project, "docs", |_, output| {
            write_log(output, "anew");
            Ok(())
        });
        assert!(again.failure.is_none());
        assert_eq!(read_log(&project, "docs"), "anew\n");
    }

    #[test]
    fn a_missing_folder_of_browser_tests_is_a_failure() {
        let folder = tempfile::tempdir().unwrap();
        let project = Project { root: folder.path().to_path_buf(), target: folder.path().join("target") };
        assert!(run_browser(&project, &project.log("browser")).unwrap_err().contains("package-lock.json is missing"));
    }

    #[test]
    fn runners_are_asked_what_they_counted() {
        let log = "x\n     Summary [  1.2s] 7 tests run: 7 passed, 0 skipped\nbye";
        assert_eq!(count_of(log), "Summary [  1.2s] 7 tests run: 7 passed, 0 skipped");
        assert_eq!(count_of("Finished in 2 s"), "");
    }
}
