//! What the records and blobs keep for messages, and for how long: claim checks, retention, sweeping.

use crate::ports::{Commit, Envelope, Retention, next_bytes};
use crate::{DATA_BYTES_MAX, Fault, Host, MESSAGE_BYTES_MAX, Space};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Where blobs of messages are.
const PREFIX: &str = "messages";
/// Age from which a blob that nobody needs is removed: by then the commit it was made for has happened or never will.
const BLOB_AGE_MS: i64 = 3_600_000;
/// Most rows of one kind that are removed at once, so that sweeping holds up nobody.
const SWEEP_MAX: u32 = 500;
const DAY_MS: i64 = 86_400_000;

/// How long events and ended runs are kept: what services say of their own, otherwise the settings.
pub(crate) fn retention(space: &Space, settings: &HashMap<String, String>) -> Result<Retention, Fault> {
    let days_ms = |name: &str, default: i64| match settings.get(name) {
        None => Ok(default * DAY_MS),
        Some(text) => match text.parse::<u32>() {
            Ok(days) => Ok(i64::from(days) * DAY_MS),
            Err(_) => Err(Fault::bad_input("settings", format!("{name}: `{text}` is no number of days"))),
        },
    };
    let of = |(kind, days): &(crate::Kind, u32)| (kind.clone(), i64::from(*days) * DAY_MS);
    let kinds = space
        .services
        .iter()
        .flat_map(|service| service.retention.iter().map(of).map(|(kind, keep_ms)| (service.name, kind, keep_ms)));
    Ok(Retention {
        kinds: kinds.collect(),
        events_ms: days_ms("callboard.events_days", 30)?,
        runs_ms: days_ms("callboard.runs_days", 90)?,
    })
}

impl Host {
    /// Puts data that is too large for a message into a blob, and leaves the blob's key in the message.
    pub(crate) async fn stow(&self, commit: &mut Commit) -> Result<(), Fault> {
        let has_slots = commit.effects.has_slots();
        for out in &mut commit.outbox {
            let text = out.envelope.data.to_string();
            if text.len() <= DATA_BYTES_MAX {
                continue;
            }
            let Envelope { id, uri, tenant, data, dataref, .. } = Arc::make_mut(&mut out.envelope);
            if has_slots || text.len() > MESSAGE_BYTES_MAX {
                let why = if has_slots { "192 KiB beside slots" } else { "16 MiB" };
                return Err(Fault::bug(format!("{}: the message on {uri} carries more than {why}", commit.service)));
            }
            let key = format!("{PREFIX}/{tenant}/{id}");
            self.inner.ports.blobs.put(&key, text.into()).await?;
            *data = Value::Null;
            *dataref = Some(key);
        }
        Ok(())
    }

    /// The data of a message, wherever it is.
    pub(crate) async fn unstow(&self, envelope: &Envelope) -> Result<Value, Fault> {
        let Some(key) = &envelope.dataref else { return Ok(envelope.data.clone()) };
        let mut stream = self.inner.ports.blobs.read(key, None).await?;
        let mut bytes = Vec::new();
        while let Some(piece) = next_bytes(&mut stream).await {
            bytes.extend_from_slice(&piece?);
        }
        serde_json::from_slice(&bytes)
            .map_err(|error| Fault::bug(format!("the data of a message in blob {key} cannot be read: {error}")))
    }

    /// Removes a batch of what is past its time: events, ended runs, idle lanes. Gives whether there may be more.
    ///
    /// # Errors
    /// The store's fault.
    pub async fn sweep(&self) -> Result<bool, Fault> {
        let now_ms = self.inner.ports.clock.now_ms();
        let removed = self.inner.ports.records.sweep(&self.inner.retention, SWEEP_MAX, now_ms).await?;
        Ok(removed >= u64::from(SWEEP_MAX))
    }

    /// Removes blobs of messages that nobody needs any more. Gives how many.
    ///
    /// # Errors
    /// The store's fault.
    pub async fn sweep_blobs(&self) -> Result<usize, Fault> {
        let before_ms = self.inner.ports.clock.now_ms() - BLOB_AGE_MS;
        let all = self.inner.ports.blobs.list(PREFIX).await?;
        let old: Vec<String> =
            all.into_iter().filter(|blob| blob.modified_ms < before_ms).map(|blob| blob.key).collect();
        let mut removed = 0;
        for some in old.chunks(200) {
            let needed: HashSet<String> = self.inner.ports.records.needed(some.to_vec()).await?.into_iter().collect();
            for key in some.iter().filter(|key| !needed.contains(*key)) {
                self.inner.ports.blobs.remove(key).await?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}
