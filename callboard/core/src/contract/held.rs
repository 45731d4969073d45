//! Holds what functions give against what their service declares: answers, events, and live messages.

use super::Contract;
use super::check::check;
use crate::host::Call;
use crate::{Body, Data, Effects, Fault, Head, Host, Kind, LiveMessage, Pattern, Reply, Uri};
use serde_json::Value;

/// What becomes of an answer, event or live message that is not as its service describes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Held {
    /// Nobody looks: in production, where the tests have looked.
    #[default]
    Not,
    /// It is logged: while one develops.
    Logged,
    /// It is refused as the defect it is: on the test bench.
    Refused,
}

impl Contract {
    /// Where a value that is given is not as it is described; none where it is.
    fn find_wrong_output(&self, value: &Value) -> Option<String> {
        let wrong = check(self.output(), value);
        let places: Vec<String> =
            wrong.iter().map(|wrong| format!("`{}`: {}", wrong.error.field, wrong.error.message)).collect();
        (!places.is_empty()).then(|| places.join("; "))
    }
}

impl Host {
    /// Holds what a function returned against what is declared, where somebody wants that.
    ///
    /// # Errors
    /// `answer.invalid` with every wrong place.
    pub(crate) fn hold(&self, call: &Call<'_>, head: &Head, reply: &Reply<Data>) -> Result<(), Fault> {
        match self.inner.held {
            Held::Not => Ok(()),
            _ => self.complain(call.function.name(), head, find_wrong(self, call, reply)),
        }
    }

    /// The same for a live message of a step, which is sent before the step returns: it hears of what is wrong.
    pub(crate) fn hold_live(
        &self,
        service: usize,
        function: &str,
        head: &Head,
        message: &LiveMessage,
    ) -> Option<Fault> {
        let live = &self.inner.space.services[service].live;
        let wrong =
            || wrong_message(live, "live message", ".shows", (&message.kind, &message.uri, Some(&message.data)));
        (self.inner.held != Held::Not).then(|| self.complain(function, head, wrong()).err()).flatten()
    }

    fn complain(&self, function: &str, head: &Head, wrong: Option<String>) -> Result<(), Fault> {
        let Some(wrong) = wrong else { return Ok(()) };
        let detail = format!("{function} on {} {}: {wrong}", head.kind, head.uri);
        if self.inner.held == Held::Logged {
            tracing::error!(message.id = %head.id, function, "what it gives is not as it is described: {wrong}");
            return Ok(());
        }
        let mut fault = Fault::bug(detail);
        fault.code = "answer.invalid";
        Err(fault)
    }
}

fn find_wrong(host: &Host, call: &Call<'_>, reply: &Reply<Data>) -> Option<String> {
    let service = &host.inner.space.services[call.service];
    let Effects { events, live, .. } = &reply.effects;
    // What the commit fills in is not known yet.
    let is_whole = !reply.effects.has_slots();
    let body = || match (&reply.body, call.binding) {
        (Body::Json(body), Some(binding)) if is_whole => {
            let value = serde_json::from_slice(&body.bytes).ok()?;
            binding.contract().find_wrong_output(&value).map(|wrong| format!("its answer at {wrong}"))
        }
        _ => None,
    };
    let live = || {
        let mut all = live.iter();
        all.find_map(|one| {
            wrong_message(&service.live, "live message", ".shows", (&one.kind, &one.uri, is_whole.then_some(&one.data)))
        })
    };
    let events = || {
        let is_declared = |one: &&crate::Emit| find(&service.publishes, &one.kind, &one.uri).is_some();
        let mut all = events.iter().filter(is_declared);
        all.find_map(|one| {
            wrong_message(
                &service.publishes,
                "event",
                ".publishes",
                (&one.kind, &one.uri, is_whole.then_some(&one.data)),
            )
        })
    };
    body().or_else(live).or_else(events)
}

fn find<'a>(declared: &'a [(Kind, Pattern, Contract)], kind: &Kind, uri: &Uri) -> Option<&'a Contract> {
    let found = declared.iter().find(|(one, pattern, _)| one == kind && pattern.matches(uri));
    found.map(|(_, _, contract)| contract)
}

fn wrong_message(
    declared: &[(Kind, Pattern, Contract)],
    what: &str,
    declaration: &str,
    (kind, uri, data): (&Kind, &Uri, Option<&Value>),
) -> Option<String> {
    match find(declared, kind, uri) {
        None => Some(format!("its {what} `{kind}` on {uri} is not declared; add `{declaration}::<T>(…)` to its table")),
        Some(contract) => {
            let wrong = contract.find_wrong_output(data?)?;
            Some(format!("its {what} `{kind}` on {uri} at {wrong}"))
        }
    }
}
