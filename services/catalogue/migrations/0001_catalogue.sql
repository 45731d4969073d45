-- Series, their addresses and genres, seasons and episodes.
-- listed_to and open_to say to whom lists show an item: 0 everyone, 1 whoever is signed in, 2 editors, 3 nobody (it is being removed).

CREATE TABLE series (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    slug TEXT NOT NULL,
    title TEXT NOT NULL,
    short_text TEXT NOT NULL,
    long_text TEXT NOT NULL,
    genres TEXT NOT NULL,
    tags TEXT NOT NULL,
    access TEXT NOT NULL,
    active BIGINT NOT NULL,
    listed_to BIGINT NOT NULL,
    -- To whom lists show at least one playable episode of it.
    playable_to BIGINT NOT NULL,
    episode_count BIGINT NOT NULL,
    version BIGINT NOT NULL,
    -- The version that the last edit by a person made.
    edited_version BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX series_listed ON series (tenant, listed_to, id);
CREATE INDEX series_playable ON series (tenant, playable_to, id);

-- Every slug a series ever had, so that old links lead on.
CREATE TABLE series_slug (
    tenant TEXT NOT NULL,
    slug TEXT NOT NULL,
    series TEXT NOT NULL,
    PRIMARY KEY (tenant, slug)
);
CREATE INDEX series_slug_series ON series_slug (tenant, series);

CREATE TABLE series_genre (
    tenant TEXT NOT NULL,
    listed_to BIGINT NOT NULL,
    genre TEXT NOT NULL,
    series TEXT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (tenant, listed_to, genre, series)
);
CREATE INDEX series_genre_series ON series_genre (tenant, series);

CREATE TABLE season (
    tenant TEXT NOT NULL,
    series TEXT NOT NULL,
    number BIGINT NOT NULL,
    title TEXT NOT NULL,
    PRIMARY KEY (tenant, series, number)
);

CREATE TABLE episode (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    pid TEXT NOT NULL,
    series TEXT NOT NULL,
    season BIGINT NOT NULL,
    number BIGINT NOT NULL,
    title TEXT NOT NULL,
    short_text TEXT NOT NULL,
    long_text TEXT NOT NULL,
    tags TEXT NOT NULL,
    access TEXT NOT NULL,
    active BIGINT NOT NULL,
    -- By its own access alone, and together with that of its series.
    open_to BIGINT NOT NULL,
    listed_to BIGINT NOT NULL,
    is_playable BIGINT NOT NULL,
    media_asset TEXT,
    media_asset_version BIGINT,
    media_version TEXT,
    media_state TEXT,
    media_duration_ms BIGINT,
    version BIGINT NOT NULL,
    edited_version BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX episode_pid ON episode (tenant, pid);
CREATE UNIQUE INDEX episode_place ON episode (tenant, series, season, number);
CREATE INDEX episode_listed ON episode (tenant, listed_to, id);
CREATE INDEX episode_playable ON episode (tenant, series, is_playable, listed_to, season, number);
