//! Journeys across services, over HTTP against the built binary: what people do wrong, what machines do to them, and that
//! nothing acknowledged is lost. `SHOWRUNNER` names the binary; without it, the one cargo built last is taken.

#![expect(clippy::unwrap_used, reason = "an unexpected failure is a failed test")]
#![expect(clippy::print_stderr, reason = "the runner shows it beside the test that failed")]

mod bank;
mod channel;
mod commands;
mod disk;
mod exchange;
mod folders;
mod footage;
mod functions;
mod items;
mod kills;
mod news;
mod nodes;
mod operator;
mod passes;
mod paths;
mod policy;
mod processes;
mod programs;
mod refusals;
mod replays;
mod requests;
mod restarts;
mod runtime;
mod starts;
mod storm;
mod studio;
mod tips;
mod titles;
mod uploads;
