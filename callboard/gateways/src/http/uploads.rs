//! Requests whose body an answer wants stored: bounded in number, and carried to an end when the connection is gone.

use super::answer::{self, Ask};
use super::body::{Body, Broken, Received, discard, next};
use super::gateway::Gateway;
use super::options::Limits;
use crate::intake::{self, Halt, Interrupted, Source};
use bytes::Bytes;
use callboard::{Answer, AnswerBody, Fault, Msg, Outcome, Tenant, Uri};
use hyper::Response;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Places of bodies that are being stored: so many at once, of which one tenant takes no more than a share, so that the
/// slow uploads of one keep nobody else out.
pub(crate) struct Places {
    all: Arc<Semaphore>,
    share: usize,
    tenants: Mutex<HashMap<Tenant, Arc<Semaphore>>>,
}

impl Places {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            all: Arc::new(Semaphore::new(limits.intakes_max)),
            share: limits.intakes_per_tenant_max,
            tenants: Mutex::default(),
        }
    }

    /// A place for as long as it is held; none where there is none left.
    fn enter(&self, tenant: &Tenant) -> Option<[OwnedSemaphorePermit; 2]> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        let own = tenants.entry(tenant.clone()).or_insert_with(|| Arc::new(Semaphore::new(self.share)));
        let own = own.clone().try_acquire_owned().ok()?;
        Some([own, self.all.clone().try_acquire_owned().ok()?])
    }
}

impl Source for Received {
    async fn next(&mut self) -> Result<Option<Bytes>, Interrupted> {
        next(self).await.map_err(|Broken| Interrupted)
    }

    fn size_bytes(&self) -> Option<u64> {
        Received::size_bytes(self)
    }
}

impl Gateway {
    /// Stores the body of a request whose function answered with an intake. A task of its own does it: what arrived
    /// before a connection broke is stored all the same.
    pub(crate) async fn take_in(
        self: &Arc<Self>,
        ask: &Ask<'_>,
        msg: Msg,
        then: Uri,
        body: Received,
    ) -> Result<Response<Body>, Fault> {
        let Some(permit) = self.intakes.enter(&msg.tenant) else {
            let fault = Fault::unavailable("intake.busy", "many uploads are running; continue in a moment");
            return Err(fault.header("retry-after", "2"));
        };
        let gateway = self.clone();
        let storing = self.tasks.spawn(async move {
            let _permit = permit;
            gateway.store_body(msg, &then, body).await
        });
        let answer = storing.await.map_err(|error| Fault::bug(format!("an intake stopped: {error}")))??;
        answer::render(ask, answer).await
    }

    async fn store_body(&self, msg: Msg, then: &Uri, mut body: Received) -> Result<Answer, Fault> {
        let result = self.store_in_turn(msg, then, &mut body).await;
        if result.is_err() {
            discard(body).await;
        }
        result
    }

    async fn store_in_turn(&self, msg: Msg, then: &Uri, body: &mut Received) -> Result<Answer, Fault> {
        let turn = self.lines.enter(&format!("{}{then}", msg.tenant)).await;
        let cause = msg.head.clone();
        // Asked again now that nobody else stores here: the offset that was right before may have been passed since.
        let mut first = self.bounded(self.options.limits.answer_timeout_ms, self.host.dispatch(msg)).await?;
        let AnswerBody::Intake(intake) = std::mem::replace(&mut first.body, AnswerBody::Nothing) else {
            return Err(Fault::conflict("intake.taken_over", "another connection finished this upload"));
        };
        if intake.then != *then {
            return Err(Fault::bug(format!("an intake moved from {then} to {}", intake.then)));
        }
        let pause = Duration::from_millis(self.options.limits.intake_pause_ms);
        let halt = Halt { stop: &self.stop, taken_over: &turn.taken_over, pause };
        if let Some(last) = intake::store(&self.host, &cause, &intake, body, halt).await? {
            first.headers.retain(|(name, _)| !last.headers.iter().any(|(newer, _)| newer == name));
            first.headers.extend(last.headers);
            first.version = last.version;
        }
        first.outcome = Outcome::Ok;
        Ok(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_tenant_leaves_places_for_others() {
        let limits = Limits { intakes_max: 3, intakes_per_tenant_max: 2, ..Limits::default() };
        let (places, one, other) = (Places::new(&limits), Tenant::new("one"), Tenant::new("other"));
        let mut held = vec![places.enter(&one), places.enter(&one)];
        assert!(held.iter().all(Option::is_some) && places.enter(&one).is_none());
        held.push(places.enter(&other));
        assert!(held[2].is_some() && places.enter(&other).is_none(), "three in all");
        held.remove(0);
        assert!(places.enter(&other).is_some(), "a place that was left is anybody's");
    }
}
