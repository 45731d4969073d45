//! Every statement of this service. Its tables are shared: they are how tenants are found.

use callboard::Statement;

pub(crate) static ALL: &[&Statement] =
    &[&TENANT, &TENANTS, &ADD_TENANT, &CHANGE_TENANT, &TENANT_OF_HOST, &HOSTS, &ADD_HOST, &REMOVE_HOST];

/// `$1` name.
pub(crate) static TENANT: Statement = Statement::read(
    "tenant",
    &["tenant"],
    "SELECT name, title, tagline, accent, accent_dark, accent_light, logo, version FROM tenant WHERE name = $1",
);

/// `$1` the last name of the page before, `$2` how many.
pub(crate) static TENANTS: Statement =
    Statement::read("tenants", &["tenant"], "SELECT name, title FROM tenant WHERE name > $1 ORDER BY name LIMIT $2");

/// `$1` name, `$2` title, `$3` tagline, `$4` accent, `$5` accent on dark, `$6` accent on light, `$7` now.
pub(crate) static ADD_TENANT: Statement = Statement::write(
    "add_tenant",
    &["tenant"],
    "INSERT INTO tenant (name, title, tagline, accent, accent_dark, accent_light, logo, version, created_ms, updated_ms)
     VALUES ($1, $2, $3, $4, $5, $6, NULL, 1, $7, $7) ON CONFLICT (name) DO NOTHING",
);

/// `$1` name, `$2` title, `$3` tagline, `$4` accent, `$5` accent on dark, `$6` accent on light, `$7` logo, `$8` now,
/// `$9` version that was read.
pub(crate) static CHANGE_TENANT: Statement = Statement::write(
    "change_tenant",
    &["tenant"],
    "UPDATE tenant SET title = $2, tagline = $3, accent = $4, accent_dark = $5, accent_light = $6, logo = $7,
       updated_ms = $8, version = version + 1
     WHERE name = $1 AND version = $9",
);

/// `$1` host.
pub(crate) static TENANT_OF_HOST: Statement =
    Statement::read("tenant_of_host", &["tenant_host"], "SELECT tenant AS name FROM tenant_host WHERE host = $1");

/// `$1` name of the tenant.
pub(crate) static HOSTS: Statement = Statement::read(
    "hosts",
    &["tenant_host"],
    "SELECT host, verified_ms FROM tenant_host WHERE tenant = $1 ORDER BY host LIMIT 100",
);

/// `$1` host, `$2` name of the tenant, `$3` now. A host of another tenant stays with it.
pub(crate) static ADD_HOST: Statement = Statement::write(
    "add_host",
    &["tenant_host"],
    "INSERT INTO tenant_host (host, tenant, verified_ms) VALUES ($1, $2, $3)
     ON CONFLICT (host) DO UPDATE SET verified_ms = excluded.verified_ms WHERE tenant_host.tenant = excluded.tenant",
);

/// `$1` host, `$2` name of the tenant.
pub(crate) static REMOVE_HOST: Statement =
    Statement::write("remove_host", &["tenant_host"], "DELETE FROM tenant_host WHERE host = $1 AND tenant = $2");
