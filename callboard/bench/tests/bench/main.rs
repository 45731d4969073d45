//! The runtime on the bench: what a commit promises, how messages are delivered, how flows end.

mod commits;
mod dead;
mod deadlines;
mod delivery;
mod flows;
mod full;
mod held;
mod invocations;
mod kernel;
mod limits;
mod once;
mod operator;
mod outputs;
mod outside;
mod policy;
mod schedules;
mod shop;
mod start;
mod stuck;
mod traces;
mod turns;
mod waits;
