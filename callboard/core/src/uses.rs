//! What a service says it uses of others: URIs it reads, functions it calls or sends to, events it publishes. What is not said is
//! refused where it concerns another service, so the table of a service tells all that its code can reach.

use crate::{Kind, Pattern, Service, event};

/// One thing that a service uses.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Use {
    /// What happens: a call, or an event that is published.
    pub kind: Kind,
    /// On which URIs.
    pub pattern: Pattern,
}

impl Service {
    /// URIs of others that functions of this service read, as their owners' tables write them.
    #[must_use]
    pub fn reads(self, patterns: &[&'static str]) -> Self {
        patterns.iter().fold(self, |service, pattern| service.using(Kind::Get, pattern))
    }

    /// A function of another service that this one relays to or sends messages to.
    #[must_use]
    pub fn calls(self, kind: Kind, pattern: &'static str) -> Self {
        self.using(kind, pattern)
    }

    /// Events that this service publishes, also those that tell of an outcome: `created`, `changed`, `deleted`.
    #[must_use]
    pub fn emits(self, events: &[&'static str], pattern: &'static str) -> Self {
        events.iter().fold(self, |service, name| service.using(event(name), pattern))
    }

    pub(crate) fn using(mut self, kind: Kind, pattern: &'static str) -> Self {
        match Pattern::parse(pattern) {
            Ok(pattern) => self.uses.push(Use { kind, pattern }),
            Err(error) => self.mistakes.push(format!("{}: {error}", self.name)),
        }
        self
    }
}

/// The declaration that a service's table lacks, as it would be written there.
pub(crate) fn declaration(kind: &Kind, pattern: &str) -> String {
    let named = |kind: &str| kind[..1].to_uppercase() + &kind[1..];
    match kind {
        Kind::Get => format!(".reads(&[\"{pattern}\"])"),
        Kind::Event(name) => format!(".emits(&[\"{name}\"], \"{pattern}\")"),
        kind => format!(".calls(Kind::{}, \"{pattern}\")", named(kind.as_str())),
    }
}
