//! What a function takes and gives, as JSON Schema (2020-12) made from its types when somebody asks.

use crate::{Data, Empty};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::Value;
use std::any::TypeId;
use std::fmt;

/// What a function takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// It does not look at its input.
    Nothing,
    /// The body as it comes, of any media type.
    Unread,
    /// A value that fits its schema: JSON, a query or a form.
    Value,
}

/// What a function gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gives {
    /// No value: nothing at all, a page, or a stored blob.
    Nothing,
    /// A value as JSON.
    Value,
}

/// What a function takes and gives.
pub struct Contract {
    takes: Takes,
    gives: Gives,
    input: fn(&mut SchemaGenerator) -> Schema,
    output: fn(&mut SchemaGenerator) -> Schema,
}

impl fmt::Debug for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contract").field("takes", &self.takes).field("gives", &self.gives).finish_non_exhaustive()
    }
}

impl Contract {
    pub(crate) fn of<In: JsonSchema + 'static, Out: JsonSchema + 'static>() -> Self {
        let takes = match TypeId::of::<In>() {
            id if id == TypeId::of::<Empty>() => Takes::Nothing,
            id if id == TypeId::of::<Data>() => Takes::Unread,
            _ => Takes::Value,
        };
        let gives = if TypeId::of::<Out>() == TypeId::of::<()>() { Gives::Nothing } else { Gives::Value };
        Self {
            takes,
            gives,
            input: |generator| generator.root_schema_for::<In>(),
            output: |generator| generator.root_schema_for::<Out>(),
        }
    }

    /// What it takes.
    pub fn takes(&self) -> Takes {
        self.takes
    }

    /// What it gives.
    pub fn gives(&self) -> Gives {
        self.gives
    }

    /// The schema of what it takes, with the types that it names under `$defs`.
    pub fn input(&self) -> Value {
        (self.input)(&mut settings().for_deserialize().into_generator()).to_value()
    }

    /// The schema of what it gives, with the types that it names under `$defs`.
    pub fn output(&self) -> Value {
        (self.output)(&mut settings().for_serialize().into_generator()).to_value()
    }
}

fn settings() -> SchemaSettings {
    SchemaSettings::draft2020_12().with(|settings| settings.meta_schema = None)
}
