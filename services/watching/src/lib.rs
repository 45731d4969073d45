//! Where each viewer stopped watching, so that they go on from there on any device.
//!
//! It counts nothing: views and watch time belong to statistics.

mod forgetting;
mod model;
mod positions;
mod records;

use callboard::{Kind, Service, Stranger, Who, event};

/// The service.
pub fn service() -> Service {
    use Kind::{Delete, Get, Post, Put};
    use Stranger::{Denied, NotFound};
    Service::new("watching")
        .on(Get, "/me/positions", positions::list, Who::SignedIn, Denied)
        .on(Get, "/me/positions/{episode}", positions::read, Who::SignedIn, Denied)
        .on(Put, "/me/positions/{episode}", positions::save, Who::SignedIn, Denied)
        .reads(&["/access/episodes/{id}"])
        .on(Delete, "/me/positions/{episode}", positions::remove, Who::SignedIn, Denied)
        .on(event("deleted"), "/episodes/{id}", forgetting::begin, Who::Services, NotFound)
        .on(Post, "/positions/{id}/removal", forgetting::go_on, Who::Services, NotFound)
        .tenants_tables(&["watch_position"])
        .migration("0001_watching", include_str!("../migrations/0001_watching.sql"))
        .statements(records::ALL)
}
