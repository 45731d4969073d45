//! Schedules: functions that run by the clock. A schedule is a message that puts its successor into its own lane, in the commit
//! that fires it: so it fires once, on however many nodes, and survives restarts.

use crate::function::Erased;
use crate::ports::{Commit, CommitError, Delivery, Envelope, Lane, Outgoing, Settle};
use crate::{AnswerBody, Data, Effects, Fault, Head, Host, Kind, Msg, Principal, Service, Tenant, Uri, event};
use croner::Cron;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::str::FromStr;
use std::sync::Arc;

/// How much later than planned a time still counts as kept.
const LATE_MS_MAX: i64 = 60_000;

/// One schedule of a service.
#[derive(Clone)]
pub struct Schedule {
    /// Name, unique within the service.
    pub name: &'static str,
    /// When it fires.
    pub when: When,
    /// What becomes of times at which nothing ran.
    pub catch_up: CatchUp,
    /// Whether it fires in every tenant, or only in the application's own.
    pub is_each_tenant: bool,
    pub(crate) function: Erased,
}

impl Schedule {
    /// Path of the function it runs.
    pub fn function_name(&self) -> &'static str {
        self.function.name()
    }
}

/// When a schedule fires.
#[derive(Clone)]
pub enum When {
    /// Whenever so many milliseconds of Unix time are full.
    Every {
        /// Milliseconds.
        every_ms: i64,
    },
    /// As a cron expression says, in a time zone.
    Cron {
        /// Minute, hour, day of the month, month, day of the week.
        expression: &'static str,
        /// Name of the time zone, such as `Europe/Zurich`.
        zone: &'static str,
        /// What they mean.
        rule: Arc<(Cron, TimeZone)>,
    },
}

/// What becomes of times that passed while nothing ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// They are left out.
    Skip,
    /// It fires once for all of them.
    #[default]
    Once,
    /// It fires for each of them.
    All,
}

/// What a schedule's own message carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tick {
    /// The definition it was planned by; another one has a message of its own.
    pub when: String,
    /// Planned for this time, in Unix milliseconds.
    pub due_ms: i64,
    /// The time for which it fired last.
    pub last_ms: Option<i64>,
}

/// What a schedule's function receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// The time it was planned for, in Unix milliseconds.
    pub due_ms: i64,
}

impl When {
    /// Reads a cron expression.
    ///
    /// # Errors
    /// What is wrong with it: it cannot be read, it never fires, or there is no such time zone.
    pub(crate) fn cron(expression: &'static str, zone: &'static str) -> Result<Self, String> {
        let cron =
            Cron::from_str(expression).map_err(|error| format!("`{expression}` is no cron expression: {error}"))?;
        let there =
            TimeZone::get(zone).map_err(|_| format!("there is no time zone `{zone}`; write one as `Europe/Zurich`"))?;
        let when = Self::Cron { expression, zone, rule: Arc::new((cron, there)) };
        match when.next_after(0) {
            Some(_) => Ok(when),
            None => Err(format!("`{expression}` never fires; no day is like this")),
        }
    }

    /// The first time after another, both in Unix milliseconds; none where there is none.
    pub fn next_after(&self, after_ms: i64) -> Option<i64> {
        match self {
            Self::Every { every_ms } => after_ms.div_euclid(*every_ms).checked_add(1)?.checked_mul(*every_ms),
            Self::Cron { rule, .. } => {
                let (cron, zone) = &**rule;
                let mut from = Timestamp::from_millisecond(after_ms).ok()?.to_zoned(zone.clone());
                // Where a time exists twice, an expression that names one time fires at the first of them only, and looking on
                // from there may give the same moment again.
                loop {
                    let next = cron.find_next_occurrence(&from, false).ok()?;
                    let next_ms = next.timestamp().as_millisecond();
                    if next_ms > after_ms {
                        return Some(next_ms);
                    }
                    from = next;
                }
            }
        }
    }
}

impl std::fmt::Display for When {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Every { every_ms } => write!(f, "every {every_ms} ms"),
            Self::Cron { expression, zone, .. } => write!(f, "{expression} {zone}"),
        }
    }
}

impl CatchUp {
    /// Whether a planned time fires now, and from when on the next is looked for.
    fn decide(self, when: &When, due_ms: i64, now_ms: i64) -> (bool, i64) {
        match self {
            Self::All => (true, due_ms),
            // The clock may have been set back: the next time is after both, so nothing fires twice.
            Self::Once => (true, now_ms.max(due_ms)),
            Self::Skip => {
                let has_passed = when.next_after(due_ms).is_some_and(|next_ms| next_ms <= now_ms);
                (!has_passed && now_ms - due_ms <= LATE_MS_MAX, now_ms.max(due_ms))
            }
        }
    }
}

/// Target of a schedule's own message.
pub(crate) fn tick_name(service: &str, schedule: &str) -> String {
    format!("schedule {service}/{schedule}")
}

/// Target of what it fires.
pub(crate) fn due_name(service: &str, schedule: &str) -> String {
    format!("{service} schedule {schedule}")
}

/// Whether a target is the message of a schedule, also of one that is no more.
pub(crate) fn is_tick(target: &str) -> bool {
    target.starts_with("schedule ")
}

impl Host {
    /// Plans every schedule that is not planned yet.
    pub(crate) async fn plan_schedules(&self) -> Result<(), Fault> {
        let now_ms = self.inner.ports.clock.now_ms();
        let rows = self
            .inner
            .space
            .services
            .iter()
            .flat_map(|service| service.schedules.iter().map(move |row| (service, row)));
        let ticks = rows.filter_map(|(service, row)| self.tick(service, row, now_ms, now_ms, None)).collect::<Vec<_>>();
        if ticks.is_empty() {
            return Ok(());
        }
        let head = Msg::new(event("planned"), Uri::root(), self.inner.home.clone(), self.inner.id(), now_ms).head;
        self.turn("schedule", head, ticks, None).await
    }

    /// The message that stands for the next time of a schedule.
    fn tick(
        &self,
        service: &Service,
        row: &Schedule,
        after_ms: i64,
        now_ms: i64,
        last_ms: Option<i64>,
    ) -> Option<Outgoing> {
        let due_ms = row.when.next_after(after_ms)?;
        let tick = Tick { when: row.when.to_string(), due_ms, last_ms };
        let lane = Lane {
            service: service.name,
            target: tick_name(service.name, row.name),
            key: tick.when.clone(),
            at_ms: Some(due_ms),
            is_sole: true,
        };
        let envelope = self.clockwork(service, row, &self.inner.home, now_ms, json!(tick));
        Some(Outgoing { envelope: envelope.into(), lanes: vec![lane], is_event: false })
    }

    fn clockwork(
        &self,
        service: &Service,
        row: &Schedule,
        tenant: &Tenant,
        now_ms: i64,
        data: serde_json::Value,
    ) -> Envelope {
        let id = self.inner.id();
        Envelope {
            id,
            source: format!("service/{}", service.name),
            kind: event("due"),
            uri: Uri::parse(&format!("/schedules/{}/{}", service.name, row.name)).expect("names were checked at start"),
            time_ms: now_ms,
            tenant: tenant.clone(),
            principal: Principal::Service(service.name.into()),
            correlation: id,
            causation: None,
            traceparent: None,
            hops: 0,
            data,
            dataref: None,
        }
    }

    /// A schedule's time has come: fires it as its policy says, and plans the next time, in one commit.
    pub(crate) async fn fire(&self, delivery: &Delivery, service: &Service, row: &Schedule) -> Result<(), Fault> {
        let head = self.delivered(delivery, delivery.envelope.data.clone()).head;
        let tick: Tick = serde_json::from_value(delivery.envelope.data.clone())
            .map_err(|error| Fault::bug(format!("the message of a schedule cannot be read: {error}")))?;
        let mut outbox = Vec::new();
        if tick.when == row.when.to_string() {
            let now_ms = self.inner.ports.clock.now_ms();
            let (fires, from_ms) = row.catch_up.decide(&row.when, tick.due_ms, now_ms);
            if fires {
                let due = json!(Due { due_ms: tick.due_ms });
                for tenant in self.tenants_of(row).await? {
                    let lane = Lane {
                        service: service.name,
                        target: due_name(service.name, row.name),
                        key: row.name.to_owned(),
                        at_ms: None,
                        is_sole: false,
                    };
                    let envelope = self.clockwork(service, row, &tenant, now_ms, due.clone());
                    outbox.push(Outgoing { envelope: envelope.into(), lanes: vec![lane], is_event: false });
                }
            }
            let last_ms = if fires { Some(tick.due_ms) } else { tick.last_ms };
            outbox.extend(self.tick(service, row, from_ms, now_ms, last_ms));
        }
        self.turn(service.name, head, outbox, Some(delivery.settle)).await
    }

    /// The message of a schedule that is no more goes without a trace.
    pub(crate) async fn drop_tick(&self, delivery: &Delivery) -> Result<(), Fault> {
        let head = self.delivered(delivery, delivery.envelope.data.clone()).head;
        self.turn("schedule", head, Vec::new(), Some(delivery.settle)).await
    }

    async fn turn(
        &self,
        service: &'static str,
        head: Arc<Head>,
        outbox: Vec<Outgoing>,
        settle: Option<Settle>,
    ) -> Result<(), Fault> {
        let now_ms = self.inner.ports.clock.now_ms();
        let commit = Commit {
            service,
            head,
            effects: Effects::new(),
            outbox,
            settle,
            moves: Vec::new(),
            once: None,
            is_passing: false,
            now_ms,
        };
        match self.inner.commit(commit).await {
            Ok(_) | Err(CommitError::Stale | CommitError::Late) => Ok(()),
            Err(CommitError::Refused(fault) | CommitError::Failed(fault)) => Err(*fault),
            Err(CommitError::Behind) => Err(crate::turn::behind()),
            Err(CommitError::Retry | CommitError::Seen) => Err(Fault::bug("a schedule has no expectation")),
        }
    }

    async fn tenants_of(&self, row: &Schedule) -> Result<Vec<Tenant>, Fault> {
        let home = &self.inner.home;
        let Some(list) = self.inner.tenants.as_ref().filter(|_| row.is_each_tenant) else {
            return Ok(vec![home.clone()]);
        };
        let mut tenants = Vec::new();
        let mut after = String::new();
        loop {
            let question = Data::json(&json!({"limit": TENANTS_PAGE, "after": after}));
            let mut ask = self.message(Kind::Get, list.clone(), home.clone()).with_data(question);
            ask.head_mut().principal = Principal::Service("schedule".into());
            let AnswerBody::Bytes { bytes, .. } = self.run(ask).await?.body else {
                return Err(Fault::bug(format!("{list} has no list of names")));
            };
            let page: TenantsPage = serde_json::from_slice(&bytes)
                .map_err(|error| Fault::bug(format!("the answer of {list} is no page of names: {error}")))?;
            tenants.extend(page.items.into_iter().map(|item| item.name));
            match page.next {
                Some(next) => after = next,
                None => return Ok(tenants),
            }
        }
    }
}

/// Tenants asked for at a time.
const TENANTS_PAGE: u32 = 100;

/// A page of the list of tenants; `next` is what to go on after.
#[derive(Deserialize)]
struct TenantsPage {
    items: Vec<NamedTenant>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct NamedTenant {
    name: Tenant,
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
