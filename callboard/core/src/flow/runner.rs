//! The host's part in flows: what a function's effects mean for runs, and how the messages of runs are carried out.

use super::messages::{Turn, Wake};
use super::{
    Flow, FlowEvent, FlowMove, FlowTarget, Goal, ItemState, Part, Run, Status, StepCall, StepKind, StepRow, Undo, What,
};
use crate::host::Call;
use crate::invocation::Open;
use crate::ports::{Commit, CommitError, DeadReason, Delivery, Fate, Settle};
use crate::space::Target;
use crate::{Data, Effects, Fault, Head, Host, Id, Msg, Principal, RUN_KEY_BYTES_MAX, Retry, Start, WaitName};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// How long a transition is tried whose store is away.
const PATIENT: Retry = Retry { attempts: u32::MAX, base_ms: 500, cap_ms: 60_000 };

/// Hash of a token, as it is stored.
fn hash(token: &str) -> String {
    Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Host {
    fn flow_at(&self, at: FlowTarget) -> &Flow {
        &self.inner.space.services[at.service].flows[at.flow]
    }

    pub(crate) fn step_function(
        &self,
        at: FlowTarget,
        step: usize,
        part: Part,
    ) -> Option<&dyn crate::function::ErasedFunction> {
        function(self.flow_at(at).steps.get(step)?, part)
    }

    pub(crate) fn flow_timeout_ms(&self, at: FlowTarget) -> u64 {
        match at.what {
            What::Step { step, .. } => self.flow_at(at).steps[step].timeout_ms,
            What::Timer | What::Turn => 60_000,
        }
    }

    pub(crate) fn flow_needs_ms(&self, at: FlowTarget) -> u64 {
        match at.what {
            What::Step { step, part: Part::Do } => self.flow_at(at).steps[step].needs_ms,
            What::Step { .. } | What::Timer | What::Turn => 0,
        }
    }

    /// Carries out a message of a flow.
    pub(crate) async fn deliver_flow(&self, delivery: &Delivery, at: FlowTarget, msg: Msg) -> Result<(), Fault> {
        let unreadable = |error: serde_json::Error| Fault::bad_input("flow.input", error.to_string());
        let step = match at.what {
            What::Step { step, part } => return self.deliver_step(delivery, at, step, part, msg).await,
            What::Timer => {
                let Wake { run, timer, at } = serde_json::from_value(msg.data.read()?).map_err(unreadable)?;
                FlowMove::Event { run, event: FlowEvent::Due { timer, at } }
            }
            What::Turn => {
                let Turn { entity } = serde_json::from_value(msg.data.read()?).map_err(unreadable)?;
                FlowMove::Turn { flow: self.flow_at(at).name, entity }
            }
        };
        self.commit_move(at.service, &msg.head, Some(step), Some(delivery.settle)).await.map(drop)
    }

    async fn deliver_step(
        &self,
        delivery: &Delivery,
        at: FlowTarget,
        step: usize,
        part: Part,
        mut msg: Msg,
    ) -> Result<(), Fault> {
        let row = &self.flow_at(at).steps[step];
        let data: Value = msg.data.read()?;
        let call = StepCall::read(&data, delivery.attempt, step, part)?;
        if part == Part::Do && delivery.attempt > 1 && row.verify.is_some() {
            let message = "the process ended while it was tried";
            return Err(Fault::unavailable("flow.interrupted", message));
        }
        if part == Part::Do && (call.at.attempt > 1 || row.kind == StepKind::Wait) {
            let token = (row.kind == StepKind::Wait).then(|| self.token(call.run));
            let event = FlowEvent::Began { at: call.at, token: token.as_deref().map(hash) };
            let begun = FlowMove::Event { run: call.run, event };
            if !self.commit_move(at.service, &msg.head, Some(begun), None).await? {
                // Nobody wants this attempt any more.
                return self.commit_move(at.service, &msg.head, None, Some(delivery.settle)).await.map(drop);
            }
            if let Some(token) = token {
                let mut data = data;
                data["token"] = Value::String(token);
                msg.data = Data::json(&data);
            }
        }
        if part == Part::Undo && call.at.attempt > 1 && !self.is_to_undo(&call).await? {
            return self.commit_move(at.service, &msg.head, None, Some(delivery.settle)).await.map(drop);
        }
        let Some(function) = self.step_function(at, step, part) else {
            return Err(Fault::bad_input(
                "flow.input",
                format!("step {} has no function to {}", row.id, part.as_str()),
            ));
        };
        msg.head_mut().principal = Principal::Service(self.inner.space.services[at.service].name.into());
        let settle = Some(delivery.settle);
        let call = StepCall {
            is_records_only: row.is_records_only,
            is_passing: self.flow_at(at).is_passing(step, part),
            ..call
        };
        let flow = Some(self.flow_at(at).name);
        let holder = self.inner.space.holder(Target::Flow(at));
        let call =
            Call { service: at.service, holder, function, binding: None, settle, turn: None, step: Some(call), flow };
        self.execute(call, msg).await.map(drop)
    }

    /// Whether a scheduled attempt to undo is still wanted: the run may have been ended, or a person has seen to it.
    async fn is_to_undo(&self, call: &StepCall) -> Result<bool, Fault> {
        let StepCall { run, at, .. } = *call;
        let Some(found) = self.inner.ports.records.operations().run(None, run).await? else { return Ok(false) };
        let step = found.run.steps.get(at.step).filter(|step| step.iteration == at.iteration);
        let item = step.and_then(|step| step.items.get(at.item));
        let is_going = item.is_some_and(|item| item.state == ItemState::Undoing && item.attempt == at.attempt);
        Ok(is_going && !found.run.status.is_ended())
    }

    /// A token names its run, so that whoever has it needs no other address.
    fn token(&self, run: Id) -> String {
        let mut bytes = [0; 32];
        self.inner.ports.entropy.fill_secret(&mut bytes);
        let random: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{run}.{random}")
    }

    /// Moves a run; false where somebody else has settled the message, or the move does not fit any more.
    async fn commit_move(
        &self,
        service: usize,
        head: &Arc<Head>,
        step: Option<FlowMove>,
        settle: Option<Settle>,
    ) -> Result<bool, Fault> {
        let commit = Commit {
            service: self.inner.space.services[service].name,
            head: head.clone(),
            effects: Effects::new(),
            outbox: Vec::new(),
            settle,
            moves: step.into_iter().collect(),
            once: None,
            is_passing: false,
            now_ms: self.inner.ports.clock.now_ms(),
        };
        match self.inner.commit(commit).await {
            Ok(_) => Ok(true),
            Err(CommitError::Stale | CommitError::Late) => Ok(false),
            Err(CommitError::Refused(fault) | CommitError::Failed(fault)) => Err(*fault),
            Err(CommitError::Behind) => Err(crate::turn::behind()),
            Err(CommitError::Retry | CommitError::Seen) => {
                Err(Fault::conflict("busy", "others are changing the same run; try again"))
            }
        }
    }

    /// Records an answer that does not fit any more; nothing that came with it is committed.
    pub(crate) async fn record_late(
        &self,
        service: usize,
        head: &Arc<Head>,
        step: StepCall,
        answer: FlowEvent,
        settle: Option<Settle>,
    ) -> Result<(), Fault> {
        let late = || FlowMove::Event { run: step.run, event: FlowEvent::Late { answer: Box::new(answer.clone()) } };
        if !self.commit_move(service, head, Some(late()), settle).await? {
            self.commit_move(service, head, Some(late()), None).await?;
        }
        Ok(())
    }

    /// An attempt that is at work says that it is alive.
    pub(crate) async fn beat(&self, service: usize, head: &Arc<Head>, step: StepCall) -> Result<(), Fault> {
        let beat = FlowMove::Event { run: step.run, event: FlowEvent::Beat { at: step.at } };
        if self.commit_move(service, head, Some(beat), None).await? {
            return Ok(());
        }
        Err(Fault::conflict("flow.stale", "this attempt was given up; stop"))
    }

    /// A message of a flow failed: the run hears of it, or the message is put aside and the run parked.
    pub(crate) async fn fail_flow(
        &self,
        delivery: &Delivery,
        at: FlowTarget,
        fault: &Fault,
        now_ms: i64,
    ) -> Result<(), Fault> {
        let records = &self.inner.ports.records;
        let data = self.unstow(&delivery.envelope).await?;
        let head = self.delivered(delivery, Value::Null).head;
        let is_poison = matches!(fault.code, "flow.input" | "poison" | "flow.changed" | "loop");
        if let What::Step { step, part } = at.what {
            let call = StepCall::read(&data, delivery.attempt, step, part);
            match call {
                Ok(call) if !is_poison => {
                    let answer = call.failed(fault);
                    let event = FlowMove::Event { run: call.run, event: answer.clone() };
                    if !self.commit_move(at.service, &head, Some(event), Some(delivery.settle)).await? {
                        self.record_late(at.service, &head, call, answer, Some(delivery.settle)).await?;
                    }
                    return Ok(());
                }
                Ok(call) => self.park(at.service, &head, call.run, call.poisoned(fault)).await?,
                // Of a message that cannot be read only the run may still be known.
                Err(_) => {
                    let run = delivery.envelope.causation.unwrap_or_else(Id::nil);
                    let place = super::Place { step, attempt: 1, ..super::Place::default() };
                    let (code, message) = (fault.code.to_owned(), fault.message.clone());
                    let event = FlowEvent::Poisoned { at: place, is_undo: part == Part::Undo, code, message };
                    self.park(at.service, &head, run, event).await?;
                }
            }
        } else if !is_poison {
            let pause_ms = i64::try_from(PATIENT.pause_ms(delivery.attempt, self.jitter())).unwrap_or(i64::MAX);
            let fate = Fate::Retry { at_ms: now_ms.saturating_add(pause_ms) };
            return records.fail(delivery.settle, fate, now_ms).await;
        }
        records.fail(delivery.settle, Fate::Bury { reason: DeadReason::of(fault), hold: false }, now_ms).await
    }

    async fn park(&self, service: usize, head: &Arc<Head>, run: Id, event: FlowEvent) -> Result<(), Fault> {
        self.commit_move(service, head, Some(FlowMove::Event { run, event }), None).await.map(drop)
    }

    pub(crate) fn flow_moves(
        &self,
        service: usize,
        head: &Head,
        effects: &Effects,
        open: &Open,
    ) -> Result<Vec<FlowMove>, Fault> {
        let service = &self.inner.space.services[service];
        let find = |name: &str| {
            let found = service.flows.iter().find(|flow| flow.name == name);
            found.ok_or_else(|| Fault::bug(format!("{} has no flow {name}", service.name)))
        };
        let mut moves = Vec::new();
        for start in &effects.starts {
            let flow = find(start.flow)?;
            let entity = entity_of(flow, start)?;
            moves.push(FlowMove::Start(Box::new(Run {
                id: self.inner.id(),
                service: service.name.to_owned(),
                flow: flow.name.to_owned(),
                hash: flow.hash().to_owned(),
                tenant: head.tenant.clone(),
                key: start.key.clone(),
                entity,
                principal: head.principal.clone(),
                correlation: head.correlation,
                traceparent: open.traceparent(),
                input: start.input.clone(),
                status: Status::Running,
                goal: Goal::Forward,
                reason: None,
                steps: Vec::new(),
                given_up: Vec::new(),
                conflicts: Vec::new(),
            })));
        }
        for cancel in &effects.cancels {
            moves.push(FlowMove::Cancel { flow: find(cancel.flow)?.name, key: cancel.key.clone() });
        }
        for answer in &effects.answers {
            let value = answer.value.clone();
            moves.push(match &answer.to {
                WaitName::Token(token) => {
                    let run = token.expose().split('.').next().and_then(|run| run.parse().ok()).unwrap_or_else(Id::nil);
                    let token = Some(hash(token.expose()));
                    FlowMove::Event { run, event: FlowEvent::Answered { step: None, token, value } }
                }
                WaitName::Step { flow, key, step } => {
                    let flow = find(flow)?;
                    let position = flow.position(step).filter(|&at| flow.steps[at].kind.is_wait());
                    let nowhere = || Fault::bug(format!("flow {} has no wait {step}", flow.name));
                    let step = position.ok_or_else(nowhere)?;
                    FlowMove::Decide { flow: flow.name, key: key.clone(), step, value }
                }
            });
        }
        for operate in &effects.operations {
            let (operation, why) = (operate.operation.clone(), operate.why.clone());
            moves.push(FlowMove::Operate { run: operate.run, operation, why });
        }
        Ok(moves)
    }
}

/// What a run is about, as its flow's table says, and whether that and its key are short enough.
fn entity_of(flow: &Flow, start: &Start) -> Result<Option<String>, Fault> {
    let entity = flow.entity.and_then(|pointer| start.input.pointer(pointer)).cloned();
    let entity = entity.map(|mut value| {
        // The same entity has the same name, in whatever order its fields were written.
        value.sort_all_objects();
        value.as_str().map_or_else(|| value.to_string(), str::to_owned)
    });
    let longest = start.key.len().max(entity.as_ref().map_or(0, String::len));
    if longest > RUN_KEY_BYTES_MAX {
        let message =
            format!("what flow {} is about is named in {longest} bytes; use at most {RUN_KEY_BYTES_MAX}", flow.name);
        return Err(Fault::bad_input("flow.key", message));
    }
    Ok(entity)
}

fn function(row: &StepRow, part: Part) -> Option<&dyn crate::function::ErasedFunction> {
    match (part, &row.undo) {
        (Part::Do, _) => Some(&*row.work),
        (Part::Verify, _) => row.verify.as_deref(),
        (Part::Undo, Undo::By(undo)) => Some(&*undo.0),
        (Part::Undo, _) => None,
    }
}
