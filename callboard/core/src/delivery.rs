//! Queued messages: running the target of one, and what its failure means.

use crate::flow::StepCall;
use crate::host::Call;
use crate::ports::{DeadReason, Delivery, Fate};
use crate::space::{HOPS_MAX, Target};
use crate::{Data, Fault, FaultKind, Host, Msg, Params, Principal, Retry};
use std::borrow::Cow;

impl Host {
    /// How long the target of a delivery may run, in milliseconds.
    pub fn timeout_ms(&self, delivery: &Delivery) -> u64 {
        match self.inner.space.target(&delivery.target) {
            Some(Target::Step { service, flow, step, .. }) => {
                self.inner.space.services[service].flows[flow].steps[step].timeout_ms
            }
            _ => 60_000,
        }
    }

    /// Runs the target of a queued message; its commit settles the message.
    ///
    /// # Errors
    /// Why it failed: give it to [`Host::fail`].
    pub async fn deliver(&self, delivery: &Delivery) -> Result<(), Fault> {
        let envelope = &delivery.envelope;
        if envelope.hops > HOPS_MAX {
            return Err(Fault::bad_input("loop", "messages cause each other in a loop"));
        }
        let target = self.inner.space.target(&delivery.target);
        let target = target.ok_or_else(|| {
            Fault::bad_input("no_such_uri", format!("nothing is bound as `{}` any more", delivery.target))
        })?;
        let mut msg = self.delivered(delivery);
        let settle = Some(delivery.settle);
        let call = match target {
            Target::Binding(at) => {
                let (_, binding) = self.inner.space.binding(at);
                msg.params = binding.pattern.params(&msg.uri);
                Call { service: at.service, function: &*binding.function, binding: Some(binding), settle, step: None }
            }
            Target::Step { service, flow, step, is_undo } => {
                self.step_call(delivery, (service, flow, step), is_undo)?
            }
        };
        msg.head_mut().principal = Principal::Service(self.inner.space.services[call.service].name.into());
        self.execute(call, msg).await.map(drop)
    }

    pub(crate) fn delivered(&self, delivery: &Delivery) -> Msg {
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
        head.hops = envelope.hops;
        head.attempt = delivery.attempt;
        msg.params = Params::default();
        msg.with_data(Data::json(&envelope.data))
    }

    /// Says that a delivery failed: it is tried again, becomes a dead letter, or moves its flow.
    ///
    /// # Errors
    /// The store's fault.
    pub async fn fail(&self, delivery: &Delivery, fault: &Fault) -> Result<(), Fault> {
        let now_ms = self.inner.ports.clock.now_ms();
        let attempts_max = match self.inner.space.target(&delivery.target) {
            Some(Target::Step { service, step, is_undo, .. }) => {
                if let Ok(step) = StepCall::read(&delivery.envelope.data, step, is_undo) {
                    return self.fail_step(delivery, service, step, fault, now_ms).await;
                }
                0
            }
            Some(Target::Binding(at)) => self.inner.space.binding(at).1.attempts_max,
            None => 0,
        };
        let may_retry = fault.is_retryable() || fault.kind == FaultKind::Conflict;
        let fate = if may_retry && delivery.attempt < attempts_max {
            let pause = Retry { attempts: attempts_max, base_ms: 500, cap_ms: 300_000 };
            let pause_ms = pause.pause_ms(delivery.attempt, self.jitter());
            Fate::Retry { at_ms: now_ms.saturating_add(i64::try_from(pause_ms).unwrap_or(i64::MAX)) }
        } else {
            Fate::Bury {
                reason: DeadReason { code: fault.code.to_owned(), message: fault.message.clone() },
                hold: false,
            }
        };
        self.inner.ports.records.fail(delivery.settle, fate, now_ms).await
    }

    fn jitter(&self) -> u32 {
        let mut bytes = [0; 4];
        self.inner.ports.entropy.fill(&mut bytes);
        u32::from_le_bytes(bytes)
    }
}
