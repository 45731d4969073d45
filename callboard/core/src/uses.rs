//! What a function says it uses of others: URIs it reads, functions it calls or sends to, events it publishes. What is not said is
//! refused where it concerns another service, so the table of a service tells all that each of its functions can reach.

use crate::{Flow, Kind, Pattern, Service, event};
use std::collections::HashSet;

/// One thing that a function, or a whole service, uses.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Use {
    /// What happens: a call, or an event that is published.
    pub kind: Kind,
    /// On which URIs.
    pub pattern: Pattern,
}

impl Service {
    /// URIs of others that the last row reads, as their owners' tables write them. Before the first row: that every function of this
    /// service reads, those of its flows and schedules too.
    #[must_use]
    pub fn reads(self, patterns: &[&'static str]) -> Self {
        patterns.iter().fold(self, |service, pattern| service.using(Kind::Get, pattern))
    }

    /// A function of another service that the last row, or before the first one every function, relays to or sends messages to.
    #[must_use]
    pub fn calls(self, kind: Kind, pattern: &'static str) -> Self {
        self.using(kind, pattern)
    }

    /// Events that the last row, or before the first one every function, publishes, also those that tell of an outcome: `created`,
    /// `changed`, `deleted`.
    #[must_use]
    pub fn emits(self, events: &[&'static str], pattern: &'static str) -> Self {
        events.iter().fold(self, |service, name| service.using(event(name), pattern))
    }

    /// Everything that some function of this service uses, each once.
    pub fn all_uses(&self) -> Vec<&Use> {
        let rows = self.bindings.iter().flat_map(|row| &row.uses);
        let steps = self.flows.iter().flat_map(|flow| &flow.steps).flat_map(|step| &step.uses);
        let mut seen = HashSet::new();
        self.uses.iter().chain(rows).chain(steps).filter(|used| seen.insert(*used)).collect()
    }

    fn using(mut self, kind: Kind, pattern: &'static str) -> Self {
        let used = match Pattern::parse(pattern) {
            Ok(pattern) => Use { kind, pattern },
            Err(error) => {
                self.mistakes.push(format!("{}: {error}", self.name));
                return self;
            }
        };
        match self.bindings.last_mut() {
            Some(row) => row.uses.push(used),
            None => self.uses.push(used),
        }
        self
    }
}

impl Flow {
    /// URIs of others that the last step reads, in doing and undoing it.
    #[must_use]
    pub fn reads(self, patterns: &[&'static str]) -> Self {
        patterns.iter().fold(self, |mut flow, text| match Pattern::parse(text) {
            Ok(pattern) => flow.last(|step| step.uses.push(Use { kind: Kind::Get, pattern })),
            Err(error) => {
                flow.mistakes.push(format!("flow {}: {error}", flow.name));
                flow
            }
        })
    }
}

/// The declaration that a table lacks, as it would be written there.
pub(crate) fn declaration(kind: &Kind, pattern: &str) -> String {
    let named = |kind: &str| kind[..1].to_uppercase() + &kind[1..];
    match kind {
        Kind::Get => format!(".reads(&[\"{pattern}\"])"),
        Kind::Event(name) => format!(".emits(&[\"{name}\"], \"{pattern}\")"),
        kind => format!(".calls(Kind::{}, \"{pattern}\")", named(kind.as_str())),
    }
}
