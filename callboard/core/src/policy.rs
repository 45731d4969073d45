//! Who may do what: the question that is asked before a function runs, and the decision that the binding tables make by
//! themselves. Deny by default. Whoever is refused is told by [`Stranger`] only; what would allow it is kept as a [`Denial`].

use crate::denial::Denial;
use crate::space::At;
use crate::uses::declaration;
use crate::{Binding, Fault, Head, Host, Kind, Principal, STREAM, Service, Stranger, Tenant, Uri, Who};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Decides. A decision must not wait and must not change anything.
pub trait Policy: Send + Sync {
    /// Whether it may be done.
    ///
    /// # Errors
    /// Which rule refuses it, and the smallest change that would allow it.
    fn decide(&self, question: &Question<'_>) -> Result<(), Box<Refusal>>;

    /// All of it as text, where the decisions have a text.
    fn text(&self) -> Option<String> {
        None
    }
}

/// May this principal do this?
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// The service whose function would run.
    pub service: &'a Service,
    /// The row that binds it.
    pub binding: &'a Binding,
    /// In which tenant.
    pub tenant: &'a Tenant,
    /// On which URI.
    pub uri: &'a Uri,
    /// Who acts. A principal's roles are those in this tenant.
    pub principal: &'a Principal,
    /// The function that asks, where one does; otherwise the call comes from outside or from the runtime.
    pub asker: Option<Asker<'a>>,
}

/// A function that asks one of another service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asker<'a> {
    /// Name of its service.
    pub service: &'static str,
    /// Its row.
    pub row: &'a str,
    /// Whether its row declares that it uses the other one, or that is of its own service.
    pub declares: bool,
}

/// Why something may not be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The rule that refuses it.
    pub rule: String,
    /// What together would allow it, and nothing less would.
    pub changes: Vec<Change>,
    /// A change that would allow this one request and nothing else, where there is one.
    pub instead: Option<Change>,
}

/// One change that helps to allow a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// Somebody signs in.
    SignIn {
        /// In this tenant.
        tenant: Tenant,
    },
    /// The person gets a role.
    Grant {
        /// The role.
        role: String,
        /// In this tenant.
        tenant: Tenant,
    },
    /// The operator of the machine does it, or a service that declares it.
    Operate,
    /// A function declares in its table that it uses one of another service.
    Declare {
        /// Its row.
        row: String,
        /// The declaration, as it is written in its table.
        declaration: String,
    },
    /// A policy of somebody's own is taken away, or made to leave this out.
    Lift {
        /// Its name.
        policy: String,
        /// File and line.
        place: String,
    },
    /// A policy is added.
    Permit {
        /// Its text.
        policy: String,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SignIn { tenant } => write!(f, "sign in to {tenant}"),
            Self::Grant { role, tenant } => write!(f, "have the role {role} in {tenant}"),
            Self::Operate => write!(f, "do it as the operator of this machine, or in a service that declares it"),
            Self::Declare { row, declaration } => write!(f, "add `{declaration}` behind the row `{row}`"),
            Self::Lift { policy, place } => write!(f, "take away the policy `{policy}` at {place}, or narrow it"),
            Self::Permit { policy } => write!(f, "add the policy `{policy}`"),
        }
    }
}

/// The decision of the binding tables themselves, without any engine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tables;

impl Policy for Tables {
    fn decide(&self, question: &Question<'_>) -> Result<(), Box<Refusal>> {
        let may = is_declared(question) && is_one_of(question.binding.who, question.principal);
        if may { Ok(()) } else { Err(Box::new(refusal(question))) }
    }
}

fn is_declared(question: &Question<'_>) -> bool {
    question.asker.is_none_or(|asker| asker.declares)
}

pub(crate) fn is_one_of(who: Who, principal: &Principal) -> bool {
    match (who, principal) {
        (_, Principal::Service(_)) | (Who::Anyone, _) | (Who::SignedIn, Principal::Person { .. }) => true,
        (Who::Role(role), _) => principal.has_role(role),
        _ => false,
    }
}

/// Why the tables refuse it, and all that is missing.
fn refusal(question: &Question<'_>) -> Refusal {
    let Question { service, binding, tenant, principal, .. } = question;
    let function = format!("`{} {}` of {}", binding.kind, binding.pattern.as_str(), service.name);
    let mut rules = Vec::new();
    let mut changes = Vec::new();
    if let Some(asker) = question.asker.filter(|asker| !asker.declares) {
        rules.push(format!("`{}` does not declare that it uses {function}", asker.row));
        let declaration = declaration(&binding.kind, binding.pattern.as_str());
        changes.push(Change::Declare { row: asker.row.to_owned(), declaration });
    }
    if !is_one_of(binding.who, principal) {
        let sign_in = (**principal == Principal::Nobody).then(|| Change::SignIn { tenant: (*tenant).clone() });
        match binding.who {
            Who::Anyone => {}
            Who::SignedIn => {
                rules.push(format!("{function} is for whoever is signed in"));
                changes.extend(sign_in);
            }
            Who::Role(role) => {
                rules.push(format!("{function} is for the role {role}"));
                changes.extend(sign_in);
                changes.push(Change::Grant { role: role.to_owned(), tenant: (*tenant).clone() });
            }
            Who::Services => {
                rules.push(format!("{function} is for services only"));
                changes.push(Change::Operate);
            }
        }
    }
    Refusal { rule: rules.join(", and "), changes, instead: None }
}

impl Host {
    /// Asks the policy before a function runs, and remembers what it refuses.
    pub(crate) fn permit(&self, asker: Option<usize>, at: At, head: &Head) -> Result<(), Fault> {
        let space = &self.inner.space;
        let (service, binding) = space.binding(at);
        let is_beyond = asker.is_some_and(|asker| self.is_confined(asker, head)) && service.shares(binding);
        let asker = asker.map(|asker| {
            let holder = space.holders.at(asker);
            Asker { service: space.services[holder.service].name, row: &holder.row, declares: holder.declares(at) }
        });
        let Head { tenant, uri, principal, .. } = head;
        let question = Question { service, binding, tenant, uri, principal, asker };
        if is_beyond {
            return Err(self.refuse(&question, head, of_all_tenants(&question)));
        }
        match self.inner.policy.decide(&question) {
            Ok(()) => Ok(()),
            Err(refusal) => Err(self.refuse(&question, head, *refusal)),
        }
    }

    /// Whether a function runs code that is no part of this program, in a tenant that is not the application's own: it reaches nothing
    /// there that is of all tenants.
    fn is_confined(&self, holder: usize, head: &Head) -> bool {
        self.inner.space.holders.at(holder).acts_itself && head.tenant != self.inner.home
    }

    fn refuse(&self, question: &Question<'_>, head: &Head, refusal: Refusal) -> Fault {
        let fault = match question.asker.filter(|asker| !asker.declares) {
            Some(_) => undeclared(&refusal),
            None => fault_for(question, &refusal),
        };
        if head.source == STREAM {
            return fault;
        }
        let function = crate::space::binding_name(question.service.name, question.binding);
        self.inner.denials.note(Denial::new(head, function, refusal, fault.status()));
        fault
    }

    /// Refuses a message to a function that this one does not declare.
    pub(crate) fn permit_send(&self, holder: usize, at: At, kind: &Kind, uri: &Uri, head: &Head) -> Result<(), Fault> {
        let space = &self.inner.space;
        let sender = space.holders.at(holder);
        let (service, binding) = space.binding(at);
        let name = space.services[sender.service].name;
        let as_sender = || {
            let principal = Principal::Service(name.into());
            Head { kind: kind.clone(), uri: uri.clone(), principal, ..head.clone() }
        };
        if self.is_confined(holder, head) && service.is_of_all_tenants(binding) {
            let head = as_sender();
            let Head { tenant, uri, principal, .. } = &head;
            let asker = Some(Asker { service: name, row: &sender.row, declares: true });
            let question = Question { service, binding, tenant, uri, principal, asker };
            return Err(self.refuse(&question, &head, of_all_tenants(&question)));
        }
        if sender.declares(at) {
            return Ok(());
        }
        self.permit(Some(holder), at, &as_sender())
    }

    /// Refuses an event on a URI that only other services answer, unless it is declared.
    pub(crate) fn permit_emit(&self, holder: usize, kind: &Kind, uri: &Uri, head: &Head) -> Result<(), Fault> {
        let space = &self.inner.space;
        let Some(owner) = space.foreign_owner(holder, kind, uri) else { return Ok(()) };
        let row = &space.holders.at(holder).row;
        let (owner, binding) = space.binding(owner);
        let declaration = declaration(kind, binding.pattern.as_str());
        let rule = format!("`{row}` does not declare that it publishes `{kind}` on {uri}, which is of {}", owner.name);
        let changes = vec![Change::Declare { row: row.clone(), declaration }];
        let refusal = Refusal { rule, changes, instead: None };
        let fault = undeclared(&refusal);
        let head = Head { kind: kind.clone(), uri: uri.clone(), ..head.clone() };
        self.inner.denials.note(Denial::new(&head, format!("{row} emits {kind}"), refusal, fault.status()));
        Err(fault)
    }
}

/// What is of all tenants is not for code of somebody else that runs in one of them.
fn of_all_tenants(question: &Question<'_>) -> Refusal {
    let Question { service, binding, tenant, .. } = question;
    let function = format!("`{} {}` of {}", binding.kind, binding.pattern.as_str(), service.name);
    let rule = format!("{function} is of all tenants, and this function runs for {tenant} alone");
    Refusal { rule, changes: vec![Change::Operate], instead: None }
}

/// A defect of a service: its caller hears only that, its author what to declare.
fn undeclared(refusal: &Refusal) -> Fault {
    let changes: Vec<String> = refusal.changes.iter().map(Change::to_string).collect();
    let mut fault = Fault::bug(format!("{}; {}", refusal.rule, changes.join(", and ")));
    fault.code = "policy.undeclared";
    fault
}

fn fault_for(question: &Question<'_>, refusal: &Refusal) -> Fault {
    match (question.binding.stranger, question.principal) {
        (Stranger::NotFound, _) => Fault::not_found("no_such_uri", "there is nothing here"),
        (Stranger::Denied, Principal::Nobody) => Fault::not_signed_in("not_signed_in", "sign in first"),
        (Stranger::Denied, _) => {
            let message = "you may not do this in this channel; ask its owner for the role";
            Fault::denied("denied", message).detail(refusal.rule.clone())
        }
    }
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
