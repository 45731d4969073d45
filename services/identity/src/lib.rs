//! People: sign up, in and out, sessions and their role in each tenant.
//!
//! An account belongs to one tenant; the same address in two tenants is two people. What a role may do is said by the
//! binding tables of the services, not here.

mod account;
mod attempts;
mod email;
mod me;
mod members;
mod model;
mod password;
mod records;
mod sessions;

use callboard::contract::Changed;
use callboard::{Kind, Service, Stranger, Who, event};

/// The service.
pub fn service() -> Service {
    Service::new("identity")
        .on(Kind::Post, "/accounts", account::sign_up, Who::Anyone, Stranger::Denied)
        .answers(&[201])
        .on(Kind::Post, "/owners", account::make_owner, Who::Services, Stranger::NotFound)
        .answers(&[201])
        .on(Kind::Put, "/accounts/password", account::reset_password, Who::Services, Stranger::NotFound)
        .on(Kind::Post, "/sessions", sessions::sign_in, Who::Anyone, Stranger::Denied)
        .refuses(&[401])
        .on(Kind::Delete, "/sessions/current", sessions::sign_out, Who::SignedIn, Stranger::Denied)
        .on(Kind::Get, "/sessions/resolve", sessions::resolve, Who::Services, Stranger::NotFound)
        .on(Kind::Get, "/me", me::show, Who::SignedIn, Stranger::Denied)
        .on(Kind::Patch, "/me", me::rename, Who::SignedIn, Stranger::Denied)
        .reads(&["if-match"])
        .on(Kind::Put, "/me/password", me::change_password, Who::SignedIn, Stranger::Denied)
        .on(Kind::Get, "/members", members::list, Who::Role("owner"), Stranger::Denied)
        .on(Kind::Put, "/members/{id}", members::set_role, Who::Role("owner"), Stranger::Denied)
        .reads(&["if-match"])
        .on(Kind::Delete, "/members/{id}", members::remove, Who::Role("owner"), Stranger::Denied)
        .reads(&["if-match"])
        .publishes::<Changed>(event("created"), "/members/{id}")
        .publishes::<Changed>(event("changed"), "/members/{id}")
        .publishes::<Changed>(event("deleted"), "/members/{id}")
        .publishes::<Changed>(event("deleted"), "/sessions/{id}")
        .tenants_tables(&["account", "ownership", "session", "attempt"])
        .migration("0001_identity", include_str!("../migrations/0001_identity.sql"))
        .statements(records::ALL)
}
