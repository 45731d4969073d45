//! Functions of a folder as they are declared, from their start until something else is declared: then the next round begins on
//! the same listener and the same data. What is only saved runs anew in the same round.

use crate::app::{self, App};
use crate::cargo;
use crate::functions::{Found, complain, find_in};
use crate::print;
use crate::settings::Settings;
use crate::up::{self, cannot_listen, finish, readable, wait};
use callboard::{Fault, Kind, Tenant};
use callboard_engines::delivery;
use callboard_gateways::http::{self, HttpOptions, Tenants};
use callboard_gateways::socket;
use callboard_hosts::sandbox::Protections;
use callboard_hosts::watch::Watch;
use callboard_hosts::{Functions, Options};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Instant;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What stays the same over all rounds.
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
    pub(crate) settings: Settings,
    pub(crate) options: Options,
    pub(crate) listener: std::net::TcpListener,
    pub(crate) address: SocketAddr,
}

/// Functions that run.
pub(crate) struct Round {
    pub(crate) found: Found,
    /// What was declared since, and could not be served.
    pub(crate) refused: Option<Found>,
    functions: Functions,
    addresses: Vec<&'static str>,
    /// What it was told of that is left out.
    left_out: Vec<String>,
    watch: Option<Watch>,
    stop: watch::Sender<bool>,
    /// What ends by itself once it is stopped.
    work: JoinSet<()>,
    /// What never ends by itself.
    beside: JoinSet<()>,
    _app: App,
}

impl Round {
    /// Puts the functions together, and serves them.
    ///
    /// # Errors
    /// What keeps them from being served.
    pub(crate) async fn begin(place: &Place, found: Found) -> Result<Self, Fault> {
        let settings = &place.settings;
        let functions = found.functions(&place.options).await?;
        let service = functions.service();
        let gets = service.bindings.iter().filter(|row| row.kind == Kind::Get);
        let addresses = gets.map(|row| row.pattern.as_str()).collect();
        let app = app::open_functions(settings, vec![callboard::operator::service(), service]).await?;
        let watch = watch_for(place, &functions);
        let listener = place.listener.try_clone().and_then(TcpListener::from_std);
        let listener = listener.map_err(|error| cannot_listen(settings.get("listen"), &error))?;
        let mut options = HttpOptions::new(Tenants::Only(Tenant::new(settings.get("tenant"))));
        options.has_only_resources = true;
        let (stop, stopped) = watch::channel(false);
        let (mut work, mut beside) = (JoinSet::new(), JoinSet::new());
        beside.spawn(app.traffic.clone().keep_saved());
        work.spawn(delivery::run(app.host.clone(), wait(stopped.clone())));
        work.spawn(up::export(app.exporter.clone(), wait(stopped.clone())));
        work.spawn(http::serve(app.host.clone(), options, listener, wait(stopped.clone())));
        work.spawn(socket::serve(app.host.clone(), app.folder.join(up::SOCKET), wait(stopped.clone())));
        up::serve_invokes(settings, &app, functions.tails.clone(), &mut work, wait(stopped)).await?;
        let left_out = found.left_out();
        Ok(Self { found, refused: None, functions, addresses, left_out, watch, stop, work, beside, _app: app })
    }

    /// Says where the functions are, and what they may do.
    pub(crate) fn greet(&self, place: &Place) {
        let url = format!("http://{}", readable(&place.address.to_string()));
        let addresses: String = self.addresses.iter().map(|pattern| format!("  {url}{pattern}\n")).collect();
        let protections = self.functions.protections;
        let namespaces = match protections {
            Protections { has_mounts: true, .. } => ", own network, processes and folder",
            Protections { has_namespaces: true, .. } => ", own network and processes",
            _ => "",
        };
        let gaps: String = protections.gaps().iter().map(|gap| format!("  not enforced: {gap}\n")).collect();
        print(&format!(
            "Ready at\n{addresses}\nWhat they may do:\n{}\nConfined by Landlock (ABI {}), seccomp{namespaces}\n{gaps}",
            self.functions.policies(),
            protections.landlock
        ));
        self.left_out.iter().for_each(|line| print(&format!("{line}\n")));
    }

    /// Runs what is saved anew, until something else is declared, which it gives.
    pub(crate) async fn declared_anew(&mut self, place: &Place) -> Found {
        self.functions.prepare().await;
        // At first only what was declared while this round began can be new.
        let mut files = Vec::new();
        loop {
            let begun = Instant::now();
            match self.look(place, !files.is_empty()).await {
                Ok(Some(now)) => return now,
                Ok(None) => {
                    self.tell_left_out();
                    self.renew(&files, begun).await;
                }
                Err(fault) => complain(&fault.message),
            }
            files = match &mut self.watch {
                Some(watch) => watch.changed().await.unwrap_or_default(),
                None => Vec::new(),
            };
            if files.is_empty() {
                // Nothing is heard of changes any more.
                std::future::pending::<()>().await;
            }
        }
    }

    /// What is declared now, where that is something else and nothing is wrong with it.
    async fn look(&self, place: &Place, is_saved: bool) -> Result<Option<Found>, Fault> {
        let now = find_in(&place.folder)?;
        let rest = self.found.without_gone();
        let is_rest = match &now {
            Some(now) => *now == rest,
            None => rest.declared.is_empty(),
        };
        // Who asks for a function whose file is gone hears that; the file may come back, or be saved under another name.
        let now = if is_rest { self.found.clone() } else { now.ok_or_else(none_left)? };
        let is_known = now == self.found || Some(&now) == self.refused.as_ref();
        if now.is_built && (is_saved || !is_known) {
            cargo::build(&now.folder).await?;
        }
        if is_known {
            return Ok(None);
        }
        now.functions(&place.options).await?;
        Ok(Some(now))
    }

    fn tell_left_out(&mut self) {
        let left_out = self.found.left_out();
        let new = left_out.iter().filter(|line| !self.left_out.contains(line));
        new.for_each(|line| print(&format!("{line}\n")));
        self.left_out = left_out;
    }

    async fn renew(&self, files: &[PathBuf], begun: Instant) {
        let folders = self.functions.folders();
        let of_functions = files.iter().filter(|file| folders.iter().any(|folder| file.starts_with(folder)));
        let names: Vec<_> = of_functions.filter_map(|file| file.file_name()?.to_str()).collect();
        if !names.is_empty() && self.functions.changed(files).await.is_empty() {
            print(&format!("{} changed: new code after {} ms\n", names.join(", "), begun.elapsed().as_millis()));
        }
    }

    /// Takes nothing more, and waits for what runs.
    ///
    /// # Errors
    /// Where a part of it was broken.
    pub(crate) async fn end(mut self) -> Result<(), Fault> {
        self.stop.send_replace(true);
        finish(std::mem::take(&mut self.work)).await?;
        self.beside.shutdown().await;
        Ok(())
    }
}

fn none_left() -> Fault {
    Fault::bad_input("space.invalid", "no function is declared any more; the last ones go on")
}

/// Hears of what changes in the folders of the functions, and in the one where they are declared.
fn watch_for(place: &Place, functions: &Functions) -> Option<Watch> {
    let mut folders = functions.folders();
    folders.extend(place.folder.canonicalize());
    let watch = Watch::new(&folders);
    watch.map_err(|error| print(&format!("changes of files are not noticed: {error}\n"))).ok()
}
