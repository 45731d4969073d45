//! What goes wrong with a tip: while it is tried again, its giver hears why; once everything was undone, it has failed and nothing
//! is kept; where that cannot be done, it is stuck in sight of a person.

use super::{Gift, changed};
use crate::model::load;
use crate::records::{TIP_DELAYED, TIP_FAILED, TIP_STUCK};
use callboard::flow::Reason;
use callboard::{Effects, Env, Fault, Msg, Reply, Statement, params};
use schemars::JsonSchema;
use serde::Deserialize;

/// What the runtime says of a run.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Told {
    pub(crate) input: Gift,
    pub(crate) reason: Option<Reason>,
}

/// What a giver hears of a reason: its code and its message.
pub(crate) fn words(reason: Option<&Reason>) -> (&str, &str) {
    match reason {
        Some(reason) if reason.code != "bug" => (&reason.code, &reason.message),
        _ => ("bug", "something went wrong on our side"),
    }
}

async fn say(env: &Env, told: &Told, statement: &'static Statement) -> Result<Reply, Fault> {
    let tip = load(env, &told.input.tip).await?;
    let (code, message) = words(told.reason.as_ref());
    let effects = Effects::from(statement.with(params![&tip.id, code, message, env.now_ms()]));
    Ok(Reply::nothing().with(changed(env, &tip, effects)?))
}

/// `delayed` of `/flows/tip/{run}` and `/flows/refund/{run}`.
pub(crate) async fn delay(env: Env, msg: Msg<Told>) -> Result<Reply, Fault> {
    say(&env, &msg.data, &TIP_DELAYED).await
}

/// `undone` of `/flows/tip/{run}`.
pub(crate) async fn fail(env: Env, msg: Msg<Told>) -> Result<Reply, Fault> {
    say(&env, &msg.data, &TIP_FAILED).await
}

/// `undo_stuck` of `/flows/tip/{run}`.
pub(crate) async fn get_stuck(env: Env, msg: Msg<Told>) -> Result<Reply, Fault> {
    say(&env, &msg.data, &TIP_STUCK).await
}
