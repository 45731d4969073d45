//! The handlers in front of a gate whose sessions the tests know.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise, also in what several tests share")]

mod api_keys;
mod authenticate;
mod conditions;
mod gate;
mod limits;
mod meter;
mod tokens;
