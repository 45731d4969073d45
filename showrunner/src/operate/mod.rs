//! The operator's commands: they ask the functions under `/-/`, in the process that has the data folder or on the folder itself.

mod runs;

use crate::app;
use crate::cli::{Dead, Operate, Shape, Which};
use crate::settings::Settings;
use crate::up::SOCKET;
use callboard::{Fault, Kind, Tenant, Uri};
use callboard_gateways::socket::{self, Ask};
use serde::Serialize;
use serde_json::{Value, json};

/// An answer, and how it is put into words.
type Printed = (Value, fn(&Value) -> String);

/// Runs a command; gives what to print.
///
/// # Errors
/// The function's fault, or that of the data folder.
pub(crate) async fn run(settings: &Settings, asked: &Operate, shape: Shape) -> Result<String, Fault> {
    let (value, text): Printed = match asked {
        Operate::Queues => (get(settings, "/-/queues", &()).await?, queues),
        Operate::Schedules => (get(settings, "/-/schedules", &()).await?, schedules),
        Operate::Dead(Dead::List { which, after, limit }) => {
            let question = json!({"tenant": which.tenant, "target": which.target, "code": which.code, "after": after, "limit": limit});
            (get(settings, "/-/dead", &question).await?, dead)
        }
        Operate::Dead(Dead::Show { id }) => (get(settings, &format!("/-/dead/{id}"), &()).await?, pretty),
        Operate::Dead(Dead::Redrive { id, which, all, limit, spread_s }) => {
            let spread_ms = i64::from(*spread_s) * 1_000;
            let body = batch(which, *id, *all, *limit, Some(spread_ms));
            (post(settings, "/-/dead/redrive", body).await?, |value| format!("{} put back\n", value["count"]))
        }
        Operate::Dead(Dead::Discard { id, which, all, limit }) => {
            let body = batch(which, *id, *all, *limit, None);
            (post(settings, "/-/dead/discard", body).await?, |value| format!("{} thrown away\n", value["count"]))
        }
        Operate::Flows(asked) => runs::run(settings, asked).await?,
    };
    Ok(match shape {
        Shape::Text => text(&value),
        Shape::Json => format!("{value:#}\n"),
    })
}

fn batch(which: &Which, id: Option<i64>, all: bool, limit: Option<u32>, spread_ms: Option<i64>) -> Value {
    json!({"tenant": which.tenant, "target": which.target, "code": which.code, "id": id, "all": all, "limit": limit,
           "spread_ms": spread_ms.unwrap_or(0)})
}

pub(crate) async fn get(settings: &Settings, uri: &str, question: &impl Serialize) -> Result<Value, Fault> {
    let question = serde_json::to_value(question).expect("a question of ours serialises to JSON");
    let fields = question.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let fields: Vec<String> = fields.map(|(name, value)| format!("{name}={}", encoded(&text(value)))).collect();
    ask(settings, Kind::Get, uri, fields.join("&"), Value::Null).await
}

/// Percent-encodes all but the plainest characters.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let one = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(one).collect()
}

async fn post(settings: &Settings, uri: &str, body: Value) -> Result<Value, Fault> {
    ask(settings, Kind::Post, uri, String::new(), body).await
}

async fn ask(settings: &Settings, kind: Kind, uri: &str, query: String, body: Value) -> Result<Value, Fault> {
    let ask = Ask { tenant: Tenant::new(settings.get("tenant")), kind, uri: Uri::parse(uri)?, query, body };
    match app::open(settings).await {
        Ok(app) => socket::run(&app.host, ask).await,
        Err(fault) if fault.code == "data.in_use" => socket::ask(&settings.data().join(SOCKET), &ask).await,
        Err(fault) => Err(fault),
    }
}

/// Rows under their heads, each column as wide as its widest cell.
pub(crate) fn table(heads: &[&str], rows: &[Vec<String>]) -> String {
    let wide = |at: usize| {
        let cells = rows.iter().map(|row| row[at].chars().count());
        cells.chain([heads[at].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heads.len()).map(wide).collect();
    let line = |cells: Vec<&str>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("{}\n", padded.collect::<Vec<_>>().join("  ").trim_end())
    };
    let body = rows.iter().map(|row| line(row.iter().map(String::as_str).collect()));
    [line(heads.to_vec())].into_iter().chain(body).collect()
}

pub(crate) fn list(value: &Value, nothing: &str, heads: &[&str], row: impl Fn(&Value) -> Vec<String>) -> String {
    match value.as_array().map(Vec::as_slice) {
        None | Some([]) => format!("{nothing}\n"),
        Some(items) => table(heads, &items.iter().map(row).collect::<Vec<_>>()),
    }
}

pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A time, to the second, in UTC.
pub(crate) fn time(value: &Value) -> String {
    let time = value.as_i64().and_then(|ms| jiff::Timestamp::from_second(ms.div_euclid(1_000)).ok());
    time.map_or_else(|| "-".to_owned(), |time| time.to_string())
}

/// How long ago, in the largest unit that is full.
fn age(since: &Value, now: &Value) -> String {
    let Some(seconds) = since.as_i64().zip(now.as_i64()).map(|(since, now)| (now - since).max(0) / 1_000) else {
        return "-".to_owned();
    };
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

fn queues(value: &Value) -> String {
    let heads = ["target", "waiting", "in work", "held", "dead", "oldest"];
    let rows = list(&value["queues"], "nothing waits", &heads, |queue| {
        let count = |name: &str| text(&queue[name]);
        let oldest = age(&queue["oldest_ms"], &value["now_ms"]);
        vec![count("target"), count("waiting"), count("in_flight"), count("held"), count("dead"), oldest]
    });
    match value["stale"].as_u64() {
        Some(stale) if stale > 0 => format!("{rows}\n{stale} completions came too late and changed nothing\n"),
        _ => rows,
    }
}

fn dead(value: &Value) -> String {
    let heads = ["id", "died", "tenant", "target", "tries", "held", "reason"];
    list(value, "there are no dead letters", &heads, |letter| {
        let reason = format!("{}: {}", text(&letter["reason"]["code"]), text(&letter["reason"]["message"]));
        let held = if letter["is_held"] == true { "yes" } else { "" };
        let tenant = text(&letter["envelope"]["tenant"]);
        let (id, tries) = (text(&letter["id"]), text(&letter["attempts"]));
        vec![id, time(&letter["died_ms"]), tenant, text(&letter["target"]), tries, held.to_owned(), reason]
    })
}

fn schedules(value: &Value) -> String {
    let heads = ["schedule", "when", "missed", "last", "next"];
    list(value, "nothing runs by the clock", &heads, |schedule| {
        let name = format!("{}/{}", text(&schedule["service"]), text(&schedule["name"]));
        let (when, missed) = (text(&schedule["when"]), text(&schedule["catch_up"]));
        vec![name, when, missed, time(&schedule["last_ms"]), time(&schedule["next_ms"])]
    })
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_line_up_and_say_where_there_is_nothing() {
        let letters = json!([{"id": 7, "died_ms": 0, "target": "desk letter /a", "attempts": 3, "is_held": true,
            "reason": {"code": "torn", "message": "it is torn"}, "envelope": {"tenant": "demo"}}]);
        let want = "id  died                  tenant  target          tries  held  reason\n\
                    7   1970-01-01T00:00:00Z  demo    desk letter /a  3      yes   torn: it is torn\n";
        assert_eq!(dead(&letters), want);
        assert_eq!(dead(&json!([])), "there are no dead letters\n");
    }

    #[test]
    fn a_queue_tells_its_length_and_age() {
        let value = json!({"now_ms": 7_300_000, "stale": 2, "queues": [
            {"target": "desk", "waiting": 12, "in_flight": 1, "held": 0, "dead": 3, "oldest_ms": 100_000}]});
        let text = queues(&value);
        assert!(text.contains("desk    12       1        0     3     2 h"), "{text}");
        assert!(text.contains("2 completions came too late"), "{text}");
    }

    #[test]
    fn what_stands_in_a_query_is_encoded() {
        assert_eq!(encoded("desk post /a&b=ü"), "desk%20post%20%2Fa%26b%3D%C3%BC");
    }
}
