//! A person's own account.

use crate::email::Email;
use crate::model::{Account, Role, check_version, read_name};
use crate::password::Password;
use crate::{attempts, records, sessions};
use callboard::{Empty, Env, Fault, Msg, Reply, params, uri};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A person, as they see themselves.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Me {
    id: String,
    name: String,
    email: String,
    roles: &'static [Role],
    version: i64,
}

/// What a person may change of themselves.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    #[serde(default)]
    name: Option<String>,
}

/// A change of password.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordChange {
    old: Password,
    new: Password,
}

impl From<Account> for Me {
    fn from(account: Account) -> Self {
        let Account { id, name, email, role, version, .. } = account;
        Self { id, name, email, roles: role.included(), version }
    }
}

/// Who the caller is.
pub(crate) async fn show(env: Env, _: Msg<Empty>) -> Result<Reply<Me>, Fault> {
    let account = find(&env).await?;
    let version = account.version;
    Ok(Reply::ok(account.into()).version(version))
}

/// Changes the caller's name.
pub(crate) async fn rename(env: Env, msg: Msg<Change>) -> Result<Reply<Me>, Fault> {
    let mut account = find(&env).await?;
    check_version(msg.meta("if-match"), account.version)?;
    let before = account.version;
    let Some(name) = &msg.data.name else { return Ok(Reply::ok(account.into()).version(before)) };
    account.name = read_name(name)?;
    account.version += 1;
    let write = records::RENAME.with(params![&account.id, &account.name, env.now_ms(), before]);
    let place = uri!("/members/{}", account.id)?;
    Ok(Reply::changed(place, account.into()).version(before + 1).write(write.expect_or_retry(1..=1)))
}

/// Changes the caller's password and ends their other sessions. A wrong old password counts as a failed sign-in.
pub(crate) async fn change_password(env: Env, msg: Msg<PasswordChange>) -> Result<Reply, Fault> {
    let PasswordChange { old, new } = &msg.data;
    let account = find(&env).await?;
    let email = Email::parse(&account.email).ok_or_else(|| Fault::bug("a stored address is no address"))?;
    new.check("new", &email, &account.name)?;
    let attempt = attempts::begin(&env, &email).await?;
    if !old.matches(&env, Some(&account.password)).await? {
        let message = "this is not your password; type the one you sign in with";
        let wrong = Fault::denied("password.wrong", message).field("old", message);
        return Ok(attempt.failed().into_iter().fold(Reply::refused(wrong), Reply::write));
    }
    let hash = new.hash(&env).await?;
    let current = env.principal().session().unwrap_or_default();
    let mut ended = sessions::of_account(&env, &account.id).await?;
    ended.retain(|id| id != current);
    let change = records::SET_PASSWORD.with(params![&account.id, hash, env.now_ms(), account.version]);
    let reply = attempt
        .passed()
        .into_iter()
        .fold(Reply::nothing(), Reply::write)
        .write(change.expect_or_retry(1..=1))
        .write(records::END_OTHER_SESSIONS.with(params![&account.id, current]));
    sessions::tell_ended(&env, reply, &ended)
}

/// The caller's account; an account that is gone is as good as not signed in.
async fn find(env: &Env) -> Result<Account, Fault> {
    let account = env.query(&records::ACCOUNT, params![env.person()?]).await?.first()?;
    account.ok_or_else(|| Fault::not_signed_in("not_signed_in", "sign in first"))
}
