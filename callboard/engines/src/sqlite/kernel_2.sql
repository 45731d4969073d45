-- Held lanes, dead letters that can be put back, claim checks, retention by service and type, stale completions.
ALTER TABLE kernel_event ADD COLUMN service TEXT NOT NULL DEFAULT '';
ALTER TABLE kernel_event ADD COLUMN blob TEXT;
CREATE INDEX kernel_event_age ON kernel_event (service, type, time_ms) WHERE is_event = 1;
CREATE INDEX kernel_event_blob ON kernel_event (blob) WHERE blob IS NOT NULL;

-- A held lane waits for an operator: its due_ms is NULL although there are messages.
ALTER TABLE kernel_lane ADD COLUMN is_held INTEGER NOT NULL DEFAULT 0;
DROP INDEX kernel_lane_due;
CREATE INDEX kernel_lane_due ON kernel_lane (target, due_ms) WHERE due_ms IS NOT NULL;

-- Where a dead letter holds its lane, its message is still there, under lane and seq.
CREATE TABLE kernel_dead_2 (
    dead INTEGER PRIMARY KEY AUTOINCREMENT,
    service TEXT NOT NULL,
    target TEXT NOT NULL,
    tenant TEXT NOT NULL,
    key TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    code TEXT NOT NULL,
    message TEXT NOT NULL,
    died_ms INTEGER NOT NULL,
    lane INTEGER,
    seq INTEGER,
    blob TEXT,
    envelope TEXT NOT NULL
) STRICT;
INSERT INTO kernel_dead_2 (dead, service, target, tenant, key, attempts, code, message, died_ms, envelope)
    SELECT dead, substr(target, 1, instr(target, ' ') - 1), target, tenant, json_extract(envelope, '$.subject'), attempts,
           substr(reason, 1, instr(reason, ':') - 1), substr(reason, instr(reason, ':') + 2), died_ms, envelope FROM kernel_dead;
DROP TABLE kernel_dead;
ALTER TABLE kernel_dead_2 RENAME TO kernel_dead;
CREATE INDEX kernel_dead_target ON kernel_dead (target);
CREATE INDEX kernel_dead_blob ON kernel_dead (blob) WHERE blob IS NOT NULL;

CREATE TABLE kernel_stale (lane INTEGER NOT NULL, seq INTEGER NOT NULL, epoch INTEGER NOT NULL, at_ms INTEGER NOT NULL) STRICT;

CREATE INDEX kernel_flow_ended ON kernel_flow (changed_ms) WHERE status IN ('completed', 'undone');
