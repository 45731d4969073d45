//! What a row says of the wire beside its types, so that the document of the application says it too.

use super::{Contract, Gives};
use crate::service::{Binding, Service};
use crate::{Kind, Pattern, Use};
use schemars::JsonSchema;

/// What a row says of the wire beside its types.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// Statuses of success, where they are not the usual ones of its kind.
    pub answers: &'static [u16],
    /// Headers the function looks at, lower-case.
    pub reads: &'static [&'static str],
    /// Headers its answers may carry, lower-case.
    pub tells: &'static [&'static str],
    /// Statuses of faults beyond those that follow from the row.
    pub refuses: &'static [u16],
    /// Media type of a body that is not read as a value.
    pub takes: Option<&'static str>,
}

impl Binding {
    /// Statuses of success: what the row says, or 204 where there is no value to give and 200 where there is.
    pub fn successes(&self) -> Vec<u16> {
        match (self.notes.answers, self.contract().gives()) {
            ([], Gives::Nothing) => vec![204],
            ([], Gives::Value) => vec![200],
            (said, _) => said.to_vec(),
        }
    }
}

impl Service {
    /// The last row succeeds with these statuses, where it is not 204 for nothing and 200 for a value: 201 for what is made, 202
    /// for work that goes on.
    #[must_use]
    pub fn answers(self, statuses: &'static [u16]) -> Self {
        self.last(|binding| binding.notes.answers = statuses)
    }

    /// The last row looks at these headers.
    #[must_use]
    pub fn headers(self, headers: &'static [&'static str]) -> Self {
        self.last(|binding| binding.notes.reads = headers)
    }

    /// Answers of the last row may carry these headers.
    #[must_use]
    pub fn tells(self, headers: &'static [&'static str]) -> Self {
        self.last(|binding| binding.notes.tells = headers)
    }

    /// The last row is also refused with these statuses, which do not follow from its kind, its input or who may call it.
    #[must_use]
    pub fn refuses(self, statuses: &'static [u16]) -> Self {
        self.last(|binding| binding.notes.refuses = statuses)
    }

    /// Events of this kind that the service publishes on such URIs carry this. The events of outcomes, `created`, `changed` and
    /// `deleted`, carry [`Changed`](crate::contract::Changed).
    #[must_use]
    pub fn publishes<T: JsonSchema + 'static>(self, kind: Kind, pattern: &'static str) -> Self {
        let mut service = self;
        match Pattern::parse(pattern) {
            Ok(pattern) => {
                service.uses.push(Use { kind: kind.clone(), pattern: pattern.clone() });
                service.publishes.push((kind, pattern, Contract::of::<(), T>()));
            }
            Err(error) => service.mistakes.push(format!("{}: {error}", service.name)),
        }
        service
    }

    /// Live messages of this kind on such URIs carry this: whoever looks at that moment gets them, and nobody stores them.
    #[must_use]
    pub fn shows<T: JsonSchema + 'static>(mut self, kind: Kind, pattern: &'static str) -> Self {
        match Pattern::parse(pattern) {
            Ok(pattern) => self.live.push((kind, pattern, Contract::of::<(), T>())),
            Err(error) => self.mistakes.push(format!("{}: {error}", self.name)),
        }
        self
    }

    /// The last row takes its body unread, and it is of this media type.
    #[must_use]
    pub fn takes(self, media_type: &'static str) -> Self {
        self.last(|binding| binding.notes.takes = Some(media_type))
    }
}
