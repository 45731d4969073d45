//! Policies of somebody's own: what they widen, what they narrow, what they cannot, and the changes that a refusal tells.

use crate::rows::{ask, questions, services};
use callboard::policy::{Change, Policy, Question, Refusal};
use callboard::{Kind, Principal};
use callboard_policy::CedarPolicy;
use std::collections::HashMap;

fn policy(text: &str) -> CedarPolicy {
    CedarPolicy::new(&services(), "policy.cedar", text).unwrap_or_else(|error| panic!("{error}"))
}

const VIEWERS_READ_PRICES: &str = r#"@id("prices")
permit (principal in Role::"viewer", action == Action::"get", resource in Function::"shelf get /prices/{id}")
when { resource in Tenant::"demo" };"#;

#[test]
fn a_permit_widens_where_it_says_and_nowhere_else() {
    let policy = policy(VIEWERS_READ_PRICES);
    let viewer = Principal::person("p1", &["viewer"]);
    let may = |kind: Kind, uri: &str, tenant: &str, who: &Principal| {
        ask(&policy, &services(), (kind, uri), tenant, who).is_ok()
    };
    assert!(may(Kind::Get, "/prices/7", "demo", &viewer));
    assert!(!may(Kind::Get, "/prices/7", "other", &viewer), "another tenant");
    assert!(!may(Kind::Post, "/prices/7", "demo", &viewer), "another action");
    assert!(!may(Kind::Get, "/prices/7", "demo", &Principal::Nobody), "somebody else");
    assert!(!may(Kind::Get, "/removal", "demo", &viewer), "another function");
}

#[test]
fn a_forbid_narrows_and_is_named_with_its_place() {
    let text = "\n@id(\"night\")\nforbid (principal, action == Action::\"post\", resource in Tenant::\"demo\")\nunless { principal in Role::\"owner\" };";
    let policy = policy(text);
    let (editor, owner) = (Principal::person("p1", &["editor"]), Principal::person("p1", &["editor", "owner"]));
    let asked = |tenant: &str, who: &Principal| ask(&policy, &services(), (Kind::Post, "/books"), tenant, who);
    assert!(asked("demo", &owner).is_ok() && asked("other", &editor).is_ok());
    let refusal = asked("demo", &editor).expect_err("it is forbidden");
    let lift = Change::Lift { policy: "night".into(), place: "policy.cedar:2".into() };
    assert_eq!((refusal.changes, refusal.instead), (vec![lift], None));
    assert_eq!(refusal.rule, "the policy `night` at policy.cedar:2 forbids it");
}

#[test]
fn no_policy_opens_what_is_for_services_or_what_a_service_does_not_declare() {
    let services = services();
    let all = CedarPolicy::new(&services, "policy.cedar", "permit (principal, action, resource);").expect("a policy");
    let mut internal = 0;
    questions(&services, |question| {
        let decision = all.decide(question);
        if question.asker.is_some_and(|asker| !asker.declares) {
            assert!(decision.is_err(), "{:?} asks for {}", question.asker, question.binding.pattern.as_str());
        }
        if question.binding.pattern.as_str() == "/removal" && !matches!(question.principal, Principal::Service(_)) {
            internal += 1;
            assert!(decision.is_err(), "{:?}", question.principal);
        }
    });
    assert!(internal > 10);
}

/// Policies by their text: few texts are asked many questions.
type Read = HashMap<String, CedarPolicy>;

/// Whether the question is allowed after changes, also of the policies.
fn after(question: &Question<'_>, changes: &[&Change], text: &[(&str, &str)], read: &mut Read) -> bool {
    let mut principal = question.principal.clone();
    let mut asker = question.asker;
    let mut lifted = Vec::new();
    let mut added = String::new();
    for change in changes {
        match change {
            Change::SignIn { .. } if principal == Principal::Nobody => principal = Principal::person("new", &[]),
            Change::Grant { role, .. } => {
                if let Principal::Person { roles, .. } = &mut principal {
                    *roles = roles.iter().cloned().chain([role.as_str().into()]).collect();
                }
            }
            Change::Operate => principal = Principal::Service("cli".into()),
            Change::Declare { .. } => asker = asker.map(|asker| callboard::policy::Asker { declares: true, ..asker }),
            Change::Lift { policy, .. } => lifted.push(policy.as_str()),
            Change::Permit { policy } => added.push_str(policy),
            Change::SignIn { .. } => {}
        }
    }
    let kept: String = text.iter().filter(|(name, _)| !lifted.contains(name)).map(|(_, text)| *text).collect();
    let text = kept + &added;
    let policy = read.entry(text.clone()).or_insert_with(|| policy(&text));
    policy.decide(&Question { principal: &principal, asker, ..*question }).is_ok()
}

#[test]
fn the_changes_allow_what_was_refused_and_no_part_of_them_does() {
    let text = [
        ("a", "@id(\"a\") forbid (principal in Role::\"editor\", action == Action::\"post\", resource);\n"),
        (
            "b",
            "@id(\"b\") forbid (principal is Person, action, resource in Function::\"shelf post /books\") unless { principal in Role::\"owner\" };\n",
        ),
        (
            "c",
            "@id(\"c\") permit (principal is Person, action == Action::\"get\", resource in Service::\"shelf\") when { resource.uri == \"/books/xidx\" };\n",
        ),
        ("d", "@id(\"d\") forbid (principal is Service, action, resource in Function::\"shelf get /open\");\n"),
    ];
    let whole: String = text.iter().map(|(_, text)| *text).collect();
    let (services, policy) = (services(), policy(&whole));
    let mut read = Read::new();
    let (mut lifts, mut permits, mut refused) = (0, 0, 0);
    questions(&services, |question| {
        let Err(refusal) = policy.decide(question) else { return };
        let Refusal { rule, changes, instead } = *refusal;
        refused += 1;
        assert!(!rule.is_empty() && !changes.is_empty(), "{:?} {changes:?}", question.principal);
        lifts += usize::from(changes.iter().any(|change| matches!(change, Change::Lift { .. })));
        for set in 0..1_usize << changes.len() {
            let part: Vec<&Change> =
                changes.iter().enumerate().filter(|(at, _)| set >> at & 1 == 1).map(|(_, change)| change).collect();
            let is_whole = part.len() == changes.len();
            let place = (question.binding.pattern.as_str(), question.principal, question.asker);
            assert_eq!(after(question, &part, &text, &mut read), is_whole, "{place:?} {rule}: {part:?} of {changes:?}");
        }
        if let Some(permit) = &instead {
            permits += 1;
            assert!(after(question, &[permit], &text, &mut read), "{:?} {permit}", question.principal);
        }
    });
    assert!(refused > 50 && lifts > 10 && permits > 10, "{refused} refused, {lifts} lifts, {permits} permits");
}

#[test]
fn what_is_remembered_is_what_cedar_says() {
    let text = "@id(\"a\") permit (principal in Role::\"viewer\", action, resource);\n@id(\"b\") forbid (principal in Role::\"editor\", action == Action::\"post\", resource);\n";
    let (services, policy) = (services(), policy(text));
    let (mut allowed, mut refused) = (0, 0);
    for _ in 0..2 {
        questions(&services, |question| {
            let said = policy.decide_in_cedar(question).is_ok();
            let place = (question.service.name, question.binding.pattern.as_str(), question.principal, question.asker);
            assert_eq!(policy.decide(question).is_ok(), said, "{place:?}");
            *if said { &mut allowed } else { &mut refused } += 1;
        });
    }
    assert!(allowed > 100 && refused > 100, "{allowed} allowed, {refused} refused");
}
