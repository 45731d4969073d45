//! Passes that no longer count, heard of as live messages: `revoked` on `/assets/{folder}` takes back those to a folder,
//! `deleted` on `/sessions/{session}` those of a session. In memory only.

use callboard::ports::Live;
use callboard::{LiveMessage, PASS_AGE_MS_MAX, Pass, Tenant, Uri};
use futures_util::{StreamExt, stream};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio_util::sync::CancellationToken;

/// Whose passes, or passes to what.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Subject {
    Folder(String),
    FolderOfSession(String, String),
    Session(String),
}

/// Until when passes may expire that no longer count; one that expires later was issued afterwards.
type Entries = HashMap<(Tenant, Subject), i64>;

/// What was revoked, until no pass from before can be alive any more.
pub(crate) struct Revoked {
    live: Arc<dyn Live>,
    stop: CancellationToken,
    watched: RwLock<HashSet<Tenant>>,
    entries: Arc<Mutex<Entries>>,
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
        let listen = |above| self.live.subscribe(tenant, Uri::parse(above).expect("it is a URI"));
        let mut messages = stream::select(listen("/assets"), listen("/sessions"));
        let (entries, clock, tenant) = (self.entries.clone(), self.clock.clone(), tenant.clone());
        let stop = self.stop.clone();
        tokio::spawn(stop.run_until_cancelled_owned(async move {
            while let Some(message) = messages.next().await {
                let Some(subject) = subject(&message) else { continue };
                let now_ms = clock.now_ms();
                let latest_ms = now_ms.saturating_add(PASS_AGE_MS_MAX);
                let expires_ms_max = message.data["expires_ms_max"].as_i64().unwrap_or(latest_ms).min(latest_ms);
                let mut entries = entries.lock().unwrap_or_else(PoisonError::into_inner);
                entries.retain(|_, expires_ms_max| *expires_ms_max > now_ms);
                entries.insert((tenant.clone(), subject), expires_ms_max);
            }
        }));
    }

    /// Whether a pass no longer counts.
    pub(crate) fn contains(&self, tenant: &Tenant, pass: &Pass) -> bool {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let (folder, session) = (&pass.folder, &pass.session);
        let has =
            |subject| entries.get(&(tenant.clone(), subject)).is_some_and(|until_ms| pass.expires_ms <= *until_ms);
        !entries.is_empty()
            && (has(Subject::Session(session.clone()))
                || has(Subject::Folder(folder.clone()))
                || has(Subject::FolderOfSession(folder.clone(), session.clone())))
    }
}

/// What a message takes back.
fn subject(message: &LiveMessage) -> Option<Subject> {
    let mut segments = message.uri.segments();
    let (place, id, rest) = (segments.next()?, segments.next()?.to_owned(), segments.next());
    match (place, message.kind.as_str(), rest) {
        ("assets", "revoked", None) => Some(match message.data["session"].as_str() {
            Some(session) => Subject::FolderOfSession(id, session.to_owned()),
            None => Subject::Folder(id),
        }),
        ("sessions", "deleted", None) => Some(Subject::Session(id)),
        _ => None,
    }
}
