//! Every function of the tables with its rights: what its row declares, what holds for its whole service, and what its kind allows.

use crate::flow::{FlowTarget, Part, StepRow, What};
use crate::schedule::due_name;
use crate::space::{At, Target, binding_name};
use crate::{Binding, Kind, Router, Service, Uri, Use};
use std::collections::{BTreeSet, HashMap, HashSet};

/// The functions that a step may have.
const PARTS: [Part; 3] = [Part::Do, Part::Undo, Part::Verify];

/// One function as a row of a table has it.
pub(crate) struct Holder {
    pub(crate) service: usize,
    /// What the space calls its row.
    pub(crate) row: String,
    /// Path of the function; none where a step has no such part.
    pub(crate) function: Option<&'static str>,
    /// Whether code runs there that is no part of this program.
    pub(crate) acts_itself: bool,
    /// Everything that its row and its service declare.
    uses: Vec<Use>,
    /// Whether its kind lets it change anything.
    may_change: bool,
    /// Whether it may run programs, and call systems outside.
    may_run: bool,
    may_fetch: bool,
    /// Functions of others that it declares, and events with the pattern of their declaration.
    calls: HashSet<At>,
    emits: HashMap<Kind, Router<&'static str>>,
}

impl Holder {
    fn new(service: usize, table: &Service, row: String, own: &[Use]) -> Self {
        Self {
            service,
            row,
            function: None,
            acts_itself: false,
            uses: table.uses.iter().chain(own).cloned().collect(),
            may_change: true,
            may_run: true,
            may_fetch: false,
            calls: HashSet::new(),
            emits: HashMap::new(),
        }
    }

    fn of_binding(service: usize, table: &Service, row: &Binding) -> Self {
        let may_change = !row.is_relay && !row.is_every_node && (row.has_effects || !row.kind.is_safe());
        let holder = Self::new(service, table, binding_name(table.name, row), &row.uses);
        Self { function: Some(row.function_name()), acts_itself: row.function.acts_itself(), may_change, ..holder }
    }

    fn of_step(service: usize, table: &Service, flow: &str, row: &StepRow, part: Part) -> Self {
        let function = match part {
            Part::Do => Some(row.function_name()),
            Part::Undo => row.undo_name(),
            Part::Verify => row.verify.as_ref().map(|verify| verify.name()),
        };
        let name = format!("{} flow {flow}/{} {}", table.name, row.id, part.as_str());
        let may_act = !row.is_records_only;
        Self { function, may_run: may_act, may_fetch: may_act, ..Self::new(service, table, name, &row.uses) }
    }

    /// A declaration names rows of others' tables by their kind and by URIs.
    fn index(&mut self, rows: &[(At, &Binding)]) {
        for used in &self.uses {
            if matches!(used.kind, Kind::Event(_)) {
                self.emits.entry(used.kind.clone()).or_default().insert(&used.pattern, used.pattern.as_str());
            } else {
                let meant = rows.iter().filter(|(_, row)| row.kind == used.kind && used.pattern.means(&row.pattern));
                self.calls.extend(meant.map(|(at, _)| *at));
            }
        }
    }

    /// Whether it declares that it uses a function, or the function is of its own service.
    pub(crate) fn declares(&self, at: At) -> bool {
        self.service == at.service || self.calls.contains(&at)
    }

    /// The pattern under which it declares that it publishes an event.
    pub(crate) fn declared_emit(&self, kind: &Kind, uri: &Uri) -> Option<&'static str> {
        self.emits.get(kind)?.find(uri)
    }

    /// All that it may do, in words.
    pub(crate) fn rights(&self, table: &Service) -> BTreeSet<String> {
        let reads = table.statements.iter().flat_map(|statement| statement.reads);
        let writes = table.statements.iter().flat_map(|statement| statement.writes).filter(|_| self.may_change);
        let uses = self.uses.iter().filter_map(|used| match &used.kind {
            Kind::Event(name) => self.may_change.then(|| format!("emit {name} {}", used.pattern.as_str())),
            kind => Some(format!("{kind} {}", used.pattern.as_str())),
        });
        let outside = table.outside.iter().filter(|_| self.may_fetch);
        let tools = table.tools.iter().filter(|_| self.may_run);
        let flows = table.flows.iter().filter(|_| self.may_change);
        (reads.map(|table| format!("read table {table}")))
            .chain(writes.map(|table| format!("write table {table}")))
            .chain(uses)
            .chain(outside.map(|dependency| format!("call outside {}", dependency.setting)))
            .chain(tools.map(|tool| format!("run {tool}")))
            .chain(flows.map(|flow| format!("start flow {}", flow.name)))
            .collect()
    }
}

/// All functions of an application, and where those of each service begin.
#[derive(Default)]
pub(crate) struct Holders {
    all: Vec<Holder>,
    first: Vec<usize>,
}

impl Holders {
    pub(crate) fn new(services: &[Service]) -> Self {
        let mut holders = Self::default();
        for (service, table) in services.iter().enumerate() {
            holders.first.push(holders.all.len());
            holders.all.extend(table.bindings.iter().map(|row| Holder::of_binding(service, table, row)));
            holders.all.extend(table.schedules.iter().map(|row| Holder {
                function: Some(row.function_name()),
                ..Holder::new(service, table, due_name(table.name, row.name), &[])
            }));
            let steps = table.flows.iter().flat_map(|flow| flow.steps.iter().map(move |step| (flow.name, step)));
            let parts = steps.flat_map(|(flow, row)| PARTS.map(|part| (flow, row, part)));
            holders.all.extend(parts.map(|(flow, row, part)| Holder::of_step(service, table, flow, row, part)));
        }
        let rows = services.iter().enumerate().flat_map(|(service, table)| {
            let rows = table.bindings.iter().enumerate();
            rows.map(move |(binding, row)| (At { service, binding }, row))
        });
        let rows: Vec<_> = rows.filter(|(_, row)| !matches!(row.kind, Kind::Event(_))).collect();
        holders.all.iter_mut().for_each(|holder| holder.index(&rows));
        holders
    }

    /// The place of a function that has a target; of the first of its service where the machine itself is meant.
    pub(crate) fn place(&self, services: &[Service], target: Target) -> usize {
        match target {
            Target::Binding(At { service, binding }) => self.first[service] + binding,
            Target::Due { service, schedule } | Target::Tick { service, schedule } => {
                self.first[service] + services[service].bindings.len() + schedule
            }
            Target::Flow(FlowTarget { service, flow, what }) => {
                let table = &services[service];
                let before: usize = table.flows[..flow].iter().map(|flow| flow.steps.len()).sum();
                let (step, part) = match what {
                    What::Step { step, part } => (before + step, part),
                    What::Timer | What::Turn => (before, Part::Do),
                };
                let part = PARTS.iter().position(|one| *one == part).unwrap_or(0);
                self.first[service] + table.bindings.len() + table.schedules.len() + step * PARTS.len() + part
            }
        }
    }

    pub(crate) fn at(&self, place: usize) -> &Holder {
        &self.all[place]
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// Those of one service, with their places.
    pub(crate) fn of(&self, service: usize) -> impl Iterator<Item = (usize, &Holder)> {
        self.all.iter().enumerate().filter(move |(_, holder)| holder.service == service)
    }
}
