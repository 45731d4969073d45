//! The environment of a function: everything it may read or use, the same on a desktop, on many machines and in the cloud.

use crate::breaker::Watched;
use crate::flow::StepCall;
use crate::host::Inner;
use crate::invocation::{Log, Open, Used};
use crate::outside::{Dependency, Origin, Request, Response};
use crate::ports::{Blobs, Exec, Exited, Folder, Operations, Read};
use crate::{
    Answer, AnswerBody, Data, Datum, Denials, Fault, Head, Host, Id, Kind, LiveMessage, Msg, Pass, Principal,
    Privileges, Rows, Secret,
};
use crate::{Space, Statement, Tenant, Uri};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::str::FromStr;
use std::sync::Arc;

/// Cheap to clone; tied to the message that is being handled.
#[derive(Clone)]
pub struct Env {
    pub(crate) inner: Arc<Inner>,
    pub(crate) head: Arc<Head>,
    pub(crate) service: usize,
    pub(crate) is_relay: bool,
    pub(crate) step: Option<StepCall>,
    pub(crate) open: Arc<Open>,
}

impl Env {
    /// Now, in Unix milliseconds.
    pub fn now_ms(&self) -> i64 {
        self.open.now_ms()
    }

    /// How long whoever waits for this goes on waiting, in milliseconds; none where nobody said.
    pub fn remaining_ms(&self) -> Option<u64> {
        let left_ms = self.head.deadline_ms?.saturating_sub(self.now_ms());
        Some(u64::try_from(left_ms).unwrap_or(0))
    }

    /// A new id, sorting after those made before.
    pub fn id(&self) -> Id {
        self.open.id()
    }

    /// A new short id for an address that people see.
    pub fn pid(&self) -> String {
        self.open.pid()
    }

    /// A new token of 256 random bits, as text for a cookie or a link.
    pub fn token(&self) -> Secret<String> {
        let token = URL_SAFE_NO_PAD.encode(self.open.secret_bytes());
        self.open.gave_secret(None, &token);
        Secret::new(token)
    }

    /// Where this stands in its trace, as a `traceparent` for whoever is asked outside this process; none where nobody looks. It is
    /// another with every run: what is answered does not depend on it.
    pub fn traceparent(&self) -> Option<String> {
        self.open.traceparent_outside()
    }

    /// The tenant of the message.
    pub fn tenant(&self) -> &Tenant {
        &self.head.tenant
    }

    /// Who acts.
    pub fn principal(&self) -> &Principal {
        &self.head.principal
    }

    /// The person who acts.
    ///
    /// # Errors
    /// `not_signed_in` where no person does.
    pub fn person(&self) -> Result<&str, Fault> {
        let fault = || Fault::not_signed_in("not_signed_in", "sign in first");
        self.head.principal.person_id().ok_or_else(fault)
    }

    /// Runs one statement.
    ///
    /// # Errors
    /// `records.unavailable` where the store is away.
    pub async fn query(&self, statement: &'static Statement, params: Vec<Datum>) -> Result<Rows, Fault> {
        let rows = self.query_many(vec![Read { statement, params }]).await?;
        rows.into_iter().next().ok_or_else(|| Fault::bug("the store gave no answer to a statement"))
    }

    /// Runs several statements in one snapshot.
    ///
    /// # Errors
    /// As [`Env::query`].
    pub async fn query_many(&self, reads: Vec<Read>) -> Result<Vec<Rows>, Fault> {
        self.open.query(&self.head, reads).await
    }

    /// Reads a resource of any service, with the authority of whoever acts: `env.call("/series?limit=20")`.
    ///
    /// # Errors
    /// The callee's fault; a bug fault where the answer is of another type.
    pub async fn call<T: DeserializeOwned>(&self, uri: &str) -> Result<T, Fault> {
        self.read(uri, self.head.principal.clone()).await
    }

    /// Reads a resource of any service with the authority of this service.
    ///
    /// # Errors
    /// As [`Env::call`].
    pub async fn ask<T: DeserializeOwned>(&self, uri: &str) -> Result<T, Fault> {
        self.read(uri, Principal::Service(self.service_name().into())).await
    }

    async fn read<T: DeserializeOwned>(&self, uri: &str, principal: Principal) -> Result<T, Fault> {
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let data = if query.is_empty() { Data::EMPTY } else { Data::form(query.to_owned()) };
        let msg = self.message(Kind::Get, Uri::parse(path)?, data, principal)?;
        let answer = self.ask_other(msg).await?;
        match answer.body {
            AnswerBody::Bytes { bytes, .. } => serde_json::from_slice(&bytes).map_err(|error| {
                Fault::bug(format!("the answer of {uri} is not what {} expects: {error}", self.service_name()))
            }),
            _ => Err(Fault::bug(format!("{uri} has no value to read"))),
        }
    }

    /// Makes the one unsafe call of a `relay` binding, with the authority of whoever acts. Its outcome is the callee's commit.
    ///
    /// # Errors
    /// The callee's fault; a bug fault where the binding is not declared `relay`.
    pub async fn relay(&self, kind: Kind, uri: Uri, data: Data) -> Result<Answer, Fault> {
        if !self.is_relay {
            return Err(Fault::bug(format!(
                "{} calls {kind} {uri} from a binding that is not declared `relay`",
                self.service_name()
            )));
        }
        let mut msg = self.message(kind, uri, data, self.head.principal.clone())?;
        msg.head_mut().meta.clone_from(&self.head.meta);
        self.ask_other(msg).await
    }

    /// Asks a function of any service, as the service whose function runs.
    async fn ask_other(&self, msg: Msg) -> Result<Answer, Fault> {
        self.open.call(msg).await
    }

    /// As [`Env::relay`], for a change that is made only if the resource still has this version.
    ///
    /// # Errors
    /// As [`Env::relay`]; the callee's `precondition_failed` where the version is another.
    pub async fn relay_if(&self, kind: Kind, uri: Uri, data: Data, version: i64) -> Result<Answer, Fault> {
        let mut head = (*self.head).clone();
        head.meta.retain(|(name, _)| name != "if-match");
        head.meta.push(("if-match".into(), format!("\"v{version}\"")));
        Self { head: Arc::new(head), ..self.clone() }.relay(kind, uri, data).await
    }

    fn message(&self, kind: Kind, uri: Uri, data: Data, principal: Principal) -> Result<Msg, Fault> {
        if self.head.hops >= crate::space::HOPS_MAX {
            return Err(Fault::bug(format!("services call each other in a loop at {uri}")));
        }
        let (id, now_ms) = (self.inner.id(), self.inner.ports.clock.now_ms());
        let mut msg = Msg::new(kind, uri, self.head.tenant.clone(), id, now_ms).with_data(data);
        let head = msg.head_mut();
        head.source = Cow::Owned(format!("service/{}", self.service_name()));
        head.principal = principal;
        head.correlation = self.head.correlation;
        head.trace = self.open.trace();
        head.causation = Some(self.head.id);
        head.hops = self.head.hops + 1;
        head.deadline_ms = self.head.deadline_ms;
        Ok(msg)
    }

    /// Tells those who look at this moment; nobody stores it. For progress inside a step; otherwise use an effect: this is told at
    /// once, also by a message that has begun before its [turn](crate::Turn) and may begin again.
    pub fn live(&self, kind: Kind, uri: Uri, data: impl Serialize) {
        if self.open.is_played() {
            return;
        }
        let data = serde_json::to_value(data).expect("a value of ours serialises to JSON");
        let message = LiveMessage { uri, kind, data };
        self.open.hold_live(self.service, &message);
        self.inner.ports.live.publish(&self.head.tenant, message);
    }

    /// A setting that this service declared.
    ///
    /// # Errors
    /// A bug fault where the service did not declare it, or its value is not of the type.
    pub fn setting<T: FromStr>(&self, name: &str) -> Result<T, Fault> {
        let declared = self.inner.space.services[self.service].settings.iter().find(|setting| setting.name == name);
        let default = declared
            .ok_or_else(|| Fault::bug(format!("{} did not declare setting {name}", self.service_name())))?
            .default;
        let text = self.inner.settings.get(name).map_or(default, String::as_str);
        let text = self.open.setting(name, text);
        text.parse().map_err(|_| Fault::bug(format!("setting {name} has the value `{text}`, which is not of its type")))
    }

    /// A secret setting that this service declared; empty where nobody set it.
    ///
    /// # Errors
    /// As [`Env::setting`].
    pub fn secret(&self, name: &str) -> Result<Secret<String>, Fault> {
        let declared = self.inner.space.services[self.service].settings.iter().any(|setting| setting.name == name);
        if !declared {
            return Err(Fault::bug(format!("{} did not declare setting {name}", self.service_name())));
        }
        let value = self.open.secret_setting(self.inner.settings.get(name).cloned().unwrap_or_default());
        self.open.gave_secret(Some(name), &value);
        Ok(Secret::new(value))
    }

    /// The address of a built asset by its logical name, such as `app.css`.
    pub fn asset(&self, name: &str) -> String {
        let real = || self.inner.assets.get(name).cloned().unwrap_or_else(|| format!("/assets/missing/{name}"));
        self.open.asset(name, real)
    }

    /// Signs a pass to protected media.
    pub fn sign(&self, pass: &Pass) -> String {
        let signed = self.inner.key.sign(pass);
        self.open.gave_secret(None, &signed);
        signed
    }

    /// Blobs. Only steps of a flow may change them.
    pub fn blobs(&self) -> &dyn Blobs {
        &*self.open
    }

    /// Runs a program of this machine. Only steps of a flow should.
    ///
    /// # Errors
    /// `tool.missing`, `tool.timeout`; a bug fault where the service did not declare the program.
    pub async fn exec(&self, exec: Exec) -> Result<Exited, Fault> {
        self.may_act(exec.tool)?;
        if !self.inner.space.services[self.service].tools.contains(&exec.tool) {
            return Err(Fault::bug(format!("{} runs `{}` without declaring it", self.service_name(), exec.tool)));
        }
        self.open.exec(exec).await
    }

    /// Calls a system outside that the service declared. Only steps of a flow may: a step is repeated with the same key until it
    /// is known what happened. A dependency that keeps failing is left alone for a while.
    ///
    /// # Errors
    /// `outside.away` and `outside.unreachable` where certainly nothing was received, `outside.unanswered` where nobody knows,
    /// `outside.private` where its name leads to an address that is not public; a bug fault outside a step, or where the service
    /// did not declare it.
    pub async fn fetch(&self, mut request: Request) -> Result<Response, Fault> {
        let Dependency { setting, when_away } = self.dependency(request.to)?;
        if self.step.is_none() {
            return Err(Fault::bug(format!("{} calls {setting} outside a step of a flow", self.service_name())));
        }
        self.may_act(setting)?;
        if !request.path.starts_with('/') || !request.path.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Fault::bug(format!(
                "{} asks {setting} for `{}`, which is no path",
                self.service_name(),
                request.path
            )));
        }
        if let Some(played) = self.open.played(&request) {
            return played;
        }
        let asked = self.open.asked(&request);
        let origin = self.setting::<String>(setting)?;
        let origin = Origin::parse(&origin).map_err(|wrong| Fault::bug(format!("setting {setting} {wrong}")))?;
        let (breakers, clock) = (&self.inner.breakers, &*self.inner.ports.clock);
        let leave = breakers.with(setting, |breaker| breaker.ask(clock.now_ms()));
        let leave = leave.map_err(|wait_ms| away(when_away, wait_ms))?;
        let mut watched = Watched { breakers, dependency: setting, leave, clock, is_alive: false };
        if let Some(traceparent) = self.open.traceparent_outside() {
            request = request.header("traceparent", traceparent);
        }
        let used = Used::Outside(setting);
        let result = self.open.wait(used, self.inner.ports.outside.fetch(origin, request)).await;
        self.open.fetched(asked, &result);
        watched.is_alive = result.as_ref().is_ok_and(Response::is_alive);
        result
    }

    /// What to answer while a system outside is left alone, so that nobody begins what cannot go on; none while it works.
    ///
    /// # Errors
    /// A bug fault where the service did not declare it.
    pub fn when_away(&self, setting: &str) -> Result<Option<Fault>, Fault> {
        let Dependency { setting, when_away } = self.dependency(setting)?;
        let now_ms = self.inner.ports.clock.now_ms();
        let wait_ms = self.open.away(setting, || self.inner.breakers.with(setting, |breaker| breaker.wait_ms(now_ms)));
        Ok(wait_ms.map(|wait_ms| away(when_away, wait_ms)))
    }

    /// A step that was declared to write records only must not act otherwise: what it commits is then repeated and undone as if
    /// nothing else had happened.
    fn may_act(&self, what: &str) -> Result<(), Fault> {
        match self.step {
            Some(step) if step.is_records_only => {
                let service = self.service_name();
                Err(Fault::bug(format!(
                    "{service} uses {what} in a step that is declared `.records_only()`; drop that"
                )))
            }
            _ => Ok(()),
        }
    }

    fn dependency(&self, setting: &str) -> Result<Dependency, Fault> {
        let declared = &self.inner.space.services[self.service].outside;
        let found = declared.iter().find(|dependency| dependency.setting == setting).copied();
        found.ok_or_else(|| Fault::bug(format!("{} calls {setting} without declaring it", self.service_name())))
    }

    /// Says that a step with a heartbeat is still at work.
    ///
    /// # Errors
    /// `flow.stale` where the attempt was given up meanwhile: stop. A bug fault outside a step.
    pub async fn beat(&self) -> Result<(), Fault> {
        let step = self.step.ok_or_else(|| Fault::bug(format!("{} is in no step of a flow", self.service_name())))?;
        if self.open.is_played() {
            return Ok(());
        }
        Host { inner: self.inner.clone() }.beat(self.service, &self.head, step).await
    }

    /// Runs a long computation where it does not hold up others.
    ///
    /// # Errors
    /// A bug fault where it panics.
    pub async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Fault> {
        let (send, receive) = futures_channel::oneshot::channel();
        self.inner.ports.machine.compute(Box::new(move || drop(send.send(work()))));
        receive.await.map_err(|_| Fault::bug("a computation ended without a result"))
    }

    /// A scratch folder for the files of one step; removed when dropped.
    ///
    /// # Errors
    /// `disk.unavailable` where none can be made.
    pub fn folder(&self) -> Result<Box<dyn Folder>, Fault> {
        self.inner.ports.machine.folder()
    }

    /// The application's own tenant, whose owners are the operators.
    pub fn home(&self) -> &Tenant {
        &self.inner.home
    }

    /// What waits, was given up or runs: for the operator's functions only.
    pub(crate) async fn operations(&self) -> Result<&dyn Operations, Fault> {
        self.open.turn().await?;
        Ok(self.inner.ports.records.operations())
    }

    /// What ran lately: for the operator's functions only.
    pub(crate) fn invocations(&self) -> &Log {
        &self.inner.invocations
    }

    /// The application as it is put together: its services, functions and what triggers them.
    pub fn space(&self) -> &Space {
        &self.inner.space
    }

    /// What was refused lately.
    pub(crate) fn denials(&self) -> &Denials {
        &self.inner.denials
    }

    /// What services declare and were seen to use, and the policy as text.
    pub(crate) fn policy(&self) -> (Vec<Privileges>, Option<String>) {
        (crate::observed::privileges(&self.inner.space, &self.inner.observed), self.inner.policy.text())
    }

    /// Name of the service whose function runs.
    pub fn service_name(&self) -> &'static str {
        self.inner.space.services[self.service].name
    }
}

fn away(message: &str, wait_ms: i64) -> Fault {
    let seconds = (wait_ms + 999) / 1000;
    Fault::unavailable("outside.away", message).header("retry-after", seconds.to_string())
}
