//! `call`: dispatches one message without a server, on the data folder, and prints the answer.

use crate::app;
use crate::cli::Call;
use crate::print;
use crate::settings::Settings;
use callboard::{Answer, AnswerBody, Data, Fault, Host, Kind, Principal, Tenant, Uri};
use std::io::Read;

/// Runs the command; whether the function succeeded.
///
/// # Errors
/// What is wrong with the arguments or the data folder. A fault of the function is printed as its answer.
pub(crate) async fn run(settings: &Settings, call: &Call) -> Result<bool, Fault> {
    let kind = read_kind(&call.method)?;
    let (path, query) = call.uri.split_once('?').unwrap_or((&call.uri, ""));
    let data = match &call.data {
        Some(data) => Data { media_type: "application/json".into(), bytes: read_data(data)?.into() },
        None if query.is_empty() => Data::EMPTY,
        None => Data::form(query.to_owned()),
    };
    let app = app::open(settings).await?;
    let tenant = call.tenant.as_deref().unwrap_or_else(|| settings.get("tenant"));
    let principal = match call.roles.as_deref() {
        None => Principal::Service("cli".into()),
        Some("nobody") => Principal::Nobody,
        Some(roles) => Principal::person("cli", &roles.split(',').map(str::trim).collect::<Vec<_>>()),
    };
    match dispatch(&app.host, tenant, kind, path, data, principal).await {
        Ok(answer) => {
            print(&format!("{}\n{}", answer.status(), body(&answer)));
            Ok(true)
        }
        Err(fault) => {
            print(&format!("{}\n{:#}\n", fault.status(), fault.problem("")));
            Ok(false)
        }
    }
}

/// Dispatches as the operator of this machine.
///
/// # Errors
/// The fault of the function or of the data folder.
pub(crate) async fn as_operator(settings: &Settings, tenant: &str, kind: Kind, path: &str, data: Data) -> Result<Answer, Fault> {
    let app = app::open(settings).await?;
    dispatch(&app.host, tenant, kind, path, data, Principal::Service("cli".into())).await
}

async fn dispatch(host: &Host, tenant: &str, kind: Kind, path: &str, data: Data, principal: Principal) -> Result<Answer, Fault> {
    let mut msg = host.message(kind, Uri::parse(path)?, Tenant::new(tenant)).with_data(data);
    msg.head_mut().source = "cli".into();
    msg.head_mut().principal = principal;
    host.run(msg).await
}

fn read_kind(method: &str) -> Result<Kind, Fault> {
    match Kind::from(method.to_lowercase()) {
        Kind::Event(_) => {
            Err(Fault::bad_input("call.wrong", format!("`{method}` is no method; use GET, POST, PUT, PATCH, DELETE, PAGE or FORM")))
        }
        kind => Ok(kind),
    }
}

fn read_data(data: &str) -> Result<Vec<u8>, Fault> {
    let wrong = |error: std::io::Error| Fault::bad_input("call.wrong", format!("the data `{data}` cannot be read: {error}"));
    if data == "-" {
        let mut bytes = Vec::new();
        return std::io::stdin().read_to_end(&mut bytes).map(|_| bytes).map_err(wrong);
    }
    data.strip_prefix('@').map_or_else(|| Ok(data.as_bytes().to_vec()), |file| std::fs::read(file).map_err(wrong))
}

fn body(answer: &Answer) -> String {
    match &answer.body {
        AnswerBody::Nothing => String::new(),
        AnswerBody::Bytes { media_type, .. } if media_type.contains("json") => format!("{:#}\n", answer.json()),
        AnswerBody::Bytes { bytes, .. } => format!("{}\n", String::from_utf8_lossy(bytes)),
        AnswerBody::Blob(blob) => format!("blob {} ({})\n", blob.key, blob.media_type),
        AnswerBody::Intake(intake) => format!("send bytes {}..{} through the HTTP gateway\n", intake.range.start, intake.range.end),
    }
}
