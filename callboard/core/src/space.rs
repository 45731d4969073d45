//! The URI space: all services put together, checked, and indexed. It is data; the host runs it.

use crate::flow::{FlowTarget, targets};
use crate::holders::Holders;
use crate::ports::Lane;
use crate::schedule::{due_name, tick_name};
use crate::service::{Binding, Service};
use crate::{Flow, Kind, Router, Uri};
use std::collections::{HashMap, HashSet};
use std::fmt;

/// Most messages in a chain before it counts as a loop.
pub const HOPS_MAX: u8 = 16;

/// Kinds of calls on resources.
const CALLS: [Kind; 6] = [Kind::Get, Kind::Post, Kind::Put, Kind::Patch, Kind::Delete, Kind::Options];

/// How many kinds of calls there are.
const CALL_KINDS: usize = 8;

/// The place of a kind of calls; none for events.
fn call_place(kind: &Kind) -> Option<usize> {
    match kind {
        Kind::Get => Some(0),
        Kind::Post => Some(1),
        Kind::Put => Some(2),
        Kind::Patch => Some(3),
        Kind::Delete => Some(4),
        Kind::Options => Some(5),
        Kind::Page => Some(6),
        Kind::Form => Some(7),
        Kind::Event(_) => None,
    }
}

/// All services of an application.
pub struct Space {
    /// The services.
    pub services: Vec<Service>,
    calls: [Router<At>; CALL_KINDS],
    events: HashMap<Kind, Router<At>>,
    targets: HashMap<String, Target>,
    /// Every function with its rights.
    pub(crate) holders: Holders,
}

/// Position of a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct At {
    pub(crate) service: usize,
    pub(crate) binding: usize,
}

/// What a queued message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Binding(At),
    Flow(FlowTarget),
    /// The message of a schedule.
    Tick {
        service: usize,
        schedule: usize,
    },
    /// What a schedule fires.
    Due {
        service: usize,
        schedule: usize,
    },
}

/// Everything that is wrong with the tables of the services, found together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartError(pub Vec<String>);

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the services do not fit together:")?;
        self.0.iter().try_for_each(|mistake| write!(f, "\n  {mistake}"))
    }
}

impl std::error::Error for StartError {}

impl fmt::Debug for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.services.iter().map(|service| service.name)).finish()
    }
}

impl Space {
    /// Puts services together.
    ///
    /// # Errors
    /// Every mistake, with the place and what to do.
    pub fn new(services: Vec<Service>) -> Result<Self, StartError> {
        let mistakes = find_mistakes(&services);
        if !mistakes.is_empty() {
            return Err(StartError(mistakes));
        }
        let mut space = Self {
            services,
            calls: Default::default(),
            events: HashMap::new(),
            targets: HashMap::new(),
            holders: Holders::default(),
        };
        space.index();
        space.holders = Holders::new(&space.services);
        Ok(space)
    }

    fn index(&mut self) {
        for (service, table) in self.services.iter().enumerate() {
            for (binding, row) in table.bindings.iter().enumerate() {
                let at = At { service, binding };
                let router = match call_place(&row.kind) {
                    Some(place) => &mut self.calls[place],
                    None => self.events.entry(row.kind.clone()).or_default(),
                };
                router.insert(&row.pattern, at);
                self.targets.insert(binding_name(table.name, row), Target::Binding(at));
            }
            for (schedule, row) in table.schedules.iter().enumerate() {
                self.targets.insert(tick_name(table.name, row.name), Target::Tick { service, schedule });
                self.targets.insert(due_name(table.name, row.name), Target::Due { service, schedule });
            }
            for (flow, row) in table.flows.iter().enumerate() {
                for (name, what) in targets(table.name, row) {
                    self.targets.insert(name, Target::Flow(FlowTarget { service, flow, what }));
                }
            }
        }
    }

    /// The place of a function among all.
    pub(crate) fn holder(&self, target: Target) -> usize {
        self.holders.place(&self.services, target)
    }

    /// A function of another service on a URI on which a function publishes an event without declaring it, and on which its service
    /// answers nothing itself.
    pub(crate) fn foreign_owner(&self, holder: usize, kind: &Kind, uri: &Uri) -> Option<At> {
        let holder = self.holders.at(holder);
        if holder.declared_emit(kind, uri).is_some() {
            return None;
        }
        let owners: Vec<At> = CALLS.iter().filter_map(|kind| self.find_call(kind, uri)).collect();
        let is_own = owners.iter().any(|at| at.service == holder.service);
        owners.first().copied().filter(|_| !is_own)
    }

    /// The pattern that the URI of an event fits: of its declaration, or of a function of the service.
    pub(crate) fn emit_pattern(&self, holder: usize, kind: &Kind, uri: &Uri) -> &'static str {
        let holder = self.holders.at(holder);
        let own = || CALLS.iter().filter_map(|kind| self.find_call(kind, uri)).find(|at| at.service == holder.service);
        let declared = holder.declared_emit(kind, uri);
        declared.unwrap_or_else(|| own().map_or("elsewhere", |at| self.binding(at).1.pattern.as_str()))
    }

    pub(crate) fn binding(&self, at: At) -> (&Service, &Binding) {
        let service = &self.services[at.service];
        (service, &service.bindings[at.binding])
    }

    pub(crate) fn find_call(&self, kind: &Kind, uri: &Uri) -> Option<At> {
        self.calls[call_place(kind)?].find(uri)
    }

    pub(crate) fn target(&self, name: &str) -> Option<Target> {
        self.targets.get(name).copied()
    }

    /// Whether what runs for a target only decides, from its message and the records: it neither acts outside by itself nor runs
    /// programs, and is no flow.
    pub fn decides_only(&self, target: &str) -> bool {
        match self.target(target) {
            Some(Target::Binding(at)) => {
                let (service, binding) = self.binding(at);
                service.tools.is_empty() && !binding.function.acts_itself()
            }
            _ => false,
        }
    }

    /// Names of everything that queued messages of these services are for.
    pub fn targets_of(&self, is_of: impl Fn(&str) -> bool) -> Vec<String> {
        let service_of = |target: &Target| match target {
            Target::Binding(at) => at.service,
            Target::Flow(at) => at.service,
            Target::Tick { service, .. } | Target::Due { service, .. } => *service,
        };
        let found = self.targets.iter().filter(|(_, target)| is_of(self.services[service_of(target)].name));
        found.map(|(name, _)| name.clone()).collect()
    }

    /// The resource calls (not pages) that some binding answers on a URI.
    pub fn kinds_at(&self, uri: &Uri) -> Vec<Kind> {
        let all = [Kind::Get, Kind::Post, Kind::Put, Kind::Patch, Kind::Delete];
        all.into_iter().filter(|kind| self.find_call(kind, uri).is_some()).collect()
    }

    /// The binding that answers a call.
    pub fn binding_for(&self, kind: &Kind, uri: &Uri) -> Option<(&Service, &Binding)> {
        self.find_call(kind, uri).map(|at| self.binding(at))
    }

    /// A flow by its name.
    pub fn flow(&self, name: &str) -> Option<(&Service, &Flow)> {
        self.services
            .iter()
            .find_map(|service| service.flows.iter().find(|flow| flow.name == name).map(|flow| (service, flow)))
    }

    /// The lanes an event goes to: one for every binding that matches, FIFO per URI.
    pub fn event_lanes(&self, kind: &Kind, uri: &Uri) -> Vec<Lane> {
        let once = self.listeners(kind, uri).into_iter().filter(|at| !self.binding(*at).1.is_every_node);
        once.map(|at| self.lane(at, uri, None)).collect()
    }

    fn listeners(&self, kind: &Kind, uri: &Uri) -> Vec<At> {
        self.events.get(kind).map(|router| router.find_all(uri)).unwrap_or_default()
    }

    /// Names of the bindings that hear of an event in every process.
    pub(crate) fn everywhere(&self, kind: &Kind, uri: &Uri) -> Vec<String> {
        let rows = self.listeners(kind, uri).into_iter().map(|at| self.binding(at));
        rows.filter(|(_, row)| row.is_every_node).map(|(service, row)| binding_name(service.name, row)).collect()
    }

    /// Whether some binding runs in every process.
    pub fn has_every_node(&self) -> bool {
        self.services.iter().any(|service| service.bindings.iter().any(|binding| binding.is_every_node))
    }

    /// The lane a message to one function goes to.
    pub fn call_lane(&self, kind: &Kind, uri: &Uri, at_ms: Option<i64>) -> Option<Lane> {
        self.find_call(kind, uri).map(|at| self.lane(at, uri, at_ms))
    }

    fn lane(&self, at: At, uri: &Uri, at_ms: Option<i64>) -> Lane {
        let (service, binding) = self.binding(at);
        Lane {
            service: service.name,
            target: binding_name(service.name, binding),
            key: uri.to_string(),
            at_ms,
            is_sole: false,
        }
    }
}

/// How a lane names a binding; it must stay the same from one version of the program to the next.
pub(crate) fn binding_name(service: &str, binding: &Binding) -> String {
    format!("{service} {} {}", binding.kind, binding.pattern.as_str())
}

fn find_mistakes(services: &[Service]) -> Vec<String> {
    let mut mistakes: Vec<String> = services.iter().flat_map(|service| service.mistakes.clone()).collect();
    let mut names = HashSet::new();
    let mut rows: HashMap<(Kind, String), String> = HashMap::new();
    let mut tables: HashMap<&str, &str> = HashMap::new();
    let mut flows = HashSet::new();
    for service in services {
        if !names.insert(service.name) {
            mistakes.push(format!("{}: two services have this name; rename one", service.name));
        }
        if service.name == "schedule" {
            mistakes.push("schedule: the kernel's own messages have this name; rename the service".to_owned());
        }
        for binding in &service.bindings {
            let place = binding_name(service.name, binding);
            // Several services may listen to one event; a call has one answer.
            let scope = if matches!(binding.kind, Kind::Event(_)) { service.name } else { "" };
            let key = (binding.kind.clone(), format!("{scope}{}", binding.pattern.shape()));
            if binding.is_every_node && !matches!(binding.kind, Kind::Event(_)) {
                mistakes.push(format!("{place}: only events reach every node; bind an event, or drop `.every_node()`"));
            }
            if let Some(other) = rows.insert(key, place.clone()) {
                mistakes.push(format!("`{place}` and `{other}` answer the same URIs; change one pattern"));
            }
        }
        for table in &service.tables {
            if let Some(owner) = tables.insert(table.name, service.name) {
                mistakes.push(format!("table {} belongs to {owner} and to {}; rename one", table.name, service.name));
            }
        }
        for flow in &service.flows {
            mistakes.extend(flow.mistakes().into_iter().map(|mistake| format!("{}: {mistake}", service.name)));
            if !flows.insert(flow.name) {
                mistakes
                    .push(format!("{}: flow {} stands twice in the application; rename one", service.name, flow.name));
            }
        }
        mistakes.extend(statement_mistakes(service));
    }
    mistakes
}

fn statement_mistakes(service: &Service) -> Vec<String> {
    let mut mistakes = Vec::new();
    let mut names = HashSet::new();
    for statement in &service.statements {
        let place = format!("{}: statement {}", service.name, statement.name);
        if !names.insert(statement.name) {
            mistakes.push(format!("{place}: this name stands twice; rename one"));
        }
        for table in statement.reads.iter().chain(statement.writes) {
            match service.tables.iter().find(|own| own.name == *table) {
                None => mistakes.push(format!("{place}: table {table} is not of this service; ask its owner by URI")),
                Some(own) if own.is_tenants && !statement.sql.contains("$tenant") => {
                    mistakes.push(format!("{place}: table {table} belongs to tenants; add `tenant = $tenant`"));
                }
                Some(_) => {}
            }
        }
    }
    mistakes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Empty, Env, Fault, Msg, Reply, Statement, Stranger, Who, event};

    async fn work(_: Env, _: Msg<Empty>) -> Result<Reply, Fault> {
        Ok(Reply::nothing())
    }

    #[test]
    fn services_that_do_not_fit_are_refused_with_every_place_named() {
        static FOREIGN: Statement = Statement::read("all", &["b"], "SELECT 1 FROM b");
        static UNSCOPED: Statement = Statement::read("mine", &["a"], "SELECT 1 FROM a");
        let one = Service::new("one")
            .on(Kind::Get, "/x/{id}", work, Who::Anyone, Stranger::Denied)
            .on(Kind::Get, "/x/**/y", work, Who::Anyone, Stranger::Denied)
            .tenants_tables(&["a"])
            .statements(&[&FOREIGN, &UNSCOPED])
            .flow(Flow::new("f"));
        let two =
            Service::new("two").on(Kind::Get, "/x/{name}", work, Who::Anyone, Stranger::Denied).tenants_tables(&["a"]);
        let error = Space::new(vec![one, two]).expect_err("they do not fit").to_string();
        for part in [
            "`**` stands only at the end",
            "`two get /x/{name}` and `one get /x/{id}` answer the same URIs",
            "table a belongs to one and to two",
            "table b is not of this service",
            "statement mine: table a belongs to tenants",
            "flow f: it has no step",
        ] {
            assert!(error.contains(part), "{error}\nshould mention {part}");
        }
    }

    #[test]
    fn an_event_reaches_every_service_that_listens() {
        let listen =
            |name| Service::new(name).on(event("created"), "/uploads/{id}", work, Who::Services, Stranger::NotFound);
        let space = Space::new(vec![listen("media"), listen("statistics")]).expect("they fit");
        let lanes = space.event_lanes(&event("created"), &Uri::parse("/uploads/1").expect("a URI"));
        assert_eq!(lanes.iter().map(|lane| lane.service).collect::<Vec<_>>(), ["media", "statistics"]);
        assert!(space.event_lanes(&event("deleted"), &Uri::root()).is_empty());
    }
}
