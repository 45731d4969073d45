-- Runs of flows that take turns at an entity, from their start to their end.
CREATE TABLE kernel_flow_turn (
    tenant TEXT NOT NULL,
    flow TEXT NOT NULL,
    entity TEXT NOT NULL,
    run TEXT NOT NULL,
    PRIMARY KEY (tenant, flow, entity, run)
) STRICT, WITHOUT ROWID;
