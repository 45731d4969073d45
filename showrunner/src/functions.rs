//! `up` in a folder of functions: they are run, and run anew whenever a file is saved; what they may do is shown.

use crate::app::{self, App};
use crate::cli::Up;
use crate::settings::Settings;
use crate::up::{self, cannot_listen, finish, readable, told_to_end, wait};
use crate::{cargo, print};
use callboard::{Fault, Service, Tenant};
use callboard_engines::delivery;
use callboard_gateways::http::{self, HttpOptions, Tenants};
use callboard_gateways::socket;
use callboard_hosts::watch::Watch;
use callboard_hosts::{Declared, Functions, OnLine, Options, declared_in};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Where the records of a folder of functions are, unless the settings say otherwise: hidden, so that no function reads it.
const DATA: &str = ".showrunner";

/// What was found in a folder.
pub(crate) struct Found {
    name: String,
    declared: Vec<Declared>,
    folder: PathBuf,
    /// Whether Cargo builds them.
    is_built: bool,
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

fn find_in(folder: &Path) -> Result<Option<Found>, Fault> {
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
    let Found { name, declared, folder, .. } = found;
    Functions::new(&name, declared, &folder, options).await
}

/// Runs until the process is told to end.
///
/// # Errors
/// What keeps it from starting.
pub(crate) async fn run(settings: &Settings, found: Found) -> Result<(), Fault> {
    let listen = settings.get("listen");
    let listener = TcpListener::bind(listen).await.map_err(|error| cannot_listen(listen, &error))?;
    let address = listener.local_addr().map_err(|error| cannot_listen(listen, &error))?;
    let Found { name, declared, folder, is_built } = found;
    if is_built {
        cargo::build(&folder).await?;
    }
    let settings = &match settings.is_default("data") {
        true => settings.clone().with("data", DATA.to_owned()),
        false => settings.clone(),
    };
    let on_line: OnLine = Arc::new(|function, _, line| print(&format!("{function} │ {line}\n")));
    let on_fault: OnLine = Arc::new(|_, _, message| print(&format!("\x1b[1;31merror\x1b[0m: {message}\n")));
    let options = Options {
        program: None,
        is_open: true,
        on_line: Some(on_line),
        on_fault: Some(on_fault),
        private: vec![settings.data()],
    };
    let functions = Arc::new(Functions::new(&name, declared, &folder, options).await?);
    let services = vec![callboard::operator::service(), functions.service()];
    let app = app::open_functions(settings, services.clone()).await?;
    let (stop, stopped) = watch::channel(false);
    let mut work = JoinSet::new();
    work.spawn(renew(functions.clone(), folder.clone(), is_built, wait(stopped.clone())));
    serve(settings, &app, &functions, listener, &mut work, &stopped).await?;
    greet(&functions, &services[1], &format!("http://{}", readable(&address.to_string())));
    functions.prepare().await;
    told_to_end().await;
    tracing::info!("{}", up::ENDING);
    stop.send_replace(true);
    tokio::select! {
        result = finish(work) => result,
        () = told_to_end() => Ok(()),
    }
}

async fn serve(
    settings: &Settings,
    app: &App,
    functions: &Functions,
    listener: TcpListener,
    work: &mut JoinSet<()>,
    stopped: &watch::Receiver<bool>,
) -> Result<(), Fault> {
    let mut options = HttpOptions::new(Tenants::Only(Tenant::new(settings.get("tenant"))));
    options.has_only_resources = true;
    work.spawn(delivery::run(app.host.clone(), wait(stopped.clone())));
    tokio::spawn(app.traffic.clone().keep_saved());
    work.spawn(up::export(app.exporter.clone(), wait(stopped.clone())));
    work.spawn(http::serve(app.host.clone(), options, listener, wait(stopped.clone())));
    work.spawn(socket::serve(app.host.clone(), app.folder.join(up::SOCKET), wait(stopped.clone())));
    up::serve_invokes(settings, app, functions.tails.clone(), work, wait(stopped.clone())).await
}

fn greet(functions: &Functions, service: &Service, url: &str) {
    let gets = service.bindings.iter().filter(|row| row.kind == callboard::Kind::Get);
    let addresses: String = gets.map(|row| format!("  {url}{}\n", row.pattern.as_str())).collect();
    let protections = functions.protections;
    let namespaces = if protections.has_namespaces { ", own network and processes" } else { "" };
    let gaps: String = protections.gaps().iter().map(|gap| format!("  not enforced: {gap}\n")).collect();
    print(&format!(
        "Ready at\n{addresses}\nWhat they may do:\n{}\nConfined by Landlock (ABI {}), seccomp{namespaces}\n{gaps}",
        functions.policies(),
        protections.landlock
    ));
}

/// Runs what changed anew, until it is told to end.
async fn renew(functions: Arc<Functions>, folder: PathBuf, is_built: bool, ended: impl Future<Output = ()>) {
    let mut watch = match Watch::new(&functions.folders()) {
        Ok(watch) => watch,
        Err(error) => return print(&format!("changes of files are not noticed: {error}\n")),
    };
    let mut ended = std::pin::pin!(ended);
    loop {
        let changed = tokio::select! {
            changed = watch.changed() => changed,
            () = ended.as_mut() => return,
        };
        let Ok(files) = changed else { return };
        let begun = Instant::now();
        if is_built && let Err(fault) = cargo::build(&folder).await {
            print(&format!("\x1b[1;31merror\x1b[0m: {}\n", fault.message));
            continue;
        }
        let is_well = functions.changed(&files).await.is_empty();
        let names: Vec<_> = files.iter().filter_map(|file| file.file_name()?.to_str()).collect();
        if is_well {
            print(&format!("{} changed: new code after {} ms\n", names.join(", "), begun.elapsed().as_millis()));
        }
    }
}
