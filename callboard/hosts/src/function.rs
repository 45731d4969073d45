//! A function in processes as the binding table has it: reads its message, gives it to a process, and reads what comes back.

use crate::declared::May;
use crate::documents::Documents;
use crate::logs::OnLine;
use crate::pool::{self, NoAnswer, Pool, Work};
use crate::reading::Reading;
use crate::runtime::{Answered, Begun, Invocation};
use crate::worker::Failure;
use crate::{envelope, event, faults, trace};
use callboard::{Data, Env, Fault, FaultKind, Function, HTTP, Msg, Pieces, Reply};
use futures_util::stream;
use serde_json::json;
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// How long a process is waited for where the message says nothing.
const PATIENCE_MS: u64 = 1_000_000;

/// Shape of a function that is none of Rust.
#[derive(Debug)]
pub enum OfProcess {}

/// Tails of the last invocations whose caller wants them.
#[derive(Clone, Default)]
pub struct Tails {
    wanted: Arc<Mutex<HashMap<String, Vec<u8>>>>,
}

impl Tails {
    /// What the invocation of this id prints is kept until it is taken.
    pub(crate) fn want(&self, id: &str) {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned(), Vec::new());
    }

    fn is_wanted(&self, id: &str) -> bool {
        let wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        !wanted.is_empty() && wanted.contains_key(id)
    }

    fn keep(&self, id: &str, tail: Vec<u8>) {
        if let Some(kept) = self.wanted.lock().unwrap_or_else(PoisonError::into_inner).get_mut(id) {
            *kept = tail;
        }
    }

    /// Takes what was printed.
    pub(crate) fn take(&self, id: &str) -> Vec<u8> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner).remove(id).unwrap_or_default()
    }
}

/// A function whose code runs in processes.
#[derive(Clone)]
pub(crate) struct Foreign {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) name: &'static str,
    /// As tables and drawings name it.
    pub(crate) shown: &'static str,
    pub(crate) pool: Arc<Pool>,
    pub(crate) may: Arc<May>,
    pub(crate) documents: Arc<Documents>,
    /// Names in the patterns that trigger it.
    pub(crate) names: Vec<&'static str>,
    pub(crate) timeout_ms: u64,
    /// Whether callers hear what its author wants to know.
    pub(crate) is_open: bool,
    pub(crate) on_fault: Option<OnLine>,
    pub(crate) tails: Tails,
}

impl Function<Data, Box<RawValue>, OfProcess> for Foreign {
    async fn call(&self, env: Env, msg: Msg<Data>) -> Result<Reply<Box<RawValue>>, Fault> {
        let Inner { name, pool, may, documents, tails, .. } = &*self.inner;
        let traceparent = env.traceparent();
        let payload = event::write(&msg, &self.inner.names, traceparent.as_deref())?;
        let now_ms = env.now_ms();
        let patience_ms = msg.deadline_ms.map_or(PATIENCE_MS, |deadline_ms| (deadline_ms - now_ms).max(0) as u64);
        let id = msg.id.to_string();
        let token = env.token().expose().clone();
        let mut invocation = Invocation::new(&*id, payload, now_ms);
        (*name).clone_into(&mut invocation.function);
        invocation.trace = traceparent.as_deref().and_then(trace::of_aws).unwrap_or_default();
        invocation.client_context = json!({"custom": {"callboard_token": token}}).to_string();
        // Only who asked over HTTP takes an answer piece by piece; it must be able to go on when this function has answered.
        let (live, begun) = (msg.source == HTTP).then(oneshot::channel).unzip();
        let work = Work {
            invocation,
            timeout: Duration::from_millis(self.inner.timeout_ms),
            patience: Duration::from_millis(patience_ms),
            is_tail_wanted: tails.is_wanted(&id),
            live,
        };
        let reading =
            Reading { token, env, function: Arc::from(*name), may: may.clone(), documents: documents.clone() };
        let mut run = Box::pin(pool.clone().run(work, reading));
        let (result, tail) = match begun {
            None => run.await,
            Some(begun) => tokio::select! {
                biased;
                ended = &mut run => ended,
                Ok(begun) = begun => return self.pass_on(id, begun, run),
            },
        };
        tails.keep(&id, tail);
        let answered = result.map_err(|no_answer| self.fault(&id, &no_answer))?;
        let reply = envelope::read(name, answered, may, documents).map_err(|fault| self.defect(&id, fault))?;
        pool.works();
        Ok(reply)
    }

    fn name(&self) -> &'static str {
        let Inner { shown, .. } = &*self.inner;
        shown
    }

    fn acts_itself(&self) -> bool {
        true
    }
}

impl Foreign {
    /// The reply of an answer that has begun; its process works on while it is taken, and hears where nobody takes it any more.
    fn pass_on(
        &self,
        id: String,
        mut begun: Begun,
        run: impl Future<Output = (pool::Result<Answered>, Vec<u8>)> + Send + 'static,
    ) -> Result<Reply<Box<RawValue>>, Fault> {
        let (no_more, none) = mpsc::channel(1);
        let pieces = std::mem::replace(&mut begun.pieces, none);
        drop(no_more);
        let (end, ended) = oneshot::channel();
        let source = stream::unfold((pieces, Some(ended)), |(mut pieces, ended)| async {
            match pieces.recv().await {
                Some(piece) => Some((Ok(piece), (pieces, ended))),
                // How it ended is known once its process is done; only then it is whole.
                None => ended?.await.ok().flatten().map(|fault| (Err(fault), (pieces, None))),
            }
        });
        let reply =
            envelope::begin(self.inner.name, begun, Pieces::new(source)).map_err(|fault| self.defect(&id, fault))?;
        let this = self.clone();
        tokio::spawn(async move {
            let (result, tail) = run.await;
            this.inner.tails.keep(&id, tail);
            let fault = match result {
                Ok(_) => {
                    this.inner.pool.works();
                    None
                }
                Err(NoAnswer::Failed(Failure::Left)) => None,
                Err(no_answer) => Some(this.fault(&id, &no_answer)),
            };
            if let Some(fault) = fault.as_ref().filter(|fault| !fault.is_told) {
                tracing::warn!(function = this.inner.name, message.id = id, fault.code, "an answer was cut short");
            }
            // Nobody may wait for it any more.
            drop(end.send(fault));
        });
        Ok(reply)
    }

    /// What is wrong with an answer, told to the function's author; what the function itself refuses is told to its caller alone.
    fn defect(&self, id: &str, fault: Fault) -> Fault {
        if fault.kind != FaultKind::Bug {
            self.inner.pool.works();
            return fault;
        }
        faults::told_to_callers(self.inner.name, self.tell(id, fault), self.inner.is_open)
    }

    pub(crate) fn fault(&self, id: &str, no_answer: &NoAnswer) -> Fault {
        let fault = faults::of(self.inner.name, no_answer, self.inner.is_open);
        match no_answer {
            // It was told when it did not begin.
            NoAnswer::Paused { .. } => Fault { is_told: self.inner.on_fault.is_some(), ..fault },
            _ => self.tell(id, fault),
        }
    }

    /// Tells the function's author, where somebody listens, and the same only once.
    fn tell(&self, id: &str, fault: Fault) -> Fault {
        let Inner { name, pool, on_fault: Some(on_fault), .. } = &*self.inner else { return fault };
        if pool.is_news(&fault.message) {
            on_fault(name, id, &fault.message);
        }
        Fault { is_told: true, ..fault }
    }
}
