//! Flow `tip`: from a wish to money that was taken once. The table below is the whole way; what runs in each step is beside it.

mod books;
mod end;
mod money;

pub(crate) use end::{delay, fail, get_stuck, words};
pub(crate) use money::give_back;

use crate::model::Tip;
use callboard::{Effects, Env, Fault, Flow, Retry, event};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Name of the flow; its key is the tip's id.
pub(crate) const FLOW: &str = "tip";

/// What is given.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Gift {
    pub(crate) tip: String,
}

/// The payment service may be away for a while. Doing and undoing together stay well within the day for which it remembers keys.
pub(crate) const PATIENT: Retry = Retry { attempts: 12, base_ms: 1_000, cap_ms: 300_000 };

/// The flow.
pub(crate) fn flow() -> Flow {
    Flow::new(FLOW)
        .step("intent", money::announce)
        .undo(money::call_off)
        .retry(PATIENT)
        .step("charge", money::take)
        .undo(money::return_charge)
        .retry(PATIENT)
        .step("ledger", books::write)
        .undo(books::take_back)
        .step("thank_you", books::thank)
        .undo(books::withdraw_thanks)
        .step("event", books::tell)
        .no_undo("whoever heard of a tip hears of its refund")
}

/// Tells whoever looks at a tip that it changed.
pub(crate) fn changed(env: &Env, tip: &Tip, effects: Effects) -> Result<Effects, Fault> {
    let uri = tip.uri()?;
    let news = json!({"uri": uri, "version": env.now_ms()});
    Ok(effects.emit(event("changed"), uri, news))
}
