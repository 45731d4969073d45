//! Data only grows: what an application promised once about inputs and events it keeps. Compares schemas of two versions.

use super::check::resolve;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Deepest nesting that is compared; a type that contains itself repeats below.
const DEPTH_MAX: usize = 12;
/// Keywords that refuse more the larger they are, and those that refuse more the smaller they are.
const LEAST: [&str; 4] = ["minimum", "exclusiveMinimum", "minLength", "minItems"];
const MOST: [&str; 4] = ["maximum", "exclusiveMaximum", "maxLength", "maxItems"];

/// Who relies on a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Whoever sends: what was accepted must still be.
    Input,
    /// Whoever reads: what was there must still be.
    Output,
}

/// What the newer schema does not keep of the older, with the path of each field.
pub fn losses(older: &Value, newer: &Value, side: Side) -> Vec<String> {
    let mut growth = Growth { older, newer, side, lost: Vec::new() };
    growth.compare(older, newer, "", 0);
    growth.lost
}

struct Growth<'a> {
    older: &'a Value,
    newer: &'a Value,
    side: Side,
    lost: Vec<String>,
}

impl<'a> Growth<'a> {
    fn lose(&mut self, path: &str, what: &str) {
        let path = if path.is_empty() { "the whole" } else { path };
        self.lost.push(format!("`{path}` {what}"));
    }

    fn compare(&mut self, older: &'a Value, newer: &'a Value, path: &str, depth: usize) {
        let (older, newer) = (opened(self.older, older), opened(self.newer, newer));
        if depth > DEPTH_MAX || older == newer {
            return;
        }
        self.types(older, newer, path);
        self.words(older, newer, path);
        if self.side == Side::Input {
            self.bounds(older, newer, path);
        }
        self.fields(older, newer, path, depth);
        if let (Some(older), Some(newer)) = (older.get("items"), newer.get("items")) {
            self.compare(older, newer, &format!("{path}[]"), depth + 1);
        }
    }

    fn types(&mut self, older: &Value, newer: &Value, path: &str) {
        let (older, newer) = (types_of(older), types_of(newer));
        let (kept, by) = match self.side {
            Side::Input => (&older, &newer),
            Side::Output => (&newer, &older),
        };
        if !by.is_empty() && !kept.is_subset(by) {
            self.lose(path, &format!("was {older:?} and is {newer:?}"));
        }
    }

    fn words(&mut self, older: &Value, newer: &Value, path: &str) {
        if self.side == Side::Output {
            return;
        }
        match (words_of(older), words_of(newer)) {
            (Some(older), Some(newer)) => {
                let lost: Vec<&String> = older.difference(&newer).collect();
                if !lost.is_empty() {
                    self.lose(path, &format!("takes {lost:?} no more"));
                }
            }
            (None, Some(_)) => self.lose(path, "takes only some words now"),
            _ => {}
        }
    }

    fn bounds(&mut self, older: &Value, newer: &Value, path: &str) {
        let number = |schema: &Value, keyword: &str| schema.get(keyword).and_then(Value::as_f64);
        for keyword in LEAST.into_iter().chain(MOST) {
            let is_narrower = match (number(older, keyword), number(newer, keyword)) {
                (_, None) => false,
                (None, Some(_)) => true,
                (Some(older), Some(newer)) => {
                    if LEAST.contains(&keyword) {
                        newer > older
                    } else {
                        newer < older
                    }
                }
            };
            if is_narrower {
                self.lose(path, &format!("is narrower: its {keyword} is {}", newer[keyword]));
            }
        }
    }

    fn fields(&mut self, older: &'a Value, newer: &'a Value, path: &str, depth: usize) {
        let Some(had) = older.get("properties").and_then(Value::as_object) else { return };
        let has: Option<&'a Map<String, Value>> = newer.get("properties").and_then(Value::as_object);
        let inside = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        for (name, schema) in had {
            match has.and_then(|has| has.get(name)) {
                Some(newer) => self.compare(schema, newer, &inside(name), depth + 1),
                None => self.lose(&inside(name), "is gone"),
            }
        }
        let (before, now) = (required(older), required(newer));
        match self.side {
            Side::Input => {
                for name in now.difference(&before) {
                    self.lose(&inside(name), "must be sent now");
                }
            }
            Side::Output => {
                for name in before.difference(&now).filter(|name| has.is_some_and(|has| has.contains_key(**name))) {
                    self.lose(&inside(name), "may be missing now");
                }
            }
        }
    }
}

/// What a schema says, behind a name for it and beside the possibility of null.
fn opened<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let named = schema.get("$ref").and_then(Value::as_str).and_then(|place| resolve(root, place)).unwrap_or(schema);
    let several = named.get("anyOf").and_then(Value::as_array);
    let others: Vec<&Value> = several.into_iter().flatten().filter(|one| one["type"] != "null").collect();
    match others.as_slice() {
        [one] => opened(root, one),
        _ => named,
    }
}

fn types_of(schema: &Value) -> BTreeSet<&str> {
    match &schema["type"] {
        Value::String(one) => BTreeSet::from([one.as_str()]),
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => BTreeSet::new(),
    }
}

fn words_of(schema: &Value) -> Option<BTreeSet<String>> {
    let constants = |schemas: &Vec<Value>| schemas.iter().map(|one| one.get("const").map(Value::to_string)).collect();
    match (schema.get("enum"), schema.get("const"), schema.get("oneOf")) {
        (Some(Value::Array(words)), ..) => Some(words.iter().map(Value::to_string).collect()),
        (_, Some(word), _) => Some(BTreeSet::from([word.to_string()])),
        (_, _, Some(Value::Array(schemas))) => constants(schemas),
        _ => None,
    }
}

fn required(schema: &Value) -> BTreeSet<&str> {
    schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn film() -> Value {
        json!({
            "type": "object",
            "properties": {
                "title": {"type": "string", "maxLength": 80},
                "mood": {"$ref": "#/$defs/Mood"},
                "cast": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
            },
            "required": ["title"],
            "$defs": {"Mood": {"enum": ["bright", "dark"]}},
        })
    }

    fn changed(change: impl FnOnce(&mut Value)) -> Value {
        let mut newer = film();
        change(&mut newer);
        newer
    }

    #[test]
    fn what_grows_keeps_its_promises() {
        let newer = changed(|film| {
            film["properties"]["year"] = json!({"type": "integer"});
            film["properties"]["title"]["maxLength"] = json!(120);
            film["$defs"]["Mood"]["enum"] = json!(["bright", "dark", "grey"]);
        });
        assert_eq!(losses(&film(), &newer, Side::Input), [] as [String; 0]);
        assert_eq!(losses(&film(), &newer, Side::Output), [] as [String; 0]);
    }

    #[test]
    fn what_is_taken_from_senders_is_named() {
        for (newer, want) in [
            (changed(|film| film["properties"]["title"]["maxLength"] = json!(40)), "`title` is narrower"),
            (changed(|film| film["required"] = json!(["title", "mood"])), "`mood` must be sent now"),
            (
                changed(|film| film["$defs"]["Mood"]["enum"] = json!(["dark"])),
                "`mood` takes [\"\\\"bright\\\"\"] no more",
            ),
            (changed(|film| film["properties"]["title"]["type"] = json!("integer")), "`title` was"),
            (changed(|film| film["properties"]["cast"]["items"]["properties"] = json!({})), "`cast[].name` is gone"),
        ] {
            let lost = losses(&film(), &newer, Side::Input);
            assert!(lost.len() == 1 && lost[0].starts_with(want), "{lost:?} should be {want}");
        }
    }

    #[test]
    fn what_is_taken_from_readers_is_named() {
        let newer = changed(|film| {
            film["required"] = json!([]);
            film["properties"]["mood"] = json!({"type": "integer"});
            film["properties"]["title"]["type"] = json!(["string", "null"]);
        });
        let lost = losses(&film(), &newer, Side::Output);
        assert_eq!(lost.len(), 2, "{lost:?}");
        assert!(lost[0].starts_with("`title` was") && lost[1] == "`title` may be missing now", "{lost:?}");
    }
}
