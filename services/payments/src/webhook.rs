//! What the payment service tells by itself. It is only a reason to look: who sends it proves it, an id counts once, and what it says
//! of a tip must fit the tip. Nothing that it says is written down as true.

use crate::model::{State, Tip};
use crate::records::{EVENT, EVENT_ADD, TIP};
use crate::stripe::{WEBHOOK_SECRET, signature};
use crate::{refund, tipping};
use callboard::{Data, Effects, Env, Fault, Msg, Reply, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An event, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Event {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    data: Subject,
}

#[derive(Debug, Deserialize)]
struct Subject {
    object: Object,
}

/// An intent or a charge.
#[derive(Debug, Deserialize)]
struct Object {
    id: String,
    #[serde(default)]
    payment_intent: Option<String>,
    #[serde(default)]
    amount: Option<i64>,
    #[serde(default)]
    currency: Option<String>,
    #[serde(default)]
    refunded: bool,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
}

/// What the sender hears.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Heard {
    /// Whether it was news.
    is_news: bool,
}

/// `post /payments/webhook`
pub(crate) async fn hear(env: Env, msg: Msg<Data>) -> Result<Reply<Heard>, Fault> {
    let secret = env.secret(WEBHOOK_SECRET)?;
    let header = msg.meta("stripe-signature").unwrap_or_default();
    signature::check(secret.expose(), header, &msg.data.bytes, env.now_ms() / 1000)?;
    let event: Event = msg.data.read()?;
    let known = !env.query(&EVENT, params![&event.id]).await?.is_empty();
    let object = &event.data.object;
    let is_ours = object.metadata.get("tenant").is_some_and(|tenant| tenant == env.tenant().as_str());
    let tip: Option<Tip> = match object.metadata.get("tip").filter(|_| is_ours && !known) {
        Some(tip) => env.query(&TIP, params![tip]).await?.first()?,
        None => None,
    };
    // The account may be used for other things, and other channels have their own address.
    let Some(tip) = tip else { return Ok(Reply::ok(Heard { is_news: false })) };
    check(&tip, object)?;
    let heard = EVENT_ADD.with(params![&event.id, &event.kind, &tip.id, env.now_ms()]).expect_or_retry(1..=1);
    let effects = follow(&env, &tip, &event, Effects::from(heard))?;
    Ok(Reply::ok(Heard { is_news: true }).with(effects))
}

/// Refuses what speaks of another amount, currency or payment than the tip's.
fn check(tip: &Tip, object: &Object) -> Result<(), Fault> {
    let intent = object.payment_intent.as_deref().unwrap_or(&object.id);
    let fits = object.amount.is_none_or(|amount| amount == tip.amount)
        && object.currency.as_deref().is_none_or(|currency| currency == tip.currency)
        && tip.intent.as_deref().is_none_or(|known| known == intent);
    if fits {
        return Ok(());
    }
    Err(Fault::bad_input(
        "webhook.mismatch",
        "this webhook speaks of another amount, currency or payment than the tip's",
    ))
}

/// Money that was given back elsewhere is written down here too; money that was taken for a tip that failed is given back.
fn follow(env: &Env, tip: &Tip, event: &Event, mut effects: Effects) -> Result<Effects, Fault> {
    let is_late = event.kind == "payment_intent.succeeded" && tip.state == State::Failed;
    let is_refunded = event.kind == "charge.refunded"
        && event.data.object.refunded
        && matches!(tip.state, State::Received | State::Stuck);
    if is_refunded {
        let begun = refund::start(&tip.id, tip.version, env.now_ms());
        effects.writes.extend(begun.writes);
        effects.starts.extend(begun.starts);
        effects = tipping::changed(env, tip, effects)?;
    } else if is_late {
        effects = effects.start(refund::FLOW, format!("{}.late", tip.id), tipping::Gift { tip: tip.id.clone() });
    }
    Ok(effects)
}
