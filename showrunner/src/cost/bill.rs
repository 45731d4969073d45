//! What was used, and what it would cost. Every function is a Lambda of its own: who calls another waits and pays for both. A
//! request is one of API Gateway, a delivered message three of SQS (send, receive, delete), an event a publication of SNS, a
//! schedule an invocation of EventBridge, a step and a started flow a transition of Step Functions, a blob a request of S3.

use super::prices::{Pico, Prices};
use callboard::invocation::{Dependency, Invocation};
use serde::{Deserialize, Serialize};

/// API Gateway counts each of these as a request.
const GATEWAY_BYTES: u64 = 512 * 1024;
/// SQS counts each of these as a request.
const QUEUE_BYTES: u64 = 64 * 1024;

/// What invocations used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub(crate) struct Usage {
    pub(crate) invocations: u64,
    /// Durations, each rounded up to a millisecond.
    pub(crate) billed_ms: u64,
    pub(crate) duration_ns: u64,
    /// Of the duration. Programs of the machine compute, although the function waits for them.
    pub(crate) waiting_ns: u64,
    /// Of the waiting, that for other functions.
    pub(crate) calling_ns: u64,
    pub(crate) gateway_requests: u64,
    pub(crate) queue_requests: u64,
    pub(crate) publications: u64,
    pub(crate) scheduled: u64,
    pub(crate) transitions: u64,
    pub(crate) blob_reads: u64,
    pub(crate) blob_changes: u64,
    /// Memory that it was given, in megabytes, as its function or deployment is set; 0 where nobody says.
    pub(crate) memory_mb: u64,
}

/// An invocation as the operator's functions list it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Listed {
    pub(crate) correlation: String,
    pub(crate) function: String,
    pub(crate) service: String,
    pub(crate) started_ms: i64,
    pub(crate) span: String,
    pub(crate) parent: String,
    trigger: String,
    duration_ns: u64,
    waiting_ns: u64,
    waits: Vec<ListedWait>,
    in_bytes: u64,
    out_bytes: u64,
    events: u64,
    starts: u64,
    #[serde(default)]
    pub(crate) memory_mb: Option<u64>,
}

#[derive(Clone, Debug, Deserialize)]
struct ListedWait {
    on: String,
    count: u64,
    time_ns: u64,
}

impl Usage {
    /// What one invocation used.
    pub(crate) fn of(one: &Invocation) -> Self {
        let mut usage = Self::begin(one.trigger, one.in_bytes, one.out_bytes, one.duration_ns);
        let mut tools_ns = 0;
        for wait in &one.waits {
            match wait.on {
                Dependency::Service(_) => usage.calling_ns += wait.time_ns,
                Dependency::Tool(_) => tools_ns += wait.time_ns,
                Dependency::Blobs => usage.blob_reads += u64::from(wait.count),
                Dependency::BlobChanges => usage.blob_changes += u64::from(wait.count),
                Dependency::Records | Dependency::Outside(_) => {}
            }
        }
        usage.memory_mb = one.memory_mb.unwrap_or(0);
        usage.end(one.waiting_ns, tools_ns, u64::from(one.events), u64::from(one.starts))
    }

    /// The same of one that was listed.
    pub(crate) fn of_listed(one: &Listed) -> Self {
        let mut usage = Self::begin(&one.trigger, one.in_bytes, one.out_bytes, one.duration_ns);
        let mut tools_ns = 0;
        for wait in &one.waits {
            match wait.on.as_str() {
                "blobs" => usage.blob_reads += wait.count,
                "blob changes" => usage.blob_changes += wait.count,
                on if on.starts_with("service ") => usage.calling_ns += wait.time_ns,
                on if on.starts_with("tool ") => tools_ns += wait.time_ns,
                _ => {}
            }
        }
        usage.memory_mb = one.memory_mb.unwrap_or(0);
        usage.end(one.waiting_ns, tools_ns, one.events, one.starts)
    }

    fn begin(trigger: &str, in_bytes: u64, out_bytes: u64, duration_ns: u64) -> Self {
        let chunks = |bytes: u64, chunk: u64| bytes.div_ceil(chunk).max(1);
        let mut usage =
            Self { invocations: 1, billed_ms: duration_ns.div_ceil(1_000_000), duration_ns, ..Self::default() };
        match trigger {
            "http" => usage.gateway_requests = chunks(in_bytes + out_bytes, GATEWAY_BYTES),
            "queue" | "event" => usage.queue_requests = 3 * chunks(in_bytes, QUEUE_BYTES),
            "schedule" => usage.scheduled = 1,
            "flow" => usage.transitions = 1,
            _ => {}
        }
        usage
    }

    fn end(mut self, waiting_ns: u64, tools_ns: u64, events: u64, starts: u64) -> Self {
        self.waiting_ns = waiting_ns.saturating_sub(tools_ns);
        self.calling_ns = self.calling_ns.min(self.waiting_ns);
        self.publications = events;
        self.transitions += starts;
        self
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.invocations += other.invocations;
        self.billed_ms += other.billed_ms;
        self.duration_ns += other.duration_ns;
        self.waiting_ns += other.waiting_ns;
        self.calling_ns += other.calling_ns;
        self.gateway_requests += other.gateway_requests;
        self.queue_requests += other.queue_requests;
        self.publications += other.publications;
        self.scheduled += other.scheduled;
        self.transitions += other.transitions;
        self.blob_reads += other.blob_reads;
        self.blob_changes += other.blob_changes;
        self.memory_mb = self.memory_mb.max(other.memory_mb);
    }
}

/// What something would cost, in picodollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bill {
    /// Time of Lambda.
    pub(crate) time: Pico,
    /// Of that, for waiting.
    pub(crate) waiting: Pico,
    /// Everything else.
    pub(crate) requests: Pico,
}

impl Bill {
    /// What a usage would cost with so much memory.
    pub(crate) fn of(usage: &Usage, prices: &Prices, memory_mb: u64) -> Self {
        let time = time(usage.billed_ms, prices, memory_mb);
        let share = |part_ns: u64| match usage.duration_ns {
            0 => 0,
            whole_ns => time * u128::from(part_ns.min(whole_ns)) / u128::from(whole_ns),
        };
        let counted = [
            (usage.invocations, prices.lambda.request),
            (usage.gateway_requests, prices.api_gateway.request),
            (usage.queue_requests, prices.sqs.request),
            (usage.publications, prices.sns.publish),
            (usage.scheduled, prices.eventbridge.schedule),
            (usage.transitions, prices.step_functions.transition),
            (usage.blob_reads, prices.s3.read),
            (usage.blob_changes, prices.s3.change),
        ];
        let requests = counted.iter().map(|(count, price)| u128::from(*count) * price).sum();
        Self { time, waiting: share(usage.waiting_ns), requests }
    }

    pub(crate) fn total(&self) -> Pico {
        self.time + self.requests
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.time += other.time;
        self.waiting += other.waiting;
        self.requests += other.requests;
    }

    /// How much of all is paid for waiting, in hundredths.
    pub(crate) fn waiting_percent(&self) -> u128 {
        (self.waiting * 100).checked_div(self.total()).unwrap_or(0)
    }
}

/// Time of Lambda, rounded half up to a picodollar.
fn time(billed_ms: u64, prices: &Prices, memory_mb: u64) -> Pico {
    let whole = 1_000 * 1_024;
    (u128::from(billed_ms) * u128::from(memory_mb) * prices.lambda.gb_second + whole / 2) / whole
}

/// What an invocation of a chain would cost as a step: it does not wait for the functions it calls, and costs a transition.
pub(crate) fn as_step(usage: &Usage, prices: &Prices, memory_mb: u64) -> Bill {
    let own_ns = usage.duration_ns.saturating_sub(usage.calling_ns);
    let step = Usage {
        billed_ms: own_ns.div_ceil(1_000_000),
        duration_ns: own_ns,
        waiting_ns: usage.waiting_ns.saturating_sub(usage.calling_ns),
        calling_ns: 0,
        transitions: usage.transitions.max(1),
        ..*usage
    };
    Bill::of(&step, prices, memory_mb)
}

#[cfg(test)]
pub(crate) fn listed(function: &str, trigger: &str, duration_ms: u64, waits: &[(&str, u64, u64)]) -> Listed {
    let waits: Vec<ListedWait> = waits
        .iter()
        .map(|(on, count, time_ms)| ListedWait { on: (*on).to_owned(), count: *count, time_ns: time_ms * 1_000_000 })
        .collect();
    Listed {
        correlation: "c".to_owned(),
        function: function.to_owned(),
        service: function.split("::").next().unwrap_or_default().to_owned(),
        started_ms: 0,
        span: function.to_owned(),
        parent: "0000000000000000".to_owned(),
        trigger: trigger.to_owned(),
        duration_ns: duration_ms * 1_000_000,
        waiting_ns: waits.iter().map(|wait| wait.time_ns).sum(),
        waits,
        in_bytes: 0,
        out_bytes: 0,
        events: 0,
        starts: 0,
        memory_mb: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::prices::{DOLLAR, shown};

    #[test]
    fn a_bill_equals_the_one_computed_by_hand_to_the_cent() {
        let prices = Prices::built_in();
        // 3,000,000 requests of 120 ms with 512 MB, 90 ms of which each waits for records; each publishes an event.
        let page = Usage {
            invocations: 3_000_000,
            billed_ms: 360_000_000,
            duration_ns: 360_000_000_000_000,
            waiting_ns: 270_000_000_000_000,
            gateway_requests: 3_000_000,
            publications: 3_000_000,
            ..Usage::default()
        };
        let bill = Bill::of(&page, &prices, 512);
        // 360,000 s × 0.5 GB = 180,000 GB-s × $0.0000166667        = $3.000006
        assert_eq!(bill.time, 3_000_006_000_000);
        // of it 90 of 120 ms                                       = $2.2500045
        assert_eq!(bill.waiting, 2_250_004_500_000);
        // 3,000,000 × ($0.0000002 + $0.000001 + $0.0000005)        = $5.10
        assert_eq!(bill.requests, 5_100_000_000_000);
        // together                                                 = $8.100006
        assert_eq!((bill.total(), shown(bill.total()).as_str()), (8_100_006_000_000, "$8.10"));
        assert_eq!(bill.waiting_percent(), 27, "$2.2500045 of $8.100006");
        // 200,000 steps of 2,500 ms with 2,048 MB, each 2 blobs read and 1 changed, in 50,000 runs that were started.
        let step = Usage {
            invocations: 200_000,
            billed_ms: 500_000_000,
            duration_ns: 500_000_000_000_000,
            transitions: 250_000,
            blob_reads: 400_000,
            blob_changes: 200_000,
            ..Usage::default()
        };
        let bill = Bill::of(&step, &prices, 2_048);
        // 500,000 s × 2 GB = 1,000,000 GB-s × $0.0000166667        = $16.6667
        // 200,000 × $0.0000002                                     = $0.04
        // 250,000 × $0.000025                                      = $6.25
        // 400,000 × $0.0000004 + 200,000 × $0.000005               = $1.16
        // together                                                 = $24.1167
        assert_eq!((bill.total(), shown(bill.total()).as_str()), (24_116_700_000_000, "$24.12"));
        // 1,000,000 queued messages, 10 ms, 128 MB, and 30,000 schedules of the same.
        let queue = Usage {
            invocations: 1_030_000,
            billed_ms: 10_300_000,
            queue_requests: 3_000_000,
            scheduled: 30_000,
            ..Usage::default()
        };
        // 10,300 s × 0.125 GB = 1,287.5 GB-s × $0.0000166667       = $0.02145837625
        // 1,030,000 × $0.0000002                                   = $0.206
        // 3,000,000 × $0.0000004 + 30,000 × $0.000001              = $1.23
        assert_eq!(Bill::of(&queue, &prices, 128).total(), 1_457_458_376_250);
        assert_eq!(DOLLAR, 1_000_000_000_000);
    }

    #[test]
    fn an_invocation_is_counted_by_how_it_was_reached() {
        let mut one = listed("shop::a", "http", 12, &[("records", 3, 5), ("tool ffmpeg", 1, 4), ("blobs", 2, 1)]);
        one.in_bytes = 500 * 1024;
        one.out_bytes = 100 * 1024;
        let usage = Usage::of_listed(&one);
        assert_eq!((usage.gateway_requests, usage.queue_requests, usage.blob_reads), (2, 0, 2));
        assert_eq!((usage.billed_ms, usage.waiting_ns), (12, 6_000_000), "a program of the machine computes");
        one.trigger = "queue".to_owned();
        assert_eq!(Usage::of_listed(&one).queue_requests, 24, "500 KiB are eight times 64");
        one.trigger = "schedule".to_owned();
        assert_eq!(Usage::of_listed(&one).scheduled, 1);
        one.trigger = "flow".to_owned();
        assert_eq!(Usage::of_listed(&one).transitions, 1);
    }
}
