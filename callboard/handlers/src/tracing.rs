//! To which trace a message belongs: the W3C header `traceparent` continues one that began elsewhere.

use callboard::invocation::{Trace, Traceparent};
use callboard::{Answer, BoxFuture, Fault, Handler, Host, Msg, Next};

/// Reads the `traceparent` of a message, and makes its trace the message's correlation. Whoever sends it may say where it
/// belongs; that it is recorded only an owner may want, which the host decides when it knows who it is. A header that is wrong is
/// as good as none, as the specification has it. It stands before everything that makes messages of its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tracing;

impl Handler for Tracing {
    fn handle<'a>(&'a self, host: &'a Host, mut msg: Msg, next: Next<'a>) -> BoxFuture<'a, Result<Answer, Fault>> {
        if let Some(traceparent) = msg.meta("traceparent").and_then(Traceparent::read) {
            let head = msg.head_mut();
            head.correlation = traceparent.trace;
            head.trace = Trace::from(traceparent);
        }
        next.run(host, msg)
    }
}
