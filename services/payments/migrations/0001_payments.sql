-- What a channel takes, the tips people gave, the books, and the webhooks that were heard.

CREATE TABLE tip_offer (
    tenant TEXT NOT NULL PRIMARY KEY,
    currency TEXT NOT NULL,
    amounts TEXT NOT NULL,
    is_open BIGINT NOT NULL,
    version BIGINT NOT NULL
);

CREATE TABLE tip (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    person TEXT NOT NULL,
    request_key TEXT NOT NULL,
    name TEXT NOT NULL,
    is_anonymous BIGINT NOT NULL,
    series TEXT NOT NULL,
    series_title TEXT NOT NULL,
    amount BIGINT NOT NULL,
    currency TEXT NOT NULL,
    note TEXT NOT NULL,
    card TEXT NOT NULL,
    state TEXT NOT NULL,
    stage TEXT NOT NULL,
    reason_code TEXT,
    reason TEXT,
    intent TEXT,
    receipt TEXT,
    correlation TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    version BIGINT NOT NULL,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, person, request_key)
);
CREATE INDEX tip_newest ON tip (tenant, created_ms, id);
CREATE INDEX tip_of_person ON tip (tenant, person, created_ms, id);

CREATE TABLE ledger_entry (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    is_balanced BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE TABLE ledger_line (
    tenant TEXT NOT NULL,
    entry TEXT NOT NULL,
    account TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount BIGINT NOT NULL,
    PRIMARY KEY (tenant, entry, account, currency)
);
CREATE INDEX ledger_line_of_account ON ledger_line (tenant, account, currency);

CREATE TABLE payment_event (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    tip TEXT NOT NULL,
    heard_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
