//! Policies of somebody's own: read from a file, checked against what there is, and told apart by what they may concern.

use crate::schema;
use callboard::Service;
use callboard::policy::Question;
use cedar_policy::{
    ActionConstraint, Effect, EntityUid, Policy, PolicyId, PolicySet, ResourceConstraint, ValidationMode, Validator,
};
use miette::Diagnostic;
use std::fmt;

/// A mistake in a file of policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    /// File, line and column.
    pub place: String,
    /// What is wrong and what to write.
    pub message: String,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

impl std::error::Error for PolicyError {}

/// One policy.
pub(crate) struct Own {
    pub(crate) name: String,
    /// File and line.
    pub(crate) place: String,
    pub(crate) policy: Policy,
    actions: Option<Vec<EntityUid>>,
    resource: Option<EntityUid>,
}

impl Own {
    pub(crate) fn is_forbid(&self) -> bool {
        self.policy.effect() == Effect::Forbid
    }

    /// Whether its scope may fit a function, whatever the tenant and the resource.
    pub(crate) fn may_concern(&self, function: &str, kind: &str) -> bool {
        let is_action = |action: &EntityUid| action.id().unescaped() == kind;
        self.actions.as_ref().is_none_or(|actions| actions.iter().any(is_action))
            && self.resource.as_ref().is_none_or(|resource| match resource.type_name().basename() {
                "Function" => resource.id().unescaped() == function,
                "Service" => function.strip_prefix(resource.id().unescaped()).is_some_and(|rest| rest.starts_with(' ')),
                _ => true,
            })
    }

    /// Whether its scope may fit a question.
    pub(crate) fn concerns(&self, question: &Question<'_>) -> bool {
        let Question { service, binding, tenant, uri, .. } = question;
        let is_action = |action: &EntityUid| action.id().unescaped() == binding.kind.as_str();
        self.actions.as_ref().is_none_or(|actions| actions.iter().any(is_action))
            && self.resource.as_ref().is_none_or(|resource| {
                let id = resource.id().unescaped();
                match resource.type_name().basename() {
                    "Tenant" => id == tenant.as_str(),
                    "Resource" => id.strip_prefix(tenant.as_str()) == Some(uri.as_str()),
                    "Service" => id == service.name,
                    "Function" => {
                        let rest = id.strip_prefix(service.name).and_then(|rest| rest.strip_prefix(' '));
                        let rest = rest.and_then(|rest| rest.strip_prefix(binding.kind.as_str()));
                        rest.and_then(|rest| rest.strip_prefix(' ')) == Some(binding.pattern.as_str())
                    }
                    _ => true,
                }
            })
    }
}

/// What Cedar calls an own policy, so that it is not taken for one of the tables.
pub(crate) fn id(name: &str) -> PolicyId {
    PolicyId::new(format!("own {name}"))
}

/// Reads a file of policies.
pub(crate) fn read(services: &[Service], file: &str, text: &str) -> Result<Vec<Own>, PolicyError> {
    let source = Source { file, text };
    let validator = Validator::new(schema());
    let mut own: Vec<Own> = Vec::new();
    for (number, range) in statements(text).into_iter().enumerate() {
        let (at, part) = (range.start, &text[range]);
        let unnamed = PolicyId::new(format!("{file} {}", number + 1));
        let policy =
            Policy::parse(Some(unnamed), part).map_err(|errors| source.mistake(at, &errors, &errors.to_string()))?;
        let name =
            policy.annotation("id").filter(|id| !id.is_empty()).map_or(format!("{file} {}", number + 1), str::to_owned);
        if own.iter().any(|other| other.name == name) {
            return Err(PolicyError {
                place: source.place(at),
                message: format!("two policies are named `{name}`; rename one"),
            });
        }
        let policy = policy.new_id(id(&name));
        validate(&validator, &source, at, &policy)?;
        let actions = match policy.action_constraint() {
            ActionConstraint::Any => None,
            ActionConstraint::Eq(action) => Some(vec![action]),
            ActionConstraint::In(actions) => Some(actions),
        };
        let resource = match policy.resource_constraint() {
            ResourceConstraint::Any | ResourceConstraint::Is(_) => None,
            ResourceConstraint::In(uid) | ResourceConstraint::Eq(uid) | ResourceConstraint::IsIn(_, uid) => Some(uid),
        };
        if let Some(resource) = &resource {
            check_name(services, &source, at, resource)?;
        }
        own.push(Own { name, place: source.line(at), policy, actions, resource });
    }
    Ok(own)
}

fn validate(validator: &Validator, source: &Source<'_>, at: usize, policy: &Policy) -> Result<(), PolicyError> {
    let set = PolicySet::from_policies([policy.clone()]).expect("one policy has one name");
    let result = validator.validate(&set, ValidationMode::Strict);
    match result.validation_errors().next() {
        Some(error) => Err(source.mistake(at, error, &error.to_string())),
        None => Ok(()),
    }
}

/// A policy about a function that is not there would look as if it protected something.
fn check_name(services: &[Service], source: &Source<'_>, at: usize, named: &EntityUid) -> Result<(), PolicyError> {
    let id = named.id().unescaped();
    let functions =
        || services.iter().flat_map(|service| service.bindings.iter().map(move |binding| (service, binding)));
    let is_there = match named.type_name().basename() {
        "Function" => functions().any(|(service, binding)| crate::generated::function_name(service, binding) == id),
        "Service" => services.iter().any(|service| service.name == id),
        _ => true,
    };
    if is_there {
        return Ok(());
    }
    let message = format!("there is no {named}; `showrunner policy --cedar` names them all");
    Err(PolicyError { place: source.place(at), message })
}

struct Source<'a> {
    file: &'a str,
    text: &'a str,
}

impl Source<'_> {
    fn place(&self, at: usize) -> String {
        let before = &self.text[..at];
        let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
        format!("{}:{column}", self.line(at))
    }

    fn line(&self, at: usize) -> String {
        format!("{}:{}", self.file, self.text[..at].matches('\n').count() + 1)
    }

    /// A diagnostic of Cedar about a part of the text.
    fn mistake(&self, at: usize, diagnostic: &dyn Diagnostic, message: &str) -> PolicyError {
        let label = diagnostic.labels().and_then(|mut labels| labels.next());
        let inside = label.as_ref().map_or(0, |label| label.offset());
        let mut at = at.saturating_add(inside).min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        let expected = label.and_then(|label| label.label().map(|label| format!("; {label}"))).unwrap_or_default();
        let help = diagnostic.help().map(|help| format!("; {help}")).unwrap_or_default();
        PolicyError { place: self.place(at), message: format!("{message}{expected}{help}") }
    }
}

/// Where each policy of a text stands: up to its `;`, without what is before it. Comments and texts may hold anything.
fn statements(text: &str) -> Vec<std::ops::Range<usize>> {
    let bytes = text.as_bytes();
    let (mut found, mut start, mut at) = (Vec::new(), None, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'/' if bytes.get(at + 1) == Some(&b'/') => {
                at += bytes[at..].iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len() - at);
            }
            b'"' => {
                start.get_or_insert(at);
                at += 1;
                while at < bytes.len() && bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
            }
            b';' => {
                found.push(start.take().unwrap_or(at)..at + 1);
            }
            byte if byte.is_ascii_whitespace() => {}
            _ => drop(start.get_or_insert(at)),
        }
        at += 1;
    }
    found.extend(start.map(|start| start..text.len()));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn statements_end_where_they_end() {
        let text = "// a; b\npermit (x == \"; // \\\" ;\"); // c\n forbid(y);\n last";
        let parts: Vec<&str> = statements(text).into_iter().map(|range| &text[range]).collect();
        assert_eq!(parts, ["permit (x == \"; // \\\" ;\");", "forbid(y);", "last"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_text_is_read_or_refused_with_a_place(text in "[a-z(){};\"\\\\/ =\nü@]{0,60}") {
            if let Err(error) = read(&[], "policy.cedar", &text) {
                prop_assert!(error.place.starts_with("policy.cedar:"), "{error}");
            }
        }
    }
}
