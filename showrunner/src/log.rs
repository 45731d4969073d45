//! Logs: for people on a terminal, JSON otherwise; always on standard error.

use crate::settings::Settings;
use callboard::Fault;
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::time::ChronoUtc;

/// Reads what is logged.
///
/// # Errors
/// What to write instead.
pub(crate) fn read_filter(text: &str) -> Result<EnvFilter, String> {
    let wrong = || "write error, warn, info, debug or trace, or a filter such as `media=debug`".to_owned();
    // A word alone would be a module of which everything is logged, and is a misspelt level more often.
    let is_level = |part: &str| !part.trim().is_empty() && part.trim().parse::<LevelFilter>().is_ok();
    if !text.split(',').all(|part| is_level(part) || part.contains(['=', '['])) {
        return Err(wrong());
    }
    EnvFilter::try_new(text).map_err(|_| wrong())
}

/// Starts logging as the settings say.
pub(crate) fn start(settings: &Settings) -> Result<(), Fault> {
    let filter = read_filter(settings.get("log")).map_err(|what| Fault::bad_input("settings", what))?;
    let is_human = match settings.get("log_format") {
        "human" => true,
        "json" => false,
        _ => std::io::stderr().is_terminal(),
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = if is_human {
        builder.with_timer(ChronoUtc::new("%H:%M:%S".to_owned())).with_target(false).try_init()
    } else {
        builder.json().flatten_event(true).try_init()
    };
    started.map_err(|error| Fault::bug(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_filters_are_read_and_misspelt_ones_refused() {
        for right in ["info", "WARN", "off", "media=debug", "info,media=debug", "warn,callboard[delivery]=trace"] {
            assert!(read_filter(right).is_ok(), "{right}");
        }
        for wrong in ["", "inof", "info,nonsense", "bogus=====", "media=loud"] {
            assert!(read_filter(wrong).is_err(), "{wrong}");
        }
    }
}
