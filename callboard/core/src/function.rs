//! Typed functions `async fn(Env, Msg<In>) -> Result<Reply<Out>, Fault>`, erased when they are registered.

use crate::contract::Contract;
use crate::{Body, BoxFuture, Data, Env, Fault, Msg, Reply};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize};
use std::borrow::Cow;
use std::sync::Arc;

/// Input that is not looked at, whatever it is.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Empty {}

impl<'de> Deserialize<'de> for Empty {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self {})
    }
}

impl JsonSchema for Empty {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Empty".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!(true)
    }
}

/// What may stand in a binding table: `async fn(Env, Msg<In>) -> Result<Reply<Out>, Fault>`, or the same without `Env`
/// for a function that reads nothing but its message.
///
/// `In` is read from JSON, a query or a form; [`Data`] takes the body unread. `Out` is written as JSON. Both derive
/// `schemars::JsonSchema`, from which the application describes itself. `Shape` only tells the two forms apart.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a function of a service",
    label = "expected `async fn(Env, Msg<In>) -> Result<Reply<Out>, Fault>`",
    note = "it must be `async`; `In` must be `serde::Deserialize` (or `callboard::Data` for the unread body), `Out` `serde::Serialize`, and in a binding table both `schemars::JsonSchema`",
    note = "arguments are taken by value: `async fn greet(env: Env, msg: Msg<Greeting>) -> Result<Reply<String>, Fault>`",
    note = "a function that reads nothing else may leave `env` out: `async fn greet(msg: Msg<Greeting>) -> …`"
)]
pub trait Function<In, Out, Shape>: Send + Sync + 'static {
    /// Runs it.
    fn call(&self, env: Env, msg: Msg<In>) -> impl Future<Output = Result<Reply<Out>, Fault>> + Send;

    /// Its path in its service, such as `catalogue::series::create`; what is no function of Rust says its own.
    fn name(&self) -> &'static str {
        std::any::type_name::<Self>()
    }

    /// Whether it can change anything but by what it returns: a program of somebody else can.
    fn acts_itself(&self) -> bool {
        false
    }
}

/// Shape of a function of environment and message.
#[derive(Debug)]
pub enum OfEnv {}

/// Shape of a function of the message alone.
#[derive(Debug)]
pub enum OfMsg {}

impl<F, Fut, In, Out> Function<In, Out, OfEnv> for F
where
    F: Fn(Env, Msg<In>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Reply<Out>, Fault>> + Send,
    In: Send + 'static,
    Out: Send + 'static,
{
    fn call(&self, env: Env, msg: Msg<In>) -> impl Future<Output = Result<Reply<Out>, Fault>> + Send {
        self(env, msg)
    }
}

impl<F, Fut, In, Out> Function<In, Out, OfMsg> for F
where
    F: Fn(Msg<In>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Reply<Out>, Fault>> + Send,
    In: Send + 'static,
    Out: Send + 'static,
{
    fn call(&self, _: Env, msg: Msg<In>) -> impl Future<Output = Result<Reply<Out>, Fault>> + Send {
        self(msg)
    }
}

/// Input of a function: anything that deserialises, or [`Data`] unread.
pub trait Input: Sized + Send + 'static {
    /// Reads it.
    ///
    /// # Errors
    /// The fault says which field is wrong.
    fn read(data: Data) -> Result<Self, Fault>;
}

impl<T: DeserializeOwned + Send + 'static> Input for T {
    fn read(data: Data) -> Result<Self, Fault> {
        data.read()
    }
}

impl Input for Data {
    fn read(data: Data) -> Result<Self, Fault> {
        Ok(data)
    }
}

/// A function without its types.
pub(crate) type Erased = Arc<dyn ErasedFunction>;

/// Calls a function with an unread message and gives its body as JSON.
pub(crate) trait ErasedFunction: Send + Sync {
    fn call<'a>(&'a self, env: Env, msg: Msg) -> BoxFuture<'a, Result<Reply<Data>, Fault>>;
    fn name(&self) -> &'static str;
    fn acts_itself(&self) -> bool;
    /// What it takes and gives; none for steps and schedules, which nobody calls.
    fn contract(&self) -> Option<&Contract>;
}

struct Typed<F, In, Out, Shape> {
    function: F,
    contract: Option<Contract>,
    types: std::marker::PhantomData<fn(In, Shape) -> Out>,
}

/// Erases a function's types; its name comes from the compiler.
pub(crate) fn erase<F, In, Out, Shape>(function: F) -> Erased
where
    Shape: 'static,
    F: Function<In, Out, Shape>,
    In: Input,
    Out: Serialize + Send + 'static,
{
    Arc::new(Typed { function, contract: None, types: std::marker::PhantomData })
}

/// The same for a function that others call, with what it takes and gives.
pub(crate) fn erase_called<F, In, Out, Shape>(function: F) -> Erased
where
    Shape: 'static,
    F: Function<In, Out, Shape>,
    In: Input + JsonSchema,
    Out: Serialize + JsonSchema + Send + 'static,
{
    let contract = Some(Contract::of::<In, Out>());
    Arc::new(Typed { function, contract, types: std::marker::PhantomData })
}

impl<F, In, Out, Shape> ErasedFunction for Typed<F, In, Out, Shape>
where
    Shape: 'static,
    F: Function<In, Out, Shape>,
    In: Input,
    Out: Serialize + Send + 'static,
{
    fn call<'a>(&'a self, env: Env, msg: Msg) -> BoxFuture<'a, Result<Reply<Data>, Fault>> {
        Box::pin(async move {
            let data = match &self.contract {
                Some(contract) => contract.read(msg.data)?,
                None => In::read(msg.data)?,
            };
            let msg = Msg { head: msg.head, params: msg.params, data };
            self.function.call(env, msg).await.and_then(write_body)
        })
    }

    fn name(&self) -> &'static str {
        self.function.name()
    }

    fn acts_itself(&self) -> bool {
        self.function.acts_itself()
    }

    fn contract(&self) -> Option<&Contract> {
        self.contract.as_ref()
    }
}

fn write_body<Out: Serialize>(reply: Reply<Out>) -> Result<Reply<Data>, Fault> {
    let body = match reply.body {
        Body::Json(value) => {
            let bytes = serde_json::to_vec(&value)
                .map_err(|error| Fault::bug(format!("the body does not serialise: {error}")))?;
            Body::Json(Data { media_type: "application/json".into(), bytes: bytes.into() })
        }
        Body::Nothing => Body::Nothing,
        Body::Text(media_type, text) => Body::Text(media_type, text),
        Body::Pieces(media_type, pieces) => Body::Pieces(media_type, pieces),
        Body::Blob(blob) => Body::Blob(blob),
        Body::Intake(intake) => Body::Intake(intake),
    };
    Ok(Reply {
        outcome: reply.outcome,
        body,
        headers: reply.headers,
        cookies: reply.cookies,
        effects: reply.effects,
        version: reply.version,
        refusal: reply.refusal,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_looked_at_may_be_anything_that_reads_or_nothing() {
        for data in
            [Data::json(&serde_json::json!({"at": 1})), Data::json(&()), Data::default(), Data::form("at=1&at=2")]
        {
            let read = data.read::<Empty>();
            assert!(read.is_ok(), "{data:?}: {read:?}");
        }
        let broken = Data { media_type: "application/json".into(), bytes: "{".into() };
        assert_eq!(broken.read::<Empty>().err().map(|fault| fault.code), Some("data.invalid"));
    }
}
