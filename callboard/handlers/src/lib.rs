//! Handlers around dispatch that need a library or IO: who sends a message, whether it came before, and how often what is
//! called.
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

pub use authenticate::Authenticate;
pub use idempotency::Idempotency;
pub use meter::{Figures, Meter};
