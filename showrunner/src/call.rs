//! `call`: dispatches one message without a server, on the data folder, and prints the answer.

use crate::app::{self, App};
use crate::cli::Call;
use crate::settings::Settings;
use callboard::{Answer, Data, Fault, Kind, Principal, Tenant, Uri, uri};
use callboard_gateways::local;

/// The roles somebody may have in a channel.
const ROLES: [&str; 3] = ["viewer", "editor", "owner"];

/// Runs the command; whether the function succeeded.
///
/// # Errors
/// What is wrong with the arguments, the data folder or the channel. A fault of the function is printed as its answer.
pub(crate) async fn run(settings: &Settings, call: &Call) -> Result<bool, Fault> {
    let parsed = local::parse_call(&call.words, &Tenant::new(settings.get("tenant")))?;
    check_roles(&parsed.principal)?;
    let app = app::open_existing(settings).await?;
    check_channel(&app, &parsed.tenant, &parsed.uri).await?;
    let printed = local::run(&app.host, parsed, &mut std::io::stdout()).await;
    // A closed pipe is the reader's choice, not a failure of the call.
    Ok(printed.unwrap_or(true))
}

/// Dispatches as the operator of this machine, on a data folder that is there.
///
/// # Errors
/// The fault of the function, of the data folder or of the channel.
pub(crate) async fn as_operator(
    settings: &Settings,
    tenant: &str,
    kind: Kind,
    path: &str,
    data: Data,
) -> Result<Answer, Fault> {
    let app = app::open_existing(settings).await?;
    check_channel(&app, &Tenant::new(tenant), &Uri::parse(path)?).await?;
    operate(&app, tenant, kind, path, data).await
}

/// Dispatches as the operator of this machine; a path may have a query.
///
/// # Errors
/// The fault of the function.
pub(crate) async fn operate(app: &App, tenant: &str, kind: Kind, path: &str, data: Data) -> Result<Answer, Fault> {
    let (path, data) = match path.split_once('?') {
        Some((path, query)) => (path, Data::form(query.to_owned())),
        None => (path, data),
    };
    let mut msg = app.host.message(kind, Uri::parse(path)?, Tenant::new(tenant)).with_data(data);
    msg.head_mut().source = "cli".into();
    msg.head_mut().principal = Principal::Service("cli".into());
    app.host.run(msg).await
}

fn check_roles(principal: &Principal) -> Result<(), Fault> {
    let Principal::Person { roles, .. } = principal else { return Ok(()) };
    match roles.iter().find(|role| !ROLES.contains(&&***role)) {
        Some(role) => {
            let message = format!("`{role}` is no role; there are {}", ROLES.join(", "));
            Err(Fault::bad_input("call.usage", message))
        }
        None => Ok(()),
    }
}

/// A channel that nobody made has no records, and every list of it would be empty: better to say so.
async fn check_channel(app: &App, tenant: &Tenant, called: &Uri) -> Result<(), Fault> {
    let path = called.as_str();
    // Channels themselves, and what the platform tells of itself, belong to no channel.
    if path == "/tenants" || path.starts_with("/tenants/") || path.starts_with("/-/") {
        return Ok(());
    }
    check_is_there(app, tenant).await
}

/// Whether somebody made a channel, as far as this process can know.
///
/// # Errors
/// `tenant.unknown`, and the fault of the records.
pub(crate) async fn check_is_there(app: &App, tenant: &Tenant) -> Result<(), Fault> {
    let show = uri!("/tenants/{tenant}")?;
    match operate(app, tenant.as_str(), Kind::Get, show.as_str(), Data::EMPTY).await {
        Err(fault) if fault.code == "tenant.unknown" => {
            let message =
                format!("there is no channel `{tenant}`; make it with `showrunner tenant {tenant} --title …`");
            Err(Fault::not_found("tenant.unknown", message))
        }
        // This process runs without the service of channels.
        Err(fault) if fault.code != "no_such_uri" => Err(fault),
        _ => Ok(()),
    }
}
