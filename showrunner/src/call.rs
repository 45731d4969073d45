//! `call`: dispatches one message without a server, on the data folder, and prints the answer.

use crate::app;
use crate::cli::Call;
use crate::settings::Settings;
use callboard::{Answer, Data, Fault, Kind, Principal, Tenant, Uri};
use callboard_gateways::local;

/// Runs the command; whether the function succeeded.
///
/// # Errors
/// What is wrong with the arguments or the data folder. A fault of the function is printed as its answer.
pub(crate) async fn run(settings: &Settings, call: &Call) -> Result<bool, Fault> {
    let parsed = local::parse_call(&call.words, &Tenant::new(settings.get("tenant")))?;
    let app = app::open(settings).await?;
    let printed = local::run(&app.host, parsed, &mut std::io::stdout()).await;
    // A closed pipe is the reader's choice, not a failure of the call.
    Ok(printed.unwrap_or(true))
}

/// Dispatches as the operator of this machine.
///
/// # Errors
/// The fault of the function or of the data folder.
pub(crate) async fn as_operator(
    settings: &Settings,
    tenant: &str,
    kind: Kind,
    path: &str,
    data: Data,
) -> Result<Answer, Fault> {
    let app = app::open(settings).await?;
    let mut msg = app.host.message(kind, Uri::parse(path)?, Tenant::new(tenant)).with_data(data);
    msg.head_mut().source = "cli".into();
    msg.head_mut().principal = Principal::Service("cli".into());
    app.host.run(msg).await
}
