//! The binary: reads the command line, puts the application together, and runs it or talks to it.

mod app;
mod call;
mod cargo;
mod channels;
mod cli;
mod cost;
mod demo;
#[cfg(test)]
mod doors;
mod drawings;
mod explain;
mod forgetting;
mod functions;
mod gate;
mod invocations;
mod lambda;
mod log;
mod manual;
mod map;
mod new;
mod operate;
mod payments_simulator;
mod policy;
#[cfg(test)]
mod promises;
#[cfg(test)]
mod readmes;
mod replay;
mod round;
mod settings;
mod up;
mod upkeep;

use callboard::contract::{About, asyncapi, openapi};
use callboard::{Fault, Space};
use callboard_hosts::Options;
use clap::Parser;
use cli::{Cli, Command, How, Operate, Up};
use serde_json::Value;
use settings::Settings;
use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

// Messages are made in one thread and dropped in another, which the system's allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    if let Some(code) = callboard_hosts::sandbox::enter() {
        return code;
    }
    let cli = Cli::parse_from(words());
    match run(&cli) {
        Ok(code) => code,
        Err(fault) => {
            complain(&fault);
            ExitCode::FAILURE
        }
    }
}

/// The words of the command line. Where the program is started as a function there may be none: then it is one.
fn words() -> Vec<OsString> {
    let mut words: Vec<OsString> = std::env::args_os().collect();
    let is_option = |word: &OsString| word.to_string_lossy().starts_with('-');
    if std::env::var_os(lambda::RUNTIME_API).is_some() && words.iter().skip(1).all(is_option) {
        words.insert(1.min(words.len()), "lambda".into());
    }
    words
}

/// Says what is wrong, in words, on standard error.
fn complain(fault: &Fault) {
    let mut out = anstream::stderr();
    let mut said = writeln!(out, "\x1b[1;31merror\x1b[0m: {}", fault.message);
    // Where one field is wrong, the message mostly is what is wrong with it.
    for error in fault.errors.iter().filter(|error| error.message != fault.message) {
        said = said.and_then(|()| writeln!(out, "  {}: {}", error.field, error.message));
    }
    if let Some(detail) = &fault.detail {
        said = said.and_then(|()| writeln!(out, "  {detail}"));
    }
    // Where standard error is closed, there is nobody left to tell.
    drop(said);
}

/// Prints to standard output; a closed pipe ends the output and nothing else.
pub(crate) fn print(text: &str) {
    let mut out = anstream::stdout();
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}

fn run(cli: &Cli) -> Result<ExitCode, Fault> {
    let settings = load_settings(cli)?;
    let settings = if matches!(cli.command, Command::Up(_)) { settings } else { functions::here(settings) };
    match &cli.command {
        Command::Config { .. } => print(&config_table(&settings)),
        Command::Map { format } => print(&block_on(draw(&settings, *format))?),
        Command::Openapi => {
            print(&block_on(describe(&settings, |space, about| openapi(space, about, &|_| true)))?);
        }
        Command::Asyncapi => print(&block_on(describe(&settings, asyncapi))?),
        Command::Up(arguments) => {
            let found = functions::find(&settings, arguments)?;
            log::start(&settings)?;
            match found {
                Some(found) => block_on(functions::run(&settings, found))?,
                None => block_on(up::run(&settings, arguments))?,
            }
        }
        Command::Lambda(arguments) => {
            log::start(&settings)?;
            block_on(lambda::run(&settings, arguments))?;
        }
        Command::New(arguments) => print(&new::run(arguments)?),
        Command::PaymentsSimulator(arguments) => block_on(payments_simulator::run(arguments))?,
        Command::Queues(how) => print(&operate(&settings, &Operate::Queues, how)?),
        Command::Schedules(how) => print(&operate(&settings, &Operate::Schedules, how)?),
        Command::Dead { how, asked } => print(&operate(&settings, &Operate::Dead(asked.clone()), how)?),
        Command::Flows { how, asked } => print(&operate(&settings, &Operate::Flows(asked.clone()), how)?),
        Command::Invocations(asked) => print(&block_on(invocations::run(&settings, asked))?),
        Command::Invocation { id, .. } => print(&block_on(invocations::show(&settings, id))?),
        Command::Cost(asked) => print(&block_on(cost::run(&settings, asked))?),
        Command::Replay(asked) => {
            let (text, is_same) = block_on(replay::run(&settings, asked))?;
            print(&text);
            return Ok(if is_same { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Explain { how, id } => print(&operate(&settings, &Operate::Explain { id: id.clone() }, how)?),
        Command::Policy { how, cedar } => print(&operate(&settings, &Operate::Policy { cedar: *cedar }, how)?),
        Command::Key { how, asked } => print(&operate(&settings, &Operate::Key(asked.clone()), how)?),
        Command::Call(arguments) => {
            let is_success = block_on(call::run(&settings, arguments))?;
            return Ok(if is_success { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Tenant { name, title, .. } => print(&block_on(channels::make(&settings, name, title))?),
        Command::Owner(owner) => print(&block_on(channels::make_owner(&settings, owner))?),
    }
    Ok(ExitCode::SUCCESS)
}

fn operate(settings: &Settings, asked: &Operate, how: &How) -> Result<String, Fault> {
    block_on(operate::run(settings, asked, how.format))
}

fn block_on<T>(work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| Fault::bug(format!("no runtime can be started: {error}")))?.block_on(work)
}

fn load_settings(cli: &Cli) -> Result<Settings, Fault> {
    let beside = Path::new("showrunner.toml");
    let file = cli.common.settings.as_deref().or_else(|| beside.exists().then_some(beside));
    let ours = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    let environment =
        std::env::vars_os().filter_map(ours).filter(|(name, _)| name.starts_with("SHOWRUNNER_")).collect();
    Settings::load(&cli.flags(), &environment, file, &app::all_services())
}

fn config_table(settings: &Settings) -> String {
    let width = settings.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let wide = settings.iter().map(|(_, entry)| entry.shown().len()).max().unwrap_or(0).min(32);
    let from = settings.iter().map(|(_, entry)| entry.origin.as_str().len()).max().unwrap_or(0);
    let row = |(name, entry): (&str, &settings::Entry)| {
        format!("{name:width$}  {:wide$}  {:from$}  {}\n", entry.shown(), entry.origin.as_str(), entry.meaning)
    };
    let rows: String = settings.iter().map(row).collect();
    format!("{:width$}  {:wide$}  {:from$}  meaning\n{rows}", "setting", "value", "from")
}

/// What `up` runs here: the functions of this folder, or the platform; and whether it is the platform.
async fn space_here(settings: &Settings) -> Result<(Space, bool), Fault> {
    let folder = Path::new(".");
    let is_platform = functions::find(settings, &Up::default())?.is_none();
    let services = match is_platform {
        true => app::chosen_services(settings),
        false => {
            if callboard_hosts::declared_in(folder)?.is_none() {
                cargo::build(folder).await?;
            }
            vec![functions::load(folder, Options::default()).await?.service()]
        }
    };
    let space = Space::new(services).map_err(|error| Fault::bad_input("start", error.to_string()))?;
    Ok((space, is_platform))
}

async fn describe(settings: &Settings, document: fn(&Space, &About) -> Value) -> Result<String, Fault> {
    let (space, is_platform) = space_here(settings).await?;
    let title = if is_platform { "Showrunner" } else { "Functions" }.to_owned();
    let version = env!("CARGO_PKG_VERSION").to_owned();
    // Where there are no pages, functions are at their URIs as they are.
    let resources = if is_platform { "/api" } else { "" }.to_owned();
    let about = About { title, version, origin: String::new(), mount: String::new(), resources };
    Ok(format!("{:#}\n", document(&space, &about)))
}

async fn draw(settings: &Settings, format: cli::Format) -> Result<String, Fault> {
    let (space, _) = space_here(settings).await?;
    Ok(match format {
        cli::Format::Text => map::text(&space),
        cli::Format::Json => format!("{:#}\n", map::json(&space)),
        cli::Format::Mermaid => map::mermaid(&space),
    })
}
