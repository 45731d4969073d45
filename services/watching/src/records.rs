//! Every SQL statement of this service.

use callboard::Statement;

/// All of them.
pub(crate) const ALL: &[&Statement] =
    &[&POSITION, &RECENT, &SAVE, &REMOVE, &EPISODE_COUNT, &EPISODE_SOME, &EPISODE_DELETE];

pub(crate) static POSITION: Statement = Statement::read(
    "position",
    &["watch_position"],
    "SELECT episode, position_ms, duration_ms, updated_ms FROM watch_position
     WHERE tenant = $tenant AND person = $1 AND episode = $2",
);

/// Takes the person, the key behind which to go on, and a limit.
pub(crate) static RECENT: Statement = Statement::read(
    "recent",
    &["watch_position"],
    "SELECT episode, position_ms, duration_ms, updated_ms FROM watch_position
     WHERE tenant = $tenant AND person = $1 AND is_finished = 0 AND (updated_ms, episode) < ($2, $3)
     ORDER BY updated_ms DESC, episode DESC LIMIT $4",
);

pub(crate) static SAVE: Statement = Statement::write(
    "save",
    &["watch_position"],
    "INSERT INTO watch_position (tenant, person, episode, position_ms, duration_ms, is_finished, updated_ms)
     VALUES ($tenant, $1, $2, $3, $4, $5, $6)
     ON CONFLICT (tenant, person, episode) DO UPDATE SET position_ms = excluded.position_ms,
       duration_ms = excluded.duration_ms, is_finished = excluded.is_finished, updated_ms = excluded.updated_ms",
);

pub(crate) static REMOVE: Statement = Statement::write(
    "remove",
    &["watch_position"],
    "DELETE FROM watch_position WHERE tenant = $tenant AND person = $1 AND episode = $2",
);

pub(crate) static EPISODE_COUNT: Statement = Statement::read(
    "episode_count",
    &["watch_position"],
    "SELECT count(*) AS count FROM watch_position WHERE tenant = $tenant AND episode = $1",
);

pub(crate) static EPISODE_SOME: Statement = Statement::read(
    "episode_some",
    &["watch_position"],
    "SELECT person FROM watch_position WHERE tenant = $tenant AND episode = $1 LIMIT $2",
);

pub(crate) static EPISODE_DELETE: Statement = Statement::write(
    "episode_delete",
    &["watch_position"],
    "DELETE FROM watch_position
     WHERE tenant = $tenant AND episode = $1 AND person IN (SELECT value FROM json_each($2))",
);
