//! Gateways into callboard: HTTP with live event streams, blobs and media, and the local command line.

pub mod http;
mod intake;
pub mod local;
