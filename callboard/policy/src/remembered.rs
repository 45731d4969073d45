//! Questions that Cedar allowed lately. Policies change only with the process, so the same question has the same answer; refusals are
//! asked anew, because they are seldom and explained.

use callboard::policy::Question;
use callboard::{Kind, Principal, Tenant, Uri};
use quick_cache::sync::Cache;
use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

/// Most that are kept. A flood of questions that come once pushes out others of its kind, not what is asked again and again.
const KEPT_MAX: usize = 4_096;

/// What was allowed, by a hash of the question. Two questions of one hash push each other out.
pub(crate) struct Remembered {
    hashes: RandomState,
    allowed: Cache<u64, Arc<Known>>,
}

impl Default for Remembered {
    fn default() -> Self {
        Self { hashes: RandomState::new(), allowed: Cache::new(KEPT_MAX) }
    }
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
        self.allowed.get(&self.hash(question)).is_some_and(|known| known.is(question))
    }

    /// Keeps that it is allowed.
    pub(crate) fn keep(&self, question: &Question<'_>) {
        self.allowed.insert(self.hash(question), Arc::new(Known::of(question)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use callboard::{Empty, Fault, Msg, Reply, Service, Stranger, Who};

    async fn read(_: Msg<Empty>) -> Result<Reply, Fault> {
        Ok(Reply::nothing())
    }

    #[test]
    fn what_is_asked_again_and_again_is_known_through_a_flood_of_what_comes_once() {
        let service = Service::new("a").on(Kind::Get, "/series/{id}", read, Who::SignedIn, Stranger::Denied);
        let (tenant, remembered) = (Tenant::new("demo"), Remembered::default());
        let ada = Principal::Person { id: "ada".into(), roles: [].into(), session: None };
        let ask = |id: &str| {
            let uri = Uri::parse(&format!("/series/{id}")).expect("a URI");
            let (binding, principal) = (&service.bindings[0], &ada);
            let question = Question { service: &service, binding, tenant: &tenant, uri: &uri, principal, asker: None };
            let is_known = remembered.allows(&question);
            if !is_known {
                remembered.keep(&question);
            }
            is_known
        };
        assert!(!ask("often"), "nobody has asked yet");
        for flood in 0..3 * KEPT_MAX {
            assert!(ask("often"), "forgotten after {flood} others");
            assert!(!ask(&format!("once-{flood}")));
        }
        assert!(remembered.allowed.len() <= KEPT_MAX);
    }
}
