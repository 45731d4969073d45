//! The policy in Cedar: the binding tables as policies, and an application's own policies beside them.
//!
//! The tables decide by themselves, without an engine, wherever no policy of somebody's own may concern a request; so a call costs
//! what it costs without this crate. Where one may, Cedar decides over both, and what it allowed is remembered. That the two agree
//! where there are only tables is tested over every row and everybody.

mod entities;
mod generated;
mod own;
mod refusal;
mod remembered;

use callboard::policy::{Policy, Question, Refusal, Tables};
use callboard::{Principal, Service};
use cedar_policy::{Authorizer, Decision, PolicySet, Request, Response, Schema};
use entities::{Subject, entity, uid};
use own::Own;
use remembered::Remembered;
use std::borrow::Cow;
use std::collections::HashMap;

pub use own::PolicyError;

/// Decides by the tables of services and by policies of somebody's own.
pub struct CedarPolicy {
    /// Everything that the tables say, as it is shown.
    generated: String,
    /// The text of the own policies, and where they stand.
    text: String,
    own: Vec<Own>,
    /// For every function by its name, the policies that may concern it.
    sets: HashMap<String, PolicySet>,
    remembered: Remembered,
}

impl CedarPolicy {
    /// Policies of these services, and the own ones in `text`; `file` is what mistakes in it are told with.
    ///
    /// # Errors
    /// The first mistake, with its line and column.
    pub fn new(services: &[Service], file: &str, text: &str) -> Result<Self, PolicyError> {
        let generated = generated::text(services);
        let own = own::read(services, file, text)?;
        // Parsing everything the tables say takes a while, and is needed only where Cedar decides.
        let sets = if own.is_empty() { HashMap::new() } else { sets(services, &own) };
        Ok(Self { generated, text: text.to_owned(), own, sets, remembered: Remembered::default() })
    }

    /// The same with Cedar deciding always, to compare it with the tables.
    ///
    /// # Errors
    /// As [`CedarPolicy::new`].
    pub fn always(services: &[Service], file: &str, text: &str) -> Result<Self, PolicyError> {
        let policy = Self::new(services, file, text)?;
        let sets = sets(services, &policy.own);
        Ok(Self { sets, ..policy })
    }

    /// Asks Cedar, whether or not a policy of somebody's own concerns the question.
    ///
    /// # Errors
    /// Which rule refuses it, and the smallest change that would allow it.
    pub fn decide_in_cedar(&self, question: &Question<'_>) -> Result<(), Box<Refusal>> {
        let case = Case::of(question);
        if self.allows(&case, &[]) { Ok(()) } else { Err(Box::new(refusal::refusal(self, question, case))) }
    }

    /// Whether everybody may who has to: the service that asks, and whoever it asks for.
    fn allows(&self, case: &Case<'_>, lifted: &[&str]) -> bool {
        case.subjects().into_iter().all(|subject| {
            let answer = self.answer(case, &subject, lifted);
            answer.is_some_and(|answer| answer.decision() == Decision::Allow)
        })
    }

    /// Cedar's answer for one of them; none where it knows no such function.
    fn answer(&self, case: &Case<'_>, subject: &Subject<'_>, lifted: &[&str]) -> Option<Response> {
        let question = case.question;
        let mut set = Cow::Borrowed(self.sets.get(&generated::function_name(question.service, question.binding))?);
        for policy in lifted {
            // A policy that concerns another function is not in this set.
            drop(set.to_mut().remove_static(own::id(policy)));
        }
        let (principal, resource, entities) = entity(question, subject);
        let action = uid("Action", question.binding.kind.as_str());
        let context = entities::context(subject);
        let request = Request::new(principal, action, resource, context, None).ok()?;
        Some(Authorizer::new().is_authorized(&request, &set, &entities))
    }
}

impl Policy for CedarPolicy {
    fn decide(&self, question: &Question<'_>) -> Result<(), Box<Refusal>> {
        if self.own.iter().any(|own| own.concerns(question)) {
            if self.remembered.allows(question) {
                return Ok(());
            }
            return self.decide_in_cedar(question).inspect(|()| self.remembered.keep(question));
        }
        Tables.decide(question).map_err(|refusal| Box::new(refusal::with_permit(question, *refusal)))
    }

    fn text(&self) -> Option<String> {
        Some(format!("{}\n{}", self.generated, self.text))
    }
}

/// A question, with what changes would make of it.
#[derive(Clone)]
struct Case<'a> {
    question: &'a Question<'a>,
    principal: Principal,
    declares: bool,
}

impl<'a> Case<'a> {
    fn of(question: &'a Question<'a>) -> Self {
        let declares = question.asker.is_none_or(|asker| asker.declares);
        Self { question, principal: question.principal.clone(), declares }
    }

    fn subjects(&self) -> Vec<Subject<'_>> {
        let asker = self.question.asker.map(|asker| Subject::Service { name: asker.service, declares: self.declares });
        let principal = match &self.principal {
            // A service that acts for itself is the one that asks; otherwise it is the runtime.
            Principal::Service(_) if asker.is_some() => None,
            Principal::Service(name) => Some(Subject::Runtime(name)),
            Principal::Nobody => Some(Subject::Nobody),
            Principal::Person { id, roles, .. } => Some(Subject::Person { id, roles }),
        };
        asker.into_iter().chain(principal).collect()
    }
}

/// For every function, what the tables say of it and what of the own policies may concern it.
fn sets(services: &[Service], own: &[Own]) -> HashMap<String, PolicySet> {
    let rows = services.iter().flat_map(|service| service.bindings.iter().map(move |binding| (service, binding)));
    let rows = rows.map(|(service, binding)| {
        let name = generated::function_name(service, binding);
        let generated = generated::policies(service, binding);
        let own = own.iter().filter(|own| own.may_concern(&name, binding.kind.as_str())).map(|own| own.policy.clone());
        let set = PolicySet::from_policies(generated.into_iter().chain(own));
        (name, set.expect("names of policies are told apart before"))
    });
    rows.collect()
}

/// The schema that policies are held to.
fn schema() -> Schema {
    let (schema, _) = Schema::from_cedarschema_str(generated::SCHEMA).expect("the schema of ours is one");
    schema
}
