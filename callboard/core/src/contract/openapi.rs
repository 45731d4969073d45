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
        "servers": [{"url": format!("{}{}", about.origin, about.path()), "description": "where this document is from"}],
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
            // Another site may not ask for a change; others may make one at the same time; a body may be too large, or of a
            // media type that nobody reads, even where it is not looked at.
            statuses.extend([403, 409, 413, 415]);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Data, Empty, Fault, Msg, Reply, event};
    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Wanted {
        /// Most films.
        limit: Option<u32>,
        genre: String,
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Film {
        title: String,
        mood: Mood,
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    enum Mood {
        Bright,
        Dark,
    }

    async fn list(_: Msg<Wanted>) -> Result<Reply<Vec<Film>>, Fault> {
        Ok(Reply::ok(Vec::new()))
    }

    async fn make(msg: Msg<Film>) -> Result<Reply<Film>, Fault> {
        Ok(Reply::ok(msg.data))
    }

    async fn remove(_: Msg<Empty>) -> Result<Reply, Fault> {
        Ok(Reply::nothing())
    }

    async fn store(_: Msg<Data>) -> Result<Reply, Fault> {
        Ok(Reply::nothing())
    }

    fn space() -> Space {
        let films = Service::new("films")
            .on(Kind::Get, "/films", list, Who::Anyone, Stranger::Denied)
            .on(Kind::Post, "/films", make, Who::Role("editor"), Stranger::Denied)
            .answers(&[201])
            .on(Kind::Delete, "/films/{id}", remove, Who::SignedIn, Stranger::NotFound)
            .headers(&["if-match"])
            .on(Kind::Put, "/films/{film}", store, Who::SignedIn, Stranger::Denied)
            .takes("video/mp4")
            .on(Kind::Get, "/films/{id}/facts", remove, Who::Services, Stranger::NotFound)
            .on(event("deleted"), "/films/{id}", remove, Who::Services, Stranger::NotFound)
            .on(Kind::Page, "/films", remove, Who::Anyone, Stranger::Denied);
        Space::new(vec![films]).expect("it fits")
    }

    fn document() -> Value {
        let about = About {
            title: "Films".into(),
            version: "1".into(),
            origin: String::new(),
            mount: "/@demo".into(),
            resources: "/api".into(),
        };
        openapi(&space(), &about, &|_| true)
    }

    fn statuses(operation: &Value) -> Vec<&str> {
        operation["responses"].as_object().expect("responses").keys().map(String::as_str).collect()
    }

    #[test]
    fn it_holds_what_may_be_called_from_outside_and_nothing_else() {
        let document = document();
        let paths: Vec<(&String, Vec<&String>)> = document["paths"]
            .as_object()
            .expect("paths")
            .iter()
            .map(|(path, operations)| (path, operations.as_object().expect("operations").keys().collect()))
            .collect();
        assert_eq!(format!("{paths:?}"), r#"[("/films", ["get", "post"]), ("/films/{id}", ["delete", "put"])]"#);
        assert_eq!(document["servers"][0]["url"], "/@demo/api");
        let about = About {
            title: "".into(),
            version: "".into(),
            origin: String::new(),
            mount: String::new(),
            resources: String::new(),
        };
        assert_eq!(openapi(&space(), &about, &|_| true)["servers"][0]["url"], "/", "where there are no pages");
        assert_eq!(document, self::document(), "the same tables make the same document");
    }

    #[test]
    fn statuses_follow_from_the_row() {
        let paths = &document()["paths"];
        assert_eq!(statuses(&paths["/films"]["get"]), ["200", "304", "400", "404", "429", "503"]);
        let made = &paths["/films"]["post"];
        assert_eq!(statuses(made), ["201", "400", "401", "403", "404", "409", "413", "415", "429", "503"]);
        let removed = &paths["/films/{id}"]["delete"];
        assert_eq!(
            statuses(removed),
            ["204", "400", "403", "404", "409", "412", "413", "415", "429", "503"],
            "no 401: it is hidden"
        );
    }

    #[test]
    fn queries_bodies_and_types_are_those_of_the_functions() {
        let document = document();
        let list = &document["paths"]["/films"]["get"];
        let (limit, genre) = (&list["parameters"][0], &list["parameters"][1]);
        assert_eq!((&genre["name"], &genre["required"]), (&json!("genre"), &json!(true)));
        let bounds = json!({"type": "integer", "format": "uint32", "minimum": 0, "maximum": u32::MAX});
        assert_eq!((&limit["schema"], &limit["description"]), (&bounds, &json!("Most films.")));
        let body = &document["paths"]["/films"]["post"]["requestBody"];
        let film = &body["content"]["application/json"]["schema"];
        assert_eq!(film["properties"]["mood"]["$ref"], "#/components/schemas/films.Mood");
        assert_eq!(document["components"]["schemas"]["films.Mood"]["enum"], json!(["Bright", "Dark"]));
        let part = &document["paths"]["/films/{id}"]["put"]["requestBody"]["content"];
        assert_eq!(part["video/mp4"]["schema"]["format"], "binary");
    }

    #[test]
    fn what_is_hidden_from_the_caller_is_left_out() {
        let about = About {
            title: String::new(),
            version: String::new(),
            origin: String::new(),
            mount: String::new(),
            resources: String::new(),
        };
        let document = openapi(&space(), &about, &|binding| binding.stranger == Stranger::Denied);
        assert!(document["paths"]["/films/{id}"].get("delete").is_none(), "{document:#}");
    }
}
