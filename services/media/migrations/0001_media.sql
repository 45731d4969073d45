-- Uploads with the parts that arrived, how many each person has open, and assets: the video of an episode.

CREATE TABLE upload (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    episode TEXT NOT NULL,
    series TEXT NOT NULL,
    -- Pseudonym of the person, or `service/` and the name of one of ours.
    uploader TEXT NOT NULL,
    filename TEXT NOT NULL,
    is_low BIGINT NOT NULL,
    size_bytes BIGINT NOT NULL,
    offset_bytes BIGINT NOT NULL,
    -- open: bytes are missing; complete: it is being published; done: only its answer is kept for a while.
    state TEXT NOT NULL,
    asset TEXT,
    created_ms BIGINT NOT NULL,
    -- When bytes last arrived.
    progress_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX upload_episode ON upload (tenant, episode, id);

CREATE TABLE upload_part (
    tenant TEXT NOT NULL,
    upload TEXT NOT NULL,
    offset_bytes BIGINT NOT NULL,
    size_bytes BIGINT NOT NULL,
    blob TEXT NOT NULL,
    PRIMARY KEY (tenant, upload, offset_bytes)
);

CREATE TABLE upload_quota (
    tenant TEXT NOT NULL,
    uploader TEXT NOT NULL,
    open_uploads BIGINT NOT NULL,
    PRIMARY KEY (tenant, uploader)
);

CREATE TABLE asset (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    episode TEXT NOT NULL,
    series TEXT NOT NULL,
    upload TEXT NOT NULL,
    filename TEXT NOT NULL,
    -- processing, playable, ready, failed
    state TEXT NOT NULL,
    -- The step of its publication that is being done, or that failed.
    stage TEXT NOT NULL,
    reason_code TEXT,
    reason TEXT,
    duration_ms BIGINT,
    width BIGINT,
    height BIGINT,
    has_quick BIGINT NOT NULL,
    has_full BIGINT NOT NULL,
    has_poster BIGINT NOT NULL,
    -- Whom it was open to when that was last looked at: public, members, closed.
    reach TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    version BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX asset_episode ON asset (tenant, episode, id);
CREATE INDEX asset_series ON asset (tenant, series, id);
