//! What was used, hour by hour, for seven days: added up as invocations end and kept beside the records. It names functions,
//! tenants and flows, and nobody.

use super::bill::Usage;
use callboard::invocation::{Invocation, Observer};
use callboard::{Empty, Env, Fault, Kind, Msg, Principal, Reply, Service, Stranger, Who};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const HOUR_MS: i64 = 3_600_000;
/// How long an hour is kept.
const AGE_MS: i64 = 7 * 24 * HOUR_MS;
/// Most rows; beyond them the oldest hour goes.
const ROWS_MAX: usize = 50_000;
/// Pause between two times at which the file is written.
const SAVE_PAUSE: Duration = Duration::from_secs(60);

/// Whose usage in which hour.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Key {
    /// When the hour begins, in Unix milliseconds.
    pub(crate) hour_ms: i64,
    pub(crate) service: Cow<'static, str>,
    pub(crate) function: Cow<'static, str>,
    pub(crate) tenant: callboard::Tenant,
    pub(crate) flow: Option<Cow<'static, str>>,
}

/// A key with its usage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Row {
    #[serde(flatten)]
    pub(crate) key: Key,
    pub(crate) usage: Usage,
}

/// Adds up what is used.
pub(crate) struct Traffic {
    file: PathBuf,
    sums: Mutex<Sums>,
}

#[derive(Default)]
struct Sums {
    rows: HashMap<Key, Usage>,
    newest_hour_ms: i64,
    is_changed: bool,
}

impl Traffic {
    /// What was added up before, and from now on. A file that cannot be read is begun anew: it is only about money that nobody
    /// pays.
    pub(crate) fn open(file: &Path) -> Arc<Self> {
        let rows = match std::fs::read(file).map(|text| serde_json::from_slice::<Vec<Row>>(&text)) {
            Ok(Ok(rows)) => rows,
            Ok(Err(error)) => {
                tracing::warn!(file = %file.display(), %error, "what was used cannot be read; it is counted anew");
                Vec::new()
            }
            Err(_) => Vec::new(),
        };
        let newest_hour_ms = rows.iter().map(|row| row.key.hour_ms).max().unwrap_or(0);
        let rows = rows.into_iter().map(|row| (row.key, row.usage)).collect();
        Arc::new(Self { file: file.to_owned(), sums: Mutex::new(Sums { rows, newest_hour_ms, is_changed: false }) })
    }

    fn sums(&self) -> MutexGuard<'_, Sums> {
        self.sums.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn rows(&self) -> Vec<Row> {
        let mut rows: Vec<Row> =
            self.sums().rows.iter().map(|(key, usage)| Row { key: key.clone(), usage: *usage }).collect();
        rows.sort_by(|one, other| one.key.cmp(&other.key));
        rows
    }

    /// Writes the file whenever something changed.
    pub(crate) async fn keep_saved(self: Arc<Self>) {
        loop {
            tokio::time::sleep(SAVE_PAUSE).await;
            let traffic = self.clone();
            // Whether it could be written is told where it is tried.
            drop(tokio::task::spawn_blocking(move || traffic.save()).await);
        }
    }

    fn save(&self) {
        if !std::mem::take(&mut self.sums().is_changed) {
            return;
        }
        let beside = self.file.with_extension("new");
        let write = || {
            let text = serde_json::to_vec(&self.rows())?;
            let mut file =
                std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
            file.write_all(&text)?;
            file.sync_all()?;
            std::fs::rename(&beside, &self.file)
        };
        if let Err(error) = write() {
            tracing::warn!(file = %self.file.display(), %error, "what was used cannot be written");
        }
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.save();
    }
}

impl Sums {
    fn add(&mut self, key: Key, usage: &Usage) {
        if key.hour_ms > self.newest_hour_ms {
            self.newest_hour_ms = key.hour_ms;
            let since_ms = key.hour_ms - AGE_MS;
            self.rows.retain(|key, _| key.hour_ms > since_ms);
        }
        if self.rows.len() >= ROWS_MAX && !self.rows.contains_key(&key) {
            let oldest_ms = self.rows.keys().map(|key| key.hour_ms).min().unwrap_or(0);
            self.rows.retain(|key, _| key.hour_ms > oldest_ms);
        }
        self.rows.entry(key).or_default().add(usage);
        self.is_changed = true;
    }
}

impl Observer for Traffic {
    fn ended(&self, invocation: &Invocation) {
        // Who looks is not what is looked at.
        if invocation.service == SERVICE || invocation.service == "callboard" {
            return;
        }
        let key = Key {
            hour_ms: invocation.started_ms - invocation.started_ms.rem_euclid(HOUR_MS),
            service: invocation.service.into(),
            function: invocation.function.into(),
            tenant: invocation.tenant.clone(),
            flow: invocation.flow.map(Cow::Borrowed),
        };
        self.sums().add(key, &Usage::of(invocation));
    }
}

const SERVICE: &str = "cost";

/// The operator's function that gives what was used: to owners of the own channel all of it, to others what is theirs.
pub(crate) fn service(traffic: Arc<Traffic>) -> Service {
    let list = move |env: Env, _: Msg<Empty>| {
        let traffic = traffic.clone();
        async move { list(&env, &traffic) }
    };
    Service::new(SERVICE).on(Kind::Get, "/-/traffic", list, Who::Role("owner"), Stranger::NotFound)
}

fn list(env: &Env, traffic: &Traffic) -> Result<Reply<Vec<Row>>, Fault> {
    let is_operator = matches!(env.principal(), Principal::Service(_));
    if !is_operator && !env.principal().has_role("owner") {
        return Err(Fault::not_found("no_such_uri", "there is nothing here"));
    }
    let sees_all = env.tenant() == env.home();
    let rows = traffic.rows().into_iter().filter(|row| sees_all || row.key.tenant == *env.tenant());
    Ok(Reply::ok(rows.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use callboard::Tenant;

    fn key(hour: i64, function: &'static str) -> Key {
        let hour_ms = hour * HOUR_MS;
        Key { hour_ms, service: "shop".into(), function: function.into(), tenant: Tenant::new("demo"), flow: None }
    }

    #[test]
    fn what_was_used_is_there_after_a_restart_and_for_seven_days() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("traffic.json");
        let usage = Usage { invocations: 1, billed_ms: 7, ..Usage::default() };
        {
            let traffic = Traffic::open(&file);
            traffic.sums().add(key(0, "a"), &usage);
            traffic.sums().add(key(0, "a"), &usage);
            traffic.sums().add(key(1, "b"), &usage);
        }
        let traffic = Traffic::open(&file);
        let seen = |traffic: &Traffic| -> Vec<(i64, u64)> {
            traffic.rows().iter().map(|row| (row.key.hour_ms / HOUR_MS, row.usage.invocations)).collect()
        };
        assert_eq!(seen(&traffic), [(0, 2), (1, 1)]);
        traffic.sums().add(key(168, "a"), &usage);
        assert_eq!(seen(&traffic), [(1, 1), (168, 1)], "the hour of seven days ago has gone");
        std::fs::write(&file, "no JSON").expect("written");
        assert!(Traffic::open(&file).rows().is_empty());
    }
}
