//! Lanes: order, claims, leases, the log.

use crate::once::key;
use crate::stage::{Engine, MAKE, NOW_MS, Stage, TAKE, WRITE, commit, envelope, id, message, number, settle_on};
use callboard::ports::{Commit, CommitError, DeadReason, Fate, Once, Outgoing, Records, Retention, TARGET_MAX};
use callboard::{Effects, Fault, Id, event, params};
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;

pub(crate) async fn messages_of_one_key_keep_their_order_among_competing_consumers(engine: Engine) {
    let stage = Stage::new(engine).await;
    let other = stage.another().await;
    for at in 0..12 {
        let all = ["a", "b", "c", "d"].map(|key| message("shop sent", key, json!([key, at])));
        stage.queue(all.into()).await;
    }
    let seen: Mutex<HashMap<String, Vec<u64>>> = Mutex::default();
    let consume = async |records: &dyn Records| {
        loop {
            let taken = records.claim(3, &[], NOW_MS).await.expect("a claim");
            if taken.is_empty() && seen.lock().expect("unpoisoned").values().map(Vec::len).sum::<usize>() == 48 {
                return;
            }
            for delivery in taken {
                let key = delivery.envelope.data[0].as_str().expect("a key").to_owned();
                let at = delivery.envelope.data[1].as_u64().expect("a number");
                // Its place is taken before it is settled: what comes next is not there before that.
                seen.lock().expect("unpoisoned").entry(key).or_default().push(at);
                let done = records.commit(Commit { settle: Some(delivery.settle), ..commit(Effects::new()) }).await;
                done.expect("settled");
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(consume(&*stage.records), consume(&*other));
    let seen = seen.into_inner().expect("unpoisoned");
    for key in ["a", "b", "c", "d"] {
        assert_eq!(seen[key], (0..12).collect::<Vec<_>>(), "{key}");
    }
}

pub(crate) async fn a_lane_is_taken_by_one_at_a_time(engine: Engine) {
    let stage = Stage::new(engine).await;
    let other = stage.another().await;
    for at in 0..3 {
        stage.send("shop sent", "a", number(at)).await;
    }
    // Who takes a lane has it, whether of its first message only or also of those behind that one.
    let taken = stage.claim(10).await;
    let data = taken.iter().map(|one| one.envelope.data.clone());
    assert_eq!(data.collect::<Vec<_>>(), (0..taken.len()).map(number).collect::<Vec<_>>());
    assert!(other.claim(10, &[], NOW_MS).await.expect("a claim").is_empty());
    assert_eq!(stage.records.renew(&[taken[0].settle], NOW_MS).await, Ok(Vec::new()));
    for one in &taken {
        stage.settle(one.settle, "done").await.expect("settled");
    }
    stage.send("shop sent", "a", number(3)).await;
    assert_eq!(other.claim(10, &[], NOW_MS).await.expect("a claim")[0].envelope.data, number(taken.len()));
    assert_eq!(stage.records.renew(&[taken[0].settle], NOW_MS).await, Ok(vec![taken[0].settle]));
}

/// Of messages of a lane that are taken together.
pub(crate) async fn a_message_is_settled_only_behind_the_one_before_it(engine: Engine) {
    let stage = Stage::new(engine).await;
    for at in 1..=40 {
        stage.send("shop sent", "a", number(at)).await;
    }
    for first in [1, 17, 33] {
        let taken = stage.claim(10).await;
        let places: Vec<_> = taken.iter().map(|one| (one.settle.seq, one.attempt)).collect();
        let last = if engine == Engine::Sqlite { (first + 15).min(40) } else { first };
        assert_eq!(places, (first..=last).map(|seq| (seq, 1)).collect::<Vec<_>>(), "to the end of its turn");
        for one in taken.iter().skip(1).rev() {
            let early = stage.settle(one.settle, "early").await;
            assert!(matches!(early, Err(CommitError::Behind)), "{early:?}");
        }
        for one in &taken {
            stage.settle(one.settle, &one.settle.seq.to_string()).await.expect("settled");
        }
        if engine == Engine::Postgres {
            return;
        }
    }
    assert_eq!(stage.lines().await, (1..=40).map(|seq| seq.to_string()).collect::<Vec<_>>());
    assert_eq!(stage.records.operations().stale().await, Ok(0), "it was no other's");
}

/// Whatever comes of the first: what was taken with it is anybody's again, the first time it is tried.
pub(crate) async fn what_is_taken_behind_a_message_that_fails_is_taken_anew(engine: Engine) {
    for fate in [
        Fate::Retry { at_ms: NOW_MS },
        Fate::Release,
        Fate::Bury { reason: DeadReason { code: "torn".into(), message: "it is torn".into() }, hold: false },
    ] {
        let stage = Stage::new(engine).await;
        for at in 1..=3 {
            stage.send("shop sent", "a", number(at)).await;
        }
        let taken = stage.claim(10).await;
        stage.records.fail(taken[0].settle, fate.clone(), NOW_MS).await.expect("noted");
        for one in taken.iter().skip(1) {
            let late = stage.settle(one.settle, "late").await;
            assert!(matches!(late, Err(CommitError::Stale)), "{fate:?}: {late:?}");
        }
        // Tried again it is alone: so it is found where it is the one that ends the process.
        let again = stage.claim(10).await;
        let is_again = matches!(fate, Fate::Retry { .. });
        assert_eq!(again[0].attempt, if is_again { 2 } else { 1 }, "{fate:?}");
        assert!(!is_again || again.len() == 1, "{fate:?}");
        let data = if matches!(fate, Fate::Bury { .. }) { 2 } else { 1 };
        assert_eq!(again[0].envelope.data, number(data), "{fate:?}");
        for one in again {
            stage.settle(one.settle, "then").await.expect("settled");
        }
    }
}

pub(crate) async fn what_is_settled_twice_is_stale_and_changes_nothing(engine: Engine) {
    let stage = Stage::new(engine).await;
    stage.send("shop sent", "a", number(1)).await;
    stage.send("shop sent", "a", number(2)).await;
    let taken = stage.next().await;
    stage.settle(taken.settle, "once").await.expect("settled");
    let error = stage.settle(taken.settle, "twice").await.expect_err("stale");
    assert!(matches!(error, CommitError::Stale), "{error:?}");
    assert_eq!(stage.lines().await, ["once"]);
    // What failed is over, too: only the next claim may settle it.
    let taken = stage.next().await;
    stage.records.fail(taken.settle, Fate::Retry { at_ms: NOW_MS }, NOW_MS).await.expect("noted");
    assert!(matches!(stage.settle(taken.settle, "late").await, Err(CommitError::Stale)));
    let again = stage.next().await;
    assert_eq!((again.attempt, again.envelope.data.clone()), (2, number(2)));
    stage.settle(again.settle, "then").await.expect("settled");
    assert_eq!(stage.lines().await, ["once", "then"]);
    assert_eq!(stage.records.operations().stale().await, Ok(2));
}

/// That it was done before is often what is wrong with it: a row is there already, or a stock is used up.
pub(crate) async fn what_is_settled_twice_is_stale_whatever_else_is_wrong(engine: Engine) {
    let stage = Stage::new(engine).await;
    stage.send("shop sent", "a", number(1)).await;
    stage.send("shop sent", "a", number(2)).await;
    let taken = stage.next().await;
    let make = || Effects::from(MAKE.with(params!["tea", 1_i64]));
    let refused = || Fault::conflict("short", "there is none left");
    let take = || Effects::from(TAKE.with(params!["tea"]).expect(1..=1, refused()));
    let once = || Some(Once { key: key("k"), input: "hash".to_owned(), answer: None });
    let with = |effects, settle| Commit { settle: Some(settle), ..commit(effects) };
    stage
        .records
        .commit(Commit { once: once(), ..with(make().write(TAKE.with(params!["tea"])), taken.settle) })
        .await
        .expect("settled");
    let next = stage.next().await;
    for (what, effects, once) in [
        ("a row that is there", make(), None),
        ("a stock that is used up", take(), None),
        ("one to be read again", Effects::from(TAKE.with(params!["tea"]).expect_or_retry(1..=1)), None),
        ("a key that was seen", Effects::new(), once()),
        ("a text that cannot be stored", Effects::from(WRITE.with(params!["a\0b", 1.0])), None),
    ] {
        let late = stage.records.commit(Commit { once: once.clone(), ..with(effects.clone(), taken.settle) }).await;
        assert!(matches!(late, Err(CommitError::Stale)), "{what}: {late:?}");
        let held = stage.records.commit(Commit { once, ..with(effects, next.settle) }).await;
        assert!(!matches!(held, Ok(_) | Err(CommitError::Stale)), "{what}, of whoever has it: {held:?}");
    }
    stage.settle(next.settle, "done").await.expect("whoever has it has it still");
}

pub(crate) async fn targets_take_turns(engine: Engine) {
    let stage = Stage::new(engine).await;
    let many = (0..200).map(|at| message("shop many", &format!("key {at}"), number(at))).collect();
    stage.queue(many).await;
    stage.send("shop few", "a", number(1)).await;
    let taken = stage.claim(10).await;
    assert_eq!(taken.len(), 10);
    assert_eq!(taken.iter().filter(|one| one.target == "shop few").count(), 1, "one long queue holds up nobody");
    let most = stage.claim(150).await;
    assert_eq!(most.len(), TARGET_MAX, "no target is given more than this at once");
}

pub(crate) async fn a_busy_target_is_left_alone(engine: Engine) {
    let stage = Stage::new(engine).await;
    stage.send("shop busy", "a", number(1)).await;
    stage.send("shop free", "a", number(1)).await;
    let busy = ["shop busy".to_owned()];
    let taken = stage.records.claim(10, &busy, NOW_MS).await.expect("a claim");
    assert_eq!(taken.iter().map(|one| one.target.as_str()).collect::<Vec<_>>(), ["shop free"]);
    stage.settle(taken[0].settle, "done").await.expect("settled");
    assert_eq!(stage.records.next_due(&busy).await, Ok(None));
    assert_eq!(stage.records.next_due(&[]).await, Ok(Some(NOW_MS)));
}

pub(crate) async fn attempts_are_counted_when_they_begin(engine: Engine) {
    let stage = Stage::new(engine).await;
    stage.send("shop sent", "a", number(1)).await;
    let first = stage.claim(1).await.remove(0);
    stage.records.fail(first.settle, Fate::Release, NOW_MS).await.expect("given back");
    let again = stage.claim(1).await.remove(0);
    assert_eq!((first.attempt, again.attempt), (1, 1), "what was given back untried does not count");
    stage.records.fail(again.settle, Fate::Retry { at_ms: NOW_MS + 5_000 }, NOW_MS).await.expect("noted");
    assert!(stage.claim_at(1, NOW_MS + 4_999).await.is_empty());
    assert_eq!(stage.records.next_due(&[]).await, Ok(Some(NOW_MS + 5_000)));
    assert_eq!(stage.claim_at(1, NOW_MS + 5_000).await[0].attempt, 2);
}

pub(crate) async fn a_message_with_a_time_waits_and_holds_up_nobody(engine: Engine) {
    let stage = Stage::new(engine).await;
    let mut late = message("shop sent", "a", number(1));
    late.lanes[0].at_ms = Some(NOW_MS + 1_000);
    stage.queue(vec![late]).await;
    stage.send("shop sent", "a", number(2)).await;
    assert_eq!(stage.claim(10).await.iter().map(|one| one.envelope.data.clone()).collect::<Vec<_>>(), [number(2)]);
    assert_eq!(stage.claim_at(10, NOW_MS + 1_000).await[0].envelope.data, number(1));
}

/// Ids tell when something was made, and by whatever clock. What orders messages is when they were sent.
pub(crate) async fn an_id_of_the_future_or_one_that_is_repeated_changes_no_order(engine: Engine) {
    let stage = Stage::new(engine).await;
    let with_id = |at: usize, id| {
        let mut told = message("shop sent", "a", number(at));
        (Arc::make_mut(&mut told.envelope).id, told.is_event) = (id, true);
        told
    };
    let in_100_years = Id::from_parts(NOW_MS + 100 * 365 * 86_400_000, [7; 10]);
    let ids = [in_100_years, id(), in_100_years, Id::nil(), id()];
    let begin = stage.records.events(None, 10).await.expect("the end").end;
    for (at, id) in ids.into_iter().enumerate() {
        stage.queue(vec![with_id(at, id)]).await;
    }
    for (at, id) in ids.into_iter().enumerate() {
        let next = stage.next().await;
        assert_eq!((next.envelope.data.clone(), next.envelope.id), (number(at), id));
        stage.settle(next.settle, &format!("{at}")).await.expect("settled");
    }
    assert_eq!(stage.lines().await, ["0", "1", "2", "3", "4"]);
    let (mut log, mut end) = (Vec::new(), begin);
    // Other transactions of the server may still be open.
    while log.len() < ids.len() {
        let part = stage.records.events(Some(end), 10).await.expect("the log");
        end = part.end;
        log.extend(part.events.into_iter().map(|event| event.id));
        tokio::task::yield_now().await;
    }
    assert_eq!(log, ids);
}

pub(crate) async fn a_sole_message_is_there_once(engine: Engine) {
    let stage = Stage::new(engine).await;
    let tick = |at_ms: i64| {
        let mut tick = message("schedule shop/tidy", "", number(1));
        (tick.lanes[0].at_ms, tick.lanes[0].is_sole) = (Some(at_ms), true);
        tick
    };
    stage.queue(vec![tick(NOW_MS)]).await;
    stage.queue(vec![tick(NOW_MS + 60_000)]).await;
    let ticks = stage.records.operations().ticks().await.expect("ticks");
    assert_eq!(ticks.iter().map(|tick| tick.due_ms).collect::<Vec<_>>(), [NOW_MS]);
    let taken = stage.claim(10).await.remove(0);
    let next = Commit { settle: Some(taken.settle), outbox: vec![tick(NOW_MS + 60_000)], ..commit(Effects::new()) };
    stage.records.commit(next).await.expect("the next one takes the place of this one");
    assert!(stage.claim(10).await.is_empty());
    assert_eq!(stage.records.next_due(&[]).await, Ok(Some(NOW_MS + 60_000)));
}

fn happened(at: usize) -> Outgoing {
    Outgoing { envelope: envelope("happened", number(at)).into(), lanes: Vec::new(), is_event: true }
}

pub(crate) async fn an_event_stays_in_the_log_and_a_message_goes(engine: Engine) {
    let stage = Stage::new(engine).await;
    let mut told = happened(1);
    Arc::make_mut(&mut told.envelope).dataref = Some("told".into());
    told.lanes = message("shop told", "a", number(1)).lanes;
    let mut sent = message("shop sent", "a", number(2));
    Arc::make_mut(&mut sent.envelope).dataref = Some("sent".into());
    stage.queue(vec![told, sent]).await;
    let blobs = || vec!["told".to_owned(), "sent".to_owned(), "neither".to_owned()];
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    assert_eq!(stage.records.needed(blobs()).await.map(sorted), Ok(vec!["sent".to_owned(), "told".to_owned()]));
    for one in stage.claim(10).await {
        settle_on(&*stage.records, one.settle, "done").await.expect("settled");
    }
    assert_eq!(stage.records.needed(blobs()).await, Ok(vec!["told".to_owned()]));
    assert_eq!(stage.records.next_due(&[]).await, Ok(None));
}

pub(crate) async fn the_log_is_read_on_from_a_position(engine: Engine) {
    let stage = Stage::new(engine).await;
    stage.queue(vec![happened(0)]).await;
    let mut end = stage.records.events(None, 10).await.expect("the end").end;
    for at in 1..=3 {
        stage.queue(vec![happened(at), message("shop sent", "a", number(at)), happened(at + 10)]).await;
    }
    let mut seen = Vec::new();
    // Other transactions of the server may still be open: what they may come before is told a moment later.
    while seen.len() < 6 {
        let part = stage.records.events(Some(end), 2).await.expect("a part");
        end = part.end;
        // What was there before the end was asked for may be told again.
        seen.extend(part.events.into_iter().map(|event| event.data).filter(|data| *data != number(0)));
        tokio::task::yield_now().await;
    }
    assert_eq!(seen, [1, 11, 2, 12, 3, 13].map(number));
    assert_eq!(stage.records.events(Some(end), 2).await.expect("a part").events, []);
}

pub(crate) async fn what_is_past_its_time_is_swept(engine: Engine) {
    let stage = Stage::new(engine).await;
    let mut waits = happened(1);
    waits.lanes = message("shop told", "a", number(1)).lanes;
    let mut kept = happened(2);
    Arc::make_mut(&mut kept.envelope).kind = event("kept");
    stage.queue(vec![waits, kept, happened(3), happened(4)]).await;
    // The newest of the log may have to stay.
    stage
        .queue(vec![Outgoing { envelope: envelope("last", number(5)).into(), lanes: Vec::new(), is_event: true }])
        .await;
    let retention = Retention {
        kinds: vec![("shop", event("kept"), 100_000), ("shop", event("last"), 100_000)],
        events_ms: 1_000,
        runs_ms: 1_000,
    };
    assert_eq!(stage.records.sweep(&retention, 10, NOW_MS + 1_000).await, Ok(0));
    assert_eq!(stage.records.sweep(&retention, 1, NOW_MS + 1_001).await.map(|count| count <= 1), Ok(true));
    for _ in 0..4 {
        stage.records.sweep(&retention, 10, NOW_MS + 1_001).await.expect("swept");
    }
    let taken = stage.claim(1).await.remove(0);
    assert_eq!(taken.envelope.data, number(1), "what waits stays");
    let reason = DeadReason { code: "x".into(), message: "y".into() };
    stage.records.fail(taken.settle, Fate::Bury { reason, hold: false }, NOW_MS).await.expect("buried");
    assert_eq!(stage.records.sweep(&retention, 10, NOW_MS + 1_001).await, Ok(1));
    assert_eq!(stage.records.sweep(&retention, 10, NOW_MS + 1_001).await, Ok(0));
}
