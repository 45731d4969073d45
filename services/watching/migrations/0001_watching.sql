-- Where each person stopped watching each episode.

CREATE TABLE watch_position (
    tenant TEXT NOT NULL,
    person TEXT NOT NULL,
    episode TEXT NOT NULL,
    position_ms BIGINT NOT NULL,
    duration_ms BIGINT NOT NULL,
    is_finished BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant, person, episode)
);
CREATE INDEX watch_position_recent ON watch_position (tenant, person, is_finished, updated_ms, episode);
CREATE INDEX watch_position_episode ON watch_position (tenant, episode, person);
