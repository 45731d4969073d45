-- Keys under which a message may come again, with what was answered.
CREATE TABLE kernel_once (
    tenant TEXT NOT NULL,
    principal TEXT NOT NULL,
    target TEXT NOT NULL,
    key TEXT NOT NULL,
    input TEXT NOT NULL,
    answer TEXT,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (tenant, principal, target, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX kernel_once_age ON kernel_once (at_ms);
