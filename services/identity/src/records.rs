//! Every statement of this service.

use callboard::Statement;

pub(crate) static ALL: &[&Statement] = &[
    &ACCOUNT,
    &ACCOUNT_BY_EMAIL,
    &ADD_ACCOUNT,
    &RENAME,
    &SET_PASSWORD,
    &SET_ROLE,
    &REMOVE_ACCOUNT,
    &MEMBERS,
    &GAIN_OWNER,
    &LOSE_OWNER,
    &PERSON_OF_SESSION,
    &SESSIONS_OF,
    &ADD_SESSION,
    &END_SESSIONS,
    &END_OTHER_SESSIONS,
    &SWEEP_SESSIONS,
    &ATTEMPT,
    &RECORD_ATTEMPT,
    &FORGET_ATTEMPTS,
    &SWEEP_ATTEMPTS,
    &KEYS,
    &ADD_KEY,
    &REMOVE_KEY,
    &PERSON_OF_KEY,
];

/// `$1` id.
pub(crate) static ACCOUNT: Statement = Statement::read(
    "account",
    &["account"],
    "SELECT id, email, name, password, role, version, created_ms FROM account WHERE tenant = $tenant AND id = $1",
);

/// `$1` address.
pub(crate) static ACCOUNT_BY_EMAIL: Statement = Statement::read(
    "account_by_email",
    &["account"],
    "SELECT id, email, name, password, role, version, created_ms FROM account WHERE tenant = $tenant AND email = $1",
);

/// `$1` id, `$2` address, `$3` name, `$4` password's hash, `$5` role, `$6` now.
pub(crate) static ADD_ACCOUNT: Statement = Statement::write(
    "add_account",
    &["account"],
    "INSERT INTO account (tenant, id, email, name, password, role, version, created_ms, updated_ms)
     VALUES ($tenant, $1, $2, $3, $4, $5, 1, $6, $6) ON CONFLICT (tenant, email) DO NOTHING",
);

/// `$1` id, `$2` name, `$3` now, `$4` version that was read.
pub(crate) static RENAME: Statement = Statement::write(
    "rename",
    &["account"],
    "UPDATE account SET name = $2, updated_ms = $3, version = version + 1
     WHERE tenant = $tenant AND id = $1 AND version = $4",
);

/// `$1` id, `$2` password's hash, `$3` now, `$4` version that was read.
pub(crate) static SET_PASSWORD: Statement = Statement::write(
    "set_password",
    &["account"],
    "UPDATE account SET password = $2, updated_ms = $3, version = version + 1
     WHERE tenant = $tenant AND id = $1 AND version = $4",
);

/// `$1` id, `$2` role, `$3` now, `$4` version that was read.
pub(crate) static SET_ROLE: Statement = Statement::write(
    "set_role",
    &["account"],
    "UPDATE account SET role = $2, updated_ms = $3, version = version + 1
     WHERE tenant = $tenant AND id = $1 AND version = $4",
);

/// `$1` id, `$2` version that was read.
pub(crate) static REMOVE_ACCOUNT: Statement = Statement::write(
    "remove_account",
    &["account"],
    "DELETE FROM account WHERE tenant = $tenant AND id = $1 AND version = $2",
);

/// `$1` the last id of the page before, `$2` how many.
pub(crate) static MEMBERS: Statement = Statement::read(
    "members",
    &["account"],
    "SELECT id, email, name, role, version, created_ms FROM account WHERE tenant = $tenant AND id > $1
     ORDER BY id LIMIT $2",
);

/// One owner more.
pub(crate) static GAIN_OWNER: Statement = Statement::write(
    "gain_owner",
    &["ownership"],
    "INSERT INTO ownership (tenant, owners) VALUES ($tenant, 1)
     ON CONFLICT (tenant) DO UPDATE SET owners = ownership.owners + 1",
);

/// One owner less, but never none.
pub(crate) static LOSE_OWNER: Statement = Statement::write(
    "lose_owner",
    &["ownership"],
    "UPDATE ownership SET owners = owners - 1 WHERE tenant = $tenant AND owners > 1",
);

/// `$1` hash of the token, `$2` now.
pub(crate) static PERSON_OF_SESSION: Statement = Statement::read(
    "person_of_session",
    &["session", "account"],
    "SELECT s.id AS session, a.id AS person, a.role AS role FROM session s
     JOIN account a ON a.tenant = s.tenant AND a.id = s.account
     WHERE s.tenant = $tenant AND s.hash = $1 AND s.expires_ms > $2",
);

/// `$1` account; the newest first.
pub(crate) static SESSIONS_OF: Statement = Statement::read(
    "sessions_of",
    &["session"],
    "SELECT id FROM session WHERE tenant = $tenant AND account = $1 ORDER BY id DESC LIMIT 100",
);

/// `$1` id, `$2` hash of the token, `$3` account, `$4` now, `$5` when it expires, `$6` the password's hash that was
/// checked: a session never begins on a password that has just been changed.
pub(crate) static ADD_SESSION: Statement = Statement::write(
    "add_session",
    &["session"],
    "INSERT INTO session (tenant, id, hash, account, created_ms, expires_ms)
     SELECT a.tenant, $1, $2, a.id, $4, $5 FROM account a WHERE a.tenant = $tenant AND a.id = $3 AND a.password = $6",
)
.reading(&["account"]);

/// `$1` ids.
pub(crate) static END_SESSIONS: Statement = Statement::write(
    "end_sessions",
    &["session"],
    "DELETE FROM session WHERE tenant = $tenant AND id IN (SELECT value FROM json_each($1))",
);

/// `$1` account, `$2` the session that stays.
pub(crate) static END_OTHER_SESSIONS: Statement = Statement::write(
    "end_other_sessions",
    &["session"],
    "DELETE FROM session WHERE tenant = $tenant AND account = $1 AND id <> $2",
);

/// `$1` now.
pub(crate) static SWEEP_SESSIONS: Statement =
    Statement::write("sweep_sessions", &["session"], "DELETE FROM session WHERE tenant = $tenant AND expires_ms <= $1");

/// `$1` hash of the address.
pub(crate) static ATTEMPT: Statement = Statement::read(
    "attempt",
    &["attempt"],
    "SELECT failures, locked_until_ms, updated_ms FROM attempt WHERE tenant = $tenant AND address = $1",
);

/// `$1` hash of the address, `$2` failures, `$3` locked until, `$4` now, `$5` failures that were read. An answer is
/// given only to those whose attempt was counted, so guesses that come together are counted one by one.
pub(crate) static RECORD_ATTEMPT: Statement = Statement::write(
    "record_attempt",
    &["attempt"],
    "INSERT INTO attempt (tenant, address, failures, locked_until_ms, updated_ms) VALUES ($tenant, $1, $2, $3, $4)
     ON CONFLICT (tenant, address) DO UPDATE
       SET failures = excluded.failures, locked_until_ms = excluded.locked_until_ms, updated_ms = excluded.updated_ms
       WHERE attempt.failures = $5",
);

/// `$1` hash of the address.
pub(crate) static FORGET_ATTEMPTS: Statement =
    Statement::write("forget_attempts", &["attempt"], "DELETE FROM attempt WHERE tenant = $tenant AND address = $1");

/// `$1` the time before which failures are forgotten.
pub(crate) static SWEEP_ATTEMPTS: Statement =
    Statement::write("sweep_attempts", &["attempt"], "DELETE FROM attempt WHERE tenant = $tenant AND updated_ms < $1");

/// The oldest first.
pub(crate) static KEYS: Statement = Statement::read(
    "keys",
    &["api_key"],
    "SELECT id, name, role, maker, created_ms, expires_ms FROM api_key WHERE tenant = $tenant ORDER BY id LIMIT 101",
);

/// `$1` id, `$2` hash, `$3` name, `$4` role, `$5` who made it, `$6` now, `$7` when it expires.
pub(crate) static ADD_KEY: Statement = Statement::write(
    "add_key",
    &["api_key"],
    "INSERT INTO api_key (tenant, id, hash, name, role, maker, created_ms, expires_ms)
     VALUES ($tenant, $1, $2, $3, $4, $5, $6, $7)",
);

/// `$1` id.
pub(crate) static REMOVE_KEY: Statement =
    Statement::write("remove_key", &["api_key"], "DELETE FROM api_key WHERE tenant = $tenant AND id = $1");

/// `$1` hash of the key, `$2` now.
pub(crate) static PERSON_OF_KEY: Statement = Statement::read(
    "person_of_key",
    &["api_key", "account"],
    "SELECT k.id AS id, k.role AS role, k.maker AS maker, a.role AS maker_role FROM api_key k
     LEFT JOIN account a ON a.tenant = k.tenant AND a.id = k.maker
     WHERE k.tenant = $tenant AND k.hash = $1 AND k.expires_ms > $2",
);
