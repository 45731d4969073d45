//! The catalogue on the bench.

mod home;
mod lists;
mod media;
mod order;
mod plans;
mod removal;
mod series;
mod stage;
mod text;
mod who;
