//! The tenants' service on the bench: what gateways, the command line, viewers and owners see of it.

mod hosts;
mod profile;
mod registry;
mod strangers;

use callboard::{Answer, Fault};
use callboard_bench::Bench;
use serde_json::{Value, json};

/// A bench with two channels: `demo`, where the actors are, and `other`.
async fn channels() -> Bench {
    let bench = Bench::new(vec![tenants::service()]).await;
    for (name, title) in [("demo", "Night Shift Films"), ("other", "Day Shift Films")] {
        let made = bench.service().post("/tenants", json!({"name": name, "title": title})).await;
        assert_eq!(made.expect("a new channel").status(), 201);
    }
    bench
}

/// The status and code of a refusal, or the status of an answer.
fn outcome(result: &Result<Answer, Fault>) -> String {
    match result {
        Ok(answer) => answer.status().to_string(),
        Err(fault) => format!("{} {}", fault.status(), fault.code),
    }
}

/// Type, URI and data of everything that was published, the oldest first.
async fn events(bench: &Bench) -> Vec<String> {
    let line = |message: &Value| {
        let (kind, subject) = (message["type"].as_str().expect("a type"), message["subject"].as_str().expect("a URI"));
        format!("{kind} {subject} {}", message["data"])
    };
    bench.messages().await.iter().map(line).collect()
}
