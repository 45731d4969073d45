//! Series, seasons and episodes of a channel: what there is, in which order, and how it is named.
//!
//! Who may see a single item is asked of `access`; the bytes of a video and its renditions belong to `media`.

mod edition;
mod episodes;
mod facts;
mod home;
mod listing;
mod media;
mod model;
mod order;
mod records;
mod removal;
mod seasons;
mod series;
mod slug;
mod text;
mod visibility;

use callboard::contract::Changed;
use callboard::{Kind, Service, Stranger, Who, event};

/// The service.
pub fn service() -> Service {
    use Kind::{Delete, Get, Patch, Post};
    use Stranger::{Denied, NotFound};
    const EDITOR: Who = Who::Role("editor");
    Service::new("catalogue")
        .on(Get, "/home", home::read, Who::Anyone, Denied)
        .on(Get, "/series", series::list, Who::Anyone, Denied)
        .on(Post, "/series", series::create, EDITOR, Denied)
        .answers(&[201])
        .on(Get, "/series/by-slug/{slug}", series::find, Who::Anyone, Denied)
        .reads(&["/access/series/{id}"])
        .on(Get, "/series/{id}", series::read, Who::Anyone, Denied)
        .reads(&["/access/series/{id}"])
        .on(Patch, "/series/{id}", series::change, EDITOR, Denied)
        .headers(&["if-match"])
        .on(Delete, "/series/{id}", removal::begin, EDITOR, Denied)
        .on(Post, "/series/{id}/removal", removal::go_on, Who::Services, NotFound)
        .on(Get, "/series/{id}/facts", facts::of_series, Who::Services, NotFound)
        .on(Get, "/series/{id}/episodes", seasons::list, Who::Anyone, Denied)
        .reads(&["/access/series/{id}"])
        .on(Post, "/series/{id}/episodes", episodes::create, EDITOR, Denied)
        .answers(&[201])
        .on(Patch, "/series/{id}/seasons/{number}", seasons::change, EDITOR, Denied)
        .on(Get, "/episodes/by-pid/{pid}", episodes::find, Who::Anyone, Denied)
        .reads(&["/access/episodes/{id}"])
        .on(Get, "/episodes/{id}", episodes::read, Who::Anyone, Denied)
        .reads(&["/access/episodes/{id}"])
        .on(Patch, "/episodes/{id}", episodes::change, EDITOR, Denied)
        .headers(&["if-match"])
        .on(Delete, "/episodes/{id}", episodes::remove, EDITOR, Denied)
        .on(Get, "/episodes/{id}/facts", facts::of_episode, Who::Services, NotFound)
        .on(event("processing"), "/assets/{id}", media::follow, Who::Services, NotFound)
        .on(event("playable"), "/assets/{id}", media::follow, Who::Services, NotFound)
        .on(event("ready"), "/assets/{id}", media::follow, Who::Services, NotFound)
        .on(event("failed"), "/assets/{id}", media::follow, Who::Services, NotFound)
        .on(event("removed"), "/assets/{id}", media::follow, Who::Services, NotFound)
        .publishes::<Changed>(event("created"), "/series/{id}")
        .publishes::<Changed>(event("changed"), "/series/{id}")
        .publishes::<Changed>(event("deleted"), "/series/{id}")
        .publishes::<Changed>(event("created"), "/episodes/{id}")
        .publishes::<Changed>(event("changed"), "/episodes/{id}")
        .publishes::<Changed>(event("deleted"), "/episodes/{id}")
        .publishes::<Changed>(event("changed"), "/series/{id}/seasons/{number}")
        .shows::<media::MediaChanged>(event("changed"), "/episodes/{id}")
        .tenants_tables(&["series", "series_slug", "series_genre", "season", "episode"])
        .migration("0001_catalogue", include_str!("../migrations/0001_catalogue.sql"))
        .migration("0002_members_listed", include_str!("../migrations/0002_members_listed.sql"))
        .statements(records::ALL)
}
