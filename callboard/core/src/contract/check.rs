//! Says which fields of an input do not fit their schema: all of them at once, by path, in the caller's terms.
//!
//! It knows the keywords that types of ours lead to, not all of JSON Schema; what it does not know it lets pass.

use super::input::CODE;
use crate::FieldError;
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// Most wrong fields that one answer tells of.
const ERRORS_MAX: usize = 32;
/// Keywords that serde does not check when it reads a value.
const CONSTRAINTS: [&str; 11] = [
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
];

/// A wrong field, and the code of the fault that its schema names.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) error: FieldError,
    pub(super) code: Option<String>,
}

/// Every place where a value does not fit a schema, as far as one answer tells of them.
pub(super) fn check(schema: &Value, value: &Value) -> Vec<Wrong> {
    let mut check = Check { root: schema, wrong: Vec::new(), code: None };
    check.value(schema, value, &mut String::new());
    check.wrong
}

/// Whether a schema asks for something that serde lets pass.
pub(super) fn has_constraints(schema: &Value) -> bool {
    match schema {
        Value::Object(keywords) => keywords.iter().any(|(keyword, inside)| match keyword.as_str() {
            // The bounds of a number's type are serde's.
            "minimum" | "maximum"
                if keywords.get("format").is_some_and(|format| is_bound_of(format, keyword, inside)) =>
            {
                false
            }
            "properties" | "$defs" => inside.as_object().is_some_and(|named| named.values().any(has_constraints)),
            "default" | "examples" | "const" | "enum" => false,
            _ => CONSTRAINTS.contains(&keyword.as_str()) || has_constraints(inside),
        }),
        Value::Array(schemas) => schemas.iter().any(has_constraints),
        _ => false,
    }
}

fn is_bound_of(format: &Value, keyword: &str, bound: &Value) -> bool {
    let bounds = format.as_str().and_then(super::bounds_of);
    bounds.is_some_and(|(least, most)| *bound == if keyword == "minimum" { least } else { most })
}

struct Check<'a> {
    root: &'a Value,
    wrong: Vec<Wrong>,
    code: Option<&'a str>,
}

impl<'a> Check<'a> {
    fn wrong(&mut self, path: &str, message: impl Into<String>) {
        if self.wrong.len() < ERRORS_MAX {
            let field = if path.is_empty() { "body" } else { path };
            let error = FieldError { field: field.to_owned(), message: message.into() };
            self.wrong.push(Wrong { error, code: self.code.map(str::to_owned) });
        }
    }

    /// What another schema finds wrong with a value, without telling it yet.
    fn try_value(&self, schema: &'a Value, value: &Value, path: &str) -> Vec<Wrong> {
        let mut check = Check { root: self.root, wrong: Vec::new(), code: self.code };
        check.value(schema, value, &mut path.to_owned());
        check.wrong
    }

    fn value(&mut self, schema: &'a Value, value: &Value, path: &mut String) {
        let Value::Object(keywords) = schema else {
            if *schema == Value::Bool(false) {
                self.wrong(path, "leave this out");
            }
            return;
        };
        let outer = self.code;
        if let Some(code) = keywords.get(CODE).and_then(Value::as_str) {
            self.code = Some(code);
        }
        if let Some(named) = keywords.get("$ref").and_then(Value::as_str).and_then(|place| resolve(self.root, place)) {
            self.value(named, value, path);
        }
        if self.is_of_type(keywords, value, path) {
            self.words(keywords, value, path);
            self.alternatives(keywords, value, path);
            match value {
                Value::String(text) => self.text(keywords, text, path),
                Value::Number(number) => self.number(keywords, number.as_f64().unwrap_or_default(), value, path),
                Value::Array(items) => self.array(keywords, items, path),
                Value::Object(fields) => self.object(keywords, fields, path),
                Value::Null | Value::Bool(_) => {}
            }
        }
        self.code = outer;
    }

    fn is_of_type(&mut self, keywords: &Map<String, Value>, value: &Value, path: &str) -> bool {
        let types: Vec<&str> = match keywords.get("type") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => return true,
        };
        let is = |name: &&str| match (*name, value) {
            ("integer", Value::Number(number)) => number.is_i64() || number.is_u64(),
            ("number", Value::Number(_))
            | ("null", Value::Null)
            | ("boolean", Value::Bool(_))
            | ("string", Value::String(_))
            | ("array", Value::Array(_))
            | ("object", Value::Object(_)) => true,
            _ => false,
        };
        if types.iter().any(is) {
            return true;
        }
        let wanted = types.iter().filter(|name| **name != "null").map(|name| in_words(name));
        let wanted = wanted.collect::<Vec<_>>().join(" or ");
        self.wrong(path, format!("write {wanted}, not {}", described(value)));
        false
    }

    fn words(&mut self, keywords: &Map<String, Value>, value: &Value, path: &str) {
        let one = keywords.get("const").map(std::slice::from_ref);
        let several = keywords.get("enum").and_then(Value::as_array).map(Vec::as_slice);
        if let Some(words) = one.or(several)
            && !words.contains(value)
        {
            self.wrong(path, one_of(&words.iter().collect::<Vec<_>>(), value));
        }
    }

    fn alternatives(&mut self, keywords: &'a Map<String, Value>, value: &Value, path: &mut String) {
        for schema in keywords.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            self.value(schema, value, path);
        }
        let Some(schemas) = keywords.get("oneOf").or(keywords.get("anyOf")).and_then(Value::as_array) else { return };
        let tried: Vec<Vec<Wrong>> = schemas.iter().map(|schema| self.try_value(schema, value, path)).collect();
        if tried.iter().any(Vec::is_empty) {
            return;
        }
        let words: Option<Vec<&Value>> = schemas.iter().map(|schema| schema.get("const")).collect();
        if let Some(words) = words {
            return self.wrong(path, one_of(&words, value));
        }
        // The alternative that was meant is the one that reaches deepest into the value with the least wrong.
        let meant =
            tried.into_iter().min_by_key(|wrong| (wrong.iter().any(|wrong| wrong.error.field == *path), wrong.len()));
        self.wrong.extend(meant.into_iter().flatten());
        self.wrong.truncate(ERRORS_MAX);
    }

    fn text(&mut self, keywords: &Map<String, Value>, text: &str, path: &str) {
        let count = text.chars().count() as u64;
        if let Some(most) = limit(keywords, "maxLength").filter(|most| count > *most) {
            self.wrong(path, format!("use at most {most} characters; these are {count}"));
        }
        match limit(keywords, "minLength").filter(|least| count < *least) {
            Some(1) => self.wrong(path, "write something; this is empty"),
            Some(least) => self.wrong(path, format!("use at least {least} characters; these are {count}")),
            None => {}
        }
    }

    fn number(&mut self, keywords: &Map<String, Value>, number: f64, value: &Value, path: &str) {
        let bound = |keyword| keywords.get(keyword).and_then(Value::as_f64);
        let is_out = bound("minimum").is_some_and(|least| number < least)
            || bound("maximum").is_some_and(|most| number > most)
            || bound("exclusiveMinimum").is_some_and(|least| number <= least)
            || bound("exclusiveMaximum").is_some_and(|most| number >= most);
        if is_out {
            let shown = |keyword| keywords.get(keyword).map(Value::to_string);
            let range = match (shown("minimum"), shown("maximum")) {
                (Some(least), Some(most)) => format!("use a number from {least} to {most}"),
                (Some(least), None) => format!("use a number from {least} on"),
                (None, Some(most)) => format!("use a number up to {most}"),
                (None, None) => "use a number within its bounds".to_owned(),
            };
            self.wrong(path, format!("{range}, not {value}"));
        }
    }

    fn array(&mut self, keywords: &'a Map<String, Value>, items: &[Value], path: &mut String) {
        let count = items.len() as u64;
        if let Some(most) = limit(keywords, "maxItems").filter(|most| count > *most) {
            self.wrong(path, format!("use at most {most}; these are {count}"));
        }
        if let Some(least) = limit(keywords, "minItems").filter(|least| count < *least) {
            self.wrong(path, format!("use at least {least}; these are {count}"));
        }
        let Some(schema) = keywords.get("items") else { return };
        let end = path.len();
        for (at, item) in items.iter().enumerate() {
            let _ = write!(path, "[{at}]");
            self.value(schema, item, path);
            path.truncate(end);
        }
    }

    fn object(&mut self, keywords: &'a Map<String, Value>, fields: &Map<String, Value>, path: &mut String) {
        let known = keywords.get("properties").and_then(Value::as_object);
        let end = path.len();
        let inside = |path: &mut String, name: &str| {
            path.truncate(end);
            path.push_str(if end == 0 { "" } else { "." });
            path.push_str(name);
        };
        for name in keywords.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            if !fields.contains_key(name) {
                inside(path, name);
                self.wrong(path, format!("`{path}` is missing"));
            }
        }
        for (name, value) in fields {
            inside(path, name);
            match (known.and_then(|known| known.get(name)), keywords.get("additionalProperties")) {
                (Some(schema), _) => self.value(schema, value, path),
                (None, Some(Value::Bool(false))) => self.wrong(path, no_field(name, known)),
                (None, Some(schema)) => self.value(schema, value, path),
                (None, None) => {}
            }
        }
        path.truncate(end);
    }
}

/// What a reference within a document of schemas names.
pub(super) fn resolve<'a>(root: &'a Value, place: &str) -> Option<&'a Value> {
    root.pointer(place.strip_prefix('#')?)
}

fn limit(keywords: &Map<String, Value>, keyword: &str) -> Option<u64> {
    keywords.get(keyword).and_then(Value::as_u64)
}

fn no_field(name: &str, known: Option<&Map<String, Value>>) -> String {
    let known: Vec<String> = known.into_iter().flat_map(Map::keys).map(|name| format!("`{name}`")).collect();
    match known.as_slice() {
        [] => format!("`{name}` is no field here; there are none"),
        known => format!("`{name}` is no field here; expected {}", known.join(" or ")),
    }
}

fn one_of(words: &[&Value], value: &Value) -> String {
    let words: Vec<String> = words.iter().map(|word| shown(word)).collect();
    format!("use {}, not {}", words.join(" or "), shown(value))
}

/// A value as a message shows it; long ones only by what they are.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if text.chars().count() <= 40 => format!("`{text}`"),
        Value::Number(_) | Value::Bool(_) => format!("`{value}`"),
        _ => described(value).to_owned(),
    }
}

fn described(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn in_words(name: &str) -> &str {
    match name {
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "string" => "a text",
        "array" => "a list",
        "object" => "an object",
        other => other,
    }
}
