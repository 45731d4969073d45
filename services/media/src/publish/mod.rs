//! Flow `publish`: from the parts of an upload to a video. The table below is the whole way; what runs in each step is
//! beside it.

mod end;
mod full;
mod material;
mod poster;
mod probe;
mod quick;
mod ready;
mod shelf;
mod tool;

pub(crate) use end::{delay, fail};
pub(crate) use shelf::MASTER;

use crate::exposure::DECISIONS;
use crate::model::Asset;
use crate::records::ASSET;
use callboard::{Env, Fault, Flow, Retry, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Name of the flow; its key is the upload's id.
pub(crate) const FLOW: &str = "publish";

/// The stages that people see, in order.
pub(crate) const STAGES: [&str; 5] = ["probe", "quick", "poster", "full", "ready"];

/// What is published.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Publication {
    pub(crate) upload: String,
    pub(crate) asset: String,
    pub(crate) episode: String,
    pub(crate) size_bytes: u64,
    /// Whether everything else goes first.
    pub(crate) is_low: bool,
}

/// What is wrong with the file is not retried; what is wrong with the machine is, for about an hour.
const PATIENT: Retry = Retry { attempts: 16, base_ms: 1_000, cap_ms: 600_000 };

/// A step may have to wait for the steps of many other uploads before its program starts.
const DAY_MS: u64 = 24 * 3_600_000;

/// The flow.
pub(crate) fn flow() -> Flow {
    Flow::new(FLOW)
        .step("probe", probe::examine)
        .no_undo("it only joins what was uploaded, and that is removed once the run has ended")
        .retry(PATIENT)
        .timeout_ms(DAY_MS)
        .step("quick", quick::make)
        .reads(DECISIONS)
        .undo(quick::unmake)
        .retry(PATIENT)
        .timeout_ms(DAY_MS)
        .step("poster", poster::draw)
        .undo(poster::remove)
        .retry(PATIENT)
        .timeout_ms(DAY_MS)
        .step("cut", full::cut)
        .no_undo("it only decides")
        .map("full", "cut", full::encode)
        .undo(full::unmake)
        .retry(PATIENT)
        .timeout_ms(DAY_MS)
        .concurrency(1)
        .step("ready", ready::finish)
        .reads(DECISIONS)
        .undo(ready::withdraw)
        .retry(PATIENT)
}

/// Somebody has taken the video away: there is nothing to go on with.
pub(crate) fn taken_away() -> Fault {
    Fault::conflict("media.removed", "the video was removed before it was ready; upload it again if it is wanted")
}

/// The asset that is published.
///
/// # Errors
/// `media.removed`.
async fn asset(env: &Env, publication: &Publication) -> Result<Asset, Fault> {
    let asset: Option<Asset> = env.query(&ASSET, params![&publication.asset]).await?.first()?;
    asset.ok_or_else(taken_away)
}
