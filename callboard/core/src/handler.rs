//! Handlers: what happens around dispatch, in one visible order.

use crate::host::Inner;
use crate::{Answer, BoxFuture, Fault, Host, Msg};
use std::sync::Arc;

/// Something done around the dispatch of every message that comes from outside.
pub trait Handler: Send + Sync {
    /// Does it, usually by calling `next`.
    fn handle<'a>(&'a self, host: &'a Host, msg: Msg, next: Next<'a>) -> BoxFuture<'a, Result<Answer, Fault>>;
}

/// The handlers behind this one, and dispatch at the end.
#[derive(Clone, Copy)]
pub struct Next<'a> {
    pub(crate) rest: &'a [Arc<dyn Handler>],
    pub(crate) inner: &'a Arc<Inner>,
}

impl<'a> Next<'a> {
    /// Goes on.
    pub fn run(self, host: &'a Host, msg: Msg) -> BoxFuture<'a, Result<Answer, Fault>> {
        match self.rest.split_first() {
            Some((handler, rest)) => handler.handle(host, msg, Next { rest, inner: self.inner }),
            None => Box::pin(host.run(msg)),
        }
    }
}
