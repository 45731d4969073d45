//! Dead letters, and what an operator does with them.

use crate::stage::{Engine, NOW_MS, Stage, number};
use callboard::Tenant;
use callboard::ports::{DeadFilter, DeadLetter, DeadReason, Delivery, Fate, Page};

async fn bury(stage: &Stage, taken: &Delivery, code: &str, hold: bool) {
    let reason = DeadReason { code: code.to_owned(), message: "it cannot be done".into() };
    stage.records.fail(taken.settle, Fate::Bury { reason, hold }, NOW_MS).await.expect("buried");
}

async fn dead(stage: &Stage, filter: DeadFilter) -> Vec<DeadLetter> {
    stage.records.operations().dead(filter, Page { after: None, limit: 100 }).await.expect("dead letters")
}

pub(crate) async fn a_dead_letter_is_put_back_with_its_attempts_from_the_beginning(engine: Engine) {
    let stage = Stage::new(engine).await;
    stage.send("shop sent", "a", number(1)).await;
    stage.send("shop sent", "a", number(2)).await;
    let taken = stage.claim(1).await.remove(0);
    bury(&stage, &taken, "shop.away", false).await;
    let letters = dead(&stage, DeadFilter::default()).await;
    assert_eq!(letters.len(), 1);
    let letter = &letters[0];
    assert_eq!((letter.target.as_str(), letter.key.as_str(), letter.attempts), ("shop sent", "a", 1));
    assert_eq!((letter.reason.code.as_str(), letter.is_held, letter.died_ms), ("shop.away", false, NOW_MS));
    assert_eq!(letter.envelope, *taken.envelope);
    let next = stage.claim(1).await.remove(0);
    assert_eq!(next.envelope.data, number(2), "the lane goes on without it");
    stage.settle(next.settle, "2").await.expect("settled");
    let filter = DeadFilter { id: Some(letter.id), ..DeadFilter::default() };
    assert_eq!(stage.records.operations().redrive(filter, 10, 0, NOW_MS).await, Ok(1));
    let again = stage.claim(1).await.remove(0);
    assert_eq!((again.attempt, &again.envelope), (1, &taken.envelope));
    stage.settle(again.settle, "1").await.expect("settled");
    assert_eq!(dead(&stage, DeadFilter::default()).await, []);
    assert_eq!(stage.records.next_due(&[]).await, Ok(None));
}

pub(crate) async fn a_held_lane_waits_until_its_letter_is_put_back(engine: Engine) {
    let stage = Stage::new(engine).await;
    stage.send("shop sent", "a", number(1)).await;
    let taken = stage.claim(1).await.remove(0);
    bury(&stage, &taken, "shop.away", true).await;
    stage.send("shop sent", "a", number(2)).await;
    assert!(stage.claim(10).await.is_empty(), "what comes after it waits, too");
    assert!(dead(&stage, DeadFilter::default()).await[0].is_held);
    assert_eq!(stage.records.operations().redrive(DeadFilter::default(), 10, 0, NOW_MS).await, Ok(1));
    for at in [1, 2] {
        let next = stage.next().await;
        assert_eq!((next.envelope.data.clone(), next.attempt), (number(at), 1));
        stage.settle(next.settle, "done").await.expect("settled");
    }
}

pub(crate) async fn a_held_lane_goes_on_when_its_letter_is_thrown_away(engine: Engine) {
    let stage = Stage::new(engine).await;
    stage.send("shop sent", "a", number(1)).await;
    let taken = stage.claim(1).await.remove(0);
    bury(&stage, &taken, "shop.away", true).await;
    stage.send("shop sent", "a", number(2)).await;
    assert_eq!(stage.records.operations().discard(DeadFilter::default(), 10, NOW_MS).await, Ok(1));
    assert_eq!(stage.claim(10).await[0].envelope.data, number(2));
    assert_eq!(dead(&stage, DeadFilter::default()).await, []);
}

pub(crate) async fn letters_are_chosen_and_paged(engine: Engine) {
    let stage = Stage::new(engine).await;
    for (at, (target, code)) in [("shop one", "x"), ("shop two", "x"), ("shop two", "y")].into_iter().enumerate() {
        stage.send(target, &format!("key {at}"), number(at)).await;
        let taken = stage.claim(1).await.remove(0);
        bury(&stage, &taken, code, false).await;
    }
    let count = async |filter: DeadFilter| dead(&stage, filter).await.len();
    assert_eq!(count(DeadFilter { code: Some("x".into()), ..DeadFilter::default() }).await, 2);
    assert_eq!(count(DeadFilter { target: Some("shop two".into()), ..DeadFilter::default() }).await, 2);
    assert_eq!(count(DeadFilter { tenant: Some(Tenant::new("other")), ..DeadFilter::default() }).await, 0);
    let operations = stage.records.operations();
    let first = operations.dead(DeadFilter::default(), Page { after: None, limit: 2 }).await.expect("a page");
    assert_eq!(first.iter().map(|one| one.envelope.data.clone()).collect::<Vec<_>>(), [number(2), number(1)]);
    let after = Some(first[1].id.to_string());
    let rest = operations.dead(DeadFilter::default(), Page { after, limit: 2 }).await.expect("a page");
    assert_eq!(rest.iter().map(|one| one.envelope.data.clone()).collect::<Vec<_>>(), [number(0)]);
    // Put back in the order in which they died, spread over a time.
    assert_eq!(operations.redrive(DeadFilter::default(), 2, 10_000, NOW_MS).await, Ok(2));
    assert_eq!(stage.claim(10).await.iter().map(|one| one.envelope.data.clone()).collect::<Vec<_>>(), [number(0)]);
    assert_eq!(stage.claim_at(10, NOW_MS + 5_000).await[0].envelope.data, number(1));
    assert_eq!(count(DeadFilter::default()).await, 1);
}

pub(crate) async fn queues_tell_what_waits(engine: Engine) {
    let stage = Stage::new(engine).await;
    for at in 0..3 {
        stage.send("shop sent", "a", number(at)).await;
    }
    stage.send("shop held", "a", number(9)).await;
    let taken = stage.claim(10).await;
    let held = taken.iter().find(|one| one.target == "shop held").expect("it is due");
    bury(&stage, held, "x", true).await;
    let queues = stage.records.operations().queues(NOW_MS).await.expect("queues");
    let told: Vec<_> =
        queues.iter().map(|it| (it.target.as_str(), it.waiting, it.in_flight, it.held, it.dead)).collect();
    assert_eq!(told, [("shop held", 1, 0, 1, 1), ("shop sent", 3, 1, 0, 0)]);
    assert!(queues.iter().all(|it| it.oldest_ms == Some(NOW_MS) && it.service == "shop"));
}
