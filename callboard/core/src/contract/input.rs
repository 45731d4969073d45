//! Reads input against its contract: what serde does not check is checked before, and what it refuses is explained whole.

use super::check::{Wrong, check, has_constraints};
use super::components::root_of;
use super::{Contract, Takes};
use crate::{Data, Fault, Input};
use serde_json::{Map, Value};

/// The key of a schema that names the code of the fault for what does not fit it: `extend("x-code" = "list.limit")`.
pub(super) const CODE: &str = "x-code";

/// What a contract asks for beyond what serde checks.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    is_checked: bool,
    /// Codes that the schema names.
    codes: Vec<&'static str>,
}

impl Limits {
    pub(super) fn of(schema: &Value) -> Self {
        let mut codes = Vec::new();
        find_codes(schema, &mut codes);
        Self { is_checked: has_constraints(schema), codes }
    }
}

/// Fault codes live as long as the program, and so do the schemas they stand in: each is made once.
fn find_codes(schema: &Value, codes: &mut Vec<&'static str>) {
    match schema {
        Value::Object(keywords) => {
            if let Some(code) = keywords.get(CODE).and_then(Value::as_str).filter(|code| !codes.contains(code)) {
                codes.push(Box::leak(code.to_owned().into_boxed_str()));
            }
            keywords.values().for_each(|inside| find_codes(inside, codes));
        }
        Value::Array(schemas) => schemas.iter().for_each(|inside| find_codes(inside, codes)),
        _ => {}
    }
}

impl Contract {
    /// Reads an input.
    ///
    /// # Errors
    /// `data.invalid`, or the code that the schema of the first wrong field names, with every wrong field; what
    /// [`Data::read`] says of what is no data at all.
    pub(crate) fn read<In: Input>(&self, data: Data) -> Result<In, Fault> {
        if self.takes() != Takes::Value {
            return In::read(data);
        }
        if self.limits().is_checked
            && let Some(wrong) = self.find_wrong(&data).filter(|wrong| !wrong.is_empty())
        {
            // Where the value cannot be read at all, serde's words are the better summary.
            In::read(data).map_err(|fault| explained(fault, wrong.iter()))?;
            return Err(self.refused(wrong));
        }
        let again = data.clone();
        In::read(data).map_err(|fault| match self.find_wrong(&again) {
            Some(wrong) if fault.code == "data.invalid" => explained(fault, wrong.iter()),
            _ => fault,
        })
    }

    fn find_wrong(&self, data: &Data) -> Option<Vec<Wrong>> {
        value_of(data, self.input()).map(|value| check(self.input(), &value))
    }

    fn refused(&self, wrong: Vec<Wrong>) -> Fault {
        let named = wrong[0].code.as_deref();
        let code = self.limits().codes.iter().find(|code| Some(**code) == named).copied().unwrap_or("data.invalid");
        let first = &wrong[0].error;
        let fault = Fault::bad_input(code, format!("`{}` is not what is expected: {}", first.field, first.message));
        explained(fault, wrong.iter())
    }
}

/// The fault with every wrong field.
fn explained<'a>(mut fault: Fault, wrong: impl ExactSizeIterator<Item = &'a Wrong>) -> Fault {
    match wrong.len() {
        0 => return fault,
        1 => {}
        count => fault.message = format!("{} (and {} more)", fault.message, count - 1),
    }
    fault.errors = wrong.map(|wrong| wrong.error.clone()).collect();
    fault
}

/// The data as a value that a schema can be held against; none where it is no JSON and no form.
fn value_of(data: &Data, schema: &Value) -> Option<Value> {
    let kind = data.media_type.split(';').next().unwrap_or_default().trim();
    match kind {
        "application/x-www-form-urlencoded" => form_of(&data.bytes, schema),
        "" | "application/json" | "application/cloudevents+json" | "application/merge-patch+json" => {
            if data.bytes.is_empty() { Some(Map::new().into()) } else { serde_json::from_slice(&data.bytes).ok() }
        }
        _ => None,
    }
}

/// A form or a query: texts, read as what the schema wants them to be.
fn form_of(bytes: &[u8], schema: &Value) -> Option<Value> {
    let pairs: Vec<(String, String)> = serde_html_form::from_bytes(bytes).ok()?;
    let fields = root_of(schema).get("properties");
    let mut form: Map<String, Value> = Map::new();
    for (name, text) in pairs {
        let field = fields.and_then(|fields| fields.get(&name));
        let wants = |kind: &str| field.is_some_and(|field| is_of_type(field, kind));
        if wants("array") {
            let list = form.entry(name).or_insert_with(|| Value::Array(Vec::new()));
            list.as_array_mut().into_iter().for_each(|list| list.push(text.clone().into()));
            continue;
        }
        // What cannot be read stays a text, which the schema then refuses.
        let read = (wants("integer") || wants("number") || wants("boolean")).then(|| serde_json::from_str(&text).ok());
        form.insert(name, read.flatten().unwrap_or(Value::String(text)));
    }
    Some(form.into())
}

fn is_of_type(schema: &Value, kind: &str) -> bool {
    match &schema["type"] {
        Value::String(one) => one == kind,
        Value::Array(several) => several.iter().any(|one| one == kind),
        _ => ["anyOf", "oneOf"]
            .iter()
            .filter_map(|key| schema[*key].as_array())
            .flatten()
            .any(|one| is_of_type(one, kind)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemars::JsonSchema;
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "it is read to see what is refused")]
    struct Film {
        #[schemars(length(min = 1, max = 8))]
        title: String,
        #[serde(default)]
        #[schemars(range(min = 1888, max = 2100), extend("x-code" = "film.year"))]
        year: Option<u16>,
        #[serde(default)]
        cast: Vec<Person>,
        mood: Option<Mood>,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "it is read to see what is refused")]
    struct Person {
        name: String,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum Mood {
        /// It ends well.
        Bright,
        /// It does not.
        Dark,
    }

    fn refused(data: Data) -> (&'static str, Vec<(String, String)>) {
        let fault = Contract::of::<Film, ()>().read::<Film>(data).expect_err("it is refused");
        (fault.code, fault.errors.into_iter().map(|error| (error.field, error.message)).collect())
    }

    fn told(all: &[(&str, &str)]) -> Vec<(String, String)> {
        all.iter().map(|(field, message)| ((*field).to_owned(), (*message).to_owned())).collect()
    }

    #[test]
    fn what_fits_is_read() {
        let contract = Contract::of::<Film, ()>();
        for data in [
            Data::json(&json!({"title": "M", "year": 1931, "cast": [{"name": "Lorre", "as": "B"}], "mood": "dark"})),
            Data::json(&json!({"title": "M", "year": null, "mood": null})),
            Data::form("title=M&year=1931&mood=dark"),
        ] {
            let read = contract.read::<Film>(data.clone());
            assert!(read.is_ok(), "{data:?}: {read:?}");
        }
    }

    #[test]
    fn every_wrong_field_is_told_at_once() {
        let (code, errors) = refused(Data::json(
            &json!({"year": "soon", "cast": [{"name": "Lorre"}, {"name": 7}, {}], "mood": "grey", "tilte": 1}),
        ));
        assert_eq!(code, "data.invalid");
        let want = told(&[
            ("title", "`title` is missing"),
            ("year", "write a whole number, not a text"),
            ("cast[1].name", "write a text, not a number"),
            ("cast[2].name", "`cast[2].name` is missing"),
            ("mood", "use `bright` or `dark`, not `grey`"),
            ("tilte", "`tilte` is no field here; expected `title` or `year` or `cast` or `mood`"),
        ]);
        assert_eq!(errors, want);
    }

    #[test]
    fn what_serde_lets_pass_is_refused_under_the_code_that_the_schema_names() {
        let (code, errors) = refused(Data::json(&json!({"title": "M", "year": 1700})));
        assert_eq!((code, errors), ("film.year", told(&[("year", "use a number from 1888 to 2100, not 1700")])));
        let (code, errors) = refused(Data::json(&json!({"title": "Metropolis", "year": 1700})));
        assert_eq!(code, "data.invalid", "the first wrong field has no code of its own");
        assert_eq!(errors[0], told(&[("title", "use at most 8 characters; these are 10")])[0]);
        assert_eq!(refused(Data::json(&json!({"title": ""}))).1, told(&[("title", "write something; this is empty")]));
    }

    #[test]
    fn a_form_is_told_the_same() {
        let (_, errors) = refused(Data::form("year=soon&mood=dark"));
        assert_eq!(errors, told(&[("title", "`title` is missing"), ("year", "write a whole number, not a text")]));
        assert_eq!(refused(Data::form("title=M&year=1700")).0, "film.year");
    }

    #[test]
    fn what_is_no_json_is_told_by_its_place() {
        let fault = Contract::of::<Film, ()>().read::<Film>(Data { media_type: "".into(), bytes: "{".into() });
        let fault = fault.expect_err("no JSON");
        assert!(fault.message.starts_with("the body is not JSON"), "{fault}");
        assert!(fault.errors.is_empty());
    }
}
