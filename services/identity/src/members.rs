//! The people of a tenant and their roles, for its owners. A tenant always keeps an owner.

use crate::model::{Account, Member, Role, check_version};
use crate::{records, sessions};
use callboard::{Empty, Env, Fault, Msg, Reply, Write, params, uri};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Longest page.
const LIMIT_MAX: usize = 100;

/// Which page of the list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    #[serde(default)]
    after: String,
    #[serde(default = "usual_limit")]
    #[schemars(range(min = 1, max = 100), extend("x-code" = "members.limit"))]
    limit: usize,
}

fn usual_limit() -> usize {
    20
}

/// A page of members.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Members {
    items: Vec<Member>,
    next: Option<String>,
}

/// A new role.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    role: Role,
}

/// Everybody with an account here, the oldest account first.
pub(crate) async fn list(env: Env, msg: Msg<Page>) -> Result<Reply<Members>, Fault> {
    let Page { after, limit } = &msg.data;
    if !(1..=LIMIT_MAX).contains(limit) {
        let rule = format!("ask for 1 to {LIMIT_MAX} members");
        return Err(Fault::bad_input("members.limit", rule.clone()).field("limit", rule));
    }
    // One more than asked for tells whether there is another page.
    let most = i64::try_from(limit + 1).expect("a page is small");
    let mut items: Vec<Member> = env.query(&records::MEMBERS, params![after, most]).await?.all()?;
    let has_more = items.len() > *limit;
    items.truncate(*limit);
    let next = items.last().filter(|_| has_more).map(|member| member.id.clone());
    Ok(Reply::ok(Members { items, next }))
}

/// Gives a member a role; it counts from their next request on. With less than before their sessions end, because
/// whatever was granted to those, such as passes to media, was granted to the role that they had.
pub(crate) async fn set_role(env: Env, msg: Msg<Change>) -> Result<Reply<Member>, Fault> {
    let account = find(&env, msg.param("id")).await?;
    check_version(msg.meta("if-match"), account.version)?;
    let (before, after, version) = (account.role, msg.data.role, account.version);
    let mut member = account.member();
    if before == after {
        return Ok(Reply::ok(member).version(version));
    }
    (member.role, member.version) = (after, version + 1);
    let write = records::SET_ROLE.with(params![&member.id, after.as_str(), env.now_ms(), version]);
    let place = uri!("/members/{}", member.id)?;
    let person = member.id.clone();
    let reply = Reply::changed(place, member).version(version + 1).write(write.expect_or_retry(1..=1));
    let reply = owners_change(before, after).into_iter().fold(reply, Reply::write);
    if after > before {
        return Ok(reply);
    }
    let ended = sessions::of_account(&env, &person).await?;
    sessions::tell_ended(&env, reply.write(records::END_OTHER_SESSIONS.with(params![&person, ""])), &ended)
}

/// Removes a member with all their sessions. Other services hear of it and remove what is theirs.
pub(crate) async fn remove(env: Env, msg: Msg<Empty>) -> Result<Reply, Fault> {
    let account = find(&env, msg.param("id")).await?;
    check_version(msg.meta("if-match"), account.version)?;
    let ended = sessions::of_account(&env, &account.id).await?;
    let remove = records::REMOVE_ACCOUNT.with(params![&account.id, account.version]);
    let reply = Reply::deleted(uri!("/members/{}", account.id)?)
        .version(account.version + 1)
        .write(remove.expect_or_retry(1..=1))
        .write(records::END_OTHER_SESSIONS.with(params![&account.id, ""]));
    let reply = owners_change(account.role, Role::Viewer).into_iter().fold(reply, Reply::write);
    sessions::tell_ended(&env, reply, &ended)
}

/// Counts owners in the one row that everybody who changes one must change too.
fn owners_change(before: Role, after: Role) -> Option<Write> {
    match (before == Role::Owner, after == Role::Owner) {
        (false, true) => Some(records::GAIN_OWNER.with(params![])),
        (true, false) => {
            let message = "this is the channel's last owner; make somebody else an owner first";
            Some(records::LOSE_OWNER.with(params![]).expect(1..=1, Fault::conflict("member.last_owner", message)))
        }
        _ => None,
    }
}

async fn find(env: &Env, id: &str) -> Result<Account, Fault> {
    let account = env.query(&records::ACCOUNT, params![id]).await?.first()?;
    account.ok_or_else(|| Fault::not_found("member.unknown", "there is no such member in this channel"))
}
