//! A body that comes while it is sent: nobody has it as a whole, and nobody keeps it.

use crate::Fault;
use bytes::Bytes;
use futures_util::Stream;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

/// What gives the pieces of a body, one after the other. A fault is the last and cuts the body short.
pub type Source = Pin<Box<dyn Stream<Item = Result<Bytes, Fault>> + Send>>;

/// The bytes of a body, piece by piece: each is made once the one before is taken. Whoever takes the source has it; another clone
/// has nothing. Dropped before its end, its maker hears that nobody wants the rest.
#[derive(Clone)]
pub struct Pieces(Arc<Mutex<Option<Source>>>);

impl Pieces {
    /// The pieces that a stream gives.
    pub fn new(source: impl Stream<Item = Result<Bytes, Fault>> + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Some(Box::pin(source)))))
    }

    /// The source; none where somebody took it before.
    pub fn take(&self) -> Option<Source> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for Pieces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pieces")
    }
}
