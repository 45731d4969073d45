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
        .on(Page, "/", home::show, Anyone, Denied)
        .on(Page, "/series", series::list, Anyone, Denied)
        .on(Page, "/series/{slug}", series::show, Anyone, Denied)
        .on(Page, "/series/{slug}/{season}", series::show_season, Anyone, Denied)
        .on(Page, "/series/{slug}/tip", tip::show_form, SignedIn, Denied)
        .on(Form, "/series/{slug}/tip", tip::give, SignedIn, Denied)
        .relay()
        .on(Page, "/me/tips", tip::show_own, SignedIn, Denied)
        .on(Page, "/me/tips/{id}", tip::show_status, SignedIn, Denied)
        .on(Page, "/watch/{pid}", watch::find, Anyone, Denied)
        .on(Page, "/watch/{pid}/{slug}", watch::show, Anyone, Denied)
        .relay()
        .on(Page, "/sign-in", sign_in::show_sign_in, Anyone, Denied)
        .on(Form, "/sign-in", sign_in::sign_in, Anyone, Denied)
        .relay()
        .takes_secrets()
        .on(Page, "/sign-up", sign_in::show_sign_up, Anyone, Denied)
        .on(Form, "/sign-up", sign_in::sign_up, Anyone, Denied)
        .relay()
        .takes_secrets()
        .on(Form, "/sign-out", sign_in::sign_out, SignedIn, Denied)
        .relay()
        .on(Page, "/me/settings", me::show_settings, SignedIn, Denied)
        .on(Form, "/me/settings", me::change, SignedIn, Denied)
        .relay()
        .takes_secrets()
        .on(Page, "/me/history", me::show_history, SignedIn, Denied)
        .on(Form, "/me/history", me::forget, SignedIn, Denied)
        .relay()
        .on(Page, "/art/{kind}/{id}", pictures::show, Anyone, NotFound)
        .relay()
        .on(Page, "/favicon.ico", pictures::show_favicon, Anyone, Denied)
        .on(Page, "/robots.txt", robots::show, Anyone, Denied)
        .on(Page, "/theme.css", theme::show, Anyone, Denied)
        .on(Page, "/about/function", about::show_function, Anyone, Denied)
        .on(Page, "/about/errors/{code}", errors::show, Anyone, Denied)
        .on(Page, "/fault", fault::show, Anyone, NotFound)
        .reads(&["/tenant", "/home", "/series/{id}", "/series/by-slug/{slug}", "/series/{id}/episodes"])
        .reads(&["/episodes/{id}", "/episodes/by-pid/{pid}", "/access/episodes/{id}", "/payments/offer", "/tips/{id}"])
        .reads(&["/me", "/me/tips", "/me/positions", "/me/positions/{episode}", "/-/functions", "/-/errors/{code}"])
        .calls(Post, "/sessions")
        .calls(Post, "/accounts")
        .calls(Delete, "/sessions/current")
        .calls(Post, "/tips")
        .calls(Post, "/episodes/{id}/playback")
        .calls(Patch, "/me")
        .calls(Put, "/me/password")
        .calls(Delete, "/me/positions/{episode}")
        .setting("site.demo", "no", "`yes` where every page says that this is a demo and where to begin")
        .values(Values::OneOf(&["no", "yes"]))
}
