//! Engines behind the ports of `callboard`: records and the delivery kernel on SQLite or PostgreSQL, blobs on local files, live
//! messages in the process, clock, randomness, programs of this machine, calls to
//! other systems and recordings of invocations. No business rule, no gateway.

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
