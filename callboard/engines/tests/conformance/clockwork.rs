//! Several processes on one PostgreSQL fire a schedule once for every time, also where their clocks differ, and a timer once.

use crate::postgres::unopened;
use crate::stage::{Engine, NOW_MS, Place, Town, postgres_url};
use callboard::outside::Nobody;
use callboard::{Due, Env, Fault, Msg, Reply, Service};
use callboard_engines::delivery::drain;
use std::sync::{Arc, Mutex};

const HOUR_MS: i64 = 3_600_000;

/// Which process rang, for which time.
type Rung = Arc<Mutex<Vec<(usize, i64)>>>;

fn tower(process: usize, rung: &Rung) -> Service {
    let rung = rung.clone();
    Service::new("tower").every("bell", HOUR_MS, move |_: Env, msg: Msg<Due>| {
        rung.lock().expect("nobody panicked").push((process, msg.data.due_ms));
        std::future::ready(Ok::<Reply, Fault>(Reply::nothing()))
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_share_records_fire_a_schedule_once_for_every_time() {
    let (place, rung) = (Place::new(Engine::Postgres), Rung::default());
    let mut towns = Vec::new();
    for process in 0..3 {
        let records = unopened(&postgres_url(), &place);
        towns.push(Town::new(records, tower(process, &rung), Arc::new(Nobody)).await);
    }
    // One is always a little ahead.
    towns[1].clock.advance(700);
    for _ in 0..96 {
        for town in &towns {
            town.clock.advance(HOUR_MS / 4);
        }
        let [one, other, third] = towns.as_slice() else { unreachable!("there are three") };
        let drained = tokio::join!(drain(&one.host), drain(&other.host), drain(&third.host));
        for delivered in [drained.0, drained.1, drained.2] {
            delivered.expect("delivered");
        }
    }
    let mut times: Vec<i64> = rung.lock().expect("nobody panicked").iter().map(|(_, due_ms)| *due_ms).collect();
    times.sort_unstable();
    assert_eq!(times, (1..=24).map(|hour| NOW_MS + hour * HOUR_MS).collect::<Vec<_>>());
}
