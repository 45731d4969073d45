//! `up`: opens the application, listens, delivers messages, and finishes what runs before it ends.

use crate::app::{self, App};
use crate::call;
use crate::channels;
use crate::cli::Up;
use crate::demo;
use crate::explain;
use crate::payments_simulator::{self, Terms};
use crate::print;
use crate::settings::{self, Settings};
use callboard::{Fault, Tenant, Uri};
use callboard_engines::delivery;
use callboard_engines::outside::HttpOutside;
use callboard_gateways::http::{self, Asset, Assets, HttpOptions, Pages, Tenants};
use callboard_gateways::socket;
use callboard_handlers::Exporter;
use callboard_hosts::{Tails, invoke};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Name of the operator's socket in the data folder.
pub(crate) const SOCKET: &str = "operator.sock";
/// What is said once the process is told to end.
pub(crate) const ENDING: &str = "ending: what runs is finished first; a second signal ends at once";

/// Runs until the process is told to end.
///
/// # Errors
/// What keeps it from starting: the address, the data folder, the settings.
pub(crate) async fn run(settings: &Settings, arguments: &Up) -> Result<(), Fault> {
    let listen = settings.get("listen");
    let listener = TcpListener::bind(listen).await.map_err(|error| cannot_listen(listen, &error))?;
    let address = listener.local_addr().map_err(|error| cannot_listen(listen, &error))?;
    let settings = &with_payments(settings, arguments, &address.to_string()).await?;
    let app = app::open(settings).await?;
    let (stop, stopped) = watch::channel(false);
    let mut work = JoinSet::new();
    work.spawn(delivery::run(app.host.clone(), wait(stopped.clone())));
    tokio::spawn(app.traffic.clone().keep_saved());
    work.spawn(http::serve(app.host.clone(), options(settings)?, listener, wait(stopped.clone())));
    work.spawn(export(app.exporter.clone(), wait(stopped.clone())));
    work.spawn(socket::serve(app.host.clone(), app.folder.join(SOCKET), wait(stopped.clone())));
    work.spawn(explain::keep(app.host.clone(), app.folder.join(explain::FILE), wait(stopped.clone())));
    serve_invokes(settings, &app, app.tails.clone(), &mut work, wait(stopped)).await?;
    greet(settings, arguments, &app, &format!("http://{}", readable(&address.to_string()))).await?;
    told_to_end().await;
    tracing::info!("{ENDING}");
    stop.send_replace(true);
    tokio::select! {
        result = finish(work) => result,
        () = told_to_end() => Ok(()),
    }
}

/// Waits until all that was told to end has ended.
///
/// # Errors
/// Where a part of it was broken.
pub(crate) async fn finish(mut work: JoinSet<()>) -> Result<(), Fault> {
    while let Some(ended) = work.join_next().await {
        ended.map_err(|error| Fault::bug(error.to_string()))?;
    }
    Ok(())
}

/// Sends traces until the process ends, where a collector is set.
pub(crate) async fn export(exporter: Option<Arc<Exporter>>, stop: impl Future<Output = ()>) {
    if let Some(exporter) = exporter {
        exporter.clone().run(Arc::new(HttpOutside::new().anywhere()), stop).await;
        tracing::info!(spans.sent = exporter.sent(), spans.dropped = exporter.dropped(), "traces were sent");
    }
}

/// The demo takes tips with test cards, from a payment service that is simulated in this process, unless a real one is set.
async fn with_payments(settings: &Settings, arguments: &Up, address: &str) -> Result<Settings, Fault> {
    if !arguments.demo || !settings.get("payments.stripe_url").is_empty() {
        return Ok(settings.clone());
    }
    let secret =
        || getrandom::u64().map(|number| format!("{number:016x}")).map_err(|error| Fault::bug(error.to_string()));
    let terms = Terms {
        key: format!("sk_test_{}", secret()?),
        webhook_secret: format!("whsec_{}", secret()?),
        webhook: Some(format!("http://{}/api/payments/webhook", readable(address))),
    };
    let listener = payments_simulator::bind("127.0.0.1:0").await?;
    let bank = listener.local_addr().map_err(|error| Fault::bug(error.to_string()))?;
    let settings = settings
        .clone()
        .with("payments.stripe_url", format!("http://{bank}"))
        .with("payments.stripe_key", terms.key.clone())
        .with("payments.stripe_webhook_secret", terms.webhook_secret.clone())
        .with("payments.test_cards", "yes".to_owned());
    tokio::spawn(payments_simulator::serve(listener, terms));
    Ok(settings)
}

async fn greet(settings: &Settings, arguments: &Up, app: &App, url: &str) -> Result<(), Fault> {
    if !arguments.demo {
        print(&format!("Showrunner is at {url}\n{}", channels::list(settings, app, url).await?));
        return Ok(());
    }
    let seeded = demo::seed(&app.host, settings.get("tenant")).await?;
    print(&format!(
        "\nShowrunner is at {url}\n\n  channel  {url}/\n  studio   {url}/studio\n  owner    {}\n",
        demo::OWNER_EMAIL
    ));
    match &seeded.password {
        Some(password) => print(&format!("  password {password}   (shown this once)\n\n")),
        None => print(&format!(
            "  password was shown when the demo was made; for a new one end this with Ctrl-C: `{}`\n\n",
            command_for_password(settings)
        )),
    }
    tokio::spawn(seeded.fill());
    Ok(())
}

fn command_for_password(settings: &Settings) -> String {
    format!("showrunner owner {} --reset{}", demo::OWNER_EMAIL, settings.data_option())
}

pub(crate) fn readable(address: &str) -> String {
    address.replace("0.0.0.0", "localhost").replace("127.0.0.1", "localhost").replace("[::1]", "localhost")
}

pub(crate) fn cannot_listen(listen: &str, error: &std::io::Error) -> Fault {
    let what = match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            "another program listens there; stop it, or choose another with `--listen 127.0.0.1:8081`".to_owned()
        }
        std::io::ErrorKind::PermissionDenied => "the system does not allow it; choose a port above 1023".to_owned(),
        _ => error.to_string(),
    };
    Fault::unavailable("listen.taken", format!("cannot listen on {listen}: {what}"))
}

/// Serves whoever invokes functions with a client of AWS, where the settings say at which address, as part of the work until `stop`.
///
/// # Errors
/// Where nobody can listen there, the keys are none, or one is of a channel that is not there.
pub(crate) async fn serve_invokes(
    settings: &Settings,
    app: &App,
    tails: Tails,
    work: &mut JoinSet<()>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Fault> {
    let listen = settings.get("invoke");
    if listen.is_empty() {
        return Ok(());
    }
    let keys = invoke::Keys::parse(settings.get("invoke_keys"))?;
    let tenant = Tenant::new(settings.get("tenant"));
    if let Some((id, _)) = keys.tenants().find(|(_, of)| **of == tenant) {
        let message = format!(
            "invoke_keys has a key `{id}` of the channel {tenant}, whose owners are the operators of this server: it would be no less; \
             write it without `@{tenant}`"
        );
        return Err(Fault::bad_input("settings", message));
    }
    for (id, of) in keys.tenants() {
        call::check_is_there(app, of).await.map_err(|fault| match fault.code {
            "tenant.unknown" => {
                let message = format!("{}, or correct the key `{id}` in `invoke_keys`", fault.message);
                Fault::not_found(fault.code, message)
            }
            _ => fault,
        })?;
    }
    let listener = TcpListener::bind(listen).await.map_err(|error| cannot_listen(listen, &error))?;
    work.spawn(invoke::serve(app.host.clone(), invoke::Options { keys, tenant, tails }, listener, stop));
    Ok(())
}

pub(crate) fn options(settings: &Settings) -> Result<HttpOptions, Fault> {
    let default = Some(Tenant::new(settings.get("tenant")));
    let mut options = HttpOptions::new(Tenants::Resolved { default, suffix: settings.get("platform").to_owned() });
    options.pages = Some(Pages { fault: Uri::parse("/fault")?, sign_in: Uri::parse("/sign-in")? });
    options.assets = app::ASSETS.iter().fold(Assets::default(), |assets, (file, media_type, plain, br, gzip)| {
        let asset = Asset::new(media_type, *plain).br(*br).gzip(*gzip);
        assets.with(format!("/assets/{file}"), asset)
    });
    options.proxies =
        settings::read_addresses(settings.get("proxies")).map_err(|what| Fault::bad_input("settings", what))?;
    Ok(options)
}

pub(crate) async fn wait(mut stopped: watch::Receiver<bool>) {
    // A sender that is gone means the process ends too.
    drop(stopped.wait_for(|stopped| *stopped).await);
}

/// Waits for Ctrl-C or a polite request to end.
pub(crate) async fn told_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        }
        Err(_) => drop(tokio::signal::ctrl_c().await),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;
    use std::collections::HashMap;

    #[test]
    fn the_command_for_a_new_password_works_as_it_is_told() {
        let flags = HashMap::from([("data", "./films".to_owned())]);
        let settings = Settings::load(&flags, &HashMap::new(), None, &app::all_services()).expect("settings");
        let command = command_for_password(&settings);
        let cli = Cli::try_parse_from(command.split(' ')).expect("a command");
        assert_eq!(cli.flags()["data"], "./films");
        assert!(matches!(cli.command, Command::Owner(owner) if owner.reset && owner.email == demo::OWNER_EMAIL));
    }
}
