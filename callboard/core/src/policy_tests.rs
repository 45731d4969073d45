//! Every row of a table that has all of them, asked by everybody: what is refused is allowed once the changes are made, and not
//! before all of them are.

use super::*;
use crate::{Empty, Env, Msg, Reply};

const ROLES: [&str; 3] = ["viewer", "editor", "owner"];

async fn work(_: Env, _: Msg<Empty>) -> Result<Reply, Fault> {
    Ok(Reply::nothing())
}

fn service() -> Service {
    let whos = [Who::Anyone, Who::SignedIn, Who::Role("viewer"), Who::Role("owner"), Who::Services];
    let patterns = ["/a", "/b/{id}", "/c", "/d/{id}/e", "/f"];
    whos.into_iter().zip(patterns).fold(Service::new("rows"), |service, (who, pattern)| {
        [Kind::Get, Kind::Post, Kind::Page]
            .into_iter()
            .fold(service, |service, kind| service.on(kind, pattern, work, who, Stranger::Denied))
    })
}

/// A way to ask, on which changes can be made.
#[derive(Clone, Debug)]
struct Case {
    principal: Principal,
    asker: Option<Asker<'static>>,
}

impl Case {
    fn all() -> Vec<Self> {
        let mut principals = vec![Principal::Nobody, Principal::Service("other".into())];
        for set in 0..1_usize << ROLES.len() {
            let roles: Vec<&str> = (0..ROLES.len()).filter(|at| set >> at & 1 == 1).map(|at| ROLES[at]).collect();
            principals.push(Principal::person("p", &roles));
        }
        let askers = [None, Some(true), Some(false)]
            .map(|declares| declares.map(|declares| Asker { service: "other", row: "other post /x", declares }));
        let with = |principal: Principal| askers.map(|asker| Self { principal: principal.clone(), asker });
        principals.into_iter().flat_map(with).collect()
    }

    fn decide(&self, service: &Service, binding: &Binding) -> Result<(), Box<Refusal>> {
        let (tenant, uri, principal) = (&Tenant::only(), &Uri::root(), &self.principal);
        Tables.decide(&Question { service, binding, tenant, uri, principal, asker: self.asker })
    }

    fn with(mut self, change: &Change) -> Self {
        match (change, &mut self.principal) {
            (Change::SignIn { .. }, principal @ Principal::Nobody) => *principal = Principal::person("new", &[]),
            (Change::Grant { role, .. }, Principal::Person { roles, .. }) => {
                *roles = roles.iter().cloned().chain([role.as_str().into()]).collect();
            }
            (Change::Operate, principal) => *principal = Principal::Service("cli".into()),
            (Change::Declare { .. }, _) => {
                self.asker = self.asker.map(|asker| Asker { declares: true, ..asker });
            }
            _ => {}
        }
        self
    }
}

#[test]
fn the_changes_allow_what_was_refused_and_no_part_of_them_does() {
    let service = service();
    let (mut allowed, mut refused) = (0, 0);
    for binding in &service.bindings {
        for case in Case::all() {
            let Err(refusal) = case.decide(&service, binding) else {
                allowed += 1;
                continue;
            };
            refused += 1;
            let changes = &refusal.changes;
            assert!(!refusal.rule.is_empty() && (1..=3).contains(&changes.len()), "{refusal:?}");
            for set in 0..1_usize << changes.len() {
                let part = changes.iter().enumerate().filter(|(at, _)| set >> at & 1 == 1);
                let changed = part.fold(case.clone(), |case, (_, change)| case.with(change));
                let is_whole = set + 1 == 1 << changes.len();
                assert_eq!(changed.decide(&service, binding).is_ok(), is_whole, "{case:?} {refusal:?} {changed:?}");
            }
        }
    }
    assert!(allowed > 100 && refused > 100, "{allowed} allowed, {refused} refused");
}

#[test]
fn a_change_says_what_to_do() {
    let service = service();
    let binding = service.bindings.iter().find(|binding| binding.who == Who::Role("owner")).expect("a row");
    let asker = Some(Asker { service: "site", row: "site page /x", declares: false });
    let refusal = Case { principal: Principal::Nobody, asker }.decide(&service, binding).expect_err("nobody may");
    let said: Vec<String> = refusal.changes.iter().map(ToString::to_string).collect();
    let want = [
        "add `.reads(&[\"/d/{id}/e\"])` behind the row `site page /x`",
        "sign in to only",
        "have the role owner in only",
    ];
    assert_eq!(said, want);
    let rule = "`site page /x` does not declare that it uses `get /d/{id}/e` of rows, and `get /d/{id}/e` of rows is for the role owner";
    assert_eq!(refusal.rule, rule);
}
