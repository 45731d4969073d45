//! Questions that Cedar allowed lately. Policies change only with the process, so the same question has the same answer; refusals are
//! asked anew, because they are seldom and explained.

use callboard::policy::Question;
use callboard::{Kind, Principal, Tenant, Uri};
use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{PoisonError, RwLock};

/// Most that are kept; then all are forgotten.
const KEPT_MAX: usize = 4_096;

/// What was allowed, by a hash of the question. Two questions of one hash push each other out.
#[derive(Default)]
pub(crate) struct Remembered {
    hashes: RandomState,
    allowed: RwLock<HashMap<u64, Known>>,
}

struct Known {
    function: Function<'static>,
    tenant: Tenant,
    uri: Uri,
    principal: Principal,
    asker: Option<(&'static str, bool)>,
}

type Function<'a> = (&'static str, Cow<'a, Kind>, &'static str);

fn function<'a>(question: &Question<'a>) -> Function<'a> {
    let binding = question.binding;
    (question.service.name, Cow::Borrowed(&binding.kind), binding.pattern.as_str())
}

impl Known {
    fn of(question: &Question<'_>) -> Self {
        let (service, kind, pattern) = function(question);
        Self {
            function: (service, Cow::Owned(kind.into_owned()), pattern),
            tenant: question.tenant.clone(),
            uri: question.uri.clone(),
            principal: question.principal.clone(),
            asker: question.asker.map(|asker| (asker.service, asker.declares)),
        }
    }

    fn is(&self, question: &Question<'_>) -> bool {
        self.function == function(question)
            && self.tenant == *question.tenant
            && self.uri == *question.uri
            && is_same(&self.principal, question.principal)
            && self.asker == question.asker.map(|asker| (asker.service, asker.declares))
    }
}

/// Whether two are the same to policies, which know nothing of sessions.
fn is_same(one: &Principal, other: &Principal) -> bool {
    match (one, other) {
        (Principal::Person { id, roles, .. }, Principal::Person { id: other, roles: theirs, .. }) => {
            id == other && roles == theirs
        }
        _ => one == other,
    }
}

impl Remembered {
    fn hash(&self, question: &Question<'_>) -> u64 {
        let asker = question.asker.map(|asker| (asker.service, asker.declares));
        self.hashes.hash_one((function(question), question.tenant, question.uri, question.principal.person_id(), asker))
    }

    /// Whether this very question was allowed.
    pub(crate) fn allows(&self, question: &Question<'_>) -> bool {
        let allowed = self.allowed.read().unwrap_or_else(PoisonError::into_inner);
        allowed.get(&self.hash(question)).is_some_and(|known| known.is(question))
    }

    /// Keeps that it is allowed.
    pub(crate) fn keep(&self, question: &Question<'_>) {
        let mut allowed = self.allowed.write().unwrap_or_else(PoisonError::into_inner);
        if allowed.len() >= KEPT_MAX {
            allowed.clear();
        }
        allowed.insert(self.hash(question), Known::of(question));
    }
}
