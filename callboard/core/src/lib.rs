//! Callboard: an application is a URI space, events on URIs map to functions `msg = f(env, msg)`.
//!
//! This crate is the framework without any engine: messages, URIs and patterns, the binding table of a
//! service, typed functions, effects as data, faults, handlers, dispatch and flows. It awaits only what
//! [`Env`] offers and does no IO of its own; engines and gateways live in crates beside it.
#![doc = include_str!("../README.md")]

mod answer;
pub mod breaker;
mod builder;
pub mod contract;
mod datum;
mod delivery;
mod denial;
mod effects;
mod env;
mod fault;
pub mod flow;
mod function;
mod handler;
mod holders;
mod host;
mod housekeeping;
mod id;
pub mod invocation;
mod msg;
mod observed;
mod once;
pub mod operator;
pub mod outside;
mod pattern;
mod pieces;
pub mod policy;
pub mod ports;
mod publish;
mod reply;
mod schedule;
mod secret;
mod service;
mod signed;
mod space;
mod turn;
mod uri;
mod uses;

pub use answer::{Answer, AnswerBody};
pub use builder::HostBuilder;
pub use contract::{Contract, Gives, Notes, Takes};
pub use datum::{Datum, Row, Rows, Statement};
pub use denial::{DENIALS_MAX, Denial, Denials};
pub use effects::{
    BATCH_STATEMENTS_MAX, Cancel, DATA_BYTES_MAX, Effects, Emit, LiveMessage, MESSAGE_BYTES_MAX, Operate, Otherwise,
    RUN_KEY_BYTES_MAX, SendMsg, Slot, Start, WaitAnswer, WaitName, Write, fill_slots,
};
pub use env::Env;
pub use fault::{Fault, FaultKind, FieldError};
pub use flow::{Flow, FlowMove, Retry, Step};
pub use function::{Empty, Function, Input, OfEnv, OfMsg};
pub use handler::{Handler, Next};
pub use host::Host;
pub use id::{Id, pid};
pub use msg::{Data, HTTP, Head, INVOKE, JSON_DEPTH_MAX, Kind, Msg, Params, Principal, STREAM, Tenant, event};
pub use observed::{FunctionPrivileges, Privileges};
pub use once::{KEY_AGE_MS, KEY_BYTES_MAX};
pub use pattern::{Pattern, PatternError, Router};
pub use pieces::{Pieces, Source};
pub use ports::{BoxFuture, Ports};
pub use reply::{BlobRef, Body, Cookie, Html, Intake, Outcome, Reply, Stored};
pub use schedule::{CatchUp, Due, Schedule, Tick, When};
pub use secret::Secret;
pub use service::{BODY_BYTES_MAX, Binding, Migration, OnDead, Service, Setting, Stranger, Table, Values, Who};
pub use signed::{PASS_AGE_MS_MAX, Pass, PassError, SigningKey};
pub use space::{HOPS_MAX, Space, StartError};
pub use turn::Turn;
pub use uri::{URI_BYTES_MAX, Uri, UriError};
pub use uses::Use;
