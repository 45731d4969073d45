//! What the machine commands, as messages on lanes: one for every attempt, and events that tell what became of a run.

use super::{Command, Flow, Reason, Run, Step};
use crate::ports::{Envelope, Lane, Outgoing};
use crate::{Id, Kind, Service, Space, Uri, event};
use serde_json::json;

impl Space {
    /// The messages that carry out what the machine commands.
    pub(super) fn flow_messages(
        &self,
        run: &Run,
        commands: &[Command],
        now_ms: i64,
        next_id: &mut dyn FnMut() -> Id,
    ) -> Vec<Outgoing> {
        let Some((service, flow)) = self.flow(&run.flow) else { return Vec::new() };
        commands.iter().map(|command| self.flow_message(run, service, flow, command, now_ms, next_id())).collect()
    }

    fn flow_message(
        &self,
        run: &Run,
        service: &Service,
        flow: &Flow,
        command: &Command,
        now_ms: i64,
        id: Id,
    ) -> Outgoing {
        let envelope = |kind: Kind, path: String, data| Envelope {
            id,
            source: format!("service/{}", service.name),
            kind,
            uri: Uri::parse(&path).expect("the name of a flow and a run's id make a URI"),
            time_ms: now_ms,
            tenant: run.tenant.clone(),
            principal: run.principal.clone(),
            correlation: run.correlation,
            causation: Some(run.id),
            hops: 0,
            data,
            dataref: None,
        };
        let to_step = |at: usize, item: usize, attempt: u32, delay_ms: u64, is_undo: bool| {
            let direction = if is_undo { "undo" } else { "do" };
            let input: Step = run.step_input(flow, at, item, direction, attempt);
            let path = format!("/flows/{}/{}/steps/{}", flow.name, run.id, flow.steps[at].id);
            let delay = i64::try_from(delay_ms).unwrap_or(i64::MAX);
            let lane = Lane {
                service: service.name,
                target: step_name(service.name, flow, at, is_undo),
                key: input.key.clone(),
                at_ms: (delay > 0).then(|| now_ms.saturating_add(delay)),
                is_sole: false,
            };
            Outgoing { envelope: envelope(event(direction), path, json!(input)), lanes: vec![lane], is_event: false }
        };
        let to_all = |kind: &'static str, reason: Option<&Reason>| {
            let path = format!("/flows/{}/{}", flow.name, run.id);
            let data = json!({"flow": run.flow, "run": run.id, "key": run.key, "input": run.input, "reason": reason});
            let envelope = envelope(event(kind), path, data);
            let lanes = self.event_lanes(&envelope.kind, &envelope.uri);
            Outgoing { envelope, lanes, is_event: true }
        };
        match command {
            Command::Do { step, item, attempt, delay_ms } => to_step(*step, *item, *attempt, *delay_ms, false),
            Command::Undo { step, item, attempt, delay_ms } => to_step(*step, *item, *attempt, *delay_ms, true),
            Command::Delay(reason) => to_all("delayed", Some(reason)),
            Command::Finish(status) => to_all(status.as_str(), run.reason.as_ref()),
        }
    }
}

/// How a lane names a step; it must stay the same from one version of the program to the next.
pub(crate) fn step_name(service: &str, flow: &Flow, step: usize, is_undo: bool) -> String {
    format!("{service} flow {}/{} {}", flow.name, flow.steps[step].id, if is_undo { "undo" } else { "do" })
}
