//! The pages of producers: series, episodes and uploads. It keeps no records; its forms relay to the resources of the
//! other services, with the authority of whoever sends them.

mod contracts;
mod episodes;
mod form;
mod frame;
mod icons;
mod series;
mod tips;
mod wording;

use callboard::Kind::{Delete, Form, Page, Patch, Post};
use callboard::Stranger::Denied;
use callboard::{Service, Who};

/// The service.
pub fn service() -> Service {
    const EDITOR: Who = Who::Role("editor");
    Service::new("studio")
        .on(Page, "/studio", series::enter, EDITOR, Denied)
        .on(Page, "/studio/series", series::list, EDITOR, Denied)
        .on(Form, "/studio/series", series::create, EDITOR, Denied)
        .relay()
        .on(Page, "/studio/series/new", series::show_new, EDITOR, Denied)
        .on(Page, "/studio/series/{id}", series::show, EDITOR, Denied)
        .on(Form, "/studio/series/{id}", series::change, EDITOR, Denied)
        .relay()
        .on(Page, "/studio/series/{id}/episodes/new", episodes::show_new, EDITOR, Denied)
        .on(Form, "/studio/series/{id}/episodes", episodes::create, EDITOR, Denied)
        .relay()
        .on(Page, "/studio/tips", tips::list, EDITOR, Denied)
        .on(Form, "/studio/tips/{id}/refund", tips::refund, Who::Role("owner"), Denied)
        .relay()
        .on(Page, "/studio/episodes/{id}", episodes::show, EDITOR, Denied)
        .on(Form, "/studio/episodes/{id}", episodes::change, EDITOR, Denied)
        .relay()
        .reads(&[
            "/tenant",
            "/series",
            "/series/{id}",
            "/series/{id}/episodes",
            "/episodes/{id}",
            "/episodes/{id}/asset",
        ])
        .reads(&["/tips"])
        .calls(Post, "/series")
        .calls(Patch, "/series/{id}")
        .calls(Delete, "/series/{id}")
        .calls(Post, "/series/{id}/episodes")
        .calls(Patch, "/episodes/{id}")
        .calls(Delete, "/episodes/{id}")
        .calls(Delete, "/episodes/{id}/asset")
        .calls(Post, "/tips/{id}/refund")
}
