-- Keys of programs, by the hash of their text. Whoever made one is an account, or the operator, who has none.
CREATE TABLE api_key (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  hash TEXT NOT NULL,
  name TEXT NOT NULL,
  role TEXT NOT NULL,
  maker TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  expires_ms BIGINT NOT NULL,
  PRIMARY KEY (tenant, id),
  UNIQUE (tenant, hash)
);
