CREATE TABLE account (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  email TEXT NOT NULL,
  name TEXT NOT NULL,
  password TEXT NOT NULL,
  role TEXT NOT NULL,
  version BIGINT NOT NULL,
  created_ms BIGINT NOT NULL,
  updated_ms BIGINT NOT NULL,
  PRIMARY KEY (tenant, id),
  UNIQUE (tenant, email)
);

-- How many owners a tenant has: the one row that every change of an owner goes through.
CREATE TABLE ownership (
  tenant TEXT NOT NULL PRIMARY KEY,
  owners BIGINT NOT NULL
);

CREATE TABLE session (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  hash TEXT NOT NULL,
  account TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  expires_ms BIGINT NOT NULL,
  PRIMARY KEY (tenant, id),
  UNIQUE (tenant, hash)
);
CREATE INDEX session_by_account ON session (tenant, account, id);
CREATE INDEX session_by_expiry ON session (tenant, expires_ms);

-- Failed sign-ins, by the hash of the address: people type passwords into the wrong field.
CREATE TABLE attempt (
  tenant TEXT NOT NULL,
  address TEXT NOT NULL,
  failures BIGINT NOT NULL,
  locked_until_ms BIGINT NOT NULL,
  updated_ms BIGINT NOT NULL,
  PRIMARY KEY (tenant, address)
);
CREATE INDEX attempt_by_age ON attempt (tenant, updated_ms);
