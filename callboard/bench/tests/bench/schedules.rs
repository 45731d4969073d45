//! Schedules fire once for every time, whatever restarts, and say what becomes of the times that were missed.

use callboard::ports::{Clock, Ports};
use callboard::{CatchUp, Due, Env, Fault, Host, Kind, Msg, Reply, Service, Stranger, Tenant, Uri, Who};
use callboard_bench::Bench;
use callboard_engines::clock::ManualClock;
use callboard_engines::delivery::drain;
use callboard_engines::sqlite::{Options, Sqlite};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, Mutex};

const HOUR_MS: i64 = 3_600_000;

#[derive(Clone, Default)]
struct Bell(Arc<Mutex<Vec<(Tenant, i64)>>>);

impl Bell {
    fn ring(
        &self,
    ) -> impl Fn(Env, Msg<Due>) -> std::future::Ready<Result<Reply, Fault>> + Send + Sync + 'static + use<> {
        let bell = self.clone();
        move |env: Env, msg: Msg<Due>| {
            bell.0.lock().expect("nobody panicked").push((env.tenant().clone(), msg.data.due_ms));
            std::future::ready(Ok(Reply::nothing()))
        }
    }

    /// Hours after the beginning for which it rang.
    fn hours(&self) -> Vec<i64> {
        let rung = self.0.lock().expect("nobody panicked");
        rung.iter().map(|(_, due_ms)| (due_ms - callboard_bench::START_MS) / HOUR_MS).collect()
    }
}

fn hourly(bell: &Bell, catch_up: CatchUp) -> Service {
    Service::new("tower").every("bell", HOUR_MS, bell.ring()).catch_up(catch_up)
}

#[tokio::test]
async fn a_schedule_fires_once_for_every_time() {
    let bell = Bell::default();
    let bench = Bench::new(vec![hourly(&bell, CatchUp::Once)]).await;
    for _ in 0..12 {
        bench.wait_ms(HOUR_MS / 4).await;
    }
    assert_eq!(bell.hours(), [1, 2, 3]);
    let ticks = bench.host().ports().records.operations().ticks().await.expect("ticks");
    assert_eq!(ticks[0].due_ms, callboard_bench::START_MS + 4 * HOUR_MS);
}

#[tokio::test]
async fn missed_times_are_left_out_or_made_up_for_once_or_each() {
    for (catch_up, hours) in
        [(CatchUp::Skip, vec![6]), (CatchUp::Once, vec![1, 6]), (CatchUp::All, vec![1, 2, 3, 4, 5, 6])]
    {
        let bell = Bell::default();
        let bench = Bench::new(vec![hourly(&bell, catch_up)]).await;
        bench.wait_ms(5 * HOUR_MS + HOUR_MS / 2).await;
        bench.wait_ms(HOUR_MS / 2).await;
        assert_eq!(bell.hours(), hours, "{catch_up:?}");
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_an_hour_fires_nothing_twice() {
    let bell = Bell::default();
    let bench = Bench::new(vec![hourly(&bell, CatchUp::Once)]).await;
    bench.wait_ms(2 * HOUR_MS).await;
    assert_eq!(bell.hours(), [1]);
    bench.wait_ms(HOUR_MS).await;
    bench.wait_ms(-HOUR_MS).await;
    bench.wait_ms(HOUR_MS).await;
    assert_eq!(bell.hours(), [1, 3]);
    bench.wait_ms(HOUR_MS).await;
    assert_eq!(bell.hours(), [1, 3, 4]);
}

async fn open(folder: &Path, clock: &Arc<ManualClock>, service: Service) -> Host {
    let mut ports: Ports = Bench::new(vec![]).await.host().ports().clone();
    let records = Sqlite::new(Options { file: Some(folder.join("records.db")), readers: 1 }, ports.entropy.clone());
    ports.records = Arc::new(records);
    ports.clock = clock.clone();
    Host::builder(ports).service(service).build().await.expect("a host")
}

#[tokio::test]
async fn a_schedule_survives_restarts_and_a_changed_one_is_planned_anew() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let (bell, clock) = (Bell::default(), Arc::new(ManualClock::new(callboard_bench::START_MS)));
    for _ in 0..6 {
        let host = open(folder.path(), &clock, hourly(&bell, CatchUp::Once)).await;
        drain(&host).await.expect("delivered");
        clock.advance(HOUR_MS / 2);
    }
    assert_eq!(bell.hours(), [1, 2]);
    let twice = || Service::new("tower").every("bell", HOUR_MS / 2, bell.ring());
    let host = open(folder.path(), &clock, twice()).await;
    for _ in 0..4 {
        drain(&host).await.expect("delivered");
        clock.advance(HOUR_MS / 2);
    }
    assert_eq!(bell.0.lock().expect("nobody panicked").len(), 2 + 3, "the old plan went without ringing");
    assert!(clock.now_ms() > callboard_bench::START_MS);
}

#[derive(Deserialize, JsonSchema)]
struct Asked {
    limit: usize,
    after: String,
}

/// One name a page, so that there are several.
async fn names(_: Env, msg: Msg<Asked>) -> Result<Reply<Value>, Fault> {
    assert!(msg.data.limit > 1);
    let (name, next) = if msg.data.after.is_empty() { ("demo", Some("demo")) } else { ("other", None) };
    Ok(Reply::ok(json!({"items": [{"name": name, "title": "A channel"}], "next": next})))
}

#[tokio::test]
async fn a_schedule_fires_in_every_tenant_where_it_says_so() {
    let bell = Bell::default();
    let service = hourly(&bell, CatchUp::Once).each_tenant();
    let list = Service::new("list").on(Kind::Get, "/names", names, Who::Services, Stranger::NotFound);
    let at = Uri::parse("/names").expect("a URI");
    let bench =
        Bench::shaped(vec![service, list], callboard_bench::Kept::InMemory, |builder| builder.tenants(at)).await;
    bench.wait_ms(HOUR_MS).await;
    let mut tenants: Vec<String> =
        bell.0.lock().expect("nobody panicked").iter().map(|(tenant, _)| tenant.to_string()).collect();
    tenants.sort();
    assert_eq!(tenants, ["demo", "other"]);
}

#[tokio::test]
async fn a_schedule_that_never_fires_is_refused_at_start_with_its_place() {
    let bell = Bell::default();
    let wrong = Service::new("tower")
        .cron("never", "0 0 30 2 *", "Europe/Zurich", bell.ring())
        .cron("nonsense", "every day", "Europe/Zurich", bell.ring())
        .cron("nowhere", "0 3 * * *", "Europe/Atlantis", bell.ring())
        .every("often", 0, bell.ring())
        .every("twice", 5, bell.ring())
        .every("twice", 6, bell.ring());
    let error = callboard::Space::new(vec![wrong]).expect_err("refused").to_string();
    for part in [
        "tower: schedule never: `0 0 30 2 *` never fires",
        "tower: schedule nonsense: `every day` is no cron expression",
        "tower: schedule nowhere: there is no time zone `Europe/Atlantis`",
        "tower: schedule often: give it at least a millisecond",
        "tower: schedule twice: this name stands twice",
    ] {
        assert!(error.contains(part), "{error}\nshould mention {part}");
    }
}
