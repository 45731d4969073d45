//! The kernel under any order of taking, delivering, failing, giving back and answering twice: every message takes effect once,
//! and those of a lane in the order in which they were sent.

use callboard::ports::{Delivery, Fate};
use callboard::{Env, Fault, Kind, Msg, Reply, Service, Stranger, Who, event, uri};
use callboard_bench::Bench;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::HashMap;

/// After so many pauses everything was tried again.
const ROUNDS_MAX: usize = 100;

/// Something that happens to the kernel.
#[derive(Clone, Debug)]
enum Step {
    Send(u8),
    Take(usize),
    /// Runs what was taken, the message at this place; its claim may be stale.
    Deliver(usize),
    Fail(usize),
    GiveBack(usize),
    Wait(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0_u8..4).prop_map(Step::Send),
        2 => (1_usize..4).prop_map(Step::Take),
        4 => any::<usize>().prop_map(Step::Deliver),
        1 => any::<usize>().prop_map(Step::Fail),
        1 => any::<usize>().prop_map(Step::GiveBack),
        1 => (0_i64..2_000).prop_map(Step::Wait),
    ]
}

static WRITE: callboard::Statement = callboard::Statement::write(
    "write",
    &["effect"],
    "INSERT INTO effect (tenant, place, lane, number)
     SELECT $tenant, coalesce(max(place), 0) + 1, $1, $2 FROM effect WHERE tenant = $tenant",
);

fn service() -> Service {
    let apply = |_: Env, msg: Msg<Value>| async move {
        let (lane, number) = (msg.param("lane").to_owned(), msg.data["number"].as_i64().unwrap_or_default());
        Ok::<_, Fault>(Reply::<()>::nothing().write(WRITE.with(callboard::params![lane, number])))
    };
    let send = |_: Env, msg: Msg<Value>| async move {
        Ok::<_, Fault>(Reply::<()>::nothing().emit(event("sent"), uri!("/lanes/{}", msg.param("lane"))?, &msg.data))
    };
    Service::new("lanes")
        .on(Kind::Post, "/lanes/{lane}", send, Who::Anyone, Stranger::Denied)
        .on(event("sent"), "/lanes/{lane}", apply, Who::Services, Stranger::NotFound)
        .attempts_max(u32::MAX)
        .tenants_tables(&["effect"])
        .migration("0001", "CREATE TABLE effect (tenant TEXT, place BIGINT, lane TEXT, number BIGINT);")
        .statements(&[&WRITE])
}

async fn play(steps: Vec<Step>) {
    let bench = Bench::new(vec![service()]).await;
    let (host, mut sent) = (bench.host(), HashMap::<u8, i64>::new());
    let records = &host.ports().records;
    let mut taken: Vec<Delivery> = Vec::new();
    for step in steps {
        let now_ms = host.ports().clock.now_ms();
        let pick = |at: usize| taken.get(at % taken.len().max(1));
        match step {
            Step::Send(lane) => {
                let number = *sent.entry(lane).and_modify(|at| *at += 1).or_insert(1);
                bench.nobody().post(&format!("/lanes/{lane}"), json!({"number": number})).await.expect("sent");
            }
            Step::Take(limit) => taken.extend(records.claim(limit, &[], now_ms).await.expect("messages")),
            Step::Deliver(at) => {
                if let Some(one) = pick(at) {
                    let result = host.deliver(one).await;
                    assert!(
                        result.as_ref().err().is_none_or(Fault::is_behind),
                        "delivered, too late or too early: {result:?}"
                    );
                }
            }
            Step::Fail(at) => {
                if let Some(one) = pick(at) {
                    host.fail(one, &Fault::unavailable("away", "not now")).await.expect("noted");
                }
            }
            Step::GiveBack(at) => {
                if let Some(one) = pick(at) {
                    records.fail(one.settle, Fate::Release, now_ms).await.expect("given back");
                }
            }
            Step::Wait(time_ms) => drop(bench.clock().advance(time_ms)),
        }
    }
    // Whatever is still held is given back, as when its process ends.
    for one in &taken {
        records.fail(one.settle, Fate::Release, 0).await.expect("given back");
    }
    for _ in 0..ROUNDS_MAX {
        if bench.inspect("SELECT count(*) FROM kernel_lane").await == ["0"] {
            break;
        }
        bench.wait_ms(600_000).await;
    }
    assert_eq!(bench.inspect("SELECT count(*) FROM kernel_lane").await, ["0"], "everything is delivered in the end");
    let all = bench.inspect("SELECT lane || ' ' || number FROM effect ORDER BY place").await;
    for (lane, last) in &sent {
        let prefix = format!("{lane} ");
        let applied: Vec<i64> = all.iter().filter_map(|line| line.strip_prefix(&prefix)?.parse().ok()).collect();
        assert_eq!(applied, (1..=*last).collect::<Vec<_>>(), "lane {lane}");
    }
    assert_eq!(bench.inspect("SELECT count(*) FROM kernel_message").await, ["0"]);
    assert_eq!(bench.inspect("SELECT count(*) FROM kernel_dead").await, ["0"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_message_takes_effect_once_and_in_order(steps in prop::collection::vec(step(), 1..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(play(steps));
    }
}
