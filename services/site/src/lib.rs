//! The pages of viewers: home, series, watch, sign-in, one's own, and the pictures drawn for what has none. It keeps no
//! records; it reads from the other services with the viewer's own authority.

mod about;
mod art;
mod card;
mod contracts;
mod errors;
mod fault;
mod frame;
mod home;
mod icons;
mod lettering;
mod me;
mod pictures;
mod robots;
mod series;
mod sign_in;
mod theme;
mod tip;
mod watch;
mod wording;

use callboard::Kind::{Delete, Form, Page, Patch, Post, Put};
use callboard::Stranger::{Denied, NotFound};
use callboard::Who::{Anyone, SignedIn};
use callboard::{Service, Values};

/// The service.
pub fn service() -> Service {
    Service::new("site")
        .reads(&["/tenant"])
        .on(Page, "/", home::show, Anyone, Denied)
        .reads(&["/home", "/me/positions", "/episodes/{id}", "/series/{id}"])
        .on(Page, "/series", series::list, Anyone, Denied)
        .on(Page, "/series/{slug}", series::show, Anyone, Denied)
        .reads(&["/series/by-slug/{slug}", "/series/{id}/episodes", "/me/positions", "/payments/offer"])
        .on(Page, "/series/{slug}/{season}", series::show_season, Anyone, Denied)
        .reads(&["/series/by-slug/{slug}", "/series/{id}/episodes", "/me/positions", "/payments/offer"])
        .on(Page, "/series/{slug}/tip", tip::show_form, SignedIn, Denied)
        .reads(&["/series/by-slug/{slug}", "/payments/offer"])
        .on(Form, "/series/{slug}/tip", tip::give, SignedIn, Denied)
        .relay()
        .reads(&["/series/by-slug/{slug}", "/payments/offer"])
        .calls(Post, "/tips")
        .on(Page, "/me/tips", tip::show_own, SignedIn, Denied)
        .reads(&["/me/tips"])
        .on(Page, "/me/tips/{id}", tip::show_status, SignedIn, Denied)
        .reads(&["/tips/{id}"])
        .on(Page, "/watch/{pid}", watch::find, Anyone, Denied)
        .reads(&["/episodes/by-pid/{pid}"])
        .on(Page, "/watch/{pid}/{slug}", watch::show, Anyone, Denied)
        .relay()
        .reads(&["/episodes/by-pid/{pid}", "/access/episodes/{id}", "/series/{id}", "/series/{id}/episodes"])
        .reads(&["/me/positions/{episode}"])
        .calls(Post, "/episodes/{id}/playback")
        .on(Page, "/sign-in", sign_in::show_sign_in, Anyone, Denied)
        .on(Form, "/sign-in", sign_in::sign_in, Anyone, Denied)
        .relay()
        .takes_secrets()
        .calls(Post, "/sessions")
        .on(Page, "/sign-up", sign_in::show_sign_up, Anyone, Denied)
        .on(Form, "/sign-up", sign_in::sign_up, Anyone, Denied)
        .relay()
        .takes_secrets()
        .calls(Post, "/accounts")
        .on(Form, "/sign-out", sign_in::sign_out, SignedIn, Denied)
        .relay()
        .calls(Delete, "/sessions/current")
        .on(Page, "/me/settings", me::show_settings, SignedIn, Denied)
        .reads(&["/me"])
        .on(Form, "/me/settings", me::change, SignedIn, Denied)
        .relay()
        .takes_secrets()
        .reads(&["/me"])
        .calls(Patch, "/me")
        .calls(Put, "/me/password")
        .on(Page, "/me/history", me::show_history, SignedIn, Denied)
        .reads(&["/me/positions", "/episodes/{id}", "/series/{id}"])
        .on(Form, "/me/history", me::forget, SignedIn, Denied)
        .relay()
        .calls(Delete, "/me/positions/{episode}")
        .on(Page, "/art/{kind}/{id}", pictures::show, Anyone, NotFound)
        .relay()
        .reads(&["/series/{id}", "/episodes/{id}", "/access/episodes/{id}"])
        .calls(Post, "/episodes/{id}/playback")
        .on(Page, "/favicon.ico", pictures::show_favicon, Anyone, Denied)
        .on(Page, "/robots.txt", robots::show, Anyone, Denied)
        .on(Page, "/theme.css", theme::show, Anyone, Denied)
        .on(Page, "/about/function", about::show_function, Anyone, Denied)
        .reads(&["/-/functions"])
        .on(Page, "/about/errors/{code}", errors::show, Anyone, Denied)
        .reads(&["/-/errors/{code}"])
        .on(Page, "/fault", fault::show, Anyone, NotFound)
        .setting("site.demo", "no", "`yes` where every page says that this is a demo and where to begin")
        .values(Values::OneOf(&["no", "yes"]))
}
