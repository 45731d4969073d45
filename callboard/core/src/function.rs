//! Typed functions `async fn(Env, Msg<In>) -> Result<Reply<Out>, Fault>`, erased when they are registered.

use crate::{Body, BoxFuture, Data, Env, Fault, Msg, Reply};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Input that is not looked at: any object, or nothing.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct Empty {}

/// What may stand in a binding table: `async fn(Env, Msg<In>) -> Result<Reply<Out>, Fault>`.
///
/// `In` is read from JSON, a query or a form; [`Data`] takes the body unread. `Out` is written as JSON.
#[diagnostic::on_unimplemented(
    message = "this is not a function of a service",
    label = "expected `async fn(Env, Msg<In>) -> Result<Reply<Out>, Fault>`",
    note = "`In` must be `serde::Deserialize` (or `callboard::Data` for the unread body) and `Out` `serde::Serialize`",
    note = "both arguments are taken by value: `async fn greet(env: Env, msg: Msg<Greeting>) -> Result<Reply<String>, Fault>`"
)]
pub trait Function<In, Out>: Send + Sync + 'static {
    /// Runs it.
    fn call(&self, env: Env, msg: Msg<In>) -> impl Future<Output = Result<Reply<Out>, Fault>> + Send;
}

impl<F, Fut, In, Out> Function<In, Out> for F
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
}

struct Typed<F, In, Out> {
    function: F,
    types: std::marker::PhantomData<fn(In) -> Out>,
}

/// Erases a function's types; its name comes from the compiler.
pub(crate) fn erase<F, In, Out>(function: F) -> Erased
where
    F: Function<In, Out>,
    In: Input,
    Out: Serialize + Send + 'static,
{
    Arc::new(Typed { function, types: std::marker::PhantomData })
}

impl<F, In, Out> ErasedFunction for Typed<F, In, Out>
where
    F: Function<In, Out>,
    In: Input,
    Out: Serialize + Send + 'static,
{
    fn call<'a>(&'a self, env: Env, msg: Msg) -> BoxFuture<'a, Result<Reply<Data>, Fault>> {
        Box::pin(async move {
            let msg = Msg { head: msg.head, params: msg.params, data: In::read(msg.data)? };
            self.function.call(env, msg).await.and_then(write_body)
        })
    }

    fn name(&self) -> &'static str {
        std::any::type_name::<F>()
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
    })
}
