//! Handlers around dispatch that need a library or IO: who sends a message, whether it came before, how often what is
//! called, and to which trace it belongs.
//!
//! ```no_run
//! # fn assemble(ports: callboard::Ports) -> callboard::HostBuilder {
//! use callboard_handlers::{Authenticate, Meter};
//! callboard::Host::builder(ports).handler(Meter::new()).handler(Authenticate::new())
//! # }
//! ```

mod authenticate;
mod idempotency;
mod meter;
mod otlp;
mod tracing;

pub use authenticate::Authenticate;
pub use idempotency::Idempotency;
pub use meter::{Figures, Meter};
pub use otlp::{Collector, Exporter};
pub use tracing::Tracing;
