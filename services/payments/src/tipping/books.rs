//! Steps `ledger`, `thank_you` and `event`: what is written down once the money is there. They only write records, so they
//! take effect exactly once.

use super::{Gift, changed};
use crate::ledger;
use crate::model::{News, load};
use crate::records::{TIP_RECEIVED, TIP_STAGE, TIP_THANKED, TIP_UNTHANKED};
use callboard::{Effects, Env, Fault, Msg, Reply, Step, event, params};

pub(super) async fn write(env: Env, msg: Msg<Step<Gift>>) -> Result<Reply, Fault> {
    let tip = load(&env, &msg.data.input.tip).await?;
    let now_ms = env.now_ms();
    let effects = ledger::book(Effects::new(), &tip, now_ms);
    let effects = effects.write(TIP_STAGE.with(params![&tip.id, "thank_you", now_ms]));
    Ok(Reply::nothing().with(changed(&env, &tip, effects)?))
}

pub(super) async fn take_back(env: Env, msg: Msg<Step<Gift>>) -> Result<Reply, Fault> {
    Ok(Reply::nothing().with(ledger::unbook(Effects::new(), &msg.data.input.tip, env.now_ms())))
}

pub(super) async fn thank(env: Env, msg: Msg<Step<Gift>>) -> Result<Reply, Fault> {
    let tip = load(&env, &msg.data.input.tip).await?;
    let number = format!("T-{}", env.pid());
    let effects = Effects::from(TIP_THANKED.with(params![&tip.id, number, env.now_ms()]));
    Ok(Reply::nothing().with(changed(&env, &tip, effects)?))
}

pub(super) async fn withdraw_thanks(env: Env, msg: Msg<Step<Gift>>) -> Result<Reply, Fault> {
    Ok(Reply::nothing().write(TIP_UNTHANKED.with(params![&msg.data.input.tip, env.now_ms()])))
}

pub(super) async fn tell(env: Env, msg: Msg<Step<Gift>>) -> Result<Reply, Fault> {
    let tip = load(&env, &msg.data.input.tip).await?;
    let uri = tip.uri()?;
    let (series, currency) = (tip.series.clone(), tip.currency.clone());
    let news = News { uri: uri.clone(), series, amount: tip.amount, currency };
    let effects = Effects::from(TIP_RECEIVED.with(params![&tip.id, env.now_ms()])).emit(event("received"), uri, news);
    Ok(Reply::nothing().with(changed(&env, &tip, effects)?))
}
