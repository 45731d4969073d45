//! Every SQL statement of this service.

use callboard::Statement;

/// All of them.
pub(crate) const ALL: &[&Statement] = &[
    &UPLOAD,
    &UPLOADS_OF_EPISODE,
    &UPLOAD_INSERT,
    &UPLOAD_ADVANCE,
    &UPLOAD_DONE,
    &UPLOAD_DELETE,
    &PARTS,
    &PARTS_LIKE,
    &PART_INSERT,
    &PARTS_DELETE,
    &QUOTA_TAKE,
    &QUOTA_GIVE,
    &ASSET,
    &ASSETS_OF_EPISODE,
    &ASSETS_OF_SERIES,
    &ASSET_INSERT,
    &ASSET_PROBED,
    &ASSET_PLAYABLE,
    &ASSET_PICTURED,
    &ASSET_READY,
    &ASSET_DELAYED,
    &ASSET_FAILED,
    &ASSET_REACH,
    &ASSET_DROP_QUICK,
    &ASSET_DELETE,
];

/// `$1` id.
pub(crate) static UPLOAD: Statement = Statement::read(
    "upload",
    &["upload"],
    "SELECT id, episode, series, uploader, filename, is_low, size_bytes, offset_bytes, state, asset, progress_ms
     FROM upload WHERE tenant = $tenant AND id = $1",
);

/// `$1` episode, `$2` limit.
pub(crate) static UPLOADS_OF_EPISODE: Statement = Statement::read(
    "uploads_of_episode",
    &["upload"],
    "SELECT id, episode, series, uploader, filename, is_low, size_bytes, offset_bytes, state, asset, progress_ms
     FROM upload WHERE tenant = $tenant AND episode = $1 ORDER BY id LIMIT $2",
);

/// `$1` id, `$2` episode, `$3` series, `$4` uploader, `$5` filename, `$6` low priority, `$7` size, `$8` now.
pub(crate) static UPLOAD_INSERT: Statement = Statement::write(
    "upload_insert",
    &["upload"],
    "INSERT INTO upload (tenant, id, episode, series, uploader, filename, is_low, size_bytes, offset_bytes, state, \
     asset, created_ms, progress_ms)
     VALUES ($tenant, $1, $2, $3, $4, $5, $6, $7, 0, 'open', NULL, $8, $8)",
);

/// `$1` id, `$2` offset that was read, `$3` new offset, `$4` new state, `$5` asset, `$6` now.
pub(crate) static UPLOAD_ADVANCE: Statement = Statement::write(
    "upload_advance",
    &["upload"],
    "UPDATE upload SET offset_bytes = $3, state = $4, asset = $5, progress_ms = $6
     WHERE tenant = $tenant AND id = $1 AND offset_bytes = $2 AND state = 'open'",
);

/// `$1` id.
pub(crate) static UPLOAD_DONE: Statement =
    Statement::write("upload_done", &["upload"], "UPDATE upload SET state = 'done' WHERE tenant = $tenant AND id = $1");

/// `$1` id, `$2` offset and `$3` state that were read.
pub(crate) static UPLOAD_DELETE: Statement = Statement::write(
    "upload_delete",
    &["upload"],
    "DELETE FROM upload WHERE tenant = $tenant AND id = $1 AND offset_bytes = $2 AND state = $3",
);

/// `$1` upload.
pub(crate) static PARTS: Statement = Statement::read(
    "parts",
    &["upload_part"],
    "SELECT offset_bytes, size_bytes, blob FROM upload_part WHERE tenant = $tenant AND upload = $1 \
     ORDER BY offset_bytes",
);

/// `$1` upload, `$2` offset, `$3` blob: what stands at the offset, or holds the blob.
pub(crate) static PARTS_LIKE: Statement = Statement::read(
    "parts_like",
    &["upload_part"],
    "SELECT offset_bytes, size_bytes, blob FROM upload_part
     WHERE tenant = $tenant AND upload = $1 AND (offset_bytes = $2 OR blob = $3) ORDER BY offset_bytes",
);

/// `$1` upload, `$2` offset, `$3` size, `$4` blob.
pub(crate) static PART_INSERT: Statement = Statement::write(
    "part_insert",
    &["upload_part"],
    "INSERT INTO upload_part (tenant, upload, offset_bytes, size_bytes, blob) VALUES ($tenant, $1, $2, $3, $4)",
);

/// `$1` upload.
pub(crate) static PARTS_DELETE: Statement = Statement::write(
    "parts_delete",
    &["upload_part"],
    "DELETE FROM upload_part WHERE tenant = $tenant AND upload = $1",
);

/// `$1` uploader, `$2` most.
pub(crate) static QUOTA_TAKE: Statement = Statement::write(
    "quota_take",
    &["upload_quota"],
    "INSERT INTO upload_quota (tenant, uploader, open_uploads) VALUES ($tenant, $1, 1)
     ON CONFLICT (tenant, uploader) DO UPDATE SET open_uploads = upload_quota.open_uploads + 1
     WHERE upload_quota.open_uploads < $2",
);

/// `$1` uploader.
pub(crate) static QUOTA_GIVE: Statement = Statement::write(
    "quota_give",
    &["upload_quota"],
    "UPDATE upload_quota SET open_uploads = open_uploads - 1
     WHERE tenant = $tenant AND uploader = $1 AND open_uploads > 0",
);

/// `$1` id.
pub(crate) static ASSET: Statement = Statement::read(
    "asset",
    &["asset"],
    "SELECT id, episode, upload, filename, state, stage, reason_code, reason, duration_ms, width, height, has_quick, \
     has_full, has_poster, reach, created_ms, version FROM asset WHERE tenant = $tenant AND id = $1",
);

/// `$1` episode, `$2` before this id, `$3` limit: the newest first.
pub(crate) static ASSETS_OF_EPISODE: Statement = Statement::read(
    "assets_of_episode",
    &["asset"],
    "SELECT id, episode, upload, filename, state, stage, reason_code, reason, duration_ms, width, height, has_quick, \
     has_full, has_poster, reach, created_ms, version
     FROM asset WHERE tenant = $tenant AND episode = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
);

/// `$1` series, `$2` after this id, `$3` limit.
pub(crate) static ASSETS_OF_SERIES: Statement = Statement::read(
    "assets_of_series",
    &["asset"],
    "SELECT id, episode, upload, filename, state, stage, reason_code, reason, duration_ms, width, height, has_quick, \
     has_full, has_poster, reach, created_ms, version
     FROM asset WHERE tenant = $tenant AND series = $1 AND id > $2 ORDER BY id LIMIT $3",
);

/// `$1` id, `$2` episode, `$3` series, `$4` upload, `$5` filename, `$6` now.
pub(crate) static ASSET_INSERT: Statement = Statement::write(
    "asset_insert",
    &["asset"],
    "INSERT INTO asset (tenant, id, episode, series, upload, filename, state, stage, has_quick, has_full, has_poster, \
     reach, created_ms, version)
     VALUES ($tenant, $1, $2, $3, $4, $5, 'processing', 'probe', 0, 0, 0, 'closed', $6, 1)",
);

/// `$1` id, `$2` duration, `$3` width, `$4` height.
pub(crate) static ASSET_PROBED: Statement = Statement::write(
    "asset_probed",
    &["asset"],
    "UPDATE asset SET stage = 'quick', reason_code = NULL, reason = NULL, duration_ms = $2, width = $3, height = $4, \
     version = version + 1
     WHERE tenant = $tenant AND id = $1 AND state = 'processing'",
);

/// `$1` id.
pub(crate) static ASSET_PLAYABLE: Statement = Statement::write(
    "asset_playable",
    &["asset"],
    "UPDATE asset SET state = 'playable', stage = 'poster', reason_code = NULL, reason = NULL, has_quick = 1, \
     version = version + 1
     WHERE tenant = $tenant AND id = $1 AND state = 'processing' RETURNING version",
);

/// `$1` id.
pub(crate) static ASSET_PICTURED: Statement = Statement::write(
    "asset_pictured",
    &["asset"],
    "UPDATE asset SET stage = 'full', reason_code = NULL, reason = NULL, has_poster = 1, version = version + 1
     WHERE tenant = $tenant AND id = $1 AND state = 'playable'",
);

/// `$1` id.
pub(crate) static ASSET_READY: Statement = Statement::write(
    "asset_ready",
    &["asset"],
    "UPDATE asset SET state = 'ready', stage = 'ready', reason_code = NULL, reason = NULL, has_full = 1, \
     version = version + 1
     WHERE tenant = $tenant AND id = $1 AND state = 'playable' RETURNING version",
);

/// `$1` id, `$2` code, `$3` message, `$4` the stage that waits: why it does not go on at this moment.
pub(crate) static ASSET_DELAYED: Statement = Statement::write(
    "asset_delayed",
    &["asset"],
    "UPDATE asset SET reason_code = $2, reason = $3, version = version + 1
     WHERE tenant = $tenant AND id = $1 AND stage = $4 AND state IN ('processing', 'playable')",
);

/// `$1` id, `$2` code, `$3` message.
pub(crate) static ASSET_FAILED: Statement = Statement::write(
    "asset_failed",
    &["asset"],
    "UPDATE asset SET state = 'failed', reason_code = $2, reason = $3, has_quick = 0, has_full = 0, has_poster = 0, \
     version = version + 1
     WHERE tenant = $tenant AND id = $1 AND state <> 'failed' RETURNING version",
);

/// `$1` id, `$2` reach.
pub(crate) static ASSET_REACH: Statement = Statement::write(
    "asset_reach",
    &["asset"],
    "UPDATE asset SET reach = $2, version = version + 1 WHERE tenant = $tenant AND id = $1 RETURNING version",
);

/// `$1` id.
pub(crate) static ASSET_DROP_QUICK: Statement = Statement::write(
    "asset_drop_quick",
    &["asset"],
    "UPDATE asset SET has_quick = 0, version = version + 1
     WHERE tenant = $tenant AND id = $1 AND has_full = 1 AND has_quick = 1",
);

/// `$1` id.
pub(crate) static ASSET_DELETE: Statement =
    Statement::write("asset_delete", &["asset"], "DELETE FROM asset WHERE tenant = $tenant AND id = $1");
