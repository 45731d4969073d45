//! Flow `refund`: a tip that was received is given back whole, once.

use crate::ledger;
use crate::model::{News, State, load};
use crate::records::{TIP_KEPT, TIP_REFUNDED, TIP_REFUNDING, TIP_STUCK};
use crate::stripe::Stripe;
use crate::tipping::{Gift, PATIENT, changed, give_back, words};
use callboard::flow::Reason;
use callboard::{Effects, Empty, Env, Fault, Flow, Msg, Reply, Step, event, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Name of the flow; its key is the tip's id and the time it was asked for, since a refusal can be followed by another attempt.
pub(crate) const FLOW: &str = "refund";

/// The flow.
pub(crate) fn flow() -> Flow {
    Flow::new(FLOW)
        .step("money", return_money)
        .no_undo("money that was given back stays there; what follows only writes it down")
        .retry(PATIENT)
        .step("ledger", unbook)
        .no_undo("the books say what happened")
        .step("event", tell)
        .no_undo("whoever heard of a refund has heard of it")
}

/// `post /tips/{id}/refund`: 202. Asking again while it goes on, or after, is the same refund.
pub(crate) async fn begin(env: Env, msg: Msg<Empty>) -> Result<Reply<Begun>, Fault> {
    let tip = load(&env, msg.param("id")).await?;
    let begun =
        Begun { id: tip.id.clone(), status_uri: tip.uri()?.to_string(), correlation: msg.correlation.to_string() };
    match tip.state {
        State::Refunding | State::Refunded => Ok(Reply::accepted(tip.uri()?, begun)),
        // Nobody knows whether a stuck one was taken, and giving back begins with finding out.
        State::Received | State::Stuck => {
            let effects = start(&tip.id, tip.version, env.now_ms());
            Ok(Reply::accepted(tip.uri()?, begun).with(changed(&env, &tip, effects)?).header("retry-after", "1"))
        }
        State::Pending | State::Failed => {
            let message = "only a tip that was received can be given back; see how this one stands";
            Err(Fault::conflict("tip.not_refundable", message))
        }
    }
}

/// What somebody hears who asked for a refund.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Begun {
    id: String,
    status_uri: String,
    correlation: String,
}

/// Starts the flow for a tip in this version.
pub(crate) fn start(tip: &str, version: i64, now_ms: i64) -> Effects {
    let mark = TIP_REFUNDING.with(params![tip, now_ms]).expect_or_retry(1..=1);
    Effects::from(mark).start(FLOW, format!("{tip}.{version}"), Gift { tip: tip.to_owned() })
}

async fn return_money(env: Env, msg: Msg<Step<Gift>>) -> Result<Reply, Fault> {
    let tip = load(&env, &msg.data.input.tip).await?;
    // Without an intent there is nothing that could have taken anything.
    if let Some(intent) = &tip.intent {
        give_back(&Stripe::new(&env)?, intent, &msg.data.key).await?;
    }
    Ok(Reply::nothing())
}

async fn unbook(env: Env, msg: Msg<Step<Gift>>) -> Result<Reply, Fault> {
    Ok(Reply::nothing().with(ledger::unbook(Effects::new(), &msg.data.input.tip, env.now_ms())))
}

async fn tell(env: Env, msg: Msg<Step<Gift>>) -> Result<Reply, Fault> {
    let tip = load(&env, &msg.data.input.tip).await?;
    let uri = tip.uri()?;
    let (series, currency) = (tip.series.clone(), tip.currency.clone());
    let news = News { uri: uri.clone(), series, amount: tip.amount, currency };
    let effects = Effects::from(TIP_REFUNDED.with(params![&tip.id, env.now_ms()])).emit(event("refunded"), uri, news);
    Ok(Reply::nothing().with(changed(&env, &tip, effects)?))
}

/// What the runtime says of a run.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Told {
    input: Gift,
    reason: Option<Reason>,
}

/// Refusals that leave the money where it was.
const REFUSALS: [&str; 4] = ["payments.refund_refused", "payments.refused", "payments.unknown", "payments.state"];

/// `undone` of `/flows/refund/{run}`: where the payment service refused, the tip is kept; where nobody knows, a person looks. The
/// reason stands beside it.
pub(crate) async fn fail(env: Env, msg: Msg<Told>) -> Result<Reply, Fault> {
    let tip = load(&env, &msg.data.input.tip).await?;
    let (code, message) = words(msg.data.reason.as_ref());
    let statement = if REFUSALS.contains(&code) { &TIP_KEPT } else { &TIP_STUCK };
    let effects = Effects::from(statement.with(params![&tip.id, code, message, env.now_ms()]));
    Ok(Reply::nothing().with(changed(&env, &tip, effects)?))
}
