//! Events that happened outside and that a trusted source tells of: stored once and queued for whoever is bound.

use crate::ports::{Commit, CommitError, Envelope, Once, Outgoing};
use crate::{Answer, Data, Effects, Fault, Host, Id, Kind, Msg, Reply, answer::answer};
use serde_json::Value;

impl Host {
    /// Publishes an event from outside, for every binding that listens; where it carries an idempotency key, once. The caller
    /// answers for its sender: nobody else is asked.
    ///
    /// # Errors
    /// `no_such_uri` where nobody listens; `data.invalid` where it carries no JSON; the store's fault.
    pub async fn publish(&self, msg: Msg) -> Result<Answer, Fault> {
        let lanes = self.inner.space.event_lanes(&msg.kind, &msg.uri);
        let Some(first) = lanes.first() else {
            let message = format!("nobody listens to `{}` on {}; bind it, or send something else", msg.kind, msg.uri);
            return Err(Fault::not_found("no_such_uri", message));
        };
        let service = first.service;
        let mut once = self.once_as(format!("event {}", msg.kind), &msg);
        if let Some(once) = &mut once {
            once.answer = crate::once::kept(&Reply::<Data>::nothing());
        }
        if let Some(answer) = self.published_before(once.as_ref(), msg.head.id).await? {
            return Ok(answer);
        }
        let outgoing = Outgoing { envelope: self.told(&msg)?.into(), lanes, is_event: true };
        let commit = Commit {
            service,
            head: msg.head.clone(),
            effects: Effects::new(),
            outbox: vec![outgoing],
            settle: None,
            moves: Vec::new(),
            once: once.clone(),
            is_passing: false,
            now_ms: self.inner.ports.clock.now_ms(),
        };
        match self.inner.commit(commit).await {
            Ok(_) => Ok(answer(msg.head.id, Reply::nothing(), None)),
            Err(CommitError::Refused(fault) | CommitError::Failed(fault)) => Err(*fault),
            // The same came at the same time, and was first.
            Err(CommitError::Seen) => {
                let before = self.published_before(once.as_ref(), msg.head.id).await?;
                before.ok_or_else(|| Fault::conflict("busy", "others are changing the same thing; try again"))
            }
            Err(CommitError::Retry | CommitError::Stale | CommitError::Late | CommitError::Behind) => {
                Err(Fault::conflict("busy", "others are changing the same thing; try again"))
            }
        }
    }

    async fn published_before(&self, once: Option<&Once>, id: Id) -> Result<Option<Answer>, Fault> {
        match once {
            Some(once) => self.answered_before(once, id).await,
            None => Ok(None),
        }
    }

    /// The event as it is stored.
    fn told(&self, msg: &Msg) -> Result<Envelope, Fault> {
        if !matches!(msg.kind, Kind::Event(_)) {
            return Err(Fault::bug(format!("{} {} is published, which is a call", msg.kind, msg.uri)));
        }
        Ok(Envelope {
            id: self.inner.id(),
            source: msg.source.to_string(),
            kind: msg.kind.clone(),
            uri: msg.uri.clone(),
            time_ms: msg.time_ms,
            tenant: msg.tenant.clone(),
            principal: msg.principal.clone(),
            correlation: msg.correlation,
            causation: Some(msg.head.id),
            hops: msg.hops.saturating_add(1),
            data: msg.data.read::<Value>()?,
            dataref: None,
            traceparent: None,
        })
    }
}
