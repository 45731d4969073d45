//! Folders whose passes no longer count, heard of as live messages `revoked` on `/assets/{folder}`. In memory only.

use callboard::ports::Live;
use callboard::{PASS_AGE_MS_MAX, Tenant, Uri};
use futures_util::StreamExt;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio_util::sync::CancellationToken;

/// Tenant, folder, and the session it was taken from; none where it was taken from everybody.
type Entry = (Tenant, String, Option<String>);

/// What was revoked, until no pass from before can be alive any more.
pub(crate) struct Revoked {
    live: Arc<dyn Live>,
    stop: CancellationToken,
    watched: RwLock<HashSet<Tenant>>,
    entries: Arc<Mutex<HashMap<Entry, i64>>>,
    clock: Arc<dyn callboard::ports::Clock>,
}

impl Revoked {
    pub(crate) fn new(ports: &callboard::Ports, stop: CancellationToken) -> Self {
        Self {
            live: ports.live.clone(),
            stop,
            watched: RwLock::new(HashSet::new()),
            entries: Arc::new(Mutex::new(HashMap::new())),
            clock: ports.clock.clone(),
        }
    }

    /// Listens to what is revoked in a tenant. Called with every use of a tenant, so before it can issue a pass.
    pub(crate) fn watch(&self, tenant: &Tenant) {
        if self.watched.read().unwrap_or_else(PoisonError::into_inner).contains(tenant) {
            return;
        }
        if !self.watched.write().unwrap_or_else(PoisonError::into_inner).insert(tenant.clone()) {
            return;
        }
        let above = Uri::parse("/assets").expect("it is a URI");
        let mut messages = self.live.subscribe(tenant, above);
        let (entries, clock, tenant) = (self.entries.clone(), self.clock.clone(), tenant.clone());
        let stop = self.stop.clone();
        tokio::spawn(stop.run_until_cancelled_owned(async move {
            while let Some(message) = messages.next().await {
                if message.kind.as_str() != "revoked" {
                    continue;
                }
                let Some(folder) = message.uri.segments().nth(1) else { continue };
                let session = message.data["session"].as_str().map(str::to_owned);
                let now_ms = clock.now_ms();
                let mut entries = entries.lock().unwrap_or_else(PoisonError::into_inner);
                entries.retain(|_, until_ms| *until_ms > now_ms);
                entries.insert((tenant.clone(), folder.to_owned(), session), now_ms + PASS_AGE_MS_MAX);
            }
        }));
    }

    /// Whether passes of this session to this folder no longer count.
    pub(crate) fn contains(&self, tenant: &Tenant, folder: &str, session: &str) -> bool {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        !entries.is_empty()
            && [None, Some(session.to_owned())]
                .into_iter()
                .any(|session| entries.contains_key(&(tenant.clone(), folder.to_owned(), session)))
    }
}
