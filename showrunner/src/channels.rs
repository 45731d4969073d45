//! `tenant` and `owner`: what the operator of this machine makes, on the data folder, without a server.

use crate::app::{self, App};
use crate::call;
use crate::cli::Owner;
use crate::settings::Settings;
use callboard::{Data, Fault, Kind};
use serde_json::{Value, json};
use std::fmt::Write;

/// Most channels that are listed when the server starts.
const LISTED_MAX: usize = 10;

/// Makes a channel, and where there is none yet the data folder; what to say of it.
///
/// # Errors
/// The fault of the function or of the data folder.
pub(crate) async fn make(settings: &Settings, name: &str, title: &str) -> Result<String, Fault> {
    let app = app::open(settings).await?;
    let data = Data::json(&json!({"name": name, "title": title}));
    call::operate(&app, settings.get("tenant"), Kind::Post, "/tenants", data).await?;
    Ok(format!(
        "channel `{name}` is made; its address is {}\nNext: `showrunner owner ADDRESS --tenant {name}{}`\n",
        path(settings, name),
        settings.data_option()
    ))
}

/// Makes an owner, or gives an account a new password; what to say of it.
///
/// # Errors
/// `tenant.unknown`, and the fault of the function or of the data folder.
pub(crate) async fn make_owner(settings: &Settings, order: &Owner) -> Result<String, Fault> {
    let tenant = order.tenant.as_deref().unwrap_or_else(|| settings.get("tenant"));
    let mut data = json!({"email": order.email});
    if let Some(password) = &order.password {
        data["password"] = json!(password);
    }
    let (kind, uri) = if order.reset {
        (Kind::Put, "/accounts/password")
    } else {
        data["name"] = json!(order.name);
        (Kind::Post, "/owners")
    };
    let told = call::as_operator(settings, tenant, kind, uri, Data::json(&data)).await.map_err(hint_at_reset)?.json();
    let email = told["email"].as_str().unwrap_or(&order.email);
    let mut said = match order.reset {
        true => format!("`{email}` of `{tenant}` has a new password; its sessions are ended\n"),
        false => format!("owner of `{tenant}`: {email}\n"),
    };
    if let Some(password) = told["password"].as_str() {
        writeln!(said, "password, shown once: {password}").expect("a string takes every write");
    }
    Ok(said)
}

/// Who sits at this machine need not know the old password to have a new one.
fn hint_at_reset(mut fault: Fault) -> Fault {
    if fault.code == "account.email_taken" {
        fault.message = "there is an account with this address already; `--reset` gives it a new password".to_owned();
        fault.errors.clear();
    }
    fault
}

/// Every channel with its address and its studio, for whoever has just started the server.
///
/// # Errors
/// The fault of the records.
pub(crate) async fn list(settings: &Settings, app: &App, url: &str) -> Result<String, Fault> {
    let uri = format!("/tenants?limit={LISTED_MAX}");
    let listed = match call::operate(app, settings.get("tenant"), Kind::Get, &uri, Data::EMPTY).await {
        Ok(answer) => answer.json(),
        // This process runs without the service of channels.
        Err(fault) if fault.code == "no_such_uri" => return Ok(String::new()),
        Err(fault) => return Err(fault),
    };
    let channels: Vec<&Value> = listed["items"].as_array().into_iter().flatten().collect();
    if channels.is_empty() {
        let option = settings.data_option();
        return Ok(format!(
            "\n  no channel yet; end this with Ctrl-C and make one: `showrunner tenant NAME --title TITLE{option}`\n\n"
        ));
    }
    let mut out = String::from("\n");
    for channel in channels {
        let name = channel["name"].as_str().unwrap_or_default();
        let address = format!("{url}{}", path(settings, name));
        let title = channel["title"].as_str().unwrap_or_default();
        writeln!(out, "  {title}\n    channel  {address}\n    studio   {address}studio")
            .expect("a string takes every write");
    }
    if !listed["next"].is_null() {
        writeln!(out, "  and more: `showrunner call{} GET /tenants`", settings.data_option())
            .expect("a string takes every write");
    }
    out.push('\n');
    Ok(out)
}

/// Where a channel is on this server.
fn path(settings: &Settings, name: &str) -> String {
    if name == settings.get("tenant") { "/".to_owned() } else { format!("/@{name}/") }
}
