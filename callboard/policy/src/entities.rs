//! Who asks and what is asked for, as Cedar's entities. They are made for each question and hold nothing that the question does not.

use crate::generated::function_name;
use callboard::policy::Question;
use cedar_policy::{Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, RestrictedExpression as Value};
use std::collections::{HashMap, HashSet};
use std::str::FromStr;
use std::sync::{Arc, LazyLock};

/// Somebody who has to be allowed.
pub(crate) enum Subject<'a> {
    Nobody,
    Person { id: &'a str, roles: &'a [Arc<str>] },
    Service { name: &'static str, declares: bool },
    Runtime(&'a str),
}

/// The types of our entities, read once: Cedar parses a name whenever it makes one.
static TYPES: LazyLock<HashMap<&'static str, EntityTypeName>> = LazyLock::new(|| {
    let names = ["Action", "Function", "Nobody", "Person", "Resource", "Role", "Runtime", "Service", "Tenant", "Use"];
    let read = |name| EntityTypeName::from_str(name).expect("names of our entity types are ones");
    names.into_iter().map(|name| (name, read(name))).collect()
});

/// Names an entity.
pub(crate) fn uid(kind: &str, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(TYPES[kind].clone(), EntityId::new(id))
}

/// The person of a question, as policies name them: an account belongs to one tenant.
pub(crate) fn person(question: &Question<'_>, id: &str) -> EntityUid {
    uid("Person", &format!("{}/{id}", question.tenant))
}

/// The resource of a question.
pub(crate) fn resource(question: &Question<'_>) -> EntityUid {
    uid("Resource", &format!("{}{}", question.tenant, question.uri))
}

/// Principal, resource, and both with all that stands above them.
pub(crate) fn entity(question: &Question<'_>, subject: &Subject<'_>) -> (EntityUid, EntityUid, Entities) {
    let tenant = uid("Tenant", question.tenant.as_str());
    let reference = || Value::new_entity_uid(tenant.clone());
    let (service, function) =
        (uid("Service", question.service.name), uid("Function", &function_name(question.service, question.binding)));
    let mut all = vec![
        Entity::new_no_attrs(tenant.clone(), HashSet::new()),
        Entity::new_no_attrs(service.clone(), HashSet::new()),
        Entity::new_no_attrs(function.clone(), HashSet::from([service])),
    ];
    let attributes = HashMap::from([
        ("tenant".to_owned(), reference()),
        ("uri".to_owned(), Value::new_string(question.uri.as_str().to_owned())),
        ("internal".to_owned(), Value::new_bool(question.binding.who == callboard::Who::Services)),
    ]);
    let resource = resource(question);
    all.push(made(resource.clone(), attributes, HashSet::from([function, tenant.clone()])));
    if let Subject::Service { name, declares: true } = subject {
        let used = uid("Use", &function_name(question.service, question.binding));
        all.retain(|entity| entity.uid() != uid("Service", name));
        all.push(Entity::new_no_attrs(used.clone(), HashSet::new()));
        all.push(Entity::new_no_attrs(uid("Service", name), HashSet::from([used])));
    }
    let principal = match subject {
        Subject::Nobody => uid("Nobody", "nobody"),
        Subject::Service { name, .. } => uid("Service", name),
        Subject::Runtime(name) => uid("Runtime", name),
        Subject::Person { id, roles } => {
            let person = person(question, id);
            let roles: HashSet<EntityUid> = roles.iter().map(|role| uid("Role", role)).collect();
            all.extend(roles.iter().map(|role| Entity::new_no_attrs(role.clone(), HashSet::new())));
            let id = ("id".to_owned(), Value::new_string((*id).to_owned()));
            all.push(made(person.clone(), HashMap::from([("tenant".to_owned(), reference()), id]), roles));
            person
        }
    };
    let is_there = all.iter().any(|entity| entity.uid() == principal);
    all.extend((!is_there).then(|| Entity::new_no_attrs(principal.clone(), HashSet::new())));
    (principal, resource, Entities::from_entities(all, None).expect("each entity stands once, and none above itself"))
}

fn made(uid: EntityUid, attributes: HashMap<String, Value>, parents: HashSet<EntityUid>) -> Entity {
    Entity::new(uid, attributes, parents).expect("the values of ours are plain")
}

/// What policies may know beside: whether a service declares what it asks for.
pub(crate) fn context(subject: &Subject<'_>) -> Context {
    let declared = !matches!(subject, Subject::Service { declares: false, .. });
    Context::from_pairs([("declared".to_owned(), Value::new_bool(declared))]).expect("a truth value is plain")
}
