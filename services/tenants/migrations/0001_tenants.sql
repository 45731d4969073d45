CREATE TABLE tenant (
  name TEXT NOT NULL PRIMARY KEY,
  title TEXT NOT NULL,
  tagline TEXT NOT NULL,
  accent TEXT,
  accent_dark TEXT NOT NULL,
  accent_light TEXT NOT NULL,
  logo TEXT,
  version BIGINT NOT NULL,
  created_ms BIGINT NOT NULL,
  updated_ms BIGINT NOT NULL
);

CREATE TABLE tenant_host (
  host TEXT NOT NULL PRIMARY KEY,
  tenant TEXT NOT NULL,
  verified_ms BIGINT NOT NULL
);
CREATE INDEX tenant_host_by_tenant ON tenant_host (tenant, host);
