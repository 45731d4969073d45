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
        .reads(&["/tenant"])
        .on(Page, "/studio", series::enter, EDITOR, Denied)
        .on(Page, "/studio/series", series::list, EDITOR, Denied)
        .reads(&["/series"])
        .on(Form, "/studio/series", series::create, EDITOR, Denied)
        .relay()
        .calls(Post, "/series")
        .on(Page, "/studio/series/new", series::show_new, EDITOR, Denied)
        .on(Page, "/studio/series/{id}", series::show, EDITOR, Denied)
        .reads(&["/series/{id}", "/series/{id}/episodes"])
        .on(Form, "/studio/series/{id}", series::change, EDITOR, Denied)
        .relay()
        .reads(&["/series/{id}", "/series/{id}/episodes"])
        .calls(Patch, "/series/{id}")
        .calls(Delete, "/series/{id}")
        .on(Page, "/studio/series/{id}/episodes/new", episodes::show_new, EDITOR, Denied)
        .reads(&["/series/{id}"])
        .on(Form, "/studio/series/{id}/episodes", episodes::create, EDITOR, Denied)
        .relay()
        .reads(&["/series/{id}"])
        .calls(Post, "/series/{id}/episodes")
        .on(Page, "/studio/tips", tips::list, EDITOR, Denied)
        .reads(&["/tips"])
        .on(Form, "/studio/tips/{id}/refund", tips::refund, Who::Role("owner"), Denied)
        .relay()
        .reads(&["/tips"])
        .calls(Post, "/tips/{id}/refund")
        .on(Page, "/studio/episodes/{id}", episodes::show, EDITOR, Denied)
        .reads(&["/episodes/{id}", "/series/{id}", "/episodes/{id}/asset"])
        .on(Form, "/studio/episodes/{id}", episodes::change, EDITOR, Denied)
        .relay()
        .reads(&["/episodes/{id}", "/series/{id}", "/episodes/{id}/asset"])
        .calls(Patch, "/episodes/{id}")
        .calls(Delete, "/episodes/{id}")
        .calls(Delete, "/episodes/{id}/asset")
}
