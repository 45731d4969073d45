//! Which tenant a name or a host is, asked from the space and remembered for two seconds.

use super::revoked::Revoked;
use callboard::{Data, Fault, FaultKind, Host, Kind, Principal, Tenant, Uri};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long an answer is believed.
const AGE_MAX: Duration = Duration::from_secs(2);
/// Most answers remembered; whoever asks for more names than that makes everybody ask again.
const ENTRIES_MAX: usize = 1024;

type Entries = HashMap<String, (Instant, Option<Tenant>)>;

/// Answers of the space about tenants.
pub(crate) struct TenantCache {
    entries: Mutex<Entries>,
    revoked: Arc<Revoked>,
    /// In whose name the space is asked where no tenant is known yet.
    asking: Tenant,
}

impl TenantCache {
    pub(crate) fn new(revoked: Arc<Revoked>, asking: Tenant) -> Self {
        Self { entries: Mutex::new(HashMap::new()), revoked, asking }
    }

    /// The tenant of this name.
    pub(crate) async fn by_name(&self, host: &Host, name: &str) -> Result<Option<Tenant>, Fault> {
        let is_name = !name.is_empty()
            && name.len() <= 64
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if !is_name {
            return Ok(None);
        }
        self.find(host, format!("/tenants/{name}"), Data::EMPTY).await
    }

    /// The tenant whose verified domain this is.
    pub(crate) async fn by_host(&self, host: &Host, name: &str) -> Result<Option<Tenant>, Fault> {
        self.find(host, "/tenants/by-host".to_owned(), Data::form(format!("host={name}"))).await
    }

    /// A tenant that needs no asking is in use.
    pub(crate) fn seen(&self, tenant: &Tenant) {
        self.revoked.watch(tenant);
    }

    async fn find(&self, host: &Host, path: String, query: Data) -> Result<Option<Tenant>, Fault> {
        let mut key = path.clone();
        key.push_str(std::str::from_utf8(&query.bytes).unwrap_or_default());
        let now = Instant::now();
        if let Some((at, tenant)) = self.entries().get(&key)
            && now.duration_since(*at) < AGE_MAX
        {
            return Ok(tenant.clone());
        }
        // Most are known; who asks for one of them need not carry what asking takes.
        let found = Box::pin(self.ask(host, &path, query)).await?;
        if let Some(tenant) = &found {
            self.seen(tenant);
        }
        let mut entries = self.entries();
        if entries.len() >= ENTRIES_MAX {
            entries.clear();
        }
        entries.insert(key, (now, found.clone()));
        Ok(found)
    }

    async fn ask(&self, host: &Host, path: &str, query: Data) -> Result<Option<Tenant>, Fault> {
        let mut msg = host.message(Kind::Get, Uri::parse(path)?, self.asking.clone()).with_data(query);
        let head = msg.head_mut();
        head.source = "http".into();
        head.principal = Principal::Service("http".into());
        match host.run(msg).await {
            Ok(answer) => Ok(answer.json()["name"].as_str().map(Tenant::new)),
            Err(fault) if fault.kind == FaultKind::NotFound => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, Entries> {
        self.entries.lock().expect("nobody panics while holding the lock")
    }
}
