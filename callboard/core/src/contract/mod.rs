//! What a function takes and gives, as JSON Schema (2020-12) made from its types when somebody asks.

mod asyncapi;
mod check;
mod components;
pub mod growth;
mod headers;
mod held;
mod input;
mod notes;
mod openapi;

pub use asyncapi::asyncapi;
pub use held::Held;
pub use notes::Notes;
pub use openapi::openapi;

use input::Limits;

use crate::{Data, Empty, Uri};
use schemars::generate::{Contract as Side, SchemaSettings};
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::any::TypeId;
use std::fmt;
use std::sync::OnceLock;

/// What a document says of the application.
#[derive(Clone, Debug)]
pub struct About {
    /// Its name.
    pub title: String,
    /// Its version.
    pub version: String,
    /// Where it is reached, such as `https://films.example`; empty where that is not known.
    pub origin: String,
    /// Where the tenant is mounted: empty, or such as `/@demo`.
    pub mount: String,
    /// What stands before the URIs of resources there: empty, or such as `/api`.
    pub resources: String,
}

impl About {
    /// Path below which the URIs of resources are.
    fn path(&self) -> String {
        match format!("{}{}", self.mount, self.resources) {
            path if path.is_empty() => "/".to_owned(),
            path => path,
        }
    }
}

/// What the event of an outcome carries: `created`, `changed` or `deleted`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Changed {
    /// The resource.
    pub uri: Uri,
    /// Its version, or the time in Unix milliseconds where it has none.
    pub version: i64,
}

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
#[derive(Clone)]
pub struct Contract {
    takes: Takes,
    gives: Gives,
    input: Made,
    output: Made,
    limits: OnceLock<Limits>,
}

/// A schema, made when it is first asked for.
#[derive(Clone)]
struct Made {
    make: fn(&mut SchemaGenerator) -> Schema,
    made: OnceLock<Value>,
}

impl Made {
    fn of<T: JsonSchema>() -> Self {
        Self { make: |generator| generator.root_schema_for::<T>(), made: OnceLock::new() }
    }

    fn get(&self, contract: Side) -> &Value {
        let settings = settings().with(|settings| settings.contract = contract);
        self.made.get_or_init(|| (self.make)(&mut settings.into_generator()).to_value())
    }
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
        Self { takes, gives, input: Made::of::<In>(), output: Made::of::<Out>(), limits: OnceLock::new() }
    }

    /// What it takes.
    pub fn takes(&self) -> Takes {
        self.takes
    }

    fn limits(&self) -> &Limits {
        self.limits.get_or_init(|| Limits::of(self.input()))
    }

    /// What it gives.
    pub fn gives(&self) -> Gives {
        self.gives
    }

    /// The schema of what it takes, with the types that it names under `$defs`.
    pub fn input(&self) -> &Value {
        self.input.get(Side::Deserialize)
    }

    /// The schema of what it gives, with the types that it names under `$defs`.
    pub fn output(&self) -> &Value {
        self.output.get(Side::Serialize)
    }
}

fn settings() -> SchemaSettings {
    SchemaSettings::draft2020_12()
        .with(|settings| settings.meta_schema = None)
        .with_transform(RecursiveTransform(bound_numbers))
}

/// Says of a whole number what its type can hold: serde refuses what is beyond.
fn bound_numbers(schema: &mut Schema) {
    let bounds = schema.get("format").and_then(Value::as_str).and_then(bounds_of);
    let Some((least, most)) = bounds else { return };
    for (keyword, bound) in [("minimum", least), ("maximum", most)] {
        if schema.get(keyword).is_none() {
            schema.insert(keyword.to_owned(), bound);
        }
    }
}

/// The least and the most that a whole number of a format is.
fn bounds_of(format: &str) -> Option<(Value, Value)> {
    Some(match format {
        "uint8" => (0.into(), u8::MAX.into()),
        "uint16" => (0.into(), u16::MAX.into()),
        "uint32" => (0.into(), u32::MAX.into()),
        "uint64" | "uint" => (0.into(), u64::MAX.into()),
        "int8" => (i8::MIN.into(), i8::MAX.into()),
        "int16" => (i16::MIN.into(), i16::MAX.into()),
        "int32" => (i32::MIN.into(), i32::MAX.into()),
        "int64" | "int" => (i64::MIN.into(), i64::MAX.into()),
        _ => return None,
    })
}
