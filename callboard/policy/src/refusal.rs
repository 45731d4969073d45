//! Why Cedar refuses something, and the smallest change that would allow it: found by trying, the fewest changes first.

use crate::entities::{person, resource, uid};
use crate::{Case, CedarPolicy, own};
use callboard::policy::{Change, Policy, Question, Refusal, Tables};
use callboard::{Principal, Who};
use std::collections::BTreeSet;

/// Most changes that are tried together.
const CHANGES_MAX: usize = 8;

impl Case<'_> {
    /// The same question after a change that is not one of the policies.
    fn with(mut self, change: &Change) -> Self {
        match (change, &mut self.principal) {
            (Change::SignIn { .. }, principal @ Principal::Nobody) => *principal = Principal::person("somebody", &[]),
            (Change::Grant { role, .. }, Principal::Person { roles, .. }) => {
                *roles = roles.iter().cloned().chain([role.as_str().into()]).collect();
            }
            (Change::Operate, principal) => *principal = Principal::Service("cli".into()),
            (Change::Declare { .. }, _) => self.declares = true,
            _ => {}
        }
        self
    }
}

pub(crate) fn refusal(policy: &CedarPolicy, question: &Question<'_>, case: Case<'_>) -> Refusal {
    let tables = Tables.decide(question).err();
    let mut candidates = tables.as_ref().map(|refusal| refusal.changes.clone()).unwrap_or_default();
    let after = candidates.iter().fold(case.clone(), |case, change| case.with(change));
    let forbids = forbids(policy, &[&case, &after]);
    candidates.extend(forbids.iter().filter_map(|name| {
        let own = policy.own.iter().find(|own| own.name == *name)?;
        Some(Change::Lift { policy: own.name.clone(), place: own.place.clone() })
    }));
    candidates.truncate(CHANGES_MAX);
    let changes = smallest(policy, &case, &candidates).unwrap_or(candidates);
    let lifted = changes.iter().filter_map(|change| match change {
        Change::Lift { policy, place } => Some(format!("the policy `{policy}` at {place} forbids it")),
        _ => None,
    });
    let rules: Vec<String> = tables.map(|refusal| refusal.rule).into_iter().chain(lifted).collect();
    let refusal = Refusal { rule: rules.join(", and "), changes, instead: None };
    if forbids.is_empty() { with_permit(question, refusal) } else { refusal }
}

/// Names of the own policies that forbid it, now or after the changes.
fn forbids(policy: &CedarPolicy, cases: &[&Case<'_>]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for case in cases {
        for subject in case.subjects() {
            let Some(answer) = policy.answer(case, &subject, &[]) else { continue };
            let own = policy.own.iter().filter(|own| own.is_forbid());
            let own = own.filter(|own| answer.diagnostics().reason().any(|id| *id == own::id(&own.name)));
            found.extend(own.map(|own| own.name.clone()));
        }
    }
    found
}

/// The fewest of these changes that allow it together, so that no part of them does.
fn smallest(policy: &CedarPolicy, case: &Case<'_>, candidates: &[Change]) -> Option<Vec<Change>> {
    let mut sets: Vec<usize> = (1..1_usize << candidates.len()).collect();
    sets.sort_by_key(|set| (set.count_ones(), *set));
    let chosen = |set: usize| candidates.iter().enumerate().filter(move |(at, _)| set >> at & 1 == 1).map(|(_, it)| it);
    let allows = |set: &usize| {
        let changed = chosen(*set).fold(case.clone(), |case, change| case.with(change));
        let lifted: Vec<&str> = chosen(*set)
            .filter_map(|change| match change {
                Change::Lift { policy, .. } => Some(policy.as_str()),
                _ => None,
            })
            .collect();
        policy.allows(&changed, &lifted)
    };
    sets.into_iter().find(allows).map(|set| chosen(set).cloned().collect())
}

/// Beside the changes, the policy that would allow this person this one request, where a policy can.
pub(crate) fn with_permit(question: &Question<'_>, refusal: Refusal) -> Refusal {
    let is_declared = question.asker.is_none_or(|asker| asker.declares);
    let Principal::Person { id, .. } = question.principal else { return refusal };
    if !is_declared || question.binding.who == Who::Services {
        return refusal;
    }
    let action = uid("Action", question.binding.kind.as_str());
    let policy = format!(
        "permit (principal == {}, action == {action}, resource == {});",
        person(question, id),
        resource(question)
    );
    Refusal { instead: Some(Change::Permit { policy }), ..refusal }
}
