//! How often what is called and how long it takes, counted in memory for every binding. Nothing is kept over a restart.

use callboard::{Answer, Binding, BoxFuture, Fault, Handler, Host, Msg, Next};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// Counts calls and their time. Clone it before it goes into the host, and ask the clone.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    table: Arc<OnceLock<Table>>,
}

/// A row for every binding, found by its address in the space, which lives as long as the host.
#[derive(Debug)]
struct Table {
    by_binding: HashMap<usize, usize>,
    rows: Vec<Row>,
}

#[derive(Debug, Default)]
struct Row {
    binding: String,
    function: &'static str,
    count: AtomicU64,
    faults: AtomicU64,
    total_us: AtomicU64,
    longest_us: AtomicU64,
}

/// Figures of one binding since the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Service, kind and pattern, such as `catalogue get /series/{id}`; `nothing` for calls that nobody answers.
    pub binding: String,
    /// Path of the function.
    pub function: &'static str,
    /// Calls that ended.
    pub count: u64,
    /// How many of them failed.
    pub faults: u64,
    /// Time of all of them together.
    pub total_us: u64,
    /// Time of the longest.
    pub longest_us: u64,
}

impl Meter {
    /// A meter that has counted nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Figures of everything that was called.
    pub fn snapshot(&self) -> Vec<Figures> {
        let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let rows = self.table.get().map_or(&[][..], |table| &table.rows);
        let figures = rows.iter().map(|row| Figures {
            binding: row.binding.clone(),
            function: row.function,
            count: read(&row.count),
            faults: read(&row.faults),
            total_us: read(&row.total_us),
            longest_us: read(&row.longest_us),
        });
        figures.filter(|figures| figures.count > 0).collect()
    }
}

fn address(binding: &Binding) -> usize {
    std::ptr::from_ref(binding).addr()
}

impl Table {
    fn new(host: &Host) -> Self {
        let mut table = Self { by_binding: HashMap::new(), rows: Vec::new() };
        for service in &host.space().services {
            for binding in &service.bindings {
                table.by_binding.insert(address(binding), table.rows.len());
                let name = format!("{} {} {}", service.name, binding.kind, binding.pattern.as_str());
                table.rows.push(Row { binding: name, function: binding.function_name(), ..Row::default() });
            }
        }
        table.rows.push(Row { binding: "nothing".into(), ..Row::default() });
        table
    }

    fn row(&self, host: &Host, msg: &Msg) -> &Row {
        let found = host.space().binding_for(&msg.kind, &msg.uri);
        let at = found.and_then(|(_, binding)| self.by_binding.get(&address(binding)));
        &self.rows[at.copied().unwrap_or(self.rows.len() - 1)]
    }
}

impl Row {
    fn count(&self, started: Instant, is_fault: bool) {
        let elapsed_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.count.fetch_add(1, Ordering::Relaxed);
        self.faults.fetch_add(u64::from(is_fault), Ordering::Relaxed);
        self.total_us.fetch_add(elapsed_us, Ordering::Relaxed);
        self.longest_us.fetch_max(elapsed_us, Ordering::Relaxed);
    }
}

impl Handler for Meter {
    fn handle<'a>(&'a self, host: &'a Host, msg: Msg, next: Next<'a>) -> BoxFuture<'a, Result<Answer, Fault>> {
        Box::pin(async move {
            let row = self.table.get_or_init(|| Table::new(host)).row(host, &msg);
            let started = Instant::now();
            let result = next.run(host, msg).await;
            row.count(started, result.is_err());
            result
        })
    }
}
