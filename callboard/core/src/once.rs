//! Messages that their sender may send again under the same key: the first that is committed takes effect, and later ones get its
//! answer. The key is kept in the commit of the effects, so there is no moment at which one is there without the other.

use crate::ports::{Once, OnceKey, Seen};
use crate::reply::Body;
use crate::space::binding_name;
use crate::{Answer, AnswerBody, Binding, Data, Fault, Host, Id, Msg, Outcome, Principal, Reply};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 255;
/// Largest answer that is kept, in bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// How long a key is remembered, in milliseconds.
pub const KEY_AGE_MS: i64 = 86_400_000;

/// An answer as it is kept. Cookies and secrets never are.
#[derive(Serialize, Deserialize)]
struct Kept {
    outcome: Outcome,
    version: Option<i64>,
    body: Option<Value>,
}

impl Host {
    /// What is remembered of a message, where it may come again. Without somebody whose key it is there is none: strangers could
    /// read each other's answers.
    pub(crate) fn once(&self, service: &'static str, binding: Option<&Binding>, msg: &Msg) -> Option<Once> {
        let binding = binding.filter(|_| !msg.kind.is_safe())?;
        self.once_as(binding_name(service, binding), msg)
    }

    /// As [`Host::once`], for what has this name.
    pub(crate) fn once_as(&self, target: String, msg: &Msg) -> Option<Once> {
        let key = msg.idempotency_key.as_ref()?;
        let principal = match &msg.principal {
            Principal::Nobody => return None,
            Principal::Person { id, .. } => format!("person {id}"),
            Principal::Service(name) => format!("service {name}"),
        };
        let mut hash = Sha256::new();
        for part in [msg.uri.as_str().as_bytes(), msg.data.media_type.as_bytes(), &msg.data.bytes] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let input = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let key = OnceKey { tenant: msg.tenant.clone(), principal, target, key: key.to_string() };
        Some(Once { key, input, answer: None })
    }

    /// The answer to a message that was committed before.
    ///
    /// # Errors
    /// `idempotency.reused` where the key came with another input; `idempotency.done` where the answer was not kept.
    pub(crate) async fn answered_before(&self, once: &Once, id: Id) -> Result<Option<Answer>, Fault> {
        let since_ms = self.inner.ports.clock.now_ms() - KEY_AGE_MS;
        let Some(Seen { input, answer }) = self.inner.ports.records.seen(&once.key, since_ms).await? else {
            return Ok(None);
        };
        if input != once.input {
            let message = "this idempotency key was used for another request; take a new key for a new request";
            return Err(Fault::conflict("idempotency.reused", message));
        }
        let done = || Fault::conflict("idempotency.done", "this was done before; what was answered is not kept");
        let kept = answer.ok_or_else(done)?;
        let Kept { outcome, version, body } = serde_json::from_value(kept)
            .map_err(|error| Fault::bug(format!("an answer that was kept cannot be read: {error}")))?;
        let body = body.map_or(AnswerBody::Nothing, |body| {
            let Data { media_type, bytes } = Data::json(&body);
            AnswerBody::Bytes { media_type, bytes }
        });
        let headers = vec![("idempotency-replayed", "true".to_owned())];
        Ok(Some(Answer { id, outcome, headers, cookies: Vec::new(), version, body }))
    }
}

/// The answer to keep; none where it is too large, no JSON, or carries what is only for whoever asked first.
pub(crate) fn kept(reply: &Reply<Data>) -> Option<Value> {
    if !reply.cookies.is_empty() || !reply.headers.is_empty() || reply.refusal.is_some() {
        return None;
    }
    let body = match &reply.body {
        Body::Nothing => None,
        Body::Json(data) if data.bytes.len() <= ANSWER_BYTES_MAX => Some(serde_json::from_slice(&data.bytes).ok()?),
        _ => return None,
    };
    let kept = Kept { outcome: reply.outcome.clone(), version: reply.version, body };
    Some(serde_json::to_value(kept).expect("an answer of ours serialises to JSON"))
}
