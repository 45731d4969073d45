//! A service: one table of bindings, its tables and statements, its flows and settings. A value, not a trait.

use crate::contract::{Contract, Notes};
use crate::function::{Erased, Function, Input, erase, erase_called};
use crate::outside::Dependency;
use crate::{CatchUp, Flow, Kind, Pattern, Schedule, Statement, Use, When};
use schemars::JsonSchema;
use serde::Serialize;

/// Who may call a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Everybody, signed in or not.
    Anyone,
    /// Whoever is signed in.
    SignedIn,
    /// Whoever has this role in the tenant.
    Role(&'static str),
    /// Only services and the runtime; nothing from outside.
    Services,
}

/// What somebody sees who may not call a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stranger {
    /// 401 where nobody is signed in, otherwise 403.
    Denied,
    /// 404, as if there were nothing.
    NotFound,
}

/// What becomes of a lane when its first message is given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDead {
    /// It goes on with the next message.
    #[default]
    Skip,
    /// It waits until an operator has put the message back or thrown it away.
    Hold,
}

/// One row of the binding table.
#[derive(Clone)]
pub struct Binding {
    /// What happens.
    pub kind: Kind,
    /// On which URIs.
    pub pattern: Pattern,
    /// Who may.
    pub who: Who,
    /// What others see.
    pub stranger: Stranger,
    /// A safe call that may return effects all the same, such as a call-back link.
    pub has_effects: bool,
    /// May make one unsafe call and returns no effects.
    pub is_relay: bool,
    /// Largest body in bytes.
    pub body_bytes_max: usize,
    /// How often a delivered message is tried before it becomes a dead letter.
    pub attempts_max: u32,
    /// What becomes of its lane when a message is given up.
    pub on_dead: OnDead,
    /// Whether a caller may try secrets here, so that each address may call it seldom.
    pub takes_secrets: bool,
    /// Whether an event reaches every running process, and not only one of them.
    pub is_every_node: bool,
    /// What it uses of others, beside what its whole service does.
    pub uses: Vec<Use>,
    /// What it says of the wire beside its types.
    pub notes: Notes,
    /// How long it needs to finish; where less time is left it is not begun.
    pub needs_ms: u64,
    /// How much memory its function is given, in megabytes; none where it has what the process has.
    pub memory_mb: Option<u64>,
    pub(crate) function: Erased,
}

impl Binding {
    /// The function's path in its service, such as `catalogue::series::create`.
    pub fn function_name(&self) -> &'static str {
        self.function.name()
    }

    /// What the function takes and gives.
    pub fn contract(&self) -> &Contract {
        self.function.contract().expect("a row is made of a function whose types are described")
    }
}

/// A table of a service.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Whether its rows belong to tenants, so that every statement must name `$tenant`.
    pub is_tenants: bool,
}

/// One step of a service's schema, run once, in order.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Such as `0001_series`.
    pub name: &'static str,
    /// SQL that both engines speak.
    pub sql: &'static str,
}

/// Something that can be configured.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Such as `media.duration_max_ms`.
    pub name: &'static str,
    /// Value where nothing else is said.
    pub default: &'static str,
    /// One sentence.
    pub meaning: &'static str,
    /// Whether its value must not be shown.
    pub is_secret: bool,
    /// What it may be.
    pub values: Values,
}

/// What a setting may be.
#[derive(Clone, Copy, Debug)]
pub enum Values {
    /// Any text.
    Text,
    /// A whole number from 0 on.
    Number,
    /// One of these words.
    OneOf(&'static [&'static str]),
}

impl Values {
    /// Whether this is such a value.
    ///
    /// # Errors
    /// What to write instead.
    pub fn check(self, value: &str) -> Result<(), String> {
        match self {
            Self::Number if value.parse::<u64>().is_err() => Err("write a whole number".to_owned()),
            Self::OneOf(words) if !words.contains(&value) => Err(format!("write {}", words.join(" or "))),
            _ => Ok(()),
        }
    }
}

/// A microservice.
#[derive(Clone)]
pub struct Service {
    /// Its name: folder, crate and owner of its tables.
    pub name: &'static str,
    /// The binding table.
    pub bindings: Vec<Binding>,
    /// Tables it owns.
    pub tables: Vec<Table>,
    /// How they came to be.
    pub migrations: Vec<Migration>,
    /// Every statement it may run.
    pub statements: Vec<&'static Statement>,
    /// Its flows.
    pub flows: Vec<Flow>,
    /// What it does by the clock.
    pub schedules: Vec<Schedule>,
    /// What can be configured.
    pub settings: Vec<Setting>,
    /// Programs of the machine it runs as steps.
    pub tools: Vec<&'static str>,
    /// Systems outside it calls in steps.
    pub outside: Vec<Dependency>,
    /// What each of its functions uses of others: URIs it reads, functions it calls, events it publishes.
    pub uses: Vec<Use>,
    /// How many days events of a kind are kept, where it is not the usual time.
    pub retention: Vec<(Kind, u32)>,
    /// What it publishes: which kind of event, on which URIs, and with what.
    pub publishes: Vec<(Kind, Pattern, Contract)>,
    /// Live messages: which kind, on which URIs, and with what.
    pub live: Vec<(Kind, Pattern, Contract)>,
    /// Mistakes in the table, reported together at start.
    pub(crate) mistakes: Vec<String>,
}

/// Largest body of a call unless its binding says otherwise.
pub const BODY_BYTES_MAX: usize = 256 * 1024;

impl Service {
    /// An empty service.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            bindings: Vec::new(),
            tables: Vec::new(),
            migrations: Vec::new(),
            statements: Vec::new(),
            flows: Vec::new(),
            schedules: Vec::new(),
            settings: Vec::new(),
            tools: Vec::new(),
            uses: Vec::new(),
            retention: Vec::new(),
            outside: Vec::new(),
            publishes: Vec::new(),
            live: Vec::new(),
            mistakes: Vec::new(),
        }
    }

    /// Adds a row: when this happens on such a URI, this function runs; who may, and what a stranger sees.
    #[must_use]
    pub fn on<F, In, Out, Shape>(
        mut self,
        kind: Kind,
        pattern: &'static str,
        function: F,
        who: Who,
        stranger: Stranger,
    ) -> Self
    where
        Shape: 'static,
        F: Function<In, Out, Shape>,
        In: Input + JsonSchema,
        Out: Serialize + JsonSchema + Send + 'static,
    {
        match Pattern::parse(pattern) {
            Ok(pattern) => self.bindings.push(Binding {
                kind,
                pattern,
                who,
                stranger,
                has_effects: false,
                is_relay: false,
                body_bytes_max: BODY_BYTES_MAX,
                attempts_max: 8,
                on_dead: OnDead::Skip,
                takes_secrets: false,
                is_every_node: false,
                uses: Vec::new(),
                notes: Notes::default(),
                needs_ms: 0,
                memory_mb: None,
                function: erase_called(function),
            }),
            Err(error) => self.mistakes.push(format!("{}: {error}", self.name)),
        }
        self
    }

    pub(crate) fn last(mut self, change: impl FnOnce(&mut Binding)) -> Self {
        match self.bindings.last_mut() {
            Some(binding) => change(binding),
            None => self.mistakes.push(format!("{}: an option stands before the first row", self.name)),
        }
        self
    }

    /// The last row is a safe call that returns effects all the same.
    #[must_use]
    pub fn with_effects(self) -> Self {
        self.last(|binding| binding.has_effects = true)
    }

    /// The last row makes one unsafe call and returns no effects.
    #[must_use]
    pub fn relay(self) -> Self {
        self.last(|binding| binding.is_relay = true)
    }

    /// Somebody may try passwords or other secrets at the last row: it is limited for each address far more strictly than others.
    #[must_use]
    pub fn takes_secrets(self) -> Self {
        self.last(|binding| binding.takes_secrets = true)
    }

    /// The last row takes bodies up to this size.
    #[must_use]
    pub fn body_bytes_max(self, bytes: usize) -> Self {
        self.last(|binding| binding.body_bytes_max = bytes)
    }

    /// A delivered message of the last row becomes a dead letter after so many attempts.
    #[must_use]
    pub fn attempts_max(self, attempts: u32) -> Self {
        self.last(|binding| binding.attempts_max = attempts)
    }

    /// What becomes of the lane when a message of the last row is given up.
    #[must_use]
    pub fn on_dead(self, on_dead: OnDead) -> Self {
        self.last(|binding| binding.on_dead = on_dead)
    }

    /// An event of the last row reaches every process that runs at this time, for what is kept in its memory. The function
    /// changes nothing in the records, and a process that is not running misses nothing: it begins with fresh memory.
    #[must_use]
    pub fn every_node(self) -> Self {
        self.last(|binding| binding.is_every_node = true)
    }

    /// The last row needs so long to finish: where its caller stops waiting sooner it is refused before it begins, so that
    /// nothing is left half done outside.
    #[must_use]
    pub fn needs_ms(self, time_ms: u64) -> Self {
        self.last(|binding| binding.needs_ms = time_ms)
    }

    /// The function of the last row is given so much memory of its own.
    #[must_use]
    pub fn memory_mb(self, memory_mb: u64) -> Self {
        self.last(|binding| binding.memory_mb = Some(memory_mb))
    }

    /// Events of this kind that the service publishes are kept so many days in the log.
    #[must_use]
    pub fn retention(mut self, kind: Kind, days: u32) -> Self {
        self.retention.push((kind, days));
        self
    }

    /// Tables whose rows belong to tenants.
    #[must_use]
    pub fn tenants_tables(mut self, names: &[&'static str]) -> Self {
        self.tables.extend(names.iter().map(|&name| Table { name, is_tenants: true }));
        self
    }

    /// Tables that all tenants share.
    #[must_use]
    pub fn shared_tables(mut self, names: &[&'static str]) -> Self {
        self.tables.extend(names.iter().map(|&name| Table { name, is_tenants: false }));
        self
    }

    /// A step of the schema.
    #[must_use]
    pub fn migration(mut self, name: &'static str, sql: &'static str) -> Self {
        self.migrations.push(Migration { name, sql });
        self
    }

    /// Every statement the service may run.
    #[must_use]
    pub fn statements(mut self, statements: &[&'static Statement]) -> Self {
        self.statements.extend(statements);
        self
    }

    /// A flow.
    #[must_use]
    pub fn flow(mut self, flow: Flow) -> Self {
        self.flows.push(flow);
        self
    }

    /// Runs a function whenever so many milliseconds of Unix time are full, as [`Due`](crate::Due) says.
    #[must_use]
    pub fn every<F, In, Out, Shape>(mut self, name: &'static str, every_ms: i64, function: F) -> Self
    where
        Shape: 'static,
        F: Function<In, Out, Shape>,
        In: Input,
        Out: Serialize + Send + 'static,
    {
        if every_ms < 1 {
            self.mistakes.push(format!("{}: schedule {name}: give it at least a millisecond", self.name));
            return self;
        }
        self.schedule(name, When::Every { every_ms }, erase(function))
    }

    /// Runs a function as a cron expression of five fields says, in a time zone such as `Europe/Zurich`. A time that the
    /// clocks leave out fires when they have moved on; one that they show twice fires once.
    #[must_use]
    pub fn cron<F, In, Out, Shape>(
        mut self,
        name: &'static str,
        expression: &'static str,
        zone: &'static str,
        function: F,
    ) -> Self
    where
        Shape: 'static,
        F: Function<In, Out, Shape>,
        In: Input,
        Out: Serialize + Send + 'static,
    {
        match When::cron(expression, zone) {
            Ok(when) => self.schedule(name, when, erase(function)),
            Err(mistake) => {
                self.mistakes.push(format!("{}: schedule {name}: {mistake}", self.name));
                self
            }
        }
    }

    fn schedule(mut self, name: &'static str, when: When, function: Erased) -> Self {
        if self.schedules.iter().any(|other| other.name == name) {
            self.mistakes.push(format!("{}: schedule {name}: this name stands twice; rename one", self.name));
        }
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') || name.is_empty() {
            self.mistakes.push(format!("{}: schedule {name}: name it with letters, digits and dashes", self.name));
        }
        let catch_up = CatchUp::default();
        self.schedules.push(Schedule { name, when, catch_up, is_each_tenant: false, function });
        self
    }

    fn last_schedule(mut self, change: impl FnOnce(&mut Schedule)) -> Self {
        match self.schedules.last_mut() {
            Some(schedule) => change(schedule),
            None => self.mistakes.push(format!("{}: an option stands before the first schedule", self.name)),
        }
        self
    }

    /// What becomes of times of the last schedule at which nothing ran.
    #[must_use]
    pub fn catch_up(self, catch_up: CatchUp) -> Self {
        self.last_schedule(|schedule| schedule.catch_up = catch_up)
    }

    /// The last schedule fires in every tenant.
    #[must_use]
    pub fn each_tenant(self) -> Self {
        self.last_schedule(|schedule| schedule.is_each_tenant = true)
    }

    /// Something that can be configured.
    #[must_use]
    pub fn setting(mut self, name: &'static str, default: &'static str, meaning: &'static str) -> Self {
        self.settings.push(Setting { name, default, meaning, is_secret: false, values: Values::Text });
        self
    }

    /// What the last setting may be, where not every text will do.
    #[must_use]
    pub fn values(mut self, values: Values) -> Self {
        match self.settings.last_mut() {
            Some(setting) => setting.values = values,
            None => self.mistakes.push(format!("{}: values stand before any setting", self.name)),
        }
        self
    }

    /// Something that can be configured and must not be shown; empty where nothing is said.
    #[must_use]
    pub fn secret(mut self, name: &'static str, meaning: &'static str) -> Self {
        self.settings.push(Setting { name, default: "", meaning, is_secret: true, values: Values::Text });
        self
    }

    /// A system outside that steps of this service call, by the setting that holds its origin, and what callers hear while it
    /// is away.
    #[must_use]
    pub fn outside(mut self, setting: &'static str, when_away: &'static str) -> Self {
        self.outside.push(Dependency { setting, when_away });
        self
    }

    /// A program of the machine that steps of this service run.
    #[must_use]
    pub fn tool(mut self, name: &'static str) -> Self {
        self.tools.push(name);
        self
    }

    /// Whether only services may call a function of this one that may change what its tenants share.
    pub(crate) fn shares(&self, row: &Binding) -> bool {
        row.who == Who::Services && self.tables.iter().any(|table| !table.is_tenants)
    }

    /// Whether a function of this service is of all tenants: the operator's, and what only services may do with what tenants share.
    pub fn is_of_all_tenants(&self, row: &Binding) -> bool {
        row.pattern.as_str().starts_with("/-/") || self.shares(row)
    }
}
