//! A function in processes as the binding table has it: reads its message, gives it to a process, and reads what comes back.

use crate::declared::May;
use crate::documents::Documents;
use crate::logs::OnLine;
use crate::pool::{NoAnswer, Pool, Work};
use crate::reading::Reading;
use crate::runtime::Invocation;
use crate::{envelope, event, faults, trace};
use callboard::{Data, Env, Fault, Function, Msg, Reply};
use serde_json::json;
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

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
        let work = Work {
            invocation,
            timeout: Duration::from_millis(self.inner.timeout_ms),
            patience: Duration::from_millis(patience_ms),
            is_tail_wanted: tails.is_wanted(&id),
        };
        let reading =
            Reading { token, env, function: Arc::from(*name), may: may.clone(), documents: documents.clone() };
        let (result, tail) = pool.run(work, reading).await;
        tails.keep(&id, tail);
        let answered = result.map_err(|no_answer| self.fault(&id, &no_answer))?;
        envelope::read(name, answered, may, documents)
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
    pub(crate) fn fault(&self, id: &str, no_answer: &NoAnswer) -> Fault {
        let fault = faults::of(self.inner.name, no_answer, self.inner.is_open);
        if let (Some(on_fault), false) = (&self.inner.on_fault, matches!(no_answer, NoAnswer::Paused { .. })) {
            on_fault(self.inner.name, id, &fault.message);
        }
        fault
    }
}
