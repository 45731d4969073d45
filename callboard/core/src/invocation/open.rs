//! An invocation at work: when it began, and what it waits for.

use super::tape::Mode;
use super::{Dependency, Ended, Invocation, Trace, Traceparent, Used, Wait};
use crate::flow::StepCall;
use crate::host::{Call, Inner};
use crate::{Answer, AnswerBody, Data, Effects, Fault, Head, Host, Kind, LiveMessage, Msg, Principal, Turn};
use serde_json::Value;
use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// An invocation at work; its environment refers to it.
pub(crate) struct Open {
    pub(super) inner: Arc<Inner>,
    pub(super) service: &'static str,
    function: &'static str,
    /// Its place among all functions.
    pub(super) holder: usize,
    /// Its span, for what it causes.
    pub(crate) span: u64,
    /// Whether this trace is recorded because somebody who may asked for it.
    pub(crate) is_asked: bool,
    /// Whether messages carry the trace on.
    is_carried: bool,
    pub(super) head: Arc<Head>,
    pub(super) data: Data,
    pub(super) step: Option<StepCall>,
    /// Its place among others of its lane that were taken with it.
    turn: Option<Turn>,
    pub(super) mode: Mode,
    /// Why it will be captured, whatever comes of it.
    pub(super) certainly: Option<&'static str>,
    began_ns: u64,
    state: Mutex<State>,
}

pub(super) struct State {
    /// What will be kept; none when it has ended.
    invocation: Option<Box<Invocation>>,
    /// For how many things it waits now, and since when it waits for any.
    waiting: u32,
    since_ns: u64,
    /// What the function returned, where that is captured, and how many events of it are its own.
    pub(super) reply: Option<Value>,
    pub(super) events: usize,
    /// What was wrong with what it gave already.
    wrong: Option<Fault>,
}

impl Host {
    /// Begins an invocation.
    pub(crate) fn begin(&self, call: &Call<'_>, msg: &Msg) -> Arc<Open> {
        let mode = match &self.inner.invocations.capture {
            Some(_) => Mode::Record(Mutex::default()),
            None => Mode::Live,
        };
        self.open(call, msg, mode)
    }

    pub(super) fn open(&self, call: &Call<'_>, msg: &Msg, mode: Mode) -> Arc<Open> {
        let inner = &self.inner;
        let service = inner.space.services[call.service].name;
        let function = call.function.name();
        let span = inner.invocations.span();
        let is_asked = msg.trace.is_asked && may_ask(&msg.principal);
        let is_carried = is_asked || inner.invocations.observers.iter().any(|one| one.wants(msg.correlation));
        let invocation = Invocation {
            seq: 0,
            id: msg.id,
            span,
            parent: msg.trace.parent,
            correlation: msg.correlation,
            causation: msg.causation,
            tenant: msg.tenant.clone(),
            service,
            function,
            trigger: trigger(call, msg),
            kind: msg.kind.clone(),
            pattern: call.binding.map_or("", |binding| binding.pattern.as_str()),
            flow: call.flow,
            started_ms: inner.ports.clock.now_ms(),
            duration_ns: 0,
            waiting_ns: 0,
            waits: Vec::new(),
            attempt: msg.attempt,
            ended: Ended::Running,
            memory_mb: call.binding.and_then(|binding| binding.memory_mb).or(inner.memory_mb),
            in_bytes: msg.data.bytes.len() as u64,
            out_bytes: 0,
            events: 0,
            sends: 0,
            starts: 0,
            is_asked,
        };
        let (invocation, reply) = (Some(Box::new(invocation)), None);
        let state = Mutex::new(State { invocation, waiting: 0, since_ns: 0, reply, events: 0, wrong: None });
        let capture = inner.invocations.capture.as_ref().filter(|_| mode.is_recording());
        let certainly = capture.and_then(|capture| capture.certainly(is_asked));
        let began_ns = inner.ports.clock.monotonic_ns();
        Arc::new(Open {
            inner: inner.clone(),
            service,
            function,
            holder: call.holder,
            span,
            is_asked,
            is_carried,
            head: msg.head.clone(),
            // Cloning bytes that nobody keeps would cost an allocation.
            data: if mode.is_recording() { msg.data.clone() } else { Data::EMPTY },
            step: call.step,
            turn: call.turn.cloned(),
            mode,
            certainly,
            began_ns,
            state,
        })
    }
}

/// Recording is asked for by who may see everything of the channel.
fn may_ask(principal: &Principal) -> bool {
    matches!(principal, Principal::Service(_)) || principal.has_role("owner")
}

fn trigger(call: &Call<'_>, msg: &Msg) -> &'static str {
    match (&call.settle, &call.binding, &msg.source) {
        _ if call.step.is_some() => "flow",
        (_, None, _) => "schedule",
        (_, Some(binding), _) if matches!(binding.kind, Kind::Event(_)) => "event",
        (Some(_), ..) => "queue",
        (None, _, source) if source.starts_with("service/") => "call",
        (None, _, Cow::Borrowed(source)) => source,
        (None, _, Cow::Owned(_)) => "outside",
    }
}

impl Open {
    pub(super) fn now_ns(&self) -> u64 {
        self.inner.ports.clock.monotonic_ns()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where what it causes stands in the trace, for whatever is called directly.
    pub(crate) fn trace(&self) -> Trace {
        Trace { parent: self.span, is_asked: self.is_asked }
    }

    /// The same for what is stored; none where nobody looks.
    pub(crate) fn traceparent(&self) -> Option<Traceparent> {
        let (trace, parent) = (self.head.correlation, self.span);
        self.is_carried.then_some(Traceparent { trace, parent, is_sampled: self.is_asked })
    }

    /// The header for a system outside, where somebody looks.
    pub(crate) fn traceparent_outside(&self) -> Option<String> {
        self.traceparent().map(|traceparent| Traceparent { is_sampled: true, ..traceparent }.to_string())
    }

    /// Waits for something that the function uses, and counts the time also where nobody waits to the end.
    pub(crate) async fn wait<T>(
        &self,
        used: Used<'_>,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        self.note(used);
        self.timed(used.dependency(&self.inner.space), self.in_turn(work)).await
    }

    /// Does something as soon as what the messages before this one have written can be seen.
    pub(super) async fn in_turn<T>(&self, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        self.turn().await?;
        work.await
    }

    /// Waits until the messages before this one in its lane are settled.
    ///
    /// # Errors
    /// That it is behind, where one of them is not.
    pub(crate) async fn turn(&self) -> Result<(), Fault> {
        match &self.turn {
            Some(turn) => turn.may_read().await,
            None => Ok(()),
        }
    }

    /// Counts what the function uses.
    pub(crate) fn note(&self, used: Used<'_>) {
        self.inner.observed.note(&self.inner.space, self.holder, used);
    }

    /// The same for what the host itself waits for on behalf of the function.
    pub(crate) async fn timed<T>(&self, on: Dependency, work: impl Future<Output = T>) -> T {
        let _waiting = Waiting::begin(self, on);
        work.await
    }

    /// Looks at a live message before it is sent; what is wrong with it becomes the fault of the function.
    pub(crate) fn hold_live(&self, service: usize, message: &LiveMessage) {
        let host = Host { inner: self.inner.clone() };
        if let Some(fault) = host.hold_live(service, self.function, &self.head, message) {
            self.state().wrong.get_or_insert(fault);
        }
    }

    /// Whether nothing was wrong with what it gave before it returned.
    ///
    /// # Errors
    /// What was.
    pub(crate) fn is_sound(&self) -> Result<(), Fault> {
        self.state().wrong.take().map_or(Ok(()), Err)
    }

    /// What the function's commit made of its effects.
    pub(crate) fn changed(&self, effects: &Effects) {
        let count = |of: usize| u32::try_from(of).unwrap_or(u32::MAX);
        if let Some(invocation) = &mut self.state().invocation {
            invocation.events = count(effects.events.len());
            invocation.sends = count(effects.sends.len());
            invocation.starts = count(effects.starts.len());
        }
    }

    fn forget(&self) {
        self.state().invocation = None;
    }

    fn end(&self, ended: Ended, out_bytes: u64) {
        let now_ns = self.now_ns();
        let mut state = self.state();
        let Some(mut invocation) = state.invocation.take() else { return };
        if state.waiting > 0 {
            invocation.waiting_ns += now_ns.saturating_sub(state.since_ns);
        }
        let reply = state.reply.take();
        drop(state);
        invocation.duration_ns = now_ns.saturating_sub(self.began_ns);
        invocation.ended = ended;
        invocation.out_bytes = out_bytes;
        // Whoever watches would watch themselves.
        if invocation.kind.is_safe() && invocation.pattern.starts_with("/-/") && !invocation.ended.is_fault() {
            return;
        }
        self.record(&invocation, reply);
        self.inner.invocations.keep(invocation);
    }
}

struct Waiting<'a> {
    open: &'a Open,
    on: Dependency,
    began_ns: u64,
}

impl<'a> Waiting<'a> {
    fn begin(open: &'a Open, on: Dependency) -> Self {
        let began_ns = open.now_ns();
        let mut state = open.state();
        if state.waiting == 0 {
            state.since_ns = began_ns;
        }
        state.waiting += 1;
        Self { open, on, began_ns }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let now_ns = self.open.now_ns();
        let time_ns = now_ns.saturating_sub(self.began_ns);
        let mut state = self.open.state();
        state.waiting -= 1;
        let since_ns = (state.waiting == 0).then_some(state.since_ns);
        let Some(invocation) = &mut state.invocation else { return };
        if let Some(since_ns) = since_ns {
            invocation.waiting_ns += now_ns.saturating_sub(since_ns);
        }
        match invocation.waits.iter_mut().find(|wait| wait.on == self.on) {
            Some(wait) => {
                wait.count += 1;
                wait.time_ns += time_ns;
            }
            None => invocation.waits.push(Wait { on: self.on, count: 1, time_ns }),
        }
    }
}

/// Ends an invocation also where its future is dropped: nobody waited, or the function panicked.
pub(crate) struct Ending(pub(crate) Arc<Open>);

impl Ending {
    pub(crate) fn with(self, result: &Result<Answer, Fault>) {
        match result {
            Ok(Answer { body: AnswerBody::Bytes { bytes, .. }, .. }) => self.0.end(Ended::Answered, bytes.len() as u64),
            Ok(_) => self.0.end(Ended::Answered, 0),
            // It begins anew when its turn comes, or for somebody else.
            Err(fault) if fault.is_behind() => self.0.forget(),
            Err(fault) => self.0.end(Ended::Failed(fault.code), 0),
        }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let ended = if std::thread::panicking() { Ended::Panicked } else { Ended::Abandoned };
        self.0.end(ended, 0);
    }
}
