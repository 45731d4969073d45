//! How a host is put together: ports, services, handlers, settings, and what else it should have.

use crate::breaker::Breakers;
use crate::contract::Held;
use crate::denial::Denials;
use crate::host::Inner;
use crate::housekeeping;
use crate::invocation::{Capture, Log, Observer, Recorder};
use crate::observed::Observed;
use crate::outside::Outside;
use crate::policy::{Policy, Tables};
use crate::{Fault, Handler, Host, Ports, Service, SigningKey, Space, Tenant, Uri};
use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

/// Puts a host together.
pub struct HostBuilder {
    ports: Ports,
    services: Vec<Service>,
    handlers: Vec<Arc<dyn Handler>>,
    settings: HashMap<String, String>,
    assets: HashMap<String, String>,
    key: SigningKey,
    home: Tenant,
    tenants: Option<Uri>,
    observers: Vec<Arc<dyn Observer>>,
    recorder: Option<Arc<dyn Recorder>>,
    policy: Arc<dyn Policy>,
    held: Held,
    memory_mb: Option<u64>,
}

impl HostBuilder {
    pub(crate) fn new(ports: Ports) -> Self {
        let mut key = [0; 32];
        ports.entropy.fill_secret(&mut key);
        Self {
            ports,
            services: Vec::new(),
            handlers: Vec::new(),
            settings: HashMap::new(),
            assets: HashMap::new(),
            key: SigningKey::new("k0", key),
            home: Tenant::only(),
            tenants: None,
            observers: Vec::new(),
            recorder: None,
            policy: Arc::new(Tables),
            held: Held::default(),
            memory_mb: None,
        }
    }

    /// Adds a service.
    #[must_use]
    pub fn service(mut self, service: Service) -> Self {
        self.services.push(service);
        self
    }

    /// Adds services.
    #[must_use]
    pub fn services(mut self, services: Vec<Service>) -> Self {
        self.services.extend(services);
        self
    }

    /// Adds a handler behind those added before.
    #[must_use]
    pub fn handler(mut self, handler: impl Handler + 'static) -> Self {
        self.handlers.push(Arc::new(handler));
        self
    }

    /// Sets settings of services.
    #[must_use]
    pub fn settings(mut self, settings: HashMap<String, String>) -> Self {
        self.settings = settings;
        self
    }

    /// Addresses of built assets by logical name.
    #[must_use]
    pub fn assets(mut self, assets: HashMap<String, String>) -> Self {
        self.assets = assets;
        self
    }

    /// What stands for other systems, instead of what the ports have.
    #[must_use]
    pub fn outside(mut self, outside: Arc<dyn Outside>) -> Self {
        self.ports.outside = outside;
        self
    }

    /// The application's own tenant: schedules fire in it, and its owners are the operators.
    #[must_use]
    pub fn home(mut self, tenant: Tenant) -> Self {
        self.home = tenant;
        self
    }

    /// Where the names of all tenants are read, for schedules that fire in each: page by page, `?limit=…&after=…` answered with
    /// `{items: [{name}], next}`.
    #[must_use]
    pub fn tenants(mut self, list: Uri) -> Self {
        self.tenants = Some(list);
        self
    }

    /// Who hears of invocations.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observers.push(observer);
        self
    }

    /// Who keeps invocations that are captured wholly, as the setting `callboard.capture` says; without one none are.
    #[must_use]
    pub fn recorder(mut self, recorder: Arc<dyn Recorder>) -> Self {
        self.recorder = Some(recorder);
        self
    }

    /// What decides who may do what, instead of the binding tables alone.
    #[must_use]
    pub fn policy(mut self, policy: Arc<dyn Policy>) -> Self {
        self.policy = policy;
        self
    }

    /// Whether what functions give is held against what is declared; otherwise nobody looks.
    #[must_use]
    pub fn held(mut self, held: Held) -> Self {
        self.held = held;
        self
    }

    /// How much memory the deployment gives to every function that has none of its own, in megabytes.
    #[must_use]
    pub fn memory_mb(mut self, memory_mb: Option<u64>) -> Self {
        self.memory_mb = memory_mb;
        self
    }

    /// The key that signs passes.
    #[must_use]
    pub fn key(mut self, key: SigningKey) -> Self {
        self.key = key;
        self
    }

    /// Checks the services against each other and opens the records.
    ///
    /// # Errors
    /// `start` with every mistake; the store's fault.
    pub async fn build(self) -> Result<Host, Fault> {
        let space = Space::new(self.services).map_err(|error| Fault::bad_input("start", error.to_string()))?;
        let space = Arc::new(space);
        self.ports.records.open(space.clone()).await?;
        let retention = housekeeping::retention(&space, &self.settings)?;
        let log_end = match space.has_every_node() {
            true => self.ports.records.events(None, 0).await?.end,
            false => 0,
        };
        let mut seed = [0; 8];
        self.ports.entropy.fill_secret(&mut seed);
        let capture = self.recorder.and_then(|recorder| Capture::new(recorder, &space, &self.settings));
        let inner = Inner {
            invocations: Log::new(u64::from_le_bytes(seed), self.ports.clock.now_ms(), self.observers, capture),
            retention,
            log_end: Mutex::new(log_end),
            ports: self.ports,
            handlers: self.handlers,
            settings: self.settings,
            assets: self.assets,
            key: self.key,
            home: self.home,
            tenants: self.tenants,
            breakers: Breakers::default(),
            policy: self.policy,
            held: self.held,
            memory_mb: self.memory_mb,
            denials: Denials::default(),
            observed: Observed::new(&space),
            last_id: Mutex::default(),
            commits: AtomicU64::new(0),
            space,
        };
        let host = Host { inner: Arc::new(inner) };
        host.plan_schedules().await?;
        Ok(host)
    }
}
