//! Functions in processes: the Runtime API they speak, the sandbox they are in, and what becomes of those that misbehave.

mod callers;
mod clients;
mod effects;
mod fuzz;
mod keys;
mod misbehaving;
mod prison;
mod runtime;
mod stage;
mod starts;
mod streaming;
mod wire;
