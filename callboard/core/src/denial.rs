//! What was refused, by which rule, and the smallest change that would allow it; the latest in memory, for whoever asks why.

use crate::policy::{Change, Refusal};
use crate::{Head, Id, Kind, Principal, Tenant, Uri};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Most refusals that are remembered of people and services, and as many of nobody: strangers cannot push out what concerns members.
pub const DENIALS_MAX: usize = 1_000;

/// One refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Denial {
    /// Id of the message that was refused; the caller of an answer has it.
    pub id: Id,
    /// Ties it to the request from outside that led to it.
    pub correlation: Id,
    /// When, in Unix milliseconds.
    pub time_ms: i64,
    /// In which tenant.
    pub tenant: Tenant,
    /// Who, by pseudonym, without the session.
    pub principal: Principal,
    /// What was to be done.
    pub action: Kind,
    /// With which resource.
    pub resource: Uri,
    /// The function that would have run.
    pub function: String,
    /// Which rule refused it.
    pub rule: String,
    /// What together would allow it, and nothing less.
    pub changes: Vec<Change>,
    /// What would allow this request alone, where there is something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead: Option<Change>,
    /// The status that the caller saw.
    pub seen: u16,
}

impl Denial {
    pub(crate) fn new(head: &Head, function: String, refusal: Refusal, seen: u16) -> Self {
        let mut principal = head.principal.clone();
        if let Principal::Person { session, .. } = &mut principal {
            *session = None;
        }
        let Refusal { rule, changes, instead } = refusal;
        Self {
            id: head.id,
            correlation: head.correlation,
            time_ms: head.time_ms,
            tenant: head.tenant.clone(),
            principal,
            action: head.kind.clone(),
            resource: head.uri.clone(),
            function,
            rule,
            changes,
            instead,
            seen,
        }
    }

    /// What would allow it in words, and the rule, as a problem document carries it.
    pub fn words(&self) -> Value {
        let allow: Vec<String> = self.changes.iter().map(ToString::to_string).collect();
        json!({"rule": self.rule, "allow": allow, "or": self.instead.as_ref().map(ToString::to_string)})
    }

    /// Whether whoever was refused may hear why: an owner of the tenant. Strangers learn nothing of the rules.
    pub fn is_told(&self) -> bool {
        self.principal.has_role("owner")
    }
}

/// The latest refusals.
#[derive(Debug, Default)]
pub struct Denials {
    inner: Mutex<Rings>,
}

#[derive(Debug, Default)]
struct Rings {
    known: VecDeque<Denial>,
    nobody: VecDeque<Denial>,
    /// How many there were in all.
    count: u64,
    /// Those that nobody has fetched yet with [`Denials::take_new`].
    fresh: VecDeque<Denial>,
    is_followed: bool,
}

impl Denials {
    /// Remembers one; the oldest of its kind is forgotten.
    pub fn note(&self, denial: Denial) {
        let mut rings = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        rings.count += 1;
        if rings.is_followed {
            push(&mut rings.fresh, denial.clone());
        }
        rings.keep(denial);
    }

    /// Puts back what another process has remembered, the oldest first.
    pub fn restore(&self, denials: impl IntoIterator<Item = Denial>) {
        let mut rings = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        denials.into_iter().for_each(|denial| rings.keep(denial));
    }

    /// The refusal of this message, or the latest among those it led to.
    pub fn find(&self, id: Id) -> Option<Denial> {
        let rings = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let all = || rings.known.iter().rev().chain(rings.nobody.iter().rev());
        all().find(|denial| denial.id == id).or_else(|| all().find(|denial| denial.correlation == id)).cloned()
    }

    /// The refusal of this message, for whoever was refused, where they may hear why.
    pub fn told(&self, id: Id, tenant: &Tenant) -> Option<Denial> {
        let rings = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |denial: &&Denial| (denial.id == id || denial.correlation == id) && denial.is_told();
        rings.known.iter().rev().find(|denial| is_it(denial) && denial.tenant == *tenant).cloned()
    }

    /// The latest first; of one tenant, where one is named.
    pub fn list(&self, tenant: Option<&Tenant>, limit: usize) -> Vec<Denial> {
        let rings = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let all = rings.known.iter().chain(&rings.nobody);
        let mut found: Vec<&Denial> =
            all.filter(|denial| tenant.is_none_or(|tenant| denial.tenant == *tenant)).collect();
        found.sort_by_key(|denial| std::cmp::Reverse((denial.time_ms, denial.id)));
        found.into_iter().take(limit).cloned().collect()
    }

    /// Those since the last time, the oldest first; from the first time on.
    pub fn take_new(&self) -> Vec<Denial> {
        let mut rings = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        rings.is_followed = true;
        std::mem::take(&mut rings.fresh).into()
    }

    /// How many there were since the start.
    pub fn count(&self) -> u64 {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).count
    }
}

impl Rings {
    fn keep(&mut self, denial: Denial) {
        let ring = if denial.principal == Principal::Nobody { &mut self.nobody } else { &mut self.known };
        push(ring, denial);
    }
}

fn push(ring: &mut VecDeque<Denial>, denial: Denial) {
    if ring.len() >= DENIALS_MAX {
        ring.pop_front();
    }
    ring.push_back(denial);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Msg;

    fn denial(number: i64, principal: Principal) -> Denial {
        let id = Id::from_parts(number, [0; 10]);
        let mut msg = Msg::new(Kind::Get, Uri::root(), Tenant::only(), id, number);
        msg.head_mut().principal = principal;
        let refusal = Refusal { rule: "no".into(), changes: vec![Change::Operate], instead: None };
        Denial::new(&msg.head, "f".into(), refusal, 404)
    }

    #[test]
    fn strangers_do_not_push_out_what_concerns_members() {
        let denials = Denials::default();
        denials.note(denial(1, Principal::person("p", &[])));
        let many = i64::try_from(DENIALS_MAX).expect("a small number") + 5;
        (2..=many).for_each(|number| denials.note(denial(number, Principal::Nobody)));
        assert_eq!(denials.list(None, usize::MAX).len(), DENIALS_MAX + 1);
        assert!(denials.find(Id::from_parts(1, [0; 10])).is_some(), "the member's is there");
        assert!(denials.find(Id::from_parts(2, [0; 10])).is_none(), "the oldest of nobody is forgotten");
        assert_eq!(denials.count(), many.unsigned_abs());
    }

    #[test]
    fn what_is_followed_is_fetched_once() {
        let denials = Denials::default();
        denials.note(denial(1, Principal::Nobody));
        assert_eq!(denials.take_new(), [], "nobody followed yet");
        denials.note(denial(2, Principal::Nobody));
        assert_eq!(denials.take_new().len(), 1);
        assert_eq!(denials.take_new(), []);
    }
}
