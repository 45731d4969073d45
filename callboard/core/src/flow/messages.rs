//! What the machine commands, as messages on lanes: one for every attempt and timer, and events that tell what became of a run.

use super::{Command, Flow, Part, Place, Reason, Run, Timer, left_behind};
use crate::ports::{Envelope, Lane, Outgoing};
use crate::{Id, Kind, Service, Space, Uri, event};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What of a flow a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FlowTarget {
    pub(crate) service: usize,
    pub(crate) flow: usize,
    pub(crate) what: What,
}

/// A function of a step, or the machine itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Step { step: usize, part: Part },
    Timer,
    Turn,
}

/// What the message of a timer says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Wake {
    pub(super) run: Id,
    pub(super) timer: Timer,
    pub(super) at: Place,
}

/// What the message says that gives the next run of an entity its turn.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Turn {
    pub(super) entity: String,
}

/// How lanes name what a flow takes; a name stays the same from one version of the program to the next.
pub(crate) fn targets(service: &str, flow: &Flow) -> Vec<(String, What)> {
    let mut targets = vec![
        (format!("{service} flow {} timer", flow.name), What::Timer),
        (format!("{service} flow {} turn", flow.name), What::Turn),
    ];
    let renamed = flow.formers.iter().flat_map(|(_, renamed)| renamed.iter().copied());
    let names = flow.steps.iter().map(|step| (step.id, step.id));
    // A message that is under way may still name a step as it was called before.
    for (name, id) in renamed.chain(names) {
        let Some(step) = flow.position(id) else { continue };
        for part in [Part::Do, Part::Undo, Part::Verify] {
            targets.push((step_name(service, flow, name, part), What::Step { step, part }));
        }
    }
    targets
}

fn step_name(service: &str, flow: &Flow, id: &str, part: Part) -> String {
    format!("{service} flow {}/{id} {}", flow.name, part.as_str())
}

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
        let sender = Sender { space: self, run, service, flow, now_ms };
        commands.iter().map(|command| sender.message(command, next_id())).collect()
    }
}

struct Sender<'a> {
    space: &'a Space,
    run: &'a Run,
    service: &'a Service,
    flow: &'a Flow,
    now_ms: i64,
}

impl Sender<'_> {
    fn message(&self, command: &Command, id: Id) -> Outgoing {
        let Self { run, flow, .. } = self;
        match command {
            Command::Do { at, delay_ms } => self.to_step(id, *at, *delay_ms, Part::Do, 0),
            Command::Undo { at, delay_ms } => self.to_step(id, *at, *delay_ms, Part::Undo, 0),
            Command::Check { at, check, delay_ms } => self.to_step(id, *at, *delay_ms, Part::Verify, *check),
            Command::Wake { timer, at, delay_ms } => {
                let data = json!(Wake { run: run.id, timer: *timer, at: *at });
                self.to_machine(id, "timer", run.id.to_string(), *delay_ms, data)
            }
            Command::Turn => {
                let entity = run.entity.clone().unwrap_or_default();
                self.to_machine(id, "turn", entity.clone(), 0, json!(Turn { entity }))
            }
            Command::Delay(reason) => self.to_all(id, "delayed", Some(reason), Vec::new()),
            Command::Finish(status) => self.to_all(id, status.as_str(), run.reason.as_ref(), left_behind(flow, run)),
        }
    }

    fn envelope(&self, id: Id, kind: Kind, below: &str, data: Value) -> Envelope {
        let Self { run, flow, .. } = self;
        Envelope {
            id,
            source: format!("service/{}", self.service.name),
            kind,
            uri: Uri::parse(&format!("/flows/{}/{}{below}", flow.name, run.id))
                .expect("the name of a flow and a run's id make a URI"),
            time_ms: self.now_ms,
            tenant: run.tenant.clone(),
            principal: run.principal.clone(),
            correlation: run.correlation,
            causation: Some(run.id),
            traceparent: run.traceparent,
            hops: 0,
            data,
            dataref: None,
        }
    }

    fn lane(&self, target: String, key: String, delay_ms: u64) -> Lane {
        let delay = i64::try_from(delay_ms).unwrap_or(i64::MAX);
        let at_ms = (delay > 0).then(|| self.now_ms.saturating_add(delay));
        Lane { service: self.service.name, target, key, at_ms, is_sole: false }
    }

    fn to_step(&self, id: Id, at: Place, delay_ms: u64, part: Part, check: u32) -> Outgoing {
        let row = &self.flow.steps[at.step];
        // Who looks into an attempt asks for it by the key under which it was done.
        let direction = if part == Part::Undo { "undo" } else { "do" };
        let mut input = self.run.step_input(self.flow, at, direction);
        input.check = check;
        let lane = self.lane(step_name(self.service.name, self.flow, row.id, part), input.key.clone(), delay_ms);
        let envelope = self.envelope(id, event(part.as_str()), &format!("/steps/{}", row.id), json!(input));
        Outgoing { envelope: envelope.into(), lanes: vec![lane], is_event: false }
    }

    fn to_machine(&self, id: Id, what: &'static str, key: String, delay_ms: u64, data: Value) -> Outgoing {
        let lane = self.lane(format!("{} flow {} {what}", self.service.name, self.flow.name), key, delay_ms);
        Outgoing { envelope: self.envelope(id, event(what), "", data).into(), lanes: vec![lane], is_event: false }
    }

    fn to_all(&self, id: Id, kind: &'static str, reason: Option<&Reason>, left: Vec<String>) -> Outgoing {
        let run = self.run;
        let mut data = json!({"flow": run.flow, "run": run.id, "key": run.key, "input": run.input, "reason": reason});
        if !left.is_empty() {
            data["left"] = json!(left);
        }
        let envelope = self.envelope(id, event(kind), "", data);
        let lanes = self.space.event_lanes(&envelope.kind, &envelope.uri);
        Outgoing { envelope: envelope.into(), lanes, is_event: true }
    }
}
