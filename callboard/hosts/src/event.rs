//! The event that a process receives: the message, as JSON.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use callboard::{Data, Fault, Kind, Msg, Principal};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A message as a process sees it.
#[derive(Serialize)]
struct Event<'a> {
    id: String,
    source: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    uri: &'a str,
    time_ms: i64,
    tenant: &'a str,
    principal: Who<'a>,
    correlation: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<&'a str>,
    attempt: u32,
    params: BTreeMap<&'a str, &'a str>,
    query: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_base64: Option<String>,
    #[serde(skip_serializing_if = "str::is_empty")]
    media_type: &'a str,
}

/// The field by which a function says more than an answer.
const WORDS: &str = "$reply";

/// Who acts.
#[derive(Serialize)]
struct Who<'a> {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    roles: Vec<&'a str>,
}

/// Writes the event of a message; `names` are those of its pattern, `traceparent` says where it stands in its trace.
///
/// # Errors
/// `data.invalid` where a body that says it is JSON is none.
pub(crate) fn write(msg: &Msg, names: &[&'static str], traceparent: Option<&str>) -> Result<Vec<u8>, Fault> {
    let media_type = msg.data.media_type.split(';').next().unwrap_or_default().trim();
    let is_form = media_type == "application/x-www-form-urlencoded";
    let (mut query, mut data, mut data_base64) = (Map::new(), None, None);
    match &msg.data.bytes {
        bytes if bytes.is_empty() => {}
        _ if is_form && msg.kind.is_safe() => query = fields(&msg.data),
        _ if is_form || msg.kind == Kind::Form => {
            data = RawValue::from_string(Value::Object(fields(&msg.data)).to_string()).ok()
        }
        _ if media_type.is_empty() || media_type == "application/json" || media_type.ends_with("+json") => {
            let value = msg.data.read::<Box<RawValue>>()?;
            refuse_words(&value)?;
            data = Some(value);
        }
        bytes => data_base64 = Some(STANDARD.encode(bytes)),
    }
    let principal = match &msg.principal {
        Principal::Nobody => Who { kind: "nobody", id: None, roles: Vec::new() },
        Principal::Person { id, roles, .. } => {
            Who { kind: "person", id: Some(id), roles: roles.iter().map(|role| &**role).collect() }
        }
        Principal::Service(name) => Who { kind: "service", id: Some(name), roles: Vec::new() },
    };
    let event = Event {
        id: msg.id.to_string(),
        source: &msg.source,
        kind: msg.kind.as_str(),
        uri: msg.uri.as_str(),
        time_ms: msg.time_ms,
        tenant: msg.tenant.as_str(),
        principal,
        correlation: msg.correlation.to_string(),
        traceparent,
        attempt: msg.attempt,
        params: names.iter().filter_map(|name| Some((*name, msg.params.get(name)?))).collect(),
        query,
        media_type: if data_base64.is_some() { media_type } else { "" },
        data,
        data_base64,
    };
    serde_json::to_vec(&event).map_err(|error| Fault::bug(format!("a message does not serialise: {error}")))
}

/// Refuses data that could be a function's own words: one that gives back what it was given would do what its caller says.
fn refuse_words(data: &RawValue) -> Result<(), Fault> {
    fn has_words(value: &Value) -> bool {
        match value {
            Value::Object(fields) => fields.contains_key(WORDS) || fields.values().any(has_words),
            Value::Array(values) => values.iter().any(has_words),
            _ => false,
        }
    }
    let text = data.get();
    // Its name may also be written with escapes.
    let may_have = text.contains(WORDS) || text.contains("\\u");
    if may_have && serde_json::from_str(text).is_ok_and(|value| has_words(&value)) {
        let message = format!("rename the field `{WORDS}`: in what functions answer it says what to do");
        return Err(Fault::bad_input("data.reserved", message));
    }
    Ok(())
}

/// Fields of a query or a form: a text each, or a list where one comes more than once.
fn fields(data: &Data) -> Map<String, Value> {
    let mut fields = Map::new();
    for pair in data.bytes.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let mut halves = pair.splitn(2, |byte| *byte == b'=').map(decode);
        let (name, value) = (halves.next().unwrap_or_default(), Value::String(halves.next().unwrap_or_default()));
        match fields.get_mut(&name) {
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
            None => drop(fields.insert(name, value)),
        }
    }
    fields
}

fn decode(text: &[u8]) -> String {
    let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_encoding::percent_decode(&spaced).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_puts_words_into_the_mouth_of_a_function() {
        for reserved in [
            r#"{"$reply":{}}"#,
            r#"{"a":[1,{"b":{"$reply":null}}]}"#,
            r#"{"\u0024reply":{}}"#,
            r#"[{"$re\u0070ly":1}]"#,
        ] {
            let data = RawValue::from_string(reserved.to_owned()).expect("JSON");
            assert_eq!(refuse_words(&data).expect_err(reserved).code, "data.reserved", "{reserved}");
        }
        for plain in [r#"{"reply":{}}"#, r#""$reply""#, r#"{"a":"$reply"}"#, r#"{"$reply ":1}"#, r#""\u0024""#, "7"] {
            let data = RawValue::from_string(plain.to_owned()).expect("JSON");
            assert!(refuse_words(&data).is_ok(), "{plain}");
        }
    }

    #[test]
    fn a_query_is_read_with_what_comes_twice() {
        let fields = fields(&Data::form("a=1&b=x%20y+z&a=2&c&=&a=3"));
        let want = serde_json::json!({"a": ["1", "2", "3"], "b": "x y z", "c": "", "": ""});
        assert_eq!(Value::Object(fields), want);
    }
}
