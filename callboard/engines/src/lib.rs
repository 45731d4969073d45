//! Engines behind the ports of `callboard`: records and the delivery kernel on SQLite or PostgreSQL, blobs on local files, live
//! messages in the process, clock, randomness, programs of this machine, calls to other systems, recordings of invocations, and
//! what wakes a process that is not resident. No business rule, no gateway.

pub mod blobs;
pub mod clock;
pub mod delivery;
pub mod entropy;
pub mod folder;
pub mod live;
pub mod machine;
pub mod outside;
pub mod postgres;
pub mod recordings;
pub mod sqlite;
pub mod wakes;

use callboard::Fault;

/// Most bytes of the texts of one row that are in the same index: PostgreSQL keeps no longer ones, and records are alike on every
/// engine.
pub const INDEXED_BYTES_MAX: usize = 2000;

/// What records say to a text with the character NUL.
fn unstorable() -> Fault {
    Fault::bad_input("text.unstorable", "a text holds the character NUL; leave it out")
}

/// What records say to texts that are too long to be found by.
fn too_long() -> Fault {
    let message = format!("a text that rows are found by is too long; use at most {INDEXED_BYTES_MAX} bytes");
    Fault::bad_input("text.too_long", message)
}
