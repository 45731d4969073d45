//! Types that several functions name, once each, under names that stay the same as long as the types do.

use super::check::resolve;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Where documents keep the schemas that they name.
const PLACE: &str = "#/components/schemas/";

/// The named schemas of a document.
#[derive(Default)]
pub(super) struct Components {
    schemas: BTreeMap<String, Value>,
}

impl Components {
    /// Keeps what a schema names under `$defs`; gives it with references to where that is now. A name is the service's and
    /// the type's; where a service has two types of one name, the function's stands between.
    pub(super) fn take(&mut self, service: &str, function: &str, mut schema: Value) -> Value {
        let defs = schema.as_object_mut().and_then(|schema| schema.remove("$defs"));
        let Some(Value::Object(defs)) = defs else { return schema };
        let mut names: Map<String, Value> = Map::new();
        for name in defs.keys() {
            names.insert(name.clone(), format!("{service}.{name}").into());
        }
        // What one rename changes may make another necessary; each name changes at most once.
        while let Some(name) = self.find_taken(&defs, &names) {
            names.insert(name.clone(), format!("{function}.{name}").into());
        }
        for (name, schema) in &defs {
            let key = names[name].as_str().expect("names are texts").to_owned();
            self.schemas.insert(key, renamed(schema, &names));
        }
        renamed(&schema, &names)
    }

    /// A name under which something else stands already.
    fn find_taken(&self, defs: &Map<String, Value>, names: &Map<String, Value>) -> Option<String> {
        let is_taken = |(name, schema): &(&String, &Value)| {
            let key = names[*name].as_str().expect("names are texts");
            let is_last = key.matches('.').count() > 1;
            !is_last && self.schemas.get(key).is_some_and(|other| *other != renamed(schema, names))
        };
        defs.iter().find(is_taken).map(|(name, _)| name.clone())
    }

    /// Adds a schema under a name of its own.
    pub(super) fn add(&mut self, name: &str, schema: Value) {
        self.schemas.insert(name.to_owned(), schema);
    }

    /// All of them, by name.
    pub(super) fn into_value(self) -> Value {
        Value::Object(self.schemas.into_iter().collect())
    }

    /// What a reference made by [`take`](Self::take) names; other schemas are themselves.
    pub(super) fn look_up<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let name = schema.get("$ref").and_then(Value::as_str).and_then(|place| place.strip_prefix(PLACE));
        name.and_then(|name| self.schemas.get(name)).unwrap_or(schema)
    }
}

/// A schema whose references name what stands under the new names.
fn renamed(schema: &Value, names: &Map<String, Value>) -> Value {
    match schema {
        Value::Object(keywords) => Value::Object(
            keywords
                .iter()
                .map(|(keyword, inside)| {
                    let name = inside.as_str().filter(|_| keyword == "$ref").and_then(|at| at.strip_prefix("#/$defs/"));
                    match name.and_then(|name| names.get(name)).and_then(Value::as_str) {
                        Some(name) => (keyword.clone(), format!("{PLACE}{name}").into()),
                        None => (keyword.clone(), renamed(inside, names)),
                    }
                })
                .collect(),
        ),
        Value::Array(items) => items.iter().map(|item| renamed(item, names)).collect(),
        other => other.clone(),
    }
}

/// A schema in which what it names under `$defs` is reachable; the root of it where it is only a name for one of them.
pub(super) fn root_of(schema: &Value) -> &Value {
    schema.get("$ref").and_then(Value::as_str).and_then(|place| resolve(schema, place)).unwrap_or(schema)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn named(schema: Value) -> Value {
        json!({"properties": {"at": {"$ref": "#/$defs/Place"}}, "$defs": {"Place": schema}})
    }

    #[test]
    fn a_type_stands_once_and_another_of_its_name_beside_it() {
        let mut components = Components::default();
        let first = components.take("films", "films.list", named(json!({"type": "string"})));
        let same = components.take("films", "films.make", named(json!({"type": "string"})));
        let other = components.take("films", "films.move", named(json!({"type": "integer"})));
        assert_eq!(first, same);
        assert_eq!(first["properties"]["at"]["$ref"], "#/components/schemas/films.Place");
        assert_eq!(other["properties"]["at"]["$ref"], "#/components/schemas/films.move.Place");
        assert_eq!(components.look_up(&other["properties"]["at"]), &json!({"type": "integer"}));
        assert_eq!(components.into_value().as_object().map(Map::len), Some(2));
    }
}
