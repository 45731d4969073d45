//! What each function was really seen to use since the start: tables, functions of others, events, systems outside, programs. In
//! memory, and bounded because everything it names stands in some table.

use crate::invocation::Used;
use crate::space::{At, Space};
use crate::{Kind, Statement};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

/// One thing that was used.
#[derive(Debug, PartialEq, Eq)]
enum Right {
    ReadsTable(&'static str),
    WritesTable(&'static str),
    Calls(At),
    /// An event by its kind and the pattern that its URI fits.
    Emits(Kind, &'static str),
    Fetches(&'static str),
    Runs(&'static str),
    Starts(&'static str),
}

impl Right {
    fn words(&self, space: &Space) -> String {
        match self {
            Self::ReadsTable(table) => format!("read table {table}"),
            Self::WritesTable(table) => format!("write table {table}"),
            Self::Calls(at) => {
                let binding = space.binding(*at).1;
                format!("{} {}", binding.kind, binding.pattern.as_str())
            }
            Self::Emits(kind, pattern) => format!("emit {kind} {pattern}"),
            Self::Fetches(setting) => format!("call outside {setting}"),
            Self::Runs(tool) => format!("run {tool}"),
            Self::Starts(flow) => format!("start flow {flow}"),
        }
    }
}

/// How often a function used what. Only what it uses for the first time is written; from then on nobody waits for anybody.
#[derive(Default)]
struct Counts(RwLock<Vec<(Right, AtomicU64)>>);

impl Counts {
    fn count(&self, right: Right) {
        let counted = |known: &[(Right, AtomicU64)]| {
            let found = known.iter().find(|(one, _)| *one == right);
            found.map(|(_, count)| count.fetch_add(1, Ordering::Relaxed)).is_some()
        };
        if counted(&self.0.read().unwrap_or_else(PoisonError::into_inner)) {
            return;
        }
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if !counted(&known) {
            known.push((right, AtomicU64::new(1)));
        }
    }

    fn statement(&self, statement: &Statement) {
        statement.reads.iter().for_each(|table| self.count(Right::ReadsTable(table)));
        statement.writes.iter().for_each(|table| self.count(Right::WritesTable(table)));
    }

    fn words(&self, space: &Space) -> BTreeMap<String, u64> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut rights = BTreeMap::new();
        for (right, count) in &*known {
            *rights.entry(right.words(space)).or_default() += count.load(Ordering::Relaxed);
        }
        rights
    }
}

/// What was used, by the place of the function.
pub(crate) struct Observed(Vec<Counts>);

impl Observed {
    pub(crate) fn new(space: &Space) -> Self {
        Self((0..space.holders.len()).map(|_| Counts::default()).collect())
    }

    /// Counts what a function uses.
    pub(crate) fn note(&self, space: &Space, holder: usize, used: Used<'_>) {
        let counts = &self.0[holder];
        match used {
            Used::Records(reads) => reads.iter().for_each(|read| counts.statement(read.statement)),
            Used::Blobs { .. } => {}
            Used::Call(at) => at.into_iter().for_each(|at| counts.count(Right::Calls(at))),
            Used::Outside(setting) => counts.count(Right::Fetches(setting)),
            Used::Tool(tool) => counts.count(Right::Runs(tool)),
            Used::Effects(effects) => {
                effects.writes.iter().for_each(|write| counts.statement(write.statement));
                for emit in &effects.events {
                    let pattern = space.emit_pattern(holder, &emit.kind, &emit.uri);
                    counts.count(Right::Emits(emit.kind.clone(), pattern));
                }
                let sent = effects.sends.iter().filter_map(|send| space.find_call(&send.kind, &send.uri));
                sent.for_each(|at| counts.count(Right::Calls(at)));
                effects.starts.iter().for_each(|start| counts.count(Right::Starts(start.flow)));
            }
        }
    }
}

/// What each function of a service declares, was seen to use, and where that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Privileges {
    /// The service.
    pub service: &'static str,
    /// Its functions, in the order of its table.
    pub functions: Vec<FunctionPrivileges>,
}

/// What a function declares, was seen to use, and where that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FunctionPrivileges {
    /// Its row: the binding, schedule or step.
    pub row: String,
    /// Path of the function.
    pub function: &'static str,
    /// What its row and its service declare, as far as its kind allows it.
    pub declared: BTreeSet<String>,
    /// What it was seen to use, and how often.
    pub observed: BTreeMap<String, u64>,
    /// What it used without declaring it: on URIs of its own service.
    pub undeclared: BTreeSet<String>,
    /// What it declares and was not seen to use: it could do without.
    pub unused: BTreeSet<String>,
}

pub(crate) fn privileges(space: &Space, observed: &Observed) -> Vec<Privileges> {
    let of_service = |(at, service): (usize, &crate::Service)| {
        let is_own = |right: &str| {
            let is_it = |binding: &crate::Binding| right == format!("{} {}", binding.kind, binding.pattern.as_str());
            service.bindings.iter().any(is_it)
        };
        let functions = space.holders.of(at).filter_map(|(place, holder)| {
            let (declared, seen) = (holder.rights(service), observed.0[place].words(space));
            let undeclared = seen.keys().filter(|right| !declared.contains(*right) && !is_own(right)).cloned();
            let unused = declared.iter().filter(|right| !seen.contains_key(*right)).cloned();
            Some(FunctionPrivileges {
                row: holder.row.clone(),
                function: holder.function?,
                undeclared: undeclared.collect(),
                unused: unused.collect(),
                declared,
                observed: seen,
            })
        });
        Privileges { service: service.name, functions: functions.collect() }
    };
    space.services.iter().enumerate().map(of_service).collect()
}
