//! Steps `intent` and `charge`: what is said to the payment service. Every step first looks how things stand there, so that an
//! answer that was lost is found again and nothing is taken twice.

use super::{Gift, changed};
use crate::model::{Tip, load};
use crate::records::{TIP_OPENED, TIP_STAGE};
use crate::stripe::{Intent, IntentStatus, Stripe};
use callboard::{Effects, Env, Fault, Msg, Reply, Step, params};
use serde::{Deserialize, Serialize};

/// What later steps need to know.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Announced {
    intent: String,
}

/// What was taken.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Taken {
    charge: Option<String>,
}

pub(super) async fn announce(env: Env, msg: Msg<Step<Gift>>) -> Result<Reply<Announced>, Fault> {
    let tip = load(&env, &msg.data.input.tip).await?;
    let intent = Stripe::new(&env)?.create(&tip, &msg.data.key).await?;
    check(&tip, &intent)?;
    let write = TIP_OPENED.with(params![&tip.id, &intent.id, env.now_ms()]);
    let effects = changed(&env, &tip, Effects::from(write))?;
    Ok(Reply::ok(Announced { intent: intent.id }).with(effects))
}

/// Nothing was taken yet: the intent is closed, so that nothing can be taken any more.
pub(super) async fn call_off(env: Env, msg: Msg<Step<Gift>>) -> Result<Reply, Fault> {
    let step = &msg.data;
    let tip = load(&env, &step.input.tip).await?;
    let stripe = Stripe::new(&env)?;
    let intent = match step.output::<Announced>("intent") {
        Ok(Announced { intent }) => intent,
        // Nobody knows whether it was made: asking again under the same key gives the one that was.
        Err(_) => match stripe.create(&tip, &done_under(&step.key)).await {
            Ok(intent) => intent.id,
            Err(fault) if fault.is_retryable() => return Err(fault),
            Err(_) => return Ok(Reply::nothing()),
        },
    };
    give_back(&stripe, &intent, &step.key).await?;
    Ok(Reply::nothing())
}

/// The key under which a step was done, from the one under which it is undone.
fn done_under(key: &str) -> String {
    key.strip_suffix("/undo").map_or_else(|| key.to_owned(), |place| format!("{place}/do"))
}

pub(super) async fn take(env: Env, msg: Msg<Step<Gift>>) -> Result<Reply<Taken>, Fault> {
    let tip = load(&env, &msg.data.input.tip).await?;
    let Announced { intent } = msg.data.output("intent")?;
    let stripe = Stripe::new(&env)?;
    let mut intent = stripe.intent(&intent).await?;
    check(&tip, &intent)?;
    if intent.status.is_open() {
        if let Some(error) = &intent.last_payment_error {
            return Err(error.fault());
        }
        intent = stripe.confirm(&intent.id, &tip.card, &msg.data.key).await?;
        check(&tip, &intent)?;
    }
    match intent.status {
        IntentStatus::Succeeded if intent.amount_received == tip.amount => {
            let write = TIP_STAGE.with(params![&tip.id, "ledger", env.now_ms()]);
            let effects = changed(&env, &tip, Effects::from(write))?;
            Ok(Reply::ok(Taken { charge: intent.latest_charge }).with(effects))
        }
        IntentStatus::Succeeded => Err(mismatch(&tip, &intent)),
        IntentStatus::Processing => Err(processing()),
        IntentStatus::RequiresAction => Err(Fault::bad_input(
            "payments.confirmation",
            "this card asks for a confirmation that cannot be shown here; use another card",
        )),
        _ => Err(Fault::conflict("payments.state", "the payment was closed before it was made; give the tip again")),
    }
}

pub(super) async fn return_charge(env: Env, msg: Msg<Step<Gift>>) -> Result<Reply, Fault> {
    let Announced { intent } = msg.data.output("intent")?;
    give_back(&Stripe::new(&env)?, &intent, &msg.data.key).await?;
    Ok(Reply::nothing())
}

/// Sees to it that an intent takes nothing, or that what it took is given back whole. Saying it twice does it once.
pub(crate) async fn give_back(stripe: &Stripe<'_>, intent: &str, key: &str) -> Result<(), Fault> {
    let intent = stripe.intent(intent).await?;
    match intent.status {
        IntentStatus::Canceled => Ok(()),
        IntentStatus::Succeeded => stripe.refund(&intent, key).await,
        IntentStatus::Processing => Err(processing()),
        _ => stripe.cancel(&intent.id, key).await,
    }
}

fn processing() -> Fault {
    Fault::unavailable("payments.processing", "the bank has not decided yet; it is asked again")
}

/// Refuses to go on with an intent that is not for this tip: another amount, another currency, another tip.
fn check(tip: &Tip, intent: &Intent) -> Result<(), Fault> {
    let is_same = intent.amount == tip.amount && intent.currency == tip.currency;
    let is_for_it = intent.metadata.get("tip").is_some_and(|id| *id == tip.id);
    if is_same && is_for_it { Ok(()) } else { Err(mismatch(tip, intent)) }
}

/// Counts as unknown, so that whatever was taken is given back.
fn mismatch(tip: &Tip, intent: &Intent) -> Fault {
    let detail = format!(
        "tip {}: {} {}; intent {}: {} {}, received {}",
        tip.id, tip.amount, tip.currency, intent.id, intent.amount, intent.currency, intent.amount_received
    );
    let message = "the payment service speaks of another amount or currency; nothing is kept";
    Fault::unavailable("payments.mismatch", message).detail(detail)
}
