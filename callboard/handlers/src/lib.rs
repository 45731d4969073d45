//! Handlers around dispatch that need a library or IO: who sends a message, how often they may, whether what they change is still
//! what they saw, whether it came before, how often what is called, and to which trace it belongs.
//!
//! ```no_run
//! # fn assemble(ports: callboard::Ports) -> callboard::HostBuilder {
//! use callboard_handlers::{Authenticate, Meter};
//! callboard::Host::builder(ports).handler(Meter::new()).handler(Authenticate::new())
//! # }
//! ```

mod api_key;
mod authenticate;
mod bearer;
mod conditions;
mod idempotency;
mod jwt;
mod meter;
mod otlp;
mod rate_limit;
mod tracing;

pub use api_key::{ApiKeys, KEY_PREFIX};
pub use authenticate::Authenticate;
pub use conditions::Conditions;
pub use idempotency::Idempotency;
pub use jwt::{KeySource, TokenRules, Tokens};
pub use meter::{Figures, Meter};
pub use otlp::{Collector, Exporter};
pub use rate_limit::{Rate, RateLimit, Rates};
pub use tracing::Tracing;
