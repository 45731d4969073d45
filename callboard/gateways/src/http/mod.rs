//! The HTTP gateway: a listener whose requests become messages and whose responses are answers. No routes of its own but
//! the mounts: `/api` for resources, `/media` and files of the program, everything else a page.

mod answer;
mod assets;
mod blob;
mod body;
mod compression;
mod conditions;
mod events;
mod faults;
mod gateway;
mod headers;
mod log;
mod media;
mod message;
mod options;
mod pieces;
mod place;
mod redirect;
mod revoked;
mod server;
mod stall;
mod tenants;
mod uploads;

pub(crate) use body::{Body, Received};
pub(crate) use gateway::Gateway;
pub(crate) use message::Credential;
pub(crate) use place::{Outside, Place, hops, is_host};

pub use assets::{Asset, Assets};
pub use options::{HttpOptions, Limits, Pages, Tenants};
pub use server::{run, serve};
