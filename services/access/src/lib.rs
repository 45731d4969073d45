//! Who may see and watch what: the one decision, asked by pages, by reads of single items and by the issue of passes.
//!
//! It keeps no records: it decides by the facts that `catalogue` gives, for whoever asks.

mod decision;
mod model;

use callboard::{Kind, Service, Stranger, Who};

/// The service.
pub fn service() -> Service {
    use Stranger::{Denied, NotFound};
    Service::new("access")
        .on(Kind::Get, "/access/series/{id}", decision::of_series, Who::Anyone, Denied)
        .reads(&["/series/{id}/facts"])
        .on(Kind::Get, "/access/episodes/{id}", decision::of_episode, Who::Anyone, Denied)
        .reads(&["/episodes/{id}/facts"])
        .on(Kind::Get, "/access/episodes/{id}/public", decision::is_public, Who::Services, NotFound)
        .reads(&["/episodes/{id}/facts"])
}
