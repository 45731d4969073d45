//! Every SQL statement of the catalogue.

use callboard::Statement;

/// All of them.
pub(crate) const ALL: &[&Statement] = &[
    &SERIES_BY_ID,
    &SERIES_NEWEST,
    &SERIES_OF_GENRE,
    &SERIES_PLAYABLE,
    &SERIES_FACTS,
    &SERIES_INSERT,
    &SERIES_UPDATE,
    &SERIES_TOUCH,
    &SERIES_COUNT,
    &SERIES_REFRESH,
    &SERIES_HIDE,
    &SERIES_DELETE,
    &SLUG_OWNER,
    &SLUGS_TAKEN,
    &SLUG_INSERT,
    &SLUGS_DELETE,
    &GENRES,
    &GENRE_INSERT,
    &GENRES_DELETE,
    &SEASON_TITLES,
    &SEASON_INSERT,
    &SEASON_UPDATE,
    &SEASONS_DELETE,
    &EPISODE_BY_ID,
    &EPISODE_BY_PID,
    &EPISODE_FACTS,
    &EPISODE_MEDIA,
    &EPISODES_OF_SERIES,
    &EPISODES_NEWEST,
    &EPISODE_FIRST_PLAYABLE,
    &EPISODE_INSERT,
    &EPISODE_UPDATE,
    &EPISODE_MEDIA_UPDATE,
    &EPISODE_DELETE,
    &EPISODE_TAKE_OUT,
    &EPISODES_SHIFT_UP,
    &EPISODES_SHIFT_DOWN,
    &EPISODES_SETTLE,
    &EPISODES_RELIST,
    &EPISODES_HIDE,
    &EPISODES_SOME,
    &EPISODES_DELETE,
];

pub(crate) static SERIES_BY_ID: Statement = Statement::read(
    "series_by_id",
    &["series"],
    "SELECT id, slug, title, short_text, long_text, genres, tags, access, active, version, edited_version, \
     episode_count, created_ms, updated_ms
     FROM series WHERE tenant = $tenant AND id = $1 AND listed_to < 3",
);

/// Takes tier, key and limit.
pub(crate) static SERIES_NEWEST: Statement = Statement::read(
    "series_newest",
    &["series"],
    "SELECT id, slug, title, short_text, long_text, genres, tags, access, active, version, edited_version, \
     episode_count, created_ms, updated_ms
     FROM series WHERE tenant = $tenant AND listed_to = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
);

/// Takes tier, key, limit and genre.
pub(crate) static SERIES_OF_GENRE: Statement = Statement::read(
    "series_of_genre",
    &["series", "series_genre"],
    "SELECT s.id, s.slug, s.title, s.short_text, s.long_text, s.genres, s.tags, s.access, s.active, s.version, \
     s.edited_version, s.episode_count, s.created_ms, s.updated_ms, g.name AS genre_name
     FROM series_genre g JOIN series s ON s.tenant = g.tenant AND s.id = g.series
     WHERE g.tenant = $tenant AND g.listed_to = $1 AND g.genre = $4 AND g.series < $2 ORDER BY g.series DESC LIMIT $3",
);

/// Takes tier, key and limit.
pub(crate) static SERIES_PLAYABLE: Statement = Statement::read(
    "series_playable",
    &["series"],
    "SELECT id, slug, title, short_text, access, active, created_ms
     FROM series WHERE tenant = $tenant AND playable_to = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
);

pub(crate) static SERIES_FACTS: Statement = Statement::read(
    "series_facts",
    &["series"],
    "SELECT id, access, active FROM series WHERE tenant = $tenant AND id = $1 AND listed_to < 3",
);

pub(crate) static SERIES_INSERT: Statement = Statement::write(
    "series_insert",
    &["series"],
    "INSERT INTO series (tenant, id, slug, title, short_text, long_text, genres, tags, access, active, listed_to, \
     playable_to, episode_count, version, edited_version, created_ms, updated_ms)
     VALUES ($tenant, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 3, 0, 1, 1, $11, $11)",
);

/// Expects the version that was read.
pub(crate) static SERIES_UPDATE: Statement = Statement::write(
    "series_update",
    &["series"],
    "UPDATE series SET slug = $2, title = $3, short_text = $4, long_text = $5, genres = $6, tags = $7, access = $8, \
     active = $9, listed_to = $10, updated_ms = $11, version = version + 1, edited_version = version + 1
     WHERE tenant = $tenant AND id = $1 AND version = $12 AND listed_to < 3",
);

/// Whoever changes the order of episodes holds the row of their series first, so that such changes come one by one.
pub(crate) static SERIES_TOUCH: Statement = Statement::write(
    "series_touch",
    &["series"],
    "UPDATE series SET version = version + 1 WHERE tenant = $tenant AND id = $1 AND listed_to < 3",
);

pub(crate) static SERIES_COUNT: Statement = Statement::write(
    "series_count",
    &["series"],
    "UPDATE series SET episode_count = episode_count + $2, version = version + 1, updated_ms = $3
     WHERE tenant = $tenant AND id = $1 AND listed_to < 3 AND episode_count + $2 <= $4",
);

/// To whom lists show at least one playable episode of the series.
pub(crate) static SERIES_REFRESH: Statement = Statement::write(
    "series_refresh",
    &["series"],
    "UPDATE series SET playable_to = coalesce((SELECT min(e.listed_to) FROM episode e
       WHERE e.tenant = $tenant AND e.series = $1 AND e.is_playable = 1), 3)
     WHERE tenant = $tenant AND id = $1 AND listed_to < 3",
)
.reading(&["episode"]);

pub(crate) static SERIES_HIDE: Statement = Statement::write(
    "series_hide",
    &["series"],
    "UPDATE series SET listed_to = 3, playable_to = 3, version = version + 1
     WHERE tenant = $tenant AND id = $1 AND version = $2 AND listed_to < 3",
);

pub(crate) static SERIES_DELETE: Statement = Statement::write(
    "series_delete",
    &["series"],
    "DELETE FROM series WHERE tenant = $tenant AND id = $1 AND listed_to = 3",
);

pub(crate) static SLUG_OWNER: Statement = Statement::read(
    "slug_owner",
    &["series", "series_slug"],
    "SELECT s.id, s.slug FROM series_slug a JOIN series s ON s.tenant = a.tenant AND s.id = a.series
     WHERE a.tenant = $tenant AND a.slug = $1 AND s.listed_to < 3",
);

pub(crate) static SLUGS_TAKEN: Statement = Statement::read(
    "slugs_taken",
    &["series_slug"],
    "SELECT slug, series FROM series_slug WHERE tenant = $tenant AND slug IN (SELECT value FROM json_each($1))",
);

pub(crate) static SLUG_INSERT: Statement = Statement::write(
    "slug_insert",
    &["series_slug"],
    "INSERT INTO series_slug (tenant, slug, series) VALUES ($tenant, $1, $2) ON CONFLICT (tenant, slug) DO NOTHING",
);

pub(crate) static SLUGS_DELETE: Statement = Statement::write(
    "slugs_delete",
    &["series_slug"],
    "DELETE FROM series_slug WHERE tenant = $tenant AND series = $1",
);

/// The first genres of a tier, each found by one step in the index, however many series have it. Takes tier and limit.
pub(crate) static GENRES: Statement = Statement::read(
    "genres",
    &["series_genre"],
    "WITH RECURSIVE found (genre, place) AS (
       SELECT min(genre), 1 FROM series_genre WHERE tenant = $tenant AND listed_to = $1
       UNION ALL
       SELECT (SELECT min(g.genre) FROM series_genre g
               WHERE g.tenant = $tenant AND g.listed_to = $1 AND g.genre > found.genre), found.place + 1
       FROM found WHERE found.genre IS NOT NULL AND found.place < $2)
     SELECT genre FROM found WHERE genre IS NOT NULL",
);

pub(crate) static GENRE_INSERT: Statement = Statement::write(
    "genre_insert",
    &["series_genre"],
    "INSERT INTO series_genre (tenant, series, genre, name, listed_to) VALUES ($tenant, $1, $2, $3, $4)",
);

pub(crate) static GENRES_DELETE: Statement = Statement::write(
    "genres_delete",
    &["series_genre"],
    "DELETE FROM series_genre WHERE tenant = $tenant AND series = $1",
);

pub(crate) static SEASON_TITLES: Statement = Statement::read(
    "season_titles",
    &["season"],
    "SELECT number, title FROM season WHERE tenant = $tenant AND series = $1",
);

pub(crate) static SEASON_INSERT: Statement = Statement::write(
    "season_insert",
    &["season"],
    "INSERT INTO season (tenant, series, number, title) VALUES ($tenant, $1, $2, '')
     ON CONFLICT (tenant, series, number) DO NOTHING",
);

pub(crate) static SEASON_UPDATE: Statement = Statement::write(
    "season_update",
    &["season"],
    "UPDATE season SET title = $3 WHERE tenant = $tenant AND series = $1 AND number = $2",
);

pub(crate) static SEASONS_DELETE: Statement = Statement::write(
    "seasons_delete",
    &["season"],
    "DELETE FROM season WHERE tenant = $tenant AND series = $1
       AND NOT EXISTS (SELECT 1 FROM series s WHERE s.tenant = $tenant AND s.id = $1 AND s.listed_to < 3)",
)
.reading(&["series"]);

pub(crate) static EPISODE_BY_ID: Statement = Statement::read(
    "episode_by_id",
    &["episode"],
    "SELECT id, pid, series, season, number, title, short_text, long_text, tags, access, active, media_asset, \
     media_version, media_state, media_duration_ms, version, edited_version
     FROM episode WHERE tenant = $tenant AND id = $1 AND listed_to < 3",
);

pub(crate) static EPISODE_BY_PID: Statement = Statement::read(
    "episode_by_pid",
    &["episode"],
    "SELECT id, pid, series, season, number, title, short_text, long_text, tags, access, active, media_asset, \
     media_version, media_state, media_duration_ms, version, edited_version
     FROM episode WHERE tenant = $tenant AND pid = $1 AND listed_to < 3",
);

pub(crate) static EPISODE_FACTS: Statement = Statement::read(
    "episode_facts",
    &["episode", "series"],
    "SELECT e.id, e.series, e.access, e.active, s.access AS series_access, s.active AS series_active
     FROM episode e JOIN series s ON s.tenant = e.tenant AND s.id = e.series
     WHERE e.tenant = $tenant AND e.id = $1 AND e.listed_to < 3 AND s.listed_to < 3",
);

pub(crate) static EPISODE_MEDIA: Statement = Statement::read(
    "episode_media",
    &["episode"],
    "SELECT series, version, media_asset, media_asset_version, media_version, media_state, media_duration_ms
     FROM episode WHERE tenant = $tenant AND id = $1 AND listed_to < 3",
);

/// Takes the series, the highest tier, the place before the first one, the last season and a limit.
pub(crate) static EPISODES_OF_SERIES: Statement = Statement::read(
    "episodes_of_series",
    &["episode"],
    "SELECT id, pid, series, season, number, title, short_text, long_text, tags, access, active, media_asset, \
     media_version, media_state, media_duration_ms, version, edited_version
     FROM episode WHERE tenant = $tenant AND series = $1 AND open_to <= $2 AND listed_to < 3
       AND (season, number) > ($3, $4) AND season <= $5
     ORDER BY season, number LIMIT $6",
);

/// Takes tier, key and limit. Its cross join keeps the order of the index: the newest episodes first, then their series.
pub(crate) static EPISODES_NEWEST: Statement = Statement::read(
    "episodes_newest",
    &["episode", "series"],
    "SELECT e.id, e.pid, e.title, e.short_text, e.access, e.active, e.is_playable, e.media_duration_ms, e.created_ms, \
     s.title AS series_title
     FROM episode e CROSS JOIN series s
     WHERE e.tenant = $tenant AND e.listed_to = $1 AND e.id < $2 AND s.tenant = $tenant AND s.id = e.series
     ORDER BY e.id DESC LIMIT $3",
);

/// Takes the series and a tier.
pub(crate) static EPISODE_FIRST_PLAYABLE: Statement = Statement::read(
    "episode_first_playable",
    &["episode"],
    "SELECT pid, season, number FROM episode
     WHERE tenant = $tenant AND series = $1 AND is_playable = 1 AND listed_to = $2 ORDER BY season, number LIMIT 1",
);

/// Without a number it becomes the last of its season.
pub(crate) static EPISODE_INSERT: Statement = Statement::write(
    "episode_insert",
    &["episode"],
    "INSERT INTO episode (tenant, id, pid, series, season, number, title, short_text, long_text, tags, access, active, \
     open_to, listed_to, is_playable, version, edited_version, created_ms, updated_ms)
     SELECT $tenant, $1, $2, s.id, $4,
       coalesce($5, (SELECT coalesce(max(e.number), 0) + 1 FROM episode e
                     WHERE e.tenant = $tenant AND e.series = $3 AND e.season = $4)),
       $6, $7, $8, $9, $10, $11, $12, CASE WHEN s.listed_to > $12 THEN s.listed_to ELSE $12 END, 0, 1, 1, $13, $13
     FROM series s WHERE s.tenant = $tenant AND s.id = $3 AND s.listed_to < 3
     ON CONFLICT DO NOTHING RETURNING number",
)
.reading(&["episode", "series"]);

/// Expects the version that was read. Without a number it becomes the last of its season.
pub(crate) static EPISODE_UPDATE: Statement = Statement::write(
    "episode_update",
    &["episode"],
    "UPDATE episode SET season = $4,
       number = coalesce($5, (SELECT coalesce(max(e.number), 0) + 1 FROM episode e
                              WHERE e.tenant = $tenant AND e.series = $3 AND e.season = $4)),
       title = $6, short_text = $7, long_text = $8, tags = $9, access = $10, active = $11, open_to = $12,
       listed_to = (SELECT CASE WHEN s.listed_to > $12 THEN s.listed_to ELSE $12 END FROM series s
                    WHERE s.tenant = $tenant AND s.id = $3),
       updated_ms = $13, version = version + 1, edited_version = version + 1
     WHERE tenant = $tenant AND id = $1 AND version = $2 AND listed_to < 3 RETURNING number",
)
.reading(&["episode", "series"]);

/// Expects the version that was read.
pub(crate) static EPISODE_MEDIA_UPDATE: Statement = Statement::write(
    "episode_media_update",
    &["episode"],
    "UPDATE episode SET media_asset = $3, media_asset_version = $4, media_version = $5, media_state = $6,
       media_duration_ms = $7, is_playable = $8, version = version + 1
     WHERE tenant = $tenant AND id = $1 AND version = $2 AND listed_to < 3",
);

pub(crate) static EPISODE_DELETE: Statement = Statement::write(
    "episode_delete",
    &["episode"],
    "DELETE FROM episode WHERE tenant = $tenant AND id = $1 AND listed_to < 3",
);

/// Takes an episode out of the order; numbers start at 1, so 0 is free.
pub(crate) static EPISODE_TAKE_OUT: Statement = Statement::write(
    "episode_take_out",
    &["episode"],
    "UPDATE episode SET number = 0 WHERE tenant = $tenant AND id = $1 AND version = $2",
);

/// Makes room at `$3`, if it is taken: the episodes from there to the first gap move up by one. They stay negative until
/// `episodes_settle`, because a place is unique at every moment.
pub(crate) static EPISODES_SHIFT_UP: Statement = Statement::write(
    "episodes_shift_up",
    &["episode"],
    "UPDATE episode SET number = -(number + 1), version = version + 1
     WHERE tenant = $tenant AND series = $1 AND season = $2 AND number >= $3 AND number < coalesce(
       (SELECT min(e.number + 1) FROM episode e
        WHERE e.tenant = $tenant AND e.series = $1 AND e.season = $2 AND e.number >= $3
          AND EXISTS (SELECT 1 FROM episode t
                      WHERE t.tenant = $tenant AND t.series = $1 AND t.season = $2 AND t.number = $3)
          AND NOT EXISTS (SELECT 1 FROM episode n
                          WHERE n.tenant = $tenant AND n.series = $1 AND n.season = $2 AND n.number = e.number + 1)),
       $3)",
)
.reading(&["episode"]);

/// Makes room at `$3`, if it is taken: the episodes from there down to the first gap move down by one. There must be a gap.
pub(crate) static EPISODES_SHIFT_DOWN: Statement = Statement::write(
    "episodes_shift_down",
    &["episode"],
    "UPDATE episode SET number = -(number - 1), version = version + 1
     WHERE tenant = $tenant AND series = $1 AND season = $2 AND number <= $3 AND number > coalesce(
       (SELECT max(e.number - 1) FROM episode e
        WHERE e.tenant = $tenant AND e.series = $1 AND e.season = $2 AND e.number <= $3 AND e.number > 0
          AND EXISTS (SELECT 1 FROM episode t
                      WHERE t.tenant = $tenant AND t.series = $1 AND t.season = $2 AND t.number = $3)
          AND NOT EXISTS (SELECT 1 FROM episode n
                          WHERE n.tenant = $tenant AND n.series = $1 AND n.season = $2 AND n.number = e.number - 1
                            AND n.number > 0)),
       $3)",
)
.reading(&["episode"]);

pub(crate) static EPISODES_SETTLE: Statement = Statement::write(
    "episodes_settle",
    &["episode"],
    "UPDATE episode SET number = -number WHERE tenant = $tenant AND series = $1 AND season = $2 AND number < 0",
);

/// After the access of a series changed to tier `$2`, in the batch that changed it: then it is not being removed.
pub(crate) static EPISODES_RELIST: Statement = Statement::write(
    "episodes_relist",
    &["episode"],
    "UPDATE episode SET listed_to = CASE WHEN open_to > $2 THEN open_to ELSE $2 END
     WHERE tenant = $tenant AND series = $1",
);

pub(crate) static EPISODES_HIDE: Statement = Statement::write(
    "episodes_hide",
    &["episode"],
    "UPDATE episode SET listed_to = 3 WHERE tenant = $tenant AND series = $1",
);

/// Some of the episodes of a series that is being removed.
pub(crate) static EPISODES_SOME: Statement = Statement::read(
    "episodes_some",
    &["episode"],
    "SELECT id FROM episode WHERE tenant = $tenant AND series = $1 AND listed_to = 3 ORDER BY season, number LIMIT $2",
);

pub(crate) static EPISODES_DELETE: Statement = Statement::write(
    "episodes_delete",
    &["episode"],
    "DELETE FROM episode WHERE tenant = $tenant AND id IN (SELECT value FROM json_each($1)) AND listed_to = 3",
);
