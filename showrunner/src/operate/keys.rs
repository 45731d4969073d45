//! The commands on keys of programs.

use super::{Printed, ask_in, list, text, time};
use crate::cli::Key;
use crate::settings::Settings;
use callboard::{Fault, Kind};
use serde_json::{Value, json};

/// Runs one.
pub(super) async fn run(settings: &Settings, asked: &Key) -> Result<Printed, Fault> {
    let in_tenant = |tenant: &Option<String>| tenant.clone().unwrap_or_else(|| settings.get("tenant").to_owned());
    let nothing = String::new;
    Ok(match asked {
        Key::Add { name, role, days, tenant } => {
            let body = json!({"name": name, "role": role, "days": days});
            (ask_in(settings, &in_tenant(tenant), Kind::Post, "/keys", nothing(), body).await?, made)
        }
        Key::List { tenant } => {
            (ask_in(settings, &in_tenant(tenant), Kind::Get, "/keys", nothing(), Value::Null).await?, keys)
        }
        Key::Revoke { id, tenant } => {
            let uri = format!("/keys/{id}");
            let revoked = ask_in(settings, &in_tenant(tenant), Kind::Delete, &uri, nothing(), Value::Null).await?;
            (revoked, |_| "it works no longer\n".to_owned())
        }
    })
}

fn made(key: &Value) -> String {
    let (id, until) = (text(&key["id"]), time(&key["expires_ms"]));
    let secret = text(&key["secret"]);
    format!("key {id}, until {until}\nsecret, shown once: {secret}\nsend it as `Authorization: Bearer {secret}`\n")
}

fn keys(value: &Value) -> String {
    let heads = ["id", "name", "role", "made by", "until"];
    list(value, "there are no keys", &heads, |key| {
        let maker = if key["maker"] == "" { "operator".to_owned() } else { text(&key["maker"]) };
        vec![text(&key["id"]), text(&key["name"]), text(&key["role"]), maker, time(&key["expires_ms"])]
    })
}
