//! What an application says about its HTTP side: tenants, pages, limits, whom to trust. Values only.

use super::Assets;
use callboard::{Tenant, Uri};
use std::net::IpAddr;

/// How the HTTP gateway behaves.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// How a request's tenant is found.
    pub tenants: Tenants,
    /// Where people are sent; an application without pages answers every fault as a problem document.
    pub pages: Option<Pages>,
    /// Resources are at `/` and not below `/api`, for an application that has neither pages nor media.
    pub has_only_resources: bool,
    /// Files that are part of the program.
    pub assets: Assets,
    /// Addresses whose `X-Forwarded-*` headers are believed; everybody else's are ignored.
    pub proxies: Vec<IpAddr>,
    /// Limits.
    pub limits: Limits,
    /// The services that answer here, where others that run in this process are not for everybody; all where none are named.
    pub services: Vec<&'static str>,
}

impl HttpOptions {
    /// Options with the usual limits, without pages, assets or proxies.
    pub fn new(tenants: Tenants) -> Self {
        Self {
            tenants,
            pages: None,
            has_only_resources: false,
            assets: Assets::default(),
            proxies: Vec::new(),
            limits: Limits::default(),
            services: Vec::new(),
        }
    }
}

impl HttpOptions {
    pub(crate) fn answers(&self, service: &str) -> bool {
        self.services.is_empty() || self.services.contains(&service)
    }

    /// What stands before the URIs of resources.
    pub(crate) fn resources(&self) -> &'static str {
        if self.has_only_resources { "" } else { "/api" }
    }
}

/// How a request's tenant is found.
#[derive(Clone, Debug)]
pub enum Tenants {
    /// There is only one.
    Only(Tenant),
    /// By the host's name or the path's first segment; the space answers `/tenants/by-host?host=` and `/tenants/{name}`.
    Resolved {
        /// The tenant of the platform's own host; without it that host has no pages of its own.
        default: Option<Tenant>,
        /// The platform's own host, such as `localhost`: `{tenant}.localhost` and `localhost/@{tenant}` are tenants.
        suffix: String,
    },
}

/// Pages that the gateway itself needs.
#[derive(Clone, Debug)]
pub struct Pages {
    /// Draws a fault: gets `status`, `code`, `title` and `message` as its query, asked by the gateway as a service.
    pub fault: Uri,
    /// Where somebody signs in: gets `next`, the path to come back to.
    pub sign_in: Uri,
}

/// Limits; every one is answered with a clear error when it is hit.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long a connection may take to send a request's head, and may idle between requests.
    pub head_timeout_ms: u64,
    /// Largest head of a request.
    pub head_bytes_max: usize,
    /// Most headers in a request.
    pub headers_max: usize,
    /// How long a request's body may take that is read as a whole.
    pub body_timeout_ms: u64,
    /// How long somebody may take nothing of an answer that waits for them.
    pub stall_timeout_ms: u64,
    /// How long a body that is stored part by part may pause.
    pub intake_pause_ms: u64,
    /// How long a function may take.
    pub answer_timeout_ms: u64,
    /// Open connections.
    pub connections_max: usize,
    /// Bodies that are stored at once; each holds one part in memory.
    pub intakes_max: usize,
    /// Of these, so many for one tenant.
    pub intakes_per_tenant_max: usize,
    /// Event streams of one address.
    pub streams_per_address_max: usize,
    /// How long requests may still run once the server is told to stop.
    pub grace_ms: u64,
    /// Requests that take longer are logged as slow.
    pub slow_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_timeout_ms: 30_000,
            head_bytes_max: 32 * 1024,
            headers_max: 100,
            body_timeout_ms: 30_000,
            stall_timeout_ms: 60_000,
            intake_pause_ms: 30_000,
            answer_timeout_ms: 30_000,
            connections_max: 2_048,
            intakes_max: 16,
            intakes_per_tenant_max: 8,
            streams_per_address_max: 32,
            grace_ms: 30_000,
            slow_ms: 1_000,
        }
    }
}
