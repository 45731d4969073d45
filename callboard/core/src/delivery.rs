//! Queued messages: running the target of one, and what its failure means.

use crate::host::Call;
use crate::invocation::Trace;
use crate::ports::{DeadReason, Delivery, Fate, Settle};
use crate::schedule::is_tick;
use crate::space::{HOPS_MAX, Target};
use crate::{Data, Fault, FaultKind, Host, Msg, OnDead, Params, Principal, Retry, Turn};
use serde_json::Value;
use std::borrow::Cow;
use std::sync::{Arc, PoisonError};

/// How often a message is taken where its target does not say.
const ATTEMPTS_MAX: u32 = 8;
/// Most events of the log that are read at once.
const FOLLOW_MAX: u32 = 200;

impl Host {
    /// How long the target of a delivery may run, in milliseconds.
    pub fn timeout_ms(&self, delivery: &Delivery) -> u64 {
        match self.inner.space.target(&delivery.target) {
            Some(Target::Flow(at)) => self.flow_timeout_ms(at),
            _ => 60_000,
        }
    }

    /// How long the target of a delivery says that it needs, in milliseconds.
    pub fn needs_ms(&self, delivery: &Delivery) -> u64 {
        match self.inner.space.target(&delivery.target) {
            Some(Target::Flow(at)) => self.flow_needs_ms(at),
            Some(Target::Binding(at)) => self.inner.space.binding(at).1.needs_ms,
            _ => 0,
        }
    }

    /// Runs the target of a queued message; its commit settles the message.
    ///
    /// # Errors
    /// Why it failed: give it to [`Host::fail`].
    pub async fn deliver(&self, delivery: &Delivery) -> Result<(), Fault> {
        self.deliver_by(delivery, self.deadline_ms(delivery)).await
    }

    /// Until when the target of a delivery may run that begins now, in Unix milliseconds.
    pub fn deadline_ms(&self, delivery: &Delivery) -> i64 {
        let timeout_ms = i64::try_from(self.timeout_ms(delivery)).unwrap_or(i64::MAX);
        self.inner.ports.clock.now_ms().saturating_add(timeout_ms)
    }

    /// As [`Host::deliver`], where this process ends or is stopped at a time, in Unix milliseconds.
    ///
    /// # Errors
    /// As [`Host::deliver`]; `deadline.short` where its target needs longer than that. Nothing was begun then.
    pub async fn deliver_by(&self, delivery: &Delivery, deadline_ms: i64) -> Result<(), Fault> {
        self.deliver_as(delivery, Some(delivery.settle), Some(deadline_ms), None).await
    }

    /// Whether the target of a delivery may begin before its turn: its function then waits where it reads or has anything done. One
    /// that ends the process ends the attempt of the message before it too, so not where that has only one.
    pub fn may_begin_early(&self, delivery: &Delivery) -> bool {
        let space = &self.inner.space;
        space.decides_only(&delivery.target)
            && space.target(&delivery.target).is_some_and(|target| self.attempts_max(target) > 1)
    }

    /// As [`Host::deliver_by`], of a message whose [turn](Turn) has come, or which [may begin](Host::may_begin_early) before that.
    /// What is behind it in its lane hears when its commit is on its way.
    ///
    /// # Errors
    /// As [`Host::deliver_by`]; one that [is behind](Fault::is_behind) where its turn did not come in time.
    pub async fn deliver_early(&self, delivery: &Delivery, turn: &Turn, deadline_ms: i64) -> Result<(), Fault> {
        self.deliver_as(delivery, Some(delivery.settle), Some(deadline_ms), Some(turn)).await
    }

    /// Runs a binding of this process for an event of the log; nothing is settled.
    ///
    /// # Errors
    /// Why it failed.
    pub async fn deliver_here(&self, delivery: &Delivery) -> Result<(), Fault> {
        self.deliver_as(delivery, None, None, None).await
    }

    async fn deliver_as(
        &self,
        delivery: &Delivery,
        settle: Option<Settle>,
        deadline_ms: Option<i64>,
        turn: Option<&Turn>,
    ) -> Result<(), Fault> {
        let envelope = &delivery.envelope;
        if envelope.hops > HOPS_MAX {
            let message = format!("messages cause each other in a loop: this is the {}th in a row", envelope.hops);
            return Err(Fault::bad_input("loop", message));
        }
        let target = match self.inner.space.target(&delivery.target) {
            Some(target) => target,
            None if is_tick(&delivery.target) => return self.drop_tick(delivery).await,
            None => {
                let message = format!("nothing is bound as `{}` any more", delivery.target);
                return Err(Fault::bad_input("no_such_uri", message));
            }
        };
        if delivery.attempt > self.attempts_max(target) {
            let message = "the process ended during every attempt; look at what this message does to it";
            return Err(Fault::unavailable("poison", message));
        }
        let space = &self.inner.space;
        let holder = space.holder(target);
        let call = match target {
            Target::Binding(at) => {
                let binding = Some(space.binding(at).1);
                let function = &*space.binding(at).1.function;
                Call { service: at.service, holder, function, binding, settle, turn, step: None, flow: None }
            }
            Target::Flow(at) => {
                let mut msg = self.delivered(delivery, self.unstow(envelope).await?);
                msg.head_mut().deadline_ms = deadline_ms;
                self.check_time(self.needs_ms(delivery), &msg.head)?;
                return self.deliver_flow(delivery, at, msg).await;
            }
            Target::Due { service, schedule } => {
                let function = &*space.services[service].schedules[schedule].function;
                Call { service, holder, function, binding: None, settle, turn, step: None, flow: None }
            }
            Target::Tick { service, schedule } => {
                let service = &space.services[service];
                return self.fire(delivery, service, &service.schedules[schedule]).await;
            }
        };
        let mut msg = self.delivered(delivery, self.unstow(envelope).await?);
        if let Some(binding) = call.binding {
            msg.params = binding.pattern.params(&msg.uri);
        }
        let head = msg.head_mut();
        head.principal = Principal::Service(space.services[call.service].name.into());
        head.deadline_ms = deadline_ms;
        self.check_time(call.binding.map_or(0, |binding| binding.needs_ms), &msg.head)?;
        self.execute(call, msg).await.map(drop)
    }

    pub(crate) fn delivered(&self, delivery: &Delivery, data: Value) -> Msg {
        let envelope = &delivery.envelope;
        let mut msg = Msg::new(
            envelope.kind.clone(),
            envelope.uri.clone(),
            envelope.tenant.clone(),
            envelope.id,
            envelope.time_ms,
        );
        let head = msg.head_mut();
        head.source = Cow::Owned(envelope.source.clone());
        head.correlation = envelope.correlation;
        head.causation = envelope.causation;
        head.trace = envelope.traceparent.map_or_else(Trace::default, Trace::from);
        head.hops = envelope.hops;
        head.attempt = delivery.attempt;
        msg.params = Params::default();
        msg.with_data(Data::json(&data))
    }

    /// How often a message is taken at most. A step's own attempts are its run's; here only those count that ended the process.
    fn attempts_max(&self, target: Target) -> u32 {
        match target {
            Target::Binding(at) => self.inner.space.binding(at).1.attempts_max,
            Target::Flow(_) | Target::Due { .. } => ATTEMPTS_MAX,
            // A schedule that is given up would never fire again.
            Target::Tick { .. } => u32::MAX,
        }
    }

    /// Says that a delivery failed: it is tried again, becomes a dead letter, or moves its flow.
    ///
    /// # Errors
    /// The store's fault.
    pub async fn fail(&self, delivery: &Delivery, fault: &Fault) -> Result<(), Fault> {
        let now_ms = self.inner.ports.clock.now_ms();
        let target = self.inner.space.target(&delivery.target);
        let (attempts_max, hold) = match target {
            Some(Target::Flow(at)) => return self.fail_flow(delivery, at, fault, now_ms).await,
            Some(Target::Binding(at)) => {
                let binding = self.inner.space.binding(at).1;
                (binding.attempts_max, binding.on_dead == OnDead::Hold)
            }
            None => (0, false),
            Some(target) => (self.attempts_max(target), false),
        };
        let is_tick = matches!(target, Some(Target::Tick { .. }));
        let may_retry = is_tick || fault.is_retryable() || fault.kind == FaultKind::Conflict;
        let fate = if may_retry && delivery.attempt < attempts_max {
            let at_ms = now_ms.saturating_add(i64::try_from(self.pause_ms(delivery.attempt)).unwrap_or(i64::MAX));
            Fate::Retry { at_ms }
        } else {
            Fate::Bury { reason: DeadReason::of(fault), hold }
        };
        self.inner.ports.records.fail(delivery.settle, fate, now_ms).await
    }

    /// The pause before the attempt after this one: it doubles up to five minutes, with full jitter.
    pub fn pause_ms(&self, attempt: u32) -> u64 {
        Retry { attempts: u32::MAX, base_ms: 500, cap_ms: 300_000 }.pause_ms(attempt, self.jitter())
    }

    /// Reads on in the event log, and gives what bindings of this process should hear of, event by event.
    ///
    /// # Errors
    /// The store's fault.
    pub async fn follow(&self) -> Result<Vec<Vec<Delivery>>, Fault> {
        let after = *self.inner.log_end.lock().unwrap_or_else(PoisonError::into_inner);
        let part = self.inner.ports.records.events(Some(after), FOLLOW_MAX).await?;
        *self.inner.log_end.lock().unwrap_or_else(PoisonError::into_inner) = part.end;
        let heard = part.events.into_iter().map(Arc::new).map(|envelope| {
            let targets = self.inner.space.everywhere(&envelope.kind, &envelope.uri);
            let settle = Settle { lane: 0, seq: 0, epoch: 0 };
            targets
                .into_iter()
                .map(|target| Delivery { settle, target, attempt: 1, envelope: envelope.clone() })
                .collect()
        });
        Ok(heard.collect())
    }

    pub(crate) fn jitter(&self) -> u32 {
        let mut bytes = [0; 4];
        self.inner.ports.entropy.fill(&mut bytes);
        u32::from_le_bytes(bytes)
    }
}
