//! Sessions: a random token in a cookie, of which only the hash is stored.

use crate::email::Email;
use crate::model::{Account, Person, Role, digest};
use crate::password::Password;
use crate::{attempts, records};
use callboard::{Cookie, Empty, Env, Fault, Msg, Reply, event, params, uri};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The cookie's name.
const COOKIE: &str = "session";
/// How long a session lasts.
const AGE_S: i64 = 30 * 24 * 60 * 60;
/// Most sessions of one account; a new one ends the oldest.
const SESSIONS_MAX: usize = 20;

/// What somebody signs in with.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Credentials {
    email: String,
    password: Password,
}

/// The hash of a token.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    hash: String,
}

/// Who acts in a session.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Resolved {
    person: String,
    roles: &'static [Role],
    session: String,
}

#[derive(Deserialize)]
struct Found {
    session: String,
    person: String,
    role: Role,
}

#[derive(Deserialize)]
struct Known {
    id: String,
}

/// Signs in. Whoever fails does not hear whether the address or the password was wrong.
pub(crate) async fn sign_in(env: Env, msg: Msg<Credentials>) -> Result<Reply<Person>, Fault> {
    // What is no address cannot have an account, so there is nothing to count.
    let email = Email::parse(&msg.data.email).ok_or_else(wrong)?;
    let attempt = attempts::begin(&env, &email).await?;
    let account: Option<Account> = env.query(&records::ACCOUNT_BY_EMAIL, params![email.as_str()]).await?.first()?;
    let hash = account.as_ref().map(|account| account.password.as_str());
    let is_right = msg.data.password.matches(&env, hash).await?;
    match account.filter(|_| is_right) {
        Some(account) => {
            let reply = attempt.passed().into_iter().fold(Reply::ok(account.person()), Reply::write);
            begin(&env, reply, &account).await
        }
        None => Ok(attempt.failed().into_iter().fold(Reply::refused(wrong()), Reply::write)),
    }
}

fn wrong() -> Fault {
    Fault::not_signed_in("sign_in.wrong", "the address or the password is wrong; check both and try again")
}

/// Begins a session of an account, in place of the one the caller acts in. The token is always new, so nobody can
/// prepare a session for somebody else to sign in to.
pub(crate) async fn begin<Out>(env: &Env, reply: Reply<Out>, account: &Account) -> Result<Reply<Out>, Fault> {
    let (id, token, now_ms) = (env.id(), env.token(), env.now_ms());
    let known = of_account(env, &account.id).await?;
    let mut ended: Vec<String> = known.into_iter().skip(SESSIONS_MAX - 1).collect();
    ended.extend(env.principal().session().map(str::to_owned).filter(|id| !ended.contains(id)));
    let expires_ms = now_ms.saturating_add(AGE_S * 1000);
    let add = records::ADD_SESSION.with(params![
        id,
        digest(token.expose()),
        &account.id,
        now_ms,
        expires_ms,
        &account.password,
    ]);
    let reply = reply
        .write(add.expect_or_retry(1..=1))
        .write(records::END_SESSIONS.with(params![ended.clone()]))
        .write(records::SWEEP_SESSIONS.with(params![now_ms]))
        .cookie(Cookie { name: COOKIE, value: token.expose().clone(), age_s: AGE_S });
    tell_ended(env, reply, &ended)
}

/// Ids of an account's sessions, the newest first.
pub(crate) async fn of_account(env: &Env, account: &str) -> Result<Vec<String>, Fault> {
    let known: Vec<Known> = env.query(&records::SESSIONS_OF, params![account]).await?.all()?;
    Ok(known.into_iter().map(|session| session.id).collect())
}

/// Publishes that sessions have ended, so that whatever was granted to them ends too.
pub(crate) fn tell_ended<Out>(env: &Env, reply: Reply<Out>, ended: &[String]) -> Result<Reply<Out>, Fault> {
    ended.iter().try_fold(reply, |reply, id| {
        let uri = uri!("/sessions/{id}")?;
        let data = json!({"uri": uri, "version": env.now_ms()});
        Ok(reply.emit(event("deleted"), uri, data))
    })
}

/// Ends the session the caller acts in.
pub(crate) async fn sign_out(env: Env, _: Msg<Empty>) -> Result<Reply, Fault> {
    let reply = match env.principal().session() {
        Some(id) => {
            let end = records::END_SESSIONS.with(params![vec![id.to_owned()]]);
            Reply::deleted(uri!("/sessions/{id}")?).write(end)
        }
        None => Reply::nothing(),
    };
    Ok(reply.cookie(Cookie { name: COOKIE, value: String::new(), age_s: 0 }))
}

/// Who acts in the session whose token has this hash.
pub(crate) async fn resolve(env: Env, msg: Msg<Asked>) -> Result<Reply<Resolved>, Fault> {
    let found = env.query(&records::PERSON_OF_SESSION, params![&msg.data.hash, env.now_ms()]).await?.first()?;
    let unknown = || Fault::not_found("session.unknown", "there is no such session any more; sign in again");
    let Found { session, person, role } = found.ok_or_else(unknown)?;
    Ok(Reply::ok(Resolved { person, roles: role.included(), session }))
}
