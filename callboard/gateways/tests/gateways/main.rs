//! The gateways against a real listener: a hall whose functions, pages and uploads are asked over plain TCP.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise, also in what several tests share")]

mod blobs;
mod client;
mod hall;
mod intakes;
mod lambda;
mod local;
mod media;
mod pages;
mod pieces;
mod places;
mod requests;
mod server;
mod shutdown;
mod streams;
