//! Channels: host names, names, colours and logo of every tenant.
//!
//! It says which tenant a host name stands for and how a channel looks; who belongs to it is identity's.

mod colour;
mod hosts;
mod logo;
mod model;
mod profile;
mod records;
mod registry;
mod svg;

use callboard::contract::Changed;
use callboard::{Kind, Service, Stranger, Who, event};

/// The service.
pub fn service() -> Service {
    Service::new("tenants")
        .on(Kind::Get, "/tenant", profile::show, Who::Anyone, Stranger::Denied)
        .on(Kind::Put, "/tenant", profile::change, Who::Role("owner"), Stranger::Denied)
        .reads(&["if-match"])
        .on(Kind::Get, "/tenants", registry::list, Who::Services, Stranger::NotFound)
        .on(Kind::Post, "/tenants", registry::create, Who::Services, Stranger::NotFound)
        .answers(&[201])
        .on(Kind::Get, "/tenants/{name}", registry::show, Who::Services, Stranger::NotFound)
        .on(Kind::Get, "/tenants/by-host", hosts::resolve, Who::Services, Stranger::NotFound)
        .on(Kind::Get, "/tenants/{name}/hosts", hosts::list, Who::Services, Stranger::NotFound)
        .on(Kind::Post, "/tenants/{name}/hosts", hosts::add, Who::Services, Stranger::NotFound)
        .answers(&[201])
        .on(Kind::Delete, "/tenants/{name}/hosts/{host}", hosts::remove, Who::Services, Stranger::NotFound)
        .publishes::<Changed>(event("changed"), "/tenant")
        .publishes::<Changed>(event("created"), "/tenants/{name}")
        .publishes::<Changed>(event("created"), "/tenants/{name}/hosts/{host}")
        .publishes::<Changed>(event("deleted"), "/tenants/{name}/hosts/{host}")
        .shared_tables(&["tenant", "tenant_host"])
        .migration("0001_tenants", include_str!("../migrations/0001_tenants.sql"))
        .statements(records::ALL)
}
