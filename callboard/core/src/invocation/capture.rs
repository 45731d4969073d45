//! Which invocations are captured wholly, and how one becomes a recording.

use super::recording::{self, Message, Recorder, Recording};
use super::redact::{Known, Redactor};
use super::tape::{Mode, Tape};
use super::{Invocation, Open};
use crate::schedule::due_name;
use crate::{Data, Fault, Reply, Space};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Of so many invocations one is captured.
const SAMPLE: u64 = 1_000;
/// Most faults that are captured in a second: whoever asks for what is not there must not push everything else out.
const FAULTS_MAX: u32 = 50;
/// Most bytes of data that come in and are kept.
const DATA_BYTES_MAX: usize = 256 * 1024;

/// Captures invocations.
pub(crate) struct Capture {
    pub(crate) recorder: Arc<dyn Recorder>,
    /// Whether all are captured, as while one develops.
    is_all: bool,
    /// Values of settings that are secret.
    secrets: Vec<Known>,
    count: AtomicU64,
    faults: Mutex<(i64, u32)>,
}

impl Capture {
    /// As the setting `callboard.capture` says; none where it is `off`.
    pub(crate) fn new(recorder: Arc<dyn Recorder>, space: &Space, settings: &HashMap<String, String>) -> Option<Self> {
        let how = settings.get("callboard.capture").map_or("faults", String::as_str);
        let declared = space.services.iter().flat_map(|service| &service.settings).filter(|setting| setting.is_secret);
        let known = |name: &str| {
            let value = settings.get(name)?.clone();
            Some(Known { value, label: format!("[secret {name}]") })
        };
        let secrets = declared.filter_map(|setting| known(setting.name)).collect();
        let (count, faults) = (AtomicU64::new(0), Mutex::new((0, 0)));
        (how != "off").then_some(Self { recorder, is_all: how == "all", secrets, count, faults })
    }

    /// Why this one will be captured, whatever comes of it.
    pub(super) fn certainly(&self, is_asked: bool) -> Option<&'static str> {
        let is_sample = self.count.fetch_add(1, Ordering::Relaxed) % SAMPLE == SAMPLE - 1;
        match (is_asked, self.is_all, is_sample) {
            (true, ..) => Some("asked"),
            (_, true, _) => Some("development"),
            (.., true) => Some("sample"),
            _ => None,
        }
    }

    fn takes_fault(&self, now_ms: i64) -> bool {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let second = now_ms.div_euclid(1_000);
        if faults.0 != second {
            *faults = (second, 0);
        }
        faults.1 += 1;
        faults.1 <= FAULTS_MAX
    }

    pub(super) fn known(&self, tape: &Tape) -> Redactor {
        Redactor::new(tape.secrets.iter().chain(&self.secrets).cloned().collect())
    }
}

impl Open {
    fn capture(&self) -> Option<&Capture> {
        self.inner.invocations.capture.as_ref()
    }

    /// What the function returned, told where it will be captured; given back as it is.
    pub(crate) fn returned(&self, result: Result<Reply<Data>, Fault>) -> Result<Reply<Data>, Fault> {
        if !self.mode.is_recording() {
            return result;
        }
        match &result {
            Ok(reply) => {
                let told = self.certainly.map(|_| recording::reply(reply, reply.effects.events.len()));
                let mut state = self.state();
                state.events = reply.effects.events.len();
                state.reply = told;
            }
            Err(fault) => self.state().reply = Some(recording::fault(fault)),
        }
        result
    }

    /// What the function returned was not committed: a fault after all.
    pub(crate) fn refused(&self, reply: &Reply<Data>) {
        let mut state = self.state();
        if self.mode.is_recording() && state.reply.is_none() {
            state.reply = Some(recording::reply(reply, state.events));
        }
    }

    /// Makes a recording of what has ended, where it is one that is captured.
    pub(super) fn record(&self, invocation: &Invocation, reply: Option<Value>) {
        let (Some(capture), Mode::Record(tape)) = (self.capture(), &self.mode) else { return };
        // A recording of who reads recordings would hold the recording.
        if self.service == crate::operator::SERVICE {
            return;
        }
        let fault = || (invocation.ended.is_fault() && capture.takes_fault(invocation.started_ms)).then_some("fault");
        let Some(why) = self.certainly.or_else(fault) else { return };
        let mut tape = tape.lock().unwrap_or_else(PoisonError::into_inner);
        tape.take_late();
        let mut redactor = capture.known(&tape);
        let read = tape.entries(&mut redactor);
        let message = self.message(&mut redactor);
        let mut reply = reply.unwrap_or(Value::Null);
        redactor.value(&mut reply);
        capture.recorder.keep(Recording {
            span: format!("{:016x}", self.span),
            why: why.to_owned(),
            target: self.target(invocation),
            service: self.service.to_owned(),
            started_ms: invocation.started_ms,
            invocation: json!(invocation),
            is_cut: tape.is_cut || self.data.bytes.len() > DATA_BYTES_MAX,
            message,
            read,
            reply,
            redacted: redactor.count,
        });
    }

    fn message(&self, redactor: &mut Redactor) -> Message {
        let head = &self.head;
        let meta = head.meta.iter().map(|(name, value)| {
            let mut value = json!(value);
            redactor.named(name, &mut value);
            (name.to_string(), value.as_str().unwrap_or_default().to_owned())
        });
        let is_kept = self.data.bytes.len() <= DATA_BYTES_MAX;
        Message {
            id: head.id,
            source: head.source.to_string(),
            kind: head.kind.clone(),
            uri: head.uri.clone(),
            time_ms: head.time_ms,
            tenant: head.tenant.clone(),
            principal: head.principal.clone(),
            correlation: head.correlation,
            causation: head.causation,
            attempt: head.attempt,
            hops: head.hops,
            meta: meta.collect(),
            media_type: self.data.media_type.to_string(),
            data: if is_kept { redactor.data(&self.data) } else { Value::Null },
        }
    }

    /// What the space calls the function's binding, step or schedule.
    fn target(&self, invocation: &Invocation) -> String {
        let service = self.service;
        match (self.step, invocation.flow) {
            (Some(step), Some(name)) => {
                let flow = self.inner.space.flow(name).map(|(_, flow)| flow);
                let id = flow.and_then(|flow| flow.steps.get(step.at.step)).map_or("", |row| row.id);
                format!("{service} flow {name}/{id} {}", step.part.as_str())
            }
            _ if invocation.pattern.is_empty() => due_name(service, self.head.uri.segments().last().unwrap_or("")),
            _ => format!("{service} {} {}", invocation.kind, invocation.pattern),
        }
    }
}
