//! Making accounts: people for themselves, the command line for a tenant's first owner.

use crate::email::Email;
use crate::model::{Account, Person, Role, read_name};
use crate::password::Password;
use crate::{attempts, records, sessions};
use callboard::{Env, Fault, Msg, Reply, Write, params, uri};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What somebody gives for an account.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAccount {
    email: String,
    password: Password,
    name: String,
}

/// What the command line gives for an owner.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewOwner {
    email: String,
    name: String,
    #[serde(default)]
    password: Option<Password>,
}

/// What the command line gives for an account whose password is lost.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPassword {
    email: String,
    #[serde(default)]
    password: Option<Password>,
}

/// An account as the command line is told of it, with its password where that was generated. It is told once, so it is not
/// printed.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Told {
    id: String,
    email: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

/// Makes a viewer of whoever asks, and signs them in.
pub(crate) async fn sign_up(env: Env, msg: Msg<NewAccount>) -> Result<Reply<Person>, Fault> {
    let NewAccount { email, password, name } = msg.data;
    let (account, write) = make(&env, &email, &name, &password, Role::Viewer).await?;
    let reply = Reply::created(uri!("/members/{}", account.id)?, account.person()).version(1).write(write);
    sessions::begin(&env, reply, &account).await
}

/// Makes an owner; without a password one is generated and told in this answer only.
pub(crate) async fn make_owner(env: Env, msg: Msg<NewOwner>) -> Result<Reply<Told>, Fault> {
    let NewOwner { email, name, password } = msg.data;
    let (chosen, password) = choose(&env, password);
    let (account, write) = make(&env, &email, &name, &chosen, Role::Owner).await?;
    let place = uri!("/members/{}", account.id)?;
    let made = Told { id: account.id, email: account.email, password };
    Ok(Reply::created(place, made).version(1).write(write).write(records::GAIN_OWNER.with(params![])))
}

/// Gives an account a new password, because its own is lost: its sessions end and failed sign-ins are forgotten. Without a
/// password one is generated and told in this answer only.
pub(crate) async fn reset_password(env: Env, msg: Msg<NewPassword>) -> Result<Reply<Told>, Fault> {
    let NewPassword { email, password } = msg.data;
    let email = Email::read(&email)?;
    let account: Option<Account> = env.query(&records::ACCOUNT_BY_EMAIL, params![email.as_str()]).await?.first()?;
    let unknown = "there is no account with this address in this channel";
    let account = account.ok_or_else(|| Fault::not_found("member.unknown", unknown))?;
    let (chosen, password) = choose(&env, password);
    chosen.check("password", &email, &account.name)?;
    let hash = chosen.hash(&env).await?;
    let ended = sessions::of_account(&env, &account.id).await?;
    let change = records::SET_PASSWORD.with(params![&account.id, hash, env.now_ms(), account.version]);
    let end = records::END_OTHER_SESSIONS.with(params![&account.id, ""]);
    let reply = Reply::ok(Told { id: account.id, email: account.email, password })
        .write(change.expect_or_retry(1..=1))
        .write(attempts::forget(&email))
        .write(end);
    sessions::tell_ended(&env, reply, &ended)
}

/// The password that was given; or a generated one, with its text to tell.
fn choose(env: &Env, given: Option<Password>) -> (Password, Option<String>) {
    match given {
        Some(password) => (password, None),
        None => {
            let generated = Password::generate(env);
            let text = generated.expose().to_owned();
            (generated, Some(text))
        }
    }
}

async fn make(env: &Env, email: &str, name: &str, password: &Password, role: Role) -> Result<(Account, Write), Fault> {
    let (email, name) = (Email::read(email)?, read_name(name)?);
    password.check("password", &email, &name)?;
    // Asked before the costly hash; the write asks again, because two may come at once.
    let known = env.query(&records::ACCOUNT_BY_EMAIL, params![email.as_str()]).await?;
    if !known.is_empty() {
        return Err(email_taken());
    }
    let account = Account {
        id: env.id().to_string(),
        email: email.as_str().to_owned(),
        name,
        password: password.hash(env).await?,
        role,
        version: 1,
        created_ms: env.now_ms(),
    };
    let write = records::ADD_ACCOUNT.with(params![
        &account.id,
        &account.email,
        &account.name,
        &account.password,
        role.as_str(),
        account.created_ms,
    ]);
    Ok((account, write.expect(1..=1, email_taken())))
}

fn email_taken() -> Fault {
    let message = "there is an account with this address already; sign in instead";
    Fault::conflict("account.email_taken", message).field("email", message)
}
