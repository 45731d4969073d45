//! Data only grows: what the application promised of its inputs and events, written down in `promises.json`, it still keeps.

use crate::app::all_services;
use callboard::contract::growth::{Side, losses};
use callboard::{Kind, Takes, Who};
use serde_json::{Map, Value, json};
use std::path::Path;

/// What callers may send and what listeners hear, by kind and pattern, as the program is now.
fn promises() -> Value {
    let (mut inputs, mut events) = (Map::new(), Map::new());
    for service in all_services() {
        for row in &service.bindings {
            let is_public = row.who != Who::Services && !matches!(row.kind, Kind::Page | Kind::Form | Kind::Event(_));
            if is_public && row.contract().takes() == Takes::Value {
                inputs.insert(format!("{} {}", row.kind, row.pattern.as_str()), row.contract().input().clone());
            }
        }
        for (kind, pattern, contract) in &service.publishes {
            events.insert(format!("{kind} {}", pattern.as_str()), contract.output().clone());
        }
    }
    json!({"inputs": inputs, "events": events})
}

fn lost(older: &Value, newer: &Value, part: &str, side: Side) -> Vec<String> {
    let mut lost = Vec::new();
    for (name, schema) in older[part].as_object().expect("it is an object") {
        match newer[part].get(name) {
            None => lost.push(format!("{name}: it is gone")),
            Some(newer) => lost.extend(losses(schema, newer, side).into_iter().map(|what| format!("{name}: {what}"))),
        }
    }
    lost
}

#[test]
fn inputs_and_events_only_grow() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("promises.json");
    let newer = promises();
    if std::env::var_os("PROMISES").is_some_and(|word| word == "write") {
        std::fs::write(&file, format!("{newer:#}\n")).expect("the file can be written");
        return;
    }
    let older: Value = serde_json::from_slice(&std::fs::read(&file).expect("promises.json")).expect("JSON");
    let mut all = lost(&older, &newer, "inputs", Side::Input);
    all.extend(lost(&older, &newer, "events", Side::Output));
    assert!(
        all.is_empty(),
        "others rely on this, and messages that were written before are still on their way:\n  {}\nkeep the field \
         beside the new one, read both, or give the new meaning a URI or kind of its own; only where nobody can have \
         relied on it: `PROMISES=write cargo test -p showrunner promises`",
        all.join("\n  ")
    );
    assert!(
        older == newer,
        "inputs or events have grown; write it down, so that it stays: `PROMISES=write cargo test -p showrunner promises`"
    );
}
