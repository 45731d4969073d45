//! Functions in processes: the Runtime API they speak, the sandbox they are in, and what becomes of those that misbehave.

mod fuzz;
mod runtime;
mod wire;
