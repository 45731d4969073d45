//! `up` in a folder of functions: what is declared there is run, and put together anew whenever something else is declared.

use crate::app;
use crate::cli::Up;
use crate::round::{Place, Round};
use crate::settings::Settings;
use crate::up::{ENDING, cannot_listen, told_to_end};
use crate::{cargo, print};
use callboard::{Fault, Service};
use callboard_hosts::{Declared, Functions, OnLine, Options, declared_in, heads_in};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Where the records of a folder of functions are, unless the settings say otherwise: hidden, so that no function reads it.
const DATA: &str = ".showrunner";

/// Why a function of Rust is not beside others.
pub(crate) const OWN_FOLDER: &str = "a function of Rust wants a folder of its own";

/// What was found in a folder.
#[derive(Clone, PartialEq)]
pub(crate) struct Found {
    pub(crate) name: String,
    pub(crate) declared: Vec<Declared>,
    pub(crate) folder: PathBuf,
    /// Whether Cargo builds them.
    pub(crate) is_built: bool,
}

impl Found {
    /// The functions, checked.
    ///
    /// # Errors
    /// What is wrong with them, or missing on this machine.
    pub(crate) async fn functions(&self, options: &Options) -> Result<Functions, Fault> {
        Functions::new(&self.name, self.declared.clone(), &self.folder, options.clone()).await
    }

    /// The same without the functions whose file with a head is gone.
    pub(crate) fn without_gone(&self) -> Self {
        let is_there = |declared: &Declared| self.handler(declared).is_none_or(|file| file.exists());
        Self { declared: self.declared.iter().filter(|one| is_there(one)).cloned().collect(), ..self.clone() }
    }

    fn handler(&self, declared: &Declared) -> Option<PathBuf> {
        let own = declared.folder.as_deref().unwrap_or(Path::new(""));
        Some(self.folder.join(own).join(declared.handler.as_ref()?))
    }

    /// What stands in the folder like a function and is none, and why: a line for each.
    pub(crate) fn left_out(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.folder.join("space.toml").exists() {
            let handlers: Vec<PathBuf> = self.declared.iter().filter_map(|declared| self.handler(declared)).collect();
            for file in heads_in(&self.folder).into_iter().filter(|file| !handlers.contains(file)) {
                let name = file.strip_prefix(&self.folder).unwrap_or(&file).display();
                lines.push(format!(
                    "{name} is left out: where there is a space.toml, heads of files declare nothing; declare it there, \
                     with `handler = \"{name}\"`"
                ));
            }
        }
        let of_rust = if self.is_built { Ok(None) } else { cargo::declared_in(&self.folder) };
        let is_left_out = match of_rust {
            Ok(Some(of_rust)) => self.declared.iter().all(|declared| declared.command != of_rust.command),
            Ok(None) => false,
            Err(_) => true,
        };
        if is_left_out {
            lines.push(format!("Cargo.toml is left out: {OWN_FOLDER}; move it there with its sources"));
        }
        lines
    }

    /// Which functions are declared otherwise in the other, or only in one of both.
    pub(crate) fn differing(&self, other: &Self) -> Vec<String> {
        let only_in = |one: &Self, other: &Self| {
            let only = one.declared.iter().filter(|declared| !other.declared.contains(declared));
            only.map(Declared::label).collect::<Vec<_>>()
        };
        let mut labels = [only_in(self, other), only_in(other, self)].concat();
        labels.sort();
        labels.dedup();
        labels
    }
}

/// Functions in the working directory; none where there are none, or somebody wants the platform.
///
/// # Errors
/// What is wrong with their declaration.
pub(crate) fn find(settings: &Settings, arguments: &Up) -> Result<Option<Found>, Fault> {
    if arguments.demo || settings.get("services") != "all" {
        return Ok(None);
    }
    find_in(Path::new("."))
}

/// As [`find`], in any folder.
///
/// # Errors
/// As [`find`].
pub(crate) fn find_in(folder: &Path) -> Result<Option<Found>, Fault> {
    let found = |(name, declared), is_built| Found { name, declared, folder: folder.to_owned(), is_built };
    match declared_in(folder)? {
        Some(declared) => Ok(Some(found(declared, false))),
        None => Ok(cargo::declared_in(folder)?.map(|one| found(("functions".to_owned(), vec![one]), true))),
    }
}

/// The settings for a command that asks what runs: in a folder of functions that is what `up` has started there.
pub(crate) fn here(settings: Settings) -> Settings {
    let is_here = settings.is_default("data") && settings.get("services") == "all" && Path::new(DATA).is_dir();
    if is_here { settings.with("data", DATA.to_owned()) } else { settings }
}

/// The services whose functions can be run once more by themselves: those of the platform with the functions beside them, or those
/// of the folder.
///
/// # Errors
/// As [`load`].
pub(crate) async fn on_the_desk(settings: &Settings) -> Result<Vec<Service>, Fault> {
    let options = Options { private: vec![settings.data()], ..Options::default() };
    if settings.get("data") == DATA {
        let functions = load(Path::new("."), Options { is_open: true, ..options }).await?;
        return Ok(vec![callboard::operator::service(), functions.service()]);
    }
    let mut services = app::all_services();
    let folder = settings.get("functions");
    if !folder.is_empty() {
        services.push(load(Path::new(folder), options).await?.service());
    }
    Ok(services)
}

/// Loads the functions of a folder that run beside other services.
///
/// # Errors
/// What is wrong with them, or missing on this machine.
pub(crate) async fn load(folder: &Path, options: Options) -> Result<Functions, Fault> {
    let found = find_in(folder)?.ok_or_else(|| {
        let message = format!("{} has no space.toml, and no file with a function", folder.display());
        Fault::bad_input("space.invalid", message)
    })?;
    found.left_out().iter().for_each(|line| tracing::warn!("{line}"));
    found.functions(&options).await
}

/// Runs until the process is told to end.
///
/// # Errors
/// What keeps it from starting.
pub(crate) async fn run(settings: &Settings, found: Found) -> Result<(), Fault> {
    let listen = settings.get("listen");
    let listener = TcpListener::bind(listen).await.map_err(|error| cannot_listen(listen, &error))?;
    let address = listener.local_addr().map_err(|error| cannot_listen(listen, &error))?;
    let listener = listener.into_std().map_err(|error| cannot_listen(listen, &error))?;
    if found.is_built {
        let names: Vec<String> = found.declared.iter().map(Declared::label).collect();
        cargo::build_first(&found.folder, &names.join(", ")).await?;
    }
    let settings = match settings.is_default("data") {
        true => settings.clone().with("data", DATA.to_owned()),
        false => settings.clone(),
    };
    let on_line: OnLine = Arc::new(|function, _, line| print(&format!("{function} │ {line}\n")));
    let on_fault: OnLine = Arc::new(|_, _, message| complain(message));
    let options = Options {
        program: None,
        is_open: true,
        on_line: Some(on_line),
        on_fault: Some(on_fault),
        private: vec![settings.data()],
    };
    let place = Place { folder: found.folder.clone(), settings, options, listener, address };
    let mut round = Round::begin(&place, found).await?;
    round.greet(&place);
    let mut told = pin!(told_to_end());
    loop {
        let now = tokio::select! {
            () = told.as_mut() => break,
            now = round.declared_anew(&place) => now,
        };
        let last = round.found.clone();
        let mut ended = pin!(round.end());
        tokio::select! {
            result = ended.as_mut() => result?,
            () = told.as_mut() => return end(ended).await,
        }
        round = begin_anew(&place, now, last).await?;
    }
    end(round.end()).await
}

/// Waits for what runs, until the process is told to end once more.
async fn end(ended: impl Future<Output = Result<(), Fault>>) -> Result<(), Fault> {
    tracing::info!("{ENDING}");
    tokio::select! {
        result = ended => result,
        () = told_to_end() => Ok(()),
    }
}

/// Begins with what is declared now; where that cannot be, with what was before.
async fn begin_anew(place: &Place, now: Found, last: Found) -> Result<Round, Fault> {
    match Round::begin(place, now.clone()).await {
        Ok(round) => {
            print(&format!("\n{} changed: declared anew\n\n", now.differing(&last).join(", ")));
            round.greet(place);
            Ok(round)
        }
        Err(fault) => {
            complain(&fault.message);
            let mut round = Round::begin(place, last).await?;
            round.refused = Some(now);
            Ok(round)
        }
    }
}

/// Tells the author of functions what is wrong with them.
pub(crate) fn complain(message: &str) {
    print(&format!("\x1b[1;31merror\x1b[0m: {message}\n"));
}
