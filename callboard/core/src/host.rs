//! The generic host: finds the function for a message, asks the policy, runs it, commits what it returned, answers.

use crate::answer::{Answer, answer};
use crate::breaker::Breakers;
use crate::builder::HostBuilder;
use crate::contract::Held;
use crate::denial::Denials;
use crate::flow::StepCall;
use crate::function::ErasedFunction;
use crate::invocation::{Dependency, Ending, Log, Open, Used};
use crate::observed::Observed;
use crate::once::kept;
use crate::policy::Policy;
use crate::ports::{Commit, CommitError, Committed, Envelope, Once, Outgoing, Retention, Settle};
use crate::service::Binding;
use crate::space::Target;
use crate::turn;
use crate::{Data, Effects, Env, Fault, FlowMove, Handler, Head, Id, Kind, Msg, Next, Outcome, Ports, Reply};
use crate::{LiveMessage, Privileges, SigningKey, Space, Tenant, Turn, Uri, event, fill_slots};
use futures_util::FutureExt;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How often a function runs again because an expectation failed.
const RETRIES_MAX: u32 = 3;

/// Runs services. Cheap to clone.
#[derive(Clone)]
pub struct Host {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) space: Arc<Space>,
    pub(crate) ports: Ports,
    pub(crate) handlers: Vec<Arc<dyn Handler>>,
    pub(crate) settings: HashMap<String, String>,
    pub(crate) assets: HashMap<String, String>,
    pub(crate) key: SigningKey,
    pub(crate) breakers: Breakers,
    pub(crate) policy: Arc<dyn Policy>,
    /// What becomes of what is given otherwise than it is described.
    pub(crate) held: Held,
    pub(crate) denials: Denials,
    pub(crate) observed: Observed,
    /// Memory that the deployment gives to every function.
    pub(crate) memory_mb: Option<u64>,
    pub(crate) retention: Retention,
    /// The tenant in which schedules fire, and where to ask for all of them.
    pub(crate) home: Tenant,
    pub(crate) tenants: Option<Uri>,
    /// Up to where this process has told its own bindings of the event log.
    pub(crate) log_end: Mutex<i64>,
    pub(crate) invocations: Log,
    pub(crate) last_id: Mutex<(i64, u16)>,
    /// How many batches this process has committed.
    pub(crate) commits: AtomicU64,
}

impl Inner {
    /// Commits, and counts it.
    pub(crate) async fn commit(&self, commit: Commit) -> Result<Committed, CommitError> {
        let committed = self.ports.records.commit(commit).await;
        if committed.is_ok() {
            self.commits.fetch_add(1, Ordering::Relaxed);
        }
        committed
    }

    /// A new id, sorting after every one made before in this process: within a millisecond a counter takes the first
    /// twelve random bits.
    pub(crate) fn id(&self) -> Id {
        self.id_at(self.ports.clock.now_ms())
    }

    /// The same, where the time is known.
    fn id_at(&self, now_ms: i64) -> Id {
        let mut random = [0; 10];
        self.ports.entropy.fill(&mut random);
        let mut last = self.last_id.lock().unwrap_or_else(PoisonError::into_inner);
        *last = match *last {
            (last_ms, _) if last_ms < now_ms => (now_ms, u16::from_be_bytes([random[0], random[1]]) & 0x7ff),
            (last_ms, 0xfff) => (last_ms + 1, 0),
            (last_ms, count) => (last_ms, count + 1),
        };
        let (time_ms, count) = *last;
        random[..2].copy_from_slice(&count.to_be_bytes());
        Id::from_parts(time_ms, random)
    }
}

/// A function about to run, and what belongs to its commit.
pub(crate) struct Call<'a> {
    pub(crate) service: usize,
    /// Its place among all functions, where its rights stand.
    pub(crate) holder: usize,
    pub(crate) function: &'a dyn ErasedFunction,
    pub(crate) binding: Option<&'a Binding>,
    pub(crate) settle: Option<Settle>,
    /// Its place among others of its lane that were taken with it.
    pub(crate) turn: Option<&'a Turn>,
    /// Turns the body of a step into what happened to its run.
    pub(crate) step: Option<StepCall>,
    pub(crate) flow: Option<&'static str>,
}

impl Host {
    /// Begins to put a host together. Without [`HostBuilder::key`] the signing key is random and ends with the process.
    pub fn builder(ports: Ports) -> HostBuilder {
        HostBuilder::new(ports)
    }

    /// The services.
    pub fn space(&self) -> &Arc<Space> {
        &self.inner.space
    }

    /// The application's own tenant, whose owners are the operators.
    pub fn home(&self) -> &Tenant {
        &self.inner.home
    }

    /// How many batches this process has committed since it began: where it is more than before, something may wait.
    pub fn commits(&self) -> u64 {
        self.inner.commits.load(Ordering::Relaxed)
    }

    /// The engines.
    pub fn ports(&self) -> &Ports {
        &self.inner.ports
    }

    /// The key that signs passes.
    pub fn key(&self) -> &SigningKey {
        &self.inner.key
    }

    /// Addresses of built assets by logical name.
    pub fn assets(&self) -> &HashMap<String, String> {
        &self.inner.assets
    }

    /// What was refused lately, and what would allow it.
    pub fn denials(&self) -> &Denials {
        &self.inner.denials
    }

    /// What decides who may do what.
    pub fn policy(&self) -> &dyn Policy {
        &*self.inner.policy
    }

    /// What every service declares, and what its functions were seen to use since the start.
    pub fn privileges(&self) -> Vec<Privileges> {
        crate::observed::privileges(&self.inner.space, &self.inner.observed)
    }

    /// A message from outside, with a new id and the time.
    pub fn message(&self, kind: Kind, uri: Uri, tenant: Tenant) -> Msg {
        let now_ms = self.inner.ports.clock.now_ms();
        Msg::new(kind, uri, tenant, self.inner.id_at(now_ms), now_ms)
    }

    /// Handles a message from outside: handlers, then the function.
    ///
    /// # Errors
    /// The fault to answer with.
    pub async fn dispatch(&self, msg: Msg) -> Result<Answer, Fault> {
        Next { rest: &self.inner.handlers, inner: &self.inner }.run(self, msg).await
    }

    /// Handles a message whose principal is already known: finds the function, asks who may, runs it, commits.
    ///
    /// # Errors
    /// The fault to answer with.
    pub async fn run(&self, msg: Msg) -> Result<Answer, Fault> {
        self.run_for(None, msg).await
    }

    /// The same for a function that asks another, by the place of the one that asks.
    pub(crate) async fn run_for(&self, asker: Option<usize>, mut msg: Msg) -> Result<Answer, Fault> {
        let space = &*self.inner.space;
        let at = space.find_call(&msg.kind, &msg.uri).ok_or_else(|| self.nothing_at(&msg.head))?;
        let (_, binding) = space.binding(at);
        self.permit(asker, at, &msg.head)?;
        if msg.data.bytes.len() > binding.body_bytes_max {
            let most = binding.body_bytes_max;
            return Err(Fault::too_large(
                "body.too_large",
                format!("send at most {most} bytes; this is {}", msg.data.bytes.len()),
            ));
        }
        self.check_time(binding.needs_ms, &msg.head)?;
        msg.params = binding.pattern.params(&msg.uri);
        let call = Call {
            service: at.service,
            holder: space.holder(Target::Binding(at)),
            function: &*binding.function,
            binding: Some(binding),
            settle: None,
            turn: None,
            step: None,
            flow: None,
        };
        self.execute(call, msg).await
    }

    /// Refuses what cannot finish before its caller stops waiting.
    pub(crate) fn check_time(&self, needs_ms: u64, head: &Head) -> Result<(), Fault> {
        let Some(deadline_ms) = head.deadline_ms.filter(|_| needs_ms > 0) else { return Ok(()) };
        let left_ms = deadline_ms.saturating_sub(self.inner.ports.clock.now_ms()).max(0);
        if left_ms.unsigned_abs() >= needs_ms {
            return Ok(());
        }
        let message = format!("this needs {needs_ms} ms and {left_ms} ms are left; nothing was begun, so try again");
        Err(Fault::unavailable("deadline.short", message))
    }

    fn nothing_at(&self, head: &Head) -> Fault {
        let kinds = self.inner.space.kinds_at(&head.uri);
        if kinds.is_empty() || matches!(head.kind, Kind::Page | Kind::Form) {
            return Fault::not_found("no_such_uri", format!("there is nothing at {}", head.uri));
        }
        let allowed: Vec<String> = kinds.iter().map(|kind| kind.as_str().to_uppercase()).collect();
        let allowed = allowed.join(", ");
        Fault::bad_input(
            "method_not_allowed",
            format!("{} answers {allowed}, not {}", head.uri, head.kind.as_str().to_uppercase()),
        )
        .header("allow", allowed)
    }

    pub(crate) async fn execute(&self, call: Call<'_>, msg: Msg) -> Result<Answer, Fault> {
        let open = self.begin(&call, &msg);
        let ending = Ending(open.clone());
        let result = self.carry_out(&call, &msg, &open).await;
        ending.with(&result);
        result
    }

    async fn carry_out(&self, call: &Call<'_>, msg: &Msg, open: &Arc<Open>) -> Result<Answer, Fault> {
        let env = || Env {
            inner: self.inner.clone(),
            head: msg.head.clone(),
            service: call.service,
            is_relay: call.binding.is_some_and(|binding| binding.is_relay),
            step: call.step,
            open: open.clone(),
        };
        let service = self.inner.space.services[call.service].name;
        let once = self.once(service, call.binding.filter(|_| call.settle.is_none()), msg);
        // Boxed, since few messages may come again.
        let mut once = once.map(Box::new);
        if let Some(once) = &once
            && let Some(answer) = Box::pin(self.answered_before(once, msg.head.id)).await?
        {
            return Ok(answer);
        }
        for _ in 0..=RETRIES_MAX {
            open.again();
            let mut reply = open.returned(call.function.call(env(), msg.clone()).await)?;
            let checked = check_reply(call, &msg.head, &reply).and_then(|()| self.hold(call, &msg.head, &reply));
            checked.and_then(|()| open.is_sound()).inspect_err(|_| open.refused(&reply))?;
            // Nobody waits for the answer to a queued message, so there is nobody to refuse.
            let refusal = reply.refusal.take().filter(|_| call.settle.is_none());
            let Some(mut commit) = self.commit_of(call, &msg.head, &mut reply, open)? else {
                return refusal.map_or_else(|| Ok(answer(msg.head.id, reply, None)), Err);
            };
            open.changed(&commit.effects);
            self.stow(&mut commit).await?;
            if refusal.is_none()
                && let Some(once) = &mut once
            {
                once.answer = kept(&reply);
                commit.once = Some(Once::clone(once));
            }
            // Boxed, since most messages change nothing and would only carry the place for it.
            let committing = Box::pin(self.commit_in_turn(commit, call.turn));
            match open.timed(Dependency::Records, committing).await {
                Ok(committed) => {
                    self.announce(&msg.head, &mut reply.effects, &committed);
                    return refusal.map_or_else(|| Ok(answer(msg.head.id, reply, Some(&committed))), Err);
                }
                Err(CommitError::Retry) => {}
                // The same came at the same time, and was first.
                Err(CommitError::Seen) => {
                    if let Some(once) = &once
                        && let Some(answer) = Box::pin(self.answered_before(once, msg.head.id)).await?
                    {
                        return Ok(answer);
                    }
                }
                // Somebody else has settled this message: what this run wanted has happened already or is not wanted.
                Err(CommitError::Stale | CommitError::Late) => {
                    if let Some(step) = call.step {
                        let event = step.succeeded(&reply.body);
                        Box::pin(self.record_late(call.service, &msg.head, step, event, call.settle)).await?;
                    }
                    return Ok(answer(msg.head.id, Reply::nothing(), None));
                }
                Err(CommitError::Behind) => return Err(turn::behind()),
                Err(CommitError::Refused(fault) | CommitError::Failed(fault)) => {
                    reply.refusal = refusal;
                    open.refused(&reply);
                    return Err(*fault);
                }
            }
        }
        Err(Fault::conflict("busy", "others are changing the same thing; try again"))
    }

    /// Commits what was begun before its turn as soon as that comes behind the one before it in its lane.
    async fn commit_in_turn(&self, commit: Commit, turn: Option<&Turn>) -> Result<Committed, CommitError> {
        let Some(turn) = turn else { return self.inner.commit(commit).await };
        turn.may_commit().await?;
        let mut committing = pin!(self.inner.commit(commit));
        // The first look at it sends it.
        let committed = committing.as_mut().now_or_never();
        turn.sent();
        match committed {
            Some(committed) => committed,
            None => committing.await,
        }
    }

    /// Tells those who look at this moment: what happened, then what was only for them.
    fn announce(&self, head: &Head, effects: &mut Effects, committed: &Committed) {
        let events = std::mem::take(&mut effects.events).into_iter();
        let events = events.map(|event| LiveMessage { uri: event.uri, kind: event.kind, data: event.data });
        for mut message in events.chain(std::mem::take(&mut effects.live)) {
            if effects.has_slots() {
                fill_slots(&mut message.data, &|at, column| committed.value(at, column));
            }
            self.inner.ports.live.publish(&head.tenant, message);
        }
    }

    /// The batch of a reply; none where nothing changes.
    fn commit_of(
        &self,
        call: &Call<'_>,
        head: &Arc<Head>,
        reply: &mut Reply<Data>,
        open: &Open,
    ) -> Result<Option<Commit>, Fault> {
        if let Some((kind, uri)) = automatic_event(&reply.outcome) {
            let version = reply.version.unwrap_or_else(|| self.inner.ports.clock.now_ms());
            let data = json!({"uri": uri, "version": version});
            reply.effects.events.push(crate::Emit { kind, uri, data });
        }
        if reply.effects.is_empty() && call.settle.is_none() {
            reply.effects.live.drain(..).for_each(|message| self.inner.ports.live.publish(&head.tenant, message));
            return Ok(None);
        }
        let now_ms = self.inner.ports.clock.now_ms();
        let effects = reply.effects.clone();
        open.note(Used::Effects(&effects));
        let outbox = self.outbox(call, head, &effects, now_ms, open)?;
        let mut moves = self.flow_moves(call.service, head, &effects, open)?;
        if let Some(step) = call.step {
            moves.push(FlowMove::Event { run: step.run, event: step.succeeded(&reply.body) });
        }
        let service = self.inner.space.services[call.service].name;
        // Of a delivery that only writes nobody hears, and what follows in its lane does no more.
        let writes_only = || {
            let can_act = call.function.acts_itself() || !self.inner.space.services[call.service].tools.is_empty();
            call.settle.is_some() && outbox.is_empty() && moves.is_empty() && !can_act
        };
        let is_passing = effects.live.is_empty() && call.step.map_or_else(writes_only, |step| step.is_passing);
        Ok(Some(Commit {
            service,
            head: head.clone(),
            effects,
            outbox,
            settle: call.settle,
            moves,
            once: None,
            is_passing,
            now_ms,
        }))
    }

    fn outbox(
        &self,
        call: &Call<'_>,
        head: &Head,
        effects: &Effects,
        now_ms: i64,
        open: &Open,
    ) -> Result<Vec<Outgoing>, Fault> {
        let space = &self.inner.space;
        let name = space.services[call.service].name;
        let envelope = |kind: &Kind, uri: &Uri, data: Value| Envelope {
            id: self.inner.id(),
            source: format!("service/{name}"),
            kind: kind.clone(),
            uri: uri.clone(),
            time_ms: now_ms,
            tenant: head.tenant.clone(),
            principal: head.principal.clone(),
            correlation: head.correlation,
            causation: Some(head.id),
            traceparent: open.traceparent(),
            hops: head.hops.saturating_add(1),
            data,
            dataref: None,
        };
        let events = effects.events.iter().map(|emit| {
            self.permit_emit(call.holder, &emit.kind, &emit.uri, head)?;
            let lanes = space.event_lanes(&emit.kind, &emit.uri);
            let envelope = envelope(&emit.kind, &emit.uri, emit.data.clone()).into();
            Ok(Outgoing { envelope, lanes, is_event: true })
        });
        let sends = effects.sends.iter().map(|send| {
            let nobody = || Fault::bug(format!("{name} sends {} to {}, which nobody answers", send.kind, send.uri));
            let at = space.find_call(&send.kind, &send.uri).ok_or_else(nobody)?;
            let lane = space.call_lane(&send.kind, &send.uri, send.at_ms).ok_or_else(nobody)?;
            self.permit_send(call.holder, at, &send.kind, &send.uri, head)?;
            Ok(Outgoing {
                envelope: envelope(&send.kind, &send.uri, send.data.read()?).into(),
                lanes: vec![lane],
                is_event: false,
            })
        });
        events.chain(sends).collect()
    }
}

fn check_reply(call: &Call<'_>, head: &Head, reply: &Reply<Data>) -> Result<(), Fault> {
    let Some(binding) = call.binding else { return Ok(()) };
    let changes = !reply.effects.is_empty() || automatic_event(&reply.outcome).is_some();
    let place = || format!("{} answered {} {}", binding.function_name(), head.kind, head.uri);
    if changes && binding.is_relay {
        return Err(Fault::bug(format!("{} with effects, although it is a relay", place())));
    }
    if changes && binding.is_every_node {
        return Err(Fault::bug(format!("{} with effects, although it runs on every node", place())));
    }
    if changes && head.kind.is_safe() && !binding.has_effects {
        return Err(Fault::bug(format!("{} with effects, although reading changes nothing", place())));
    }
    if reply.effects.writes.len() > crate::BATCH_STATEMENTS_MAX {
        return Err(Fault::bug(format!(
            "{} with {} writes, more than a batch takes",
            place(),
            reply.effects.writes.len()
        )));
    }
    Ok(())
}

fn automatic_event(outcome: &Outcome) -> Option<(Kind, Uri)> {
    match outcome {
        Outcome::Created(uri) => Some((event("created"), uri.clone())),
        Outcome::Changed(uri) => Some((event("changed"), uri.clone())),
        Outcome::Deleted(uri) => Some((event("deleted"), uri.clone())),
        _ => None,
    }
}
