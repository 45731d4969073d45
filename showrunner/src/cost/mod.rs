//! `cost`: what the traffic of this application would cost on AWS, and how much of that is paid for waiting.

mod bill;
mod prices;
mod traffic;

pub(crate) use traffic::{Traffic, service};

use crate::cli::{By, Cost, Shape};
use crate::operate::{self, get};
use crate::settings::Settings;
use bill::{Bill, Listed, Usage, as_step};
use callboard::Fault;
use prices::{Prices, shown};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use traffic::Row;

/// Most invocations that are asked for, which is what a server lists.
const LISTED_MAX: u32 = 1_000;

/// How much memory functions have: what is set for one, what it was given when it ran, or what is set for all.
struct Memory {
    usual_mb: u64,
    /// Part of a function's path, and megabytes; the longest part that fits counts.
    set: Vec<(String, u64)>,
}

/// What was used, and what it would cost.
type Sum = (Usage, Bill);

/// Lines of a bill, by name.
#[derive(Default)]
struct Lines(BTreeMap<String, Sum>);

/// Runs the command; gives what to print.
///
/// # Errors
/// The server's fault, or what is wrong with what was asked.
pub(crate) async fn run(settings: &Settings, asked: &Cost) -> Result<String, Fault> {
    let memory = Memory::read(settings)?;
    let prices = Prices::built_in();
    if let Some(chain) = &asked.chain {
        let listed = invocations(settings, &json!({"correlation": chain, "limit": LISTED_MAX})).await?;
        return Ok(chain_text(&listed, &prices, &memory));
    }
    let since_ms = asked.since.map_or(0, |back_ms| callboard_now_ms() - back_ms);
    let mut lines = Lines::default();
    if asked.by == By::Request {
        for one in invocations(settings, &json!({"limit": LISTED_MAX})).await? {
            let root = format!("{} {}", one.correlation, one.service);
            let name = lines.request_name(&one, root);
            if one.started_ms >= since_ms {
                lines.add(name, &memory.known(&one.service, &one.function, Usage::of_listed(&one)), &prices);
            }
        }
    } else {
        let rows = get(settings, "/-/traffic", &()).await?;
        let rows: Vec<Row> = read(rows)?;
        // An hour counts where any of it does.
        for Row { key, usage } in rows.into_iter().filter(|row| row.key.hour_ms + 3_600_000 > since_ms) {
            let name = match asked.by {
                By::Tenant => key.tenant.to_string(),
                By::Flow => key.flow.as_deref().unwrap_or("(no flow)").to_owned(),
                By::Function | By::Request => key.function.to_string(),
            };
            lines.add(name, &memory.known(&key.service, &key.function, usage), &prices);
        }
    }
    Ok(match asked.how.format {
        Shape::Text => lines.text(&prices, &memory),
        Shape::Json => format!("{:#}\n", lines.json(&prices)),
    })
}

fn callboard_now_ms() -> i64 {
    use callboard::ports::Clock;
    callboard_engines::clock::SystemClock.now_ms()
}

fn read<T: for<'de> Deserialize<'de>>(value: Value) -> Result<T, Fault> {
    serde_json::from_value(value).map_err(|error| Fault::bug(format!("what the server lists cannot be read: {error}")))
}

async fn invocations(settings: &Settings, question: &Value) -> Result<Vec<Listed>, Fault> {
    let mut listed = get(settings, "/-/invocations", question).await?;
    read(listed["invocations"].take())
}

impl Memory {
    /// As the settings `cost_memory_mb` and `cost_memory` say.
    fn read(settings: &Settings) -> Result<Self, Fault> {
        let usual_mb = settings.get("cost_memory_mb").parse().unwrap_or(512);
        let set = read_memory(settings.get("cost_memory")).map_err(|what| Fault::bad_input("settings", what))?;
        Ok(Self { usual_mb, set })
    }

    fn of(&self, service: &str, function: &str, given_mb: u64) -> u64 {
        let fits = self.set.iter().filter(|(part, _)| part == service || function.contains(part.as_str()));
        let set = fits.max_by_key(|(part, _)| part.len()).map(|(_, mb)| *mb);
        set.or((given_mb > 0).then_some(given_mb)).unwrap_or(self.usual_mb)
    }

    /// A usage with the memory that it is billed with.
    fn known(&self, service: &str, function: &str, usage: Usage) -> Usage {
        Usage { memory_mb: self.of(service, function, usage.memory_mb), ..usage }
    }
}

/// Reads `media=2048, catalogue::series=256`.
///
/// # Errors
/// What to write instead.
pub(crate) fn read_memory(text: &str) -> Result<Vec<(String, u64)>, String> {
    let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
    let pair = |word: &str| {
        let (name, mb) = word.rsplit_once('=')?;
        let mb = mb.trim().parse().ok().filter(|mb| (128..=10_240).contains(mb))?;
        Some((name.trim().to_owned(), mb))
    };
    words
        .map(|word| pair(word).ok_or_else(|| format!("write `{word}` as `media=2048`, 128 to 10240 megabytes")))
        .collect()
}

impl Lines {
    /// The name of a request's line: what it is known by, and the function that it first reached.
    fn request_name(&self, one: &Listed, root: String) -> String {
        let correlation = &one.correlation;
        let known = self.0.keys().find(|name| name.starts_with(correlation.as_str())).cloned();
        known.unwrap_or(root)
    }

    fn add(&mut self, name: String, usage: &Usage, prices: &Prices) {
        let (sum, bill) = self.0.entry(name).or_default();
        sum.add(usage);
        bill.add(&Bill::of(usage, prices, usage.memory_mb));
    }

    /// The dearest first, and what all cost.
    fn sorted(&self) -> (Vec<(&String, &Sum)>, Sum) {
        let mut rows: Vec<_> = self.0.iter().collect();
        rows.sort_by_key(|(_, (_, bill))| std::cmp::Reverse(bill.total()));
        let mut all = (Usage::default(), Bill::default());
        for (_, (usage, bill)) in &rows {
            all.0.add(usage);
            all.1.add(bill);
        }
        (rows, all)
    }

    fn text(&self, prices: &Prices, memory: &Memory) -> String {
        if self.0.is_empty() {
            return "nothing was used yet\n".to_owned();
        }
        let (rows, all) = self.sorted();
        let cells = |name: &str, (usage, bill): &Sum| {
            let million = bill.total() * 1_000_000 / u128::from(usage.invocations.max(1));
            vec![
                name.to_owned(),
                usage.invocations.to_string(),
                format!("{} ms", usage.billed_ms / usage.invocations.max(1)),
                format!("{} MB", usage.memory_mb),
                shown(bill.time),
                shown(bill.requests),
                shown(bill.total()),
                format!("{} %", bill.waiting_percent()),
                shown(million),
            ]
        };
        let mut table: Vec<_> = rows.iter().map(|(name, row)| cells(name, row)).collect();
        table.push(cells("together", &all));
        let heads = ["of", "runs", "each", "at most", "time", "requests", "cost", "waiting", "a million"];
        let Prices { date, region, .. } = prices;
        let mb = memory.usual_mb;
        format!(
            "{}\nList prices of AWS in {region} of {date}. Memory is what `cost_memory` says; else what a function in processes is \
             given, or the deployment's on AWS Lambda; else {mb} MB, assumed. Records, storage, transfer and free tiers are not \
             in it.\n",
            operate::table(&heads, &table)
        )
    }

    fn json(&self, prices: &Prices) -> Value {
        let (rows, all) = self.sorted();
        let line = |name: &str, (usage, bill): &Sum| {
            json!({"of": name, "usage": usage, "cost": shown(bill.total()), "cost_picodollars": bill.total().to_string(),
                "time": shown(bill.time), "waiting": shown(bill.waiting), "requests": shown(bill.requests),
                "waiting_percent": bill.waiting_percent().to_string()})
        };
        let lines: Vec<Value> = rows.iter().map(|(name, row)| line(name, row)).collect();
        json!({"lines": lines, "together": line("together", &all), "prices": {"date": prices.date, "region": prices.region}})
    }
}

/// A chain of calls as it is, and as a flow whose steps do not wait for each other's answers.
fn chain_text(listed: &[Listed], prices: &Prices, memory: &Memory) -> String {
    if listed.is_empty() {
        return "nothing that belongs to this is known any more; `showrunner invocations` lists what is\n".to_owned();
    }
    let (mut before, mut after) = (Bill::default(), Bill::default());
    let mut table = Vec::new();
    // What was called ends first; a chain is read from its beginning.
    for one in listed.iter() {
        let usage = Usage::of_listed(one);
        let memory_mb = memory.of(&one.service, &one.function, usage.memory_mb);
        let (now, step) = (Bill::of(&usage, prices, memory_mb), as_step(&usage, prices, memory_mb));
        before.add(&now);
        after.add(&step);
        let ms = |time_ns: u64| format!("{}.{:03} ms", time_ns / 1_000_000, time_ns / 1_000 % 1_000);
        table.push(vec![
            format!("{}{}", "  ".repeat(depth(one, listed)), one.function),
            ms(usage.duration_ns),
            ms(usage.calling_ns),
            shown(now.total()),
            shown(step.total()),
        ]);
    }
    let total = ["together".to_owned(), String::new(), String::new(), shown(before.total()), shown(after.total())];
    table.push(total.to_vec());
    let heads = ["function", "took", "waiting for calls", "as it is", "as a step"];
    let million = |bill: &Bill| shown(bill.total() * 1_000_000);
    let verdict = if after.total() < before.total() { "steps are cheaper" } else { "calls are cheaper" };
    format!(
        "{}\nA million of these cost {} as they are and {} as a flow: {verdict}.\nA step does not wait for what it \
         calls; it costs a transition of Step Functions instead.\n",
        operate::table(&heads, &table),
        million(&before),
        million(&after)
    )
}

/// How many of the chain led to one of it.
fn depth(one: &Listed, listed: &[Listed]) -> usize {
    let mut parent = one.parent.as_str();
    (0..listed.len())
        .take_while(|_| match listed.iter().find(|other| other.span == parent) {
            Some(other) => {
                parent = other.parent.as_str();
                true
            }
            None => false,
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bill::listed;

    fn memory() -> Memory {
        Memory { usual_mb: 1_024, set: read_memory("media=2048, media::probe=128").expect("two") }
    }

    #[test]
    fn memory_is_that_of_the_longest_name_that_fits() {
        let memory = memory();
        let of = |service: &str, function: &str| memory.of(service, function, 0);
        assert_eq!(of("catalogue", "catalogue::series::list"), 1_024);
        assert_eq!((of("media", "media::encode"), of("media", "media::probe::run")), (2_048, 128));
        let given = |service: &str, function: &str| memory.of(service, function, 256);
        assert_eq!(given("functions", "functions::hello"), 256, "what it was given when it ran");
        assert_eq!(given("media", "media::encode"), 2_048, "what is set counts more");
        for wrong in ["media", "media=lots", "media=64"] {
            assert!(read_memory(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_waiting_chain_is_priced_before_and_after_it_is_steps() {
        let order = listed("shop::order", "http", 1_000, &[("service pay", 1, 900)]);
        let mut pay = listed("pay::charge", "call", 900, &[("service ledger", 1, 400), ("outside bank", 1, 300)]);
        let mut ledger = listed("ledger::book", "call", 400, &[("records", 2, 50)]);
        pay.parent = "shop::order".to_owned();
        ledger.parent = "pay::charge".to_owned();
        let text = chain_text(&[order, pay, ledger], &Prices::built_in(), &memory());
        // As it is: (1,000 + 900 + 400) ms × 1 GB × $0.0000166667 = $0.00003833341; 3 requests, 1 of the gateway: $0.0000016
        //           together $0.00003993341, a million $39.93
        // As steps: (100 + 500 + 400) ms × 1 GB × $0.0000166667 = $0.0000166667; the same $0.0000016; 3 × $0.000025
        //           together $0.0000932667, a million $93.27
        assert!(
            text.contains("A million of these cost $39.93 as they are and $93.27 as a flow: calls are cheaper."),
            "{text}"
        );
        assert!(text.contains("    ledger::book  400.000 ms   0.000 ms"), "{text}");
    }

    #[test]
    fn a_chain_that_waits_long_is_cheaper_as_steps() {
        let order = listed("shop::order", "http", 60_000, &[("service encode", 1, 59_900)]);
        let mut encode = listed("encode::all", "call", 59_900, &[]);
        encode.parent = "shop::order".to_owned();
        let text = chain_text(&[order, encode], &Prices::built_in(), &memory());
        // As it is: 119.9 s × $0.0000166667 = $0.00199833733 + $0.0000014; a million $1,999.74
        // As steps:  60.0 s × $0.0000166667 = $0.001000002   + $0.0000014 + 2 × $0.000025; a million $1,051.40
        assert!(text.contains("cost $1999.74 as they are and $1051.40 as a flow: steps are cheaper"), "{text}");
    }

    #[test]
    fn lines_are_the_dearest_first_with_the_share_for_waiting() {
        let prices = Prices::built_in();
        let mut lines = Lines::default();
        let cheap = listed("shop::look", "http", 4, &[]);
        let dear = listed("shop::order", "http", 400, &[("records", 1, 200)]);
        for (one, times) in [(&cheap, 10), (&dear, 10)] {
            for _ in 0..times {
                let usage = memory().known(&one.service, &one.function, Usage::of_listed(one));
                lines.add(one.function.clone(), &usage, &prices);
            }
        }
        let text = lines.text(&prices, &memory());
        let names: Vec<&str> = text.lines().map(|line| line.split_whitespace().next().unwrap_or_default()).collect();
        assert_eq!(names[..4], ["of", "shop::order", "shop::look", "together"], "{text}");
        // 400 ms cost $0.00000666668 and $0.0000012 for requests; half of the time is waiting: 42 %.
        assert!(text.contains("400 ms  1024 MB") && text.contains("else 1024 MB, assumed"), "{text}");
        assert!(text.contains("42 %") && text.contains("us-east-1 of 2026-11-28"), "{text}");
        let json = lines.json(&prices);
        assert_eq!(json["lines"][0]["usage"]["invocations"], 10);
    }
}
