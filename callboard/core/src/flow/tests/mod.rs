//! The machine against a small kernel that crashes, repeats, reorders and forgets, watched by a checker that knows only the
//! table, the events and what the steps wrote into a ledger outside.

mod checker;
mod exhaustive;
mod machine;
mod shapes;
mod simulation;
mod world;
