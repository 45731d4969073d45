//! `invocations` and `invocation`: what ran lately, and everything that was captured of one.

use crate::cli::{Invocations, Shape};
use crate::operate::{get, list, text, time};
use crate::settings::Settings;
use crate::up::SOCKET;
use callboard::Fault;
use serde_json::{Value, json};
use std::time::Duration;

/// Pause between two looks at what is followed.
const FOLLOW_PAUSE: Duration = Duration::from_millis(500);
/// Most invocations between two looks.
const FOLLOWED_MAX: u32 = 1_000;

/// Lists, and with `--follow` goes on until it is ended.
///
/// # Errors
/// The server's fault, or that of the data folder.
pub(crate) async fn run(settings: &Settings, asked: &Invocations) -> Result<String, Fault> {
    let mut question = json!({"function": asked.function, "tenant": asked.tenant, "fault": asked.fault,
        "slow_ms": asked.slow_ms, "correlation": asked.correlation, "limit": asked.limit});
    let listed = get(settings, "/-/invocations", &question).await?;
    let shown = |value: &Value| match asked.how.format {
        Shape::Text => rows(value),
        Shape::Json => format!("{value:#}\n"),
    };
    if !asked.follow {
        return Ok(shown(&listed["invocations"]));
    }
    if !settings.data().join(SOCKET).exists() {
        let message = "nothing runs on this data folder; start it, or leave out --follow";
        return Err(Fault::not_found("invocation.no_server", message));
    }
    crate::print(&lines(&listed["invocations"]));
    let mut newest = listed["newest"].as_u64().unwrap_or(0);
    question["limit"] = json!(FOLLOWED_MAX);
    loop {
        tokio::time::sleep(FOLLOW_PAUSE).await;
        question["after"] = json!(newest);
        let listed = get(settings, "/-/invocations", &question).await?;
        newest = listed["newest"].as_u64().unwrap_or(newest);
        crate::print(&lines(&listed["invocations"]));
    }
}

/// Shows what was captured of one.
///
/// # Errors
/// `invocation.unknown`, and as [`run`].
pub(crate) async fn show(settings: &Settings, id: &str) -> Result<String, Fault> {
    Ok(format!("{:#}\n", get(settings, &format!("/-/invocations/{id}"), &()).await?))
}

fn ms(value: &Value) -> String {
    let time_ns = value.as_u64().unwrap_or(0);
    format!("{}.{:03}", time_ns / 1_000_000, time_ns / 1_000 % 1_000)
}

fn cells(one: &Value) -> Vec<String> {
    let cell = |name: &str| text(&one[name]);
    let what = match one["pattern"].as_str() {
        Some("") | None => format!("{} {}", cell("trigger"), text(&one["flow"])),
        Some(pattern) => format!("{} {} {pattern}", cell("trigger"), cell("kind")),
    };
    let waits: Vec<String> = one["waits"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|wait| format!("{} {}× {}", text(&wait["on"]), wait["count"], ms(&wait["time_ns"])))
        .collect();
    vec![
        cell("span"),
        time(&one["started_ms"]),
        cell("tenant"),
        cell("function"),
        what,
        ms(&one["duration_ns"]),
        ms(&one["waiting_ns"]),
        cell("ended"),
        waits.join(", "),
    ]
}

fn rows(value: &Value) -> String {
    let heads = ["id", "began", "tenant", "function", "by", "ms", "waiting", "ended", "waited for"];
    list(value, "nothing ran that fits", &heads, cells)
}

/// The same without heads, the oldest first, as it comes.
fn lines(value: &Value) -> String {
    let all = value.as_array().into_iter().flatten().rev();
    all.map(|one| format!("{}\n", cells(one).join("  ").trim_end())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invocation_is_a_line_with_where_its_time_went() {
        let one = json!({"span": "00000000000000a7", "started_ms": 0, "tenant": "demo", "function": "shop::order",
            "trigger": "http", "kind": "post", "pattern": "/orders", "duration_ns": 12_345_678, "waiting_ns": 10_000_000,
            "waits": [{"on": "records", "count": 3, "time_ns": 10_000_000}], "ended": "cup.empty", "flow": null});
        let text = rows(&json!([one]));
        assert!(
            text.ends_with(
                "00000000000000a7  1970-01-01T00:00:00Z  demo    shop::order  http post /orders  12.345  10.000   \
                 cup.empty  records 3× 10.000\n"
            ),
            "{text}"
        );
        assert_eq!(rows(&json!([])), "nothing ran that fits\n");
        assert_eq!(lines(&json!([one, one])).lines().count(), 2);
    }
}
