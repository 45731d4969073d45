//! Flow `removal`: blobs that nobody needs any more go away, however often it takes.

use callboard::{Effects, Env, Fault, Flow, Msg, Reply, Retry, Step};
use serde::{Deserialize, Serialize};

const FLOW: &str = "removal";

/// What to remove.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Removal {
    /// Keys; what lies below one goes too.
    keys: Vec<String>,
}

/// The flow.
pub(crate) fn flow() -> Flow {
    Flow::new(FLOW)
        .step("remove", remove)
        .no_undo("nobody names these blobs any more, so nobody misses them")
        .retry(Retry { attempts: 30, base_ms: 1_000, cap_ms: 600_000 })
        .timeout_ms(600_000)
}

/// Has blobs removed once the other effects are committed.
pub(crate) fn start(env: &Env, effects: Effects, keys: Vec<String>) -> Effects {
    if keys.is_empty() { effects } else { effects.start(FLOW, env.id().to_string(), Removal { keys }) }
}

async fn remove(env: Env, msg: Msg<Step<Removal>>) -> Result<Reply, Fault> {
    for key in &msg.data.input.keys {
        env.blobs().remove(key).await?;
    }
    Ok(Reply::nothing())
}
