-- The delivery kernel: events, lanes, messages, dead letters and runs of flows. Services never see these tables.
CREATE TABLE IF NOT EXISTS kernel_migration (
    service TEXT NOT NULL,
    name TEXT NOT NULL,
    sql TEXT NOT NULL,
    applied_ms INTEGER NOT NULL,
    PRIMARY KEY (service, name)
) STRICT;

CREATE TABLE IF NOT EXISTS kernel_event (
    event INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    type TEXT NOT NULL,
    tenant TEXT NOT NULL,
    time_ms INTEGER NOT NULL,
    is_event INTEGER NOT NULL,
    envelope TEXT NOT NULL
) STRICT;

-- A lane is FIFO; head is the next message, tail the next free place, due_ms NULL means idle.
CREATE TABLE IF NOT EXISTS kernel_lane (
    lane INTEGER PRIMARY KEY AUTOINCREMENT,
    service TEXT NOT NULL,
    target TEXT NOT NULL,
    tenant TEXT NOT NULL,
    key TEXT NOT NULL,
    head INTEGER NOT NULL,
    tail INTEGER NOT NULL,
    due_ms INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    UNIQUE (target, tenant, key)
) STRICT;
CREATE INDEX IF NOT EXISTS kernel_lane_due ON kernel_lane (due_ms) WHERE due_ms IS NOT NULL;

CREATE TABLE IF NOT EXISTS kernel_message (
    lane INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    event INTEGER NOT NULL,
    PRIMARY KEY (lane, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS kernel_dead (
    dead INTEGER PRIMARY KEY,
    target TEXT NOT NULL,
    tenant TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    reason TEXT NOT NULL,
    died_ms INTEGER NOT NULL,
    envelope TEXT NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS kernel_flow (
    run TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    flow TEXT NOT NULL,
    key TEXT NOT NULL,
    status TEXT NOT NULL,
    version INTEGER NOT NULL,
    state TEXT NOT NULL,
    started_ms INTEGER NOT NULL,
    changed_ms INTEGER NOT NULL,
    UNIQUE (tenant, flow, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS kernel_flow_event (
    run TEXT NOT NULL,
    version INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    event TEXT NOT NULL,
    PRIMARY KEY (run, version)
) STRICT, WITHOUT ROWID;
