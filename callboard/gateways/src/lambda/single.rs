//! Events that come alone: EventBridge and its schedules, WebSocket, and whatever else a function is invoked with.

use super::arrival::{Arrival, data_of, key_of};
use super::fields::{Headers, Text, invalid, multiple, read, single};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use callboard::{Data, Fault};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct BridgeEvent<'e> {
    #[serde(borrow)]
    id: Text<'e>,
    #[serde(borrow, rename = "detail-type")]
    detail_type: Text<'e>,
    #[serde(borrow)]
    source: Text<'e>,
    #[serde(borrow, default)]
    resources: Option<Vec<Text<'e>>>,
    #[serde(borrow, default)]
    detail: Option<&'e RawValue>,
}

/// An event of a bus, named `events:SOURCE:DETAIL-TYPE` with dashes for spaces; of a schedule, named by the ARN of its rule.
pub(crate) fn eventbridge(text: &str) -> Result<Arrival<'_>, Fault> {
    let event: BridgeEvent<'_> = read(text, "")?;
    let kind = event.detail_type.0.replace(' ', "-");
    let is_schedule = matches!(&*event.source.0, "aws.events" | "aws.scheduler") && kind == "Scheduled-Event";
    let rule = event.resources.and_then(|resources| resources.into_iter().next()).filter(|_| is_schedule);
    let name = match &rule {
        Some(rule) => rule.0.clone().into_owned(),
        None => format!("events:{}:{kind}", event.source.0),
    };
    let mut arrival = Arrival::new(if is_schedule { "aws:schedule" } else { "aws:events" }, name);
    arrival.key = Some(key_of(&["events", &event.source.0, &event.id.0]));
    let schedule = rule.map(|rule| Arrival::name_of(&rule.0, '/'));
    arrival.parts = vec![("id", event.id.0), ("source", event.source.0), ("type", kind.into())];
    arrival.parts.extend(schedule.map(|name| ("schedule", name.into())));
    let detail = event.detail.map_or("{}", RawValue::get);
    arrival.data = Data { media_type: "application/json".into(), bytes: detail.to_owned().into() };
    Ok(arrival)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SocketEvent<'e> {
    #[serde(borrow)]
    request_context: SocketContext<'e>,
    #[serde(default, deserialize_with = "single")]
    headers: Headers,
    #[serde(default, deserialize_with = "multiple")]
    multi_value_headers: Option<Headers>,
    #[serde(borrow, default)]
    body: Option<Text<'e>>,
    #[serde(default)]
    is_base64_encoded: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SocketContext<'e> {
    #[serde(borrow)]
    connection_id: Text<'e>,
    #[serde(borrow, default)]
    event_type: Option<Text<'e>>,
    #[serde(borrow, default)]
    route_key: Option<Text<'e>>,
    #[serde(borrow, default)]
    domain_name: Option<Text<'e>>,
    #[serde(borrow, default)]
    stage: Option<Text<'e>>,
    #[serde(borrow, default)]
    api_id: Option<Text<'e>>,
}

/// What happens on a socket, named `websocket:API`, and the headers that opened it.
pub(crate) fn socket(text: &str) -> Result<(Arrival<'_>, Headers), Fault> {
    let event: SocketEvent<'_> = read(text, "")?;
    let context = event.request_context;
    let or_empty = Text::or_empty;
    let body = match (event.body, event.is_base64_encoded) {
        (Some(body), Some(true)) => {
            let bytes = STANDARD.decode(body.0.as_bytes());
            let bytes = bytes.map_err(|error| invalid(format!("`body` is said to be base64 and is not: {error}")))?;
            Some(String::from_utf8_lossy(&bytes).into_owned())
        }
        (body, _) => body.map(|body| body.0.into_owned()),
    };
    let (happened, route) = (or_empty(context.event_type).to_ascii_lowercase(), or_empty(context.route_key));
    let route = route.trim_start_matches('$').to_owned();
    let mut arrival = Arrival::new("aws:websocket", format!("websocket:{}", or_empty(context.api_id)));
    // Where an answer to this connection is posted later.
    let back = format!("https://{}/{}", or_empty(context.domain_name), or_empty(context.stage));
    arrival.data = Data::json(&json!({
        "event": happened, "route": route, "connection": context.connection_id.0, "back": back, "body": body,
    }));
    arrival.parts = vec![("connection", context.connection_id.0), ("event", happened.into()), ("route", route.into())];
    Ok((arrival, event.multi_value_headers.unwrap_or(event.headers)))
}

/// What a function is invoked with directly, by a task of Step Functions, or by a schedule with an input of its own.
pub(crate) fn direct<'e>(text: &'e str, request: &str) -> Arrival<'e> {
    let mut arrival = Arrival::new("direct", "direct");
    // An asynchronous invocation that failed comes again under the same id.
    arrival.key = Some(key_of(&["invocation", request]));
    arrival.data = data_of(text);
    arrival
}
