//! Functions of callboard in operating-system processes of their own, in any language.
//!
//! A function is declared, in `space.toml`, in the head of its file or in code, and becomes a row of a binding table like any
//! other. Its process speaks the Lambda Runtime API, is confined to what is declared, and answers with what should change.

mod declared;
mod describe;
mod documents;
mod envelope;
mod event;
mod faults;
mod function;
mod functions;
mod head;
pub mod invoke;
mod language;
mod logs;
mod pool;
mod reading;
pub mod runtime;
pub mod sandbox;
mod trace;
pub mod watch;
mod worker;

pub use declared::{Declared, OneOrMany};
pub use function::{OfProcess, Tails};
pub use functions::{Functions, Options, declared_in, heads_in};
pub use logs::OnLine;

/// What a process may reserve without using it, beside what it may use.
pub(crate) const RESERVED_BYTES: u64 = 1 << 30;
