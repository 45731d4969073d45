//! The OpenAPI 3.1 document of an application: what its binding tables answer to calls from outside.
//!
//! Only resources stand in it: pages are for people, and what only services may call is nobody else's.

use super::components::{Components, root_of};
use super::headers::{self, header_parameter, response_headers};
use super::{About, Gives, Takes};
use crate::service::{Binding, Service, Stranger, Who};
use crate::{Kind, Space};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The media type of RFC 9457.
const PROBLEM: &str = "application/problem+json";

/// The document, the same for the same tables; of the rows that somebody outside may call those that are to be shown.
pub fn openapi(space: &Space, about: &About, is_shown: &dyn Fn(&Binding) -> bool) -> Value {
    let mut components = Components::default();
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    let mut shapes: HashMap<String, String> = HashMap::new();
    let mut names: HashMap<&str, u32> = HashMap::new();
    let mut tags: BTreeSet<&str> = BTreeSet::new();
    for (service, binding) in called(space).filter(|(_, binding)| is_shown(binding)) {
        // Two rows on the same URIs may call a segment by two names; a document has one.
        let path = shapes.entry(binding.pattern.shape()).or_insert_with(|| path_of(binding)).clone();
        let count = names.entry(binding.function_name()).or_default();
        *count += 1;
        tags.insert(service.name);
        let mut name = binding.function_name().replace("::", ".");
        if *count > 1 {
            name.push_str(&format!(".{count}"));
        }
        let operation = Operation { service, binding, path: &path, name };
        let described = operation.describe(&mut components);
        paths.entry(path).or_default().insert(binding.kind.as_str().to_owned(), described);
    }
    components.add("Problem", problem());
    json!({
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://spec.openapis.org/oas/3.1/dialect/base",
        "info": {
            "title": about.title,
            "version": about.version,
            "description": "Every call is a function of a binding table. Representations are JSON; faults are problem documents (RFC 9457), whose `code` stays the same.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": format!("{}{}/api", about.origin, about.mount), "description": "this channel"}],
        "tags": tags.into_iter().map(|name| json!({"name": name})).collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "schemas": components.into_value(),
            "responses": headers::responses(PROBLEM),
            "headers": headers::named(),
            "securitySchemes": {
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "session",
                    "description": "The cookie that signing in sets; `__Host-session` over TLS, and with the channel's name behind where one host has several. What it changes must come from the same origin.",
                },
                "bearer": {"type": "http", "scheme": "bearer", "description": "The same token, sent by a program."},
            },
        },
    })
}

/// The rows that somebody outside may call, in the order of the tables.
pub(super) fn called(space: &Space) -> impl Iterator<Item = (&Service, &Binding)> {
    let rows = space.services.iter().flat_map(|service| service.bindings.iter().map(move |row| (service, row)));
    rows.filter(|(_, row)| row.who != Who::Services && !matches!(row.kind, Kind::Event(_) | Kind::Page | Kind::Form))
}

fn path_of(binding: &Binding) -> String {
    match binding.pattern.as_str() {
        "/" => "/".to_owned(),
        pattern => pattern.replace("**", "{rest}"),
    }
}

fn problem() -> Value {
    json!({
        "type": "object",
        "description": "What went wrong (RFC 9457).",
        "properties": {
            "type": {"type": "string", "format": "uri-reference", "description": "A page about this code."},
            "title": {"type": "string"},
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "code": {"type": "string", "description": "Stable: programs tell faults apart by it."},
            "detail": {"type": "string", "description": "What happened and what to do."},
            "instance": {"type": "string", "format": "uuid", "description": "Id of the request, as in `x-request-id`."},
            "errors": {
                "type": "array",
                "description": "Every field of the input that is wrong.",
                "items": {
                    "type": "object",
                    "properties": {
                        "field": {"type": "string", "description": "Such as `items[2].name`."},
                        "pointer": {"type": "string", "description": "The same as a JSON pointer into the body."},
                        "message": {"type": "string"},
                    },
                    "required": ["field", "pointer", "message"],
                },
            },
        },
        "required": ["type", "title", "status", "code", "detail", "instance"],
    })
}

/// A row about to be described.
struct Operation<'a> {
    service: &'a Service,
    binding: &'a Binding,
    path: &'a str,
    name: String,
}

impl Operation<'_> {
    fn describe(&self, components: &mut Components) -> Value {
        let binding = self.binding;
        let contract = binding.contract();
        let function = format!("{}.{}", self.service.name, self.name.rsplit('.').next().unwrap_or_default());
        let mut parameters = self.segments();
        let mut operation = Map::new();
        if contract.takes() == Takes::Value {
            let input = components.take(self.service.name, &function, contract.input().clone());
            if binding.kind.is_safe() {
                parameters.extend(query(components.look_up(root_of(&input))));
            } else {
                operation.insert("requestBody".to_owned(), body(&input, components));
            }
        } else if let Some(media_type) = binding.notes.takes {
            let schema =
                if media_type.ends_with("json") { json!({}) } else { json!({"type": "string", "format": "binary"}) };
            let body = json!({"required": true, "content": {media_type: {"schema": schema}}});
            operation.insert("requestBody".to_owned(), body);
        }
        parameters.extend(self.headers());
        let output = (contract.gives() == Gives::Value)
            .then(|| components.take(self.service.name, &function, contract.output().clone()));
        operation.insert("operationId".to_owned(), self.name.clone().into());
        operation.insert("summary".to_owned(), binding.function_name().into());
        operation.insert("description".to_owned(), self.who().into());
        operation.insert("tags".to_owned(), json!([self.service.name]));
        operation.insert("parameters".to_owned(), parameters.into());
        operation.insert("responses".to_owned(), self.responses(output));
        operation.insert("security".to_owned(), self.security());
        Value::Object(operation)
    }

    /// The names in braces.
    fn segments(&self) -> Vec<Value> {
        let names = self.path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
        let segment = |name: &str| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "minLength": 1}});
        names.map(segment).collect()
    }

    fn headers(&self) -> Vec<Value> {
        let mut names: Vec<&str> = self.binding.notes.reads.to_vec();
        match self.binding.kind {
            Kind::Get => names.push("if-none-match"),
            Kind::Options => {}
            _ => names.push("idempotency-key"),
        }
        names.into_iter().map(header_parameter).collect()
    }

    fn who(&self) -> String {
        let who = match self.binding.who {
            Who::Anyone => "For everybody.".to_owned(),
            Who::SignedIn => "For whoever is signed in.".to_owned(),
            Who::Role(role) => format!("For whoever has the role `{role}` in this channel."),
            Who::Services => "For services.".to_owned(),
        };
        match (self.binding.who, self.binding.stranger) {
            (Who::Anyone, _) => who,
            (_, Stranger::Denied) => format!("{who} Others hear 401 or 403."),
            (_, Stranger::NotFound) => format!("{who} Others hear 404, as if there were nothing."),
        }
    }

    fn security(&self) -> Value {
        match self.binding.who {
            Who::Anyone => json!([{}, {"session": []}, {"bearer": []}]),
            _ => json!([{"session": []}, {"bearer": []}]),
        }
    }

    fn responses(&self, output: Option<Value>) -> Value {
        let mut responses = Map::new();
        for status in self.binding.successes() {
            let mut response = json!({"description": headers::meaning(status), "headers": response_headers(status, &self.binding.notes)});
            if let Some(output) = output.as_ref().filter(|_| !matches!(status, 204 | 301 | 303)) {
                response["content"] = json!({"application/json": {"schema": output}});
            }
            responses.insert(status.to_string(), response);
        }
        if self.binding.kind == Kind::Get {
            responses.insert("304".to_owned(), json!({"$ref": "#/components/responses/NotModified"}));
        }
        for status in self.refusals() {
            responses.insert(status.to_string(), json!({"$ref": format!("#/components/responses/Problem{status}")}));
        }
        Value::Object(responses)
    }

    /// Statuses of the faults with which this row may be answered, by what it is and who may call it.
    fn refusals(&self) -> Vec<u16> {
        let Binding { kind, who, stranger, notes, .. } = self.binding;
        let mut statuses = vec![400, 404, 429, 503];
        if *who != Who::Anyone && *stranger == Stranger::Denied {
            statuses.extend([401, 403]);
        }
        if !kind.is_safe() {
            // Another site may not ask for a change; others may make one at the same time; a body may be too large.
            statuses.extend([403, 409, 413]);
        }
        if !kind.is_safe() && self.binding.contract().takes() != Takes::Nothing {
            statuses.push(415);
        }
        if notes.reads.iter().any(|name| matches!(*name, "if-match" | "tus-resumable")) {
            statuses.push(412);
        }
        statuses.extend(notes.refuses);
        statuses.sort_unstable();
        statuses.dedup();
        statuses
    }
}

/// A query: each field of the input is a parameter.
fn query(input: &Value) -> Vec<Value> {
    let required: Vec<&str> = input["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let fields = input["properties"].as_object().into_iter().flatten();
    let parameter = |(name, schema): (&String, &Value)| {
        let mut schema = without_null(schema);
        let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        let mut parameter =
            json!({"name": name, "in": "query", "required": required.contains(&name.as_str()), "schema": schema});
        if !required.contains(&name.as_str()) {
            // A form sends fields that nobody filled in.
            parameter["allowEmptyValue"] = true.into();
        }
        if let Some(description) = description {
            parameter["description"] = description;
        }
        parameter
    };
    fields.map(parameter).collect()
}

/// A query cannot say null: what is not there is left out.
fn without_null(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if schema["default"].is_null()
        && let Some(schema) = schema.as_object_mut()
    {
        schema.remove("default");
    }
    if let Some(types) = schema["type"].as_array() {
        let types: Vec<Value> = types.iter().filter(|name| *name != "null").cloned().collect();
        schema["type"] = if types.len() == 1 { types[0].clone() } else { types.into() };
    }
    if let Some(schemas) = schema["anyOf"].as_array() {
        let schemas: Vec<Value> = schemas.iter().filter(|one| one["type"] != "null").cloned().collect();
        if let [one] = schemas.as_slice() {
            let mut one = one.clone();
            if let (Some(description), Some(one)) = (schema.get("description"), one.as_object_mut()) {
                one.insert("description".to_owned(), description.clone());
            }
            return one;
        }
        schema["anyOf"] = schemas.into();
    }
    schema
}

/// A body: JSON, or a form where every field is one plain value.
fn body(input: &Value, components: &Components) -> Value {
    let root = components.look_up(input);
    let is_required = root["required"].as_array().is_some_and(|fields| !fields.is_empty());
    json!({"required": is_required, "content": {"application/json": {"schema": input}}})
}
