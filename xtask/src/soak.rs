//! `cargo xtask soak`: the storm of the journeys on an optimised server, for as long as somebody likes.

use crate::arguments::Soak;
use crate::postgres::{self, Postgres};
use crate::process::{self, Output};
use crate::project::Project;
use std::process::Stdio;

/// Builds, runs the storm, and says whether nothing was lost or done twice.
///
/// # Errors
/// Where something cannot be built or started.
pub(crate) fn run(project: &Project, order: &Soak) -> Result<bool, String> {
    for line in [
        "cargo build --locked --release --package showrunner",
        "cargo test --locked --no-run --package journeys --test journeys",
    ] {
        process::run(&mut process::command_line(line, &project.root), &Output::Shown)?;
    }
    let postgres = if order.on_postgres { Some(Postgres::start(&project.log("soak"))?) } else { None };
    let line =
        "cargo test --locked --quiet --package journeys --test journeys -- --ignored --exact --nocapture kills::soak";
    let mut command = process::command_line(line, &project.root);
    command.env("SHOWRUNNER", project.binary("release")).env("STORM_MINUTES", order.minutes.to_string());
    command.env_remove(postgres::RECORDS);
    if let Some(postgres) = &postgres {
        command.env(postgres::RECORDS, postgres.url());
    }
    // The runner of tests speaks there; the storm itself on the other stream.
    let status = command.stdout(Stdio::null()).status().map_err(|error| format!("cannot start `{line}`: {error}"))?;
    Ok(status.success())
}
