//! The host's part in flows: what a function's effects mean for runs, and how a step's message is run and answered.

use super::{FlowMove, Run, Status, StepCall, Undo};
use crate::host::Call;
use crate::ports::{Commit, CommitError, Delivery};
use crate::{Effects, Fault, Head, Host};

impl Host {
    /// The call of a step's function. `at` is the position of its service, flow and step.
    pub(crate) fn step_call(
        &self,
        delivery: &Delivery,
        at: (usize, usize, usize),
        is_undo: bool,
    ) -> Result<Call<'_>, Fault> {
        let (service, flow, step) = at;
        let row = &self.inner.space.services[service].flows[flow].steps[step];
        let call = StepCall::read(&delivery.envelope.data, step, is_undo)?;
        let function = match &row.undo {
            Undo::By(undo) if is_undo => &*undo.0,
            _ => &*row.work,
        };
        Ok(Call { service, function, binding: None, settle: Some(delivery.settle), step: Some(call) })
    }

    pub(crate) async fn fail_step(
        &self,
        delivery: &Delivery,
        service: usize,
        step: StepCall,
        fault: &Fault,
        now_ms: i64,
    ) -> Result<(), Fault> {
        let msg = self.delivered(delivery, serde_json::Value::Null);
        let commit = Commit {
            service: self.inner.space.services[service].name,
            head: msg.head,
            effects: Effects::new(),
            outbox: Vec::new(),
            settle: Some(delivery.settle),
            moves: vec![FlowMove::Event { run: step.run, event: step.failed(fault) }],
            now_ms,
        };
        match self.inner.ports.records.commit(commit).await {
            Ok(_) | Err(CommitError::Stale) => Ok(()),
            Err(CommitError::Refused(fault) | CommitError::Failed(fault)) => Err(*fault),
            Err(CommitError::Retry) => Err(Fault::bug("a step's failure has no expectation")),
        }
    }

    pub(crate) fn flow_moves(&self, service: usize, head: &Head, effects: &Effects) -> Result<Vec<FlowMove>, Fault> {
        let service = &self.inner.space.services[service];
        let find = |name: &str| {
            let found = service.flows.iter().find(|flow| flow.name == name);
            found.ok_or_else(|| Fault::bug(format!("{} has no flow {name}", service.name)))
        };
        let mut moves = Vec::new();
        for start in &effects.starts {
            let flow = find(start.flow)?;
            moves.push(FlowMove::Start(Box::new(Run {
                id: self.inner.id(),
                service: service.name.to_owned(),
                flow: flow.name.to_owned(),
                hash: flow.hash(),
                tenant: head.tenant.clone(),
                key: start.key.clone(),
                principal: head.principal.clone(),
                correlation: head.correlation,
                input: start.input.clone(),
                status: Status::Running,
                reason: None,
                steps: Vec::new(),
            })));
        }
        for cancel in &effects.cancels {
            moves.push(FlowMove::Cancel { flow: find(cancel.flow)?.name, key: cancel.key.clone() });
        }
        Ok(moves)
    }
}
