//! Logs: for people on a terminal, JSON otherwise; always on standard error.

use crate::settings::Settings;
use callboard::Fault;
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::ChronoUtc;

/// Starts logging as the settings say.
pub(crate) fn start(settings: &Settings) -> Result<(), Fault> {
    let filter = EnvFilter::try_new(settings.get("log")).map_err(|error| {
        Fault::bad_input("settings", format!("log: {error}; use a level such as `info`, or `media=debug`"))
    })?;
    let is_human = match settings.get("log_format") {
        "human" => true,
        "json" => false,
        "auto" => std::io::stderr().is_terminal(),
        other => return Err(Fault::bad_input("settings", format!("log_format is `{other}`; use human, json or auto"))),
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = if is_human {
        builder.with_timer(ChronoUtc::new("%H:%M:%S".to_owned())).with_target(false).try_init()
    } else {
        builder.json().flatten_event(true).try_init()
    };
    started.map_err(|error| Fault::bug(error.to_string()))
}
