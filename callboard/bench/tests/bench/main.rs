//! The runtime on the bench: what a commit promises, how messages are delivered, how flows end.

mod commits;
mod dead;
mod delivery;
mod flows;
mod full;
mod invocations;
mod kernel;
mod once;
mod operator;
mod outside;
mod schedules;
mod shop;
mod start;
mod stuck;
mod traces;
mod waits;
