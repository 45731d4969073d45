//! What each function was really seen to use since the start: tables, functions of others, events, systems outside, programs. In
//! memory, and bounded because everything it names stands in some table.

use crate::space::{At, Space};
use crate::{Kind, Service, Statement};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

/// One thing that was used.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Used {
    ReadsTable(&'static str),
    WritesTable(&'static str),
    Calls(At),
    /// An event by its kind and the pattern that its URI fits.
    Emits(Kind, &'static str),
    Fetches(&'static str),
    Runs(&'static str),
    Starts(&'static str),
}

/// What was used, by function.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    seen: Mutex<HashMap<&'static str, HashMap<Used, u64>>>,
}

impl Observed {
    /// Counts one use.
    pub(crate) fn note(&self, function: &'static str, used: Used) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        *seen.entry(function).or_default().entry(used).or_default() += 1;
    }

    /// Counts the tables of a statement.
    pub(crate) fn note_statement(&self, function: &'static str, statement: &Statement) {
        statement.reads.iter().for_each(|table| self.note(function, Used::ReadsTable(table)));
        statement.writes.iter().for_each(|table| self.note(function, Used::WritesTable(table)));
    }

    fn of(&self, space: &Space, function: &str) -> BTreeMap<String, u64> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rights = BTreeMap::new();
        for (used, count) in seen.get(function).into_iter().flatten() {
            *rights.entry(words(space, used)).or_default() += count;
        }
        rights
    }
}

fn words(space: &Space, used: &Used) -> String {
    match used {
        Used::ReadsTable(table) => format!("read table {table}"),
        Used::WritesTable(table) => format!("write table {table}"),
        Used::Calls(at) => {
            let binding = space.binding(*at).1;
            format!("{} {}", binding.kind, binding.pattern.as_str())
        }
        Used::Emits(kind, pattern) => format!("emit {kind} {pattern}"),
        Used::Fetches(setting) => format!("call outside {setting}"),
        Used::Runs(tool) => format!("run {tool}"),
        Used::Starts(flow) => format!("start flow {flow}"),
    }
}

/// Everything that a service declares, in the words of what is observed.
fn declared(service: &Service) -> BTreeSet<String> {
    let tables = service.statements.iter().flat_map(|statement| {
        let reads = statement.reads.iter().map(|table| format!("read table {table}"));
        reads.chain(statement.writes.iter().map(|table| format!("write table {table}")))
    });
    let uses = service.uses.iter().map(|used| match &used.kind {
        Kind::Event(name) => format!("emit {name} {}", used.pattern.as_str()),
        kind => format!("{kind} {}", used.pattern.as_str()),
    });
    let outside = service.outside.iter().map(|dependency| format!("call outside {}", dependency.setting));
    let tools = service.tools.iter().map(|tool| format!("run {tool}"));
    let flows = service.flows.iter().map(|flow| format!("start flow {}", flow.name));
    tables.chain(uses).chain(outside).chain(tools).chain(flows).collect()
}

/// What a service declares, what its functions were seen to use, and where that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Privileges {
    /// The service.
    pub service: &'static str,
    /// What it declares.
    pub declared: BTreeSet<String>,
    /// What it declares and none of its functions was seen to use.
    pub unused: BTreeSet<String>,
    /// Its functions.
    pub functions: Vec<FunctionPrivileges>,
}

/// What a function was seen to use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FunctionPrivileges {
    /// Path of the function.
    pub function: &'static str,
    /// What it was seen to use, and how often.
    pub observed: BTreeMap<String, u64>,
    /// What it used without its service declaring it: on URIs of its own.
    pub undeclared: BTreeSet<String>,
    /// What its service declares and it was not seen to use: it could do without.
    pub unused: BTreeSet<String>,
}

pub(crate) fn privileges(space: &Space, observed: &Observed) -> Vec<Privileges> {
    space.services.iter().map(|service| of_service(space, observed, service)).collect()
}

fn of_service(space: &Space, observed: &Observed, service: &Service) -> Privileges {
    let declared = declared(service);
    let bound = service.bindings.iter().map(|binding| binding.function_name());
    let timed = service.schedules.iter().map(|schedule| schedule.function_name());
    let steps = service.flows.iter().flat_map(|flow| &flow.steps).flat_map(|step| {
        let verify = step.verify.as_ref().map(|verify| verify.name());
        [Some(step.function_name()), step.undo_name(), verify].into_iter().flatten()
    });
    let names: BTreeSet<&'static str> = bound.chain(timed).chain(steps).collect();
    let own = |right: &str| {
        let is_own = |binding: &crate::Binding| right == format!("{} {}", binding.kind, binding.pattern.as_str());
        service.bindings.iter().any(is_own)
    };
    let functions: Vec<FunctionPrivileges> = names
        .into_iter()
        .map(|function| {
            let observed = observed.of(space, function);
            let undeclared =
                observed.keys().filter(|right| !declared.contains(*right) && !own(right)).cloned().collect();
            let unused = declared.iter().filter(|right| !observed.contains_key(*right)).cloned().collect();
            FunctionPrivileges { function, observed, undeclared, unused }
        })
        .collect();
    let is_unused = |right: &&String| !functions.iter().any(|function| function.observed.contains_key(*right));
    let unused = declared.iter().filter(is_unused).cloned().collect();
    Privileges { service: service.name, declared, unused, functions }
}
