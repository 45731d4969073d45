//! What a policy of one's own costs: an owner's call of which 100 policies have to be asked, beside the same call without them, and
//! the decision that Cedar takes where nobody asked the same before.

use crate::dispatch::{self, PATTERNS, URIS};
use crate::figure::{Figure, median, micros};
use callboard::policy::{Policy, Question};
use callboard::{Principal, Tenant, Uri};
use callboard_policy::CedarPolicy;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const POLICIES: usize = 100;
const DECISIONS: usize = 2_000;
const GOAL: Duration = Duration::from_micros(5);

/// Policies that may concern every request: each forbids everything to one person.
fn text() -> String {
    (0..POLICIES).map(|at| format!("forbid (principal == Person::\"demo/p{at}\", action, resource);\n")).collect()
}

pub(crate) fn measure(data: &Path) -> Result<Vec<Figure>, String> {
    let services = [dispatch::service()];
    let policy = || CedarPolicy::new(&services, "policy.cedar", &text()).map_err(|error| error.to_string());
    let owner = Principal::person("ada", &["viewer", "editor", "owner"]);
    let without = dispatch::time_calls(data, &owner, |host| host)?;
    let policies = Arc::new(policy()?);
    let with = dispatch::time_calls(data, &owner, |host| host.policy(policies))?;
    let first = time_decisions(&policy()?, &services[0], &owner)?;
    let cost = with.middle.saturating_sub(without.middle);
    let ratio = with.middle.as_secs_f64() / without.middle.as_secs_f64();
    let work = format!("dispatch for an owner, {PATTERNS} patterns, {POLICIES} policies of one's own");
    let note = format!("the decision costs {}; {}", micros(cost), with.note);
    Ok(vec![
        Figure::plain(work, micros(with.middle))
            .beside(format!("{} without them", micros(without.middle)), ratio)
            .goal("≤ 5 µs", with.middle <= GOAL)
            .note(note),
        Figure::plain(
            format!("a decision of Cedar over {POLICIES} policies that nobody asked for before"),
            micros(first),
        ),
    ])
}

/// Decisions that are not remembered.
fn time_decisions(
    policy: &CedarPolicy,
    service: &callboard::Service,
    principal: &Principal,
) -> Result<Duration, String> {
    let uri = Uri::parse(URIS[0]).map_err(|error| error.to_string())?;
    let binding = service.bindings.iter().find(|row| row.pattern.as_str() == "/shelf-7/{id}/row-3");
    let binding = binding.ok_or("no row answers")?;
    let tenant = &Tenant::new("demo");
    let question = Question { service, binding, tenant, uri: &uri, principal, asker: None };
    if policy.decide(&question).is_err() {
        return Err("an owner is refused".to_owned());
    }
    let mut times: Vec<Duration> = (0..DECISIONS)
        .map(|_| {
            let start = Instant::now();
            let decided = policy.decide_in_cedar(&question);
            let time = start.elapsed();
            drop(decided);
            time
        })
        .collect();
    Ok(median(&mut times))
}
