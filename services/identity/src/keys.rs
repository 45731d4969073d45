//! Keys of programs: made by an owner, shown once, stored by their hash. A key is somebody of its own, with the roles that it was
//! made with; one that an owner made can do no more than that owner can now.

use crate::model::{Account, Role, digest, read_name};
use crate::records;
use callboard::{Empty, Env, Fault, Msg, Principal, Reply, params, uri};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What every key begins with: whoever finds one knows what it is.
const PREFIX: &str = "srk_";
/// Most keys of a tenant.
const KEYS_MAX: usize = 100;
/// How many days a key lasts where nobody says, and at most.
const DAYS: i64 = 90;
const DAYS_MAX: i64 = 3_650;

/// What somebody asks for a key.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewKey {
    name: String,
    role: Role,
    #[serde(default)]
    days: Option<i64>,
}

/// A key as it is listed.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Key {
    id: String,
    name: String,
    role: Role,
    maker: String,
    created_ms: i64,
    expires_ms: i64,
}

/// A key as it is told once. It is not printed.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Made {
    #[serde(flatten)]
    key: Key,
    secret: String,
}

/// The hash of a key.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    hash: String,
}

/// Whom a key stands for.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Resolved {
    person: String,
    roles: &'static [Role],
}

#[derive(Deserialize)]
struct Found {
    id: String,
    role: Role,
    maker: String,
    maker_role: Option<Role>,
}

/// Makes a key; its text is in this answer only.
pub(crate) async fn make(env: Env, msg: Msg<NewKey>) -> Result<Reply<Made>, Fault> {
    let NewKey { name, role, days } = &msg.data;
    let name = read_name(name).map_err(|_| invalid("name", "give the key a name of 1 to 60 characters"))?;
    let days = days.unwrap_or(DAYS);
    if !(1..=DAYS_MAX).contains(&days) {
        return Err(invalid("days", "let the key last 1 to 3650 days"));
    }
    let maker = maker(&env).await?;
    let known: Vec<Key> = env.query(&records::KEYS, params![]).await?.all()?;
    if known.len() >= KEYS_MAX {
        return Err(Fault::conflict(
            "key.too_many",
            "there are 100 keys in this channel; take back one that nobody uses",
        ));
    }
    let (id, now_ms) = (env.id().to_string(), env.now_ms());
    let secret = format!("{PREFIX}{}", env.token().expose());
    let key = Key { id, name, role: *role, maker, created_ms: now_ms, expires_ms: now_ms + days * 86_400_000 };
    let write = records::ADD_KEY.with(params![
        &key.id,
        digest(&secret),
        &key.name,
        role.as_str(),
        &key.maker,
        now_ms,
        key.expires_ms,
    ]);
    Ok(Reply::created(uri!("/keys/{}", key.id)?, Made { key, secret }).version(1).write(write))
}

/// Whoever makes a key. A key cannot make others: taking it back would leave those.
async fn maker(env: &Env) -> Result<String, Fault> {
    let Principal::Person { id, .. } = env.principal() else { return Ok(String::new()) };
    let account: Option<Account> = env.query(&records::ACCOUNT, params![&**id]).await?.first()?;
    let message = "keys are made by people; sign in with your account";
    account.map(|account| account.id).ok_or_else(|| Fault::denied("key.by_key", message))
}

/// Every key, the oldest first.
pub(crate) async fn list(env: Env, _: Msg<Empty>) -> Result<Reply<Vec<Key>>, Fault> {
    Ok(Reply::ok(env.query(&records::KEYS, params![]).await?.all()?))
}

/// Takes a key back: it works no longer from now on.
pub(crate) async fn revoke(env: Env, msg: Msg<Empty>) -> Result<Reply, Fault> {
    drop(env);
    let id = msg.param("id");
    let unknown = Fault::not_found("key.unknown", "there is no such key in this channel");
    Ok(Reply::deleted(uri!("/keys/{id}")?).write(records::REMOVE_KEY.with(params![id]).expect(1..=1, unknown)))
}

/// Whom the key with this hash stands for.
pub(crate) async fn resolve(env: Env, msg: Msg<Asked>) -> Result<Reply<Resolved>, Fault> {
    let found = env.query(&records::PERSON_OF_KEY, params![&msg.data.hash, env.now_ms()]).await?.first()?;
    let unknown = || Fault::not_found("key.unknown", "there is no such key in this channel");
    let Found { id, role, maker, maker_role } = found.ok_or_else(unknown)?;
    let role = match (maker.is_empty(), maker_role) {
        (true, _) => role,
        (false, Some(Role::Owner)) => role,
        // Whoever is no owner any more, or gone, has made keys that nobody answers for.
        (false, _) => return Err(unknown()),
    };
    Ok(Reply::ok(Resolved { person: format!("key-{id}"), roles: role.included() }))
}

fn invalid(field: &str, rule: &str) -> Fault {
    Fault::bad_input("key.invalid", rule).field(field, rule)
}
