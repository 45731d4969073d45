//! The AsyncAPI 3.0 document of an application: which events happen on which URIs, what they carry, and who listens; and which live
//! messages whoever looks gets beside them.

use super::components::Components;
use super::{About, Contract};
use crate::{Kind, Space};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What is known of one kind of event on one pattern of URIs.
#[derive(Default)]
struct Channel<'a> {
    /// As its publisher declares it.
    declared: Option<(&'a str, &'a Contract)>,
    /// Service, function, and what the function reads.
    listeners: Vec<(&'a str, &'a str, &'a Contract)>,
}

/// The document, the same for the same tables.
pub fn asyncapi(space: &Space, about: &About) -> Value {
    let mut components = Components::default();
    let (mut channels, mut operations, mut messages) = (Map::new(), Map::new(), Map::new());
    for ((pattern, kind), channel) in find_channels(space) {
        let name = name_of(pattern, kind);
        messages.insert(name.clone(), message(kind, &channel, &mut components));
        channels.insert(name.clone(), channel_of(&name, kind, pattern, &described_by(kind, &channel)));
        if let Some((service, _)) = channel.declared {
            operations.insert(format!("{service}.publish.{name}"), operation("send", &name, kind));
        }
        for (service, function, _) in &channel.listeners {
            let mut operation = operation("receive", &name, kind);
            operation["summary"] = json!(function);
            operation["tags"] = json!([{"name": service}]);
            operations.insert(format!("{}.{name}", function.replace("::", ".")), operation);
        }
    }
    for service in &space.services {
        for (kind, pattern, contract) in &service.live {
            let (kind, by) = (kind.as_str(), service.name);
            let name = format!("live.{}", name_of(pattern.as_str(), kind));
            let payload = components.take(by, &format!("live.{kind}"), contract.output().clone());
            messages.insert(name.clone(), json!({"name": kind, "contentType": "application/json", "payload": payload}));
            let words = format!("`{kind}`, shown by {by} to whoever looks at that moment; nobody stores it.");
            channels.insert(name.clone(), channel_of(&name, kind, pattern.as_str(), &words));
            operations.insert(format!("{by}.show.{name}"), operation("send", &name, kind));
        }
    }
    let mut document = json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": about.title,
            "version": about.version,
            "description": "What happens is published on the URI it happens to, and delivered to every function bound there at least once, in order for each URI. Clients listen to the same by server-sent events: `GET` on the URI, below the path of the server, with `Accept: text/event-stream`; with `/**` behind it also to everything below.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": components.into_value()},
    });
    if let Some((protocol, host)) = about.origin.split_once("://") {
        let server =
            json!({"host": host, "pathname": about.path(), "protocol": protocol, "description": "live subscriptions"});
        document["servers"] = json!({"live": server});
    }
    document
}

/// Every kind of event on every pattern, as it is declared by who publishes it or bound by who listens.
fn find_channels(space: &Space) -> BTreeMap<(&'static str, &str), Channel<'_>> {
    let mut channels: BTreeMap<(&'static str, &str), Channel<'_>> = BTreeMap::new();
    for service in &space.services {
        for (kind, pattern, contract) in &service.publishes {
            let channel = channels.entry((pattern.as_str(), kind.as_str())).or_default();
            channel.declared = Some((service.name, contract));
        }
    }
    for service in &space.services {
        for row in service.bindings.iter().filter(|row| matches!(row.kind, Kind::Event(_))) {
            let listener = (service.name, row.function_name(), row.contract());
            channels.entry((row.pattern.as_str(), row.kind.as_str())).or_default().listeners.push(listener);
        }
    }
    channels
}

fn channel_of(name: &str, kind: &str, pattern: &str, description: &str) -> Value {
    let mut channel = json!({
        "address": pattern.replace("**", "{rest}"),
        "messages": {kind: {"$ref": format!("#/components/messages/{name}")}},
        "description": description,
    });
    let parameters = parameters(pattern);
    if !parameters.is_empty() {
        channel["parameters"] = Value::Object(parameters);
    }
    channel
}

fn operation(action: &str, name: &str, kind: &str) -> Value {
    let channel = format!("#/channels/{name}");
    json!({"action": action, "channel": {"$ref": channel}, "messages": [{"$ref": format!("{channel}/messages/{kind}")}]})
}

fn message(kind: &str, channel: &Channel<'_>, components: &mut Components) -> Value {
    let payload = match (channel.declared, channel.listeners.first()) {
        (Some((service, contract)), _) => components.take(service, kind, contract.output().clone()),
        (None, Some((service, function, contract))) => {
            components.take(service, &function.replace("::", "."), contract.input().clone())
        }
        (None, None) => json!(true),
    };
    json!({"name": kind, "contentType": "application/json", "payload": payload})
}

fn described_by(kind: &str, channel: &Channel<'_>) -> String {
    let publisher = channel.declared.map_or("the framework", |(service, _)| service);
    let listeners: Vec<&str> = channel.listeners.iter().map(|(_, function, _)| *function).collect();
    match listeners.as_slice() {
        [] => format!("`{kind}`, published by {publisher}; no function listens."),
        listeners => format!("`{kind}`, published by {publisher}; heard by {}.", listeners.join(", ")),
    }
}

fn parameters(pattern: &str) -> Map<String, Value> {
    let names = pattern.replace("**", "{rest}");
    let names = names.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    names.map(|name| (name.to_owned(), json!({"description": "A segment of the URI."}))).collect()
}

/// A name for a channel: only letters, digits, dots and underscores stand in one.
fn name_of(pattern: &str, kind: &str) -> String {
    let segments = pattern.split('/').filter(|segment| !segment.is_empty());
    let plain = |segment: &str| segment.trim_matches(['{', '}']).replace("**", "all").replace('-', "_");
    let mut parts: Vec<String> = segments.map(plain).collect();
    parts.push(kind.to_owned());
    parts.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Changed;
    use crate::{Fault, Msg, Reply, Service, Stranger, Who, event};

    async fn follow(_: Msg<Value>) -> Result<Reply, Fault> {
        Ok(Reply::nothing())
    }

    #[test]
    fn a_channel_says_what_an_event_carries_and_who_listens() {
        let films = Service::new("films")
            .publishes::<Changed>(event("changed"), "/films/{id}")
            .shows::<Vec<u32>>(event("progress"), "/films/{id}");
        let watching = Service::new("watching")
            .on(event("changed"), "/films/{id}", follow, Who::Services, Stranger::NotFound)
            .on(event("undone"), "/flows/cut/{run}", follow, Who::Services, Stranger::NotFound);
        let space = Space::new(vec![films, watching]).expect("they fit");
        let about = About {
            title: "Films".into(),
            version: "1".into(),
            origin: "http://films.test".into(),
            mount: String::new(),
            resources: "/api".into(),
        };
        let document = asyncapi(&space, &about);
        let names: Vec<&String> = document["channels"].as_object().expect("channels").keys().collect();
        assert_eq!(names, ["films.id.changed", "flows.cut.run.undone", "live.films.id.progress"]);
        let live = &document["channels"]["live.films.id.progress"];
        assert_eq!(
            (&live["address"], &live["parameters"]["id"]["description"]),
            (&json!("/films/{id}"), &json!("A segment of the URI."))
        );
        assert_eq!(document["components"]["messages"]["live.films.id.progress"]["payload"]["type"], "array");
        assert_eq!(document["channels"]["films.id.changed"]["address"], "/films/{id}");
        let payload = &document["components"]["messages"]["films.id.changed"]["payload"];
        assert_eq!(payload["required"], json!(["uri", "version"]));
        let operations = document["operations"].as_object().expect("operations");
        let mut actions: Vec<_> = operations.values().filter_map(|one| one["action"].as_str()).collect();
        actions.sort_unstable();
        assert_eq!(actions, ["receive", "receive", "send", "send"]);
        assert_eq!(document["servers"]["live"]["host"], "films.test");
    }
}
