//! Every trouble with every request, once, a few times, and for good: nothing is taken twice, the books say what the bank's own
//! book says, and what cannot be brought to an end is in sight.

use crate::street::Street;
use payments::simulator::{Operation, Trouble};

/// What somebody does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Story {
    Pays,
    IsDeclined,
    PaysAndIsRefunded,
}

const STORIES: [Story; 3] = [Story::Pays, Story::IsDeclined, Story::PaysAndIsRefunded];
const FOR_GOOD: u32 = 100_000;

async fn play(street: &Street, story: Story, trouble: impl FnOnce(&Street, bool)) -> (String, String) {
    if story != Story::PaysAndIsRefunded {
        trouble(street, true);
        let card = if story == Story::Pays { "pm_card_visa" } else { "pm_card_visa_chargeDeclined" };
        let tip = street.give(card).await;
        let state = street.through(&tip).await;
        return (tip, state);
    }
    let tip = street.give("pm_card_visa").await;
    assert_eq!(street.through(&tip).await, "received");
    trouble(street, false);
    street.refund(&tip).await.expect("it is accepted");
    let state = street.through(&tip).await;
    (tip, state)
}

/// Compares what people see with both books. Gives the state.
async fn check(street: &Street, tip: &str, state: &str, what: &str) {
    let is_refunding = street.bench.inspect("SELECT flow FROM kernel_flow WHERE flow = 'refund'").await.len() == 1;
    let charges = street.charges(tip);
    assert!(charges.len() <= 1, "{what}: it is taken {} times", charges.len());
    let kept: i64 = charges.iter().map(|charge| charge.amount - charge.refunded).sum();
    let held = street.held().await;
    match state {
        "received" => assert_eq!((kept, held), (500, 500), "{what}"),
        "failed" | "refunded" => assert_eq!((kept, held), (0, 0), "{what}"),
        // Nobody can know more, and a person is told so.
        "stuck" => assert_eq!(held, if is_refunding { 500 } else { 0 }, "{what}"),
        other => panic!("{what}: it stands still as {other}"),
    }
    let runs = street.bench.inspect("SELECT status FROM kernel_flow").await;
    assert!(runs.iter().all(|run| ["completed", "undone", "undo_stuck"].contains(&run.as_str())), "{what}: {runs:?}");
    assert_eq!(runs.iter().any(|run| run == "undo_stuck"), state == "stuck" && !is_refunding, "{what}: {runs:?}");
}

async fn every_trouble_with(operation: Operation) {
    for trouble in Trouble::ALL {
        for times in [1, 3, FOR_GOOD] {
            for story in STORIES {
                let what = format!("{trouble:?} × {times} with {operation:?}, {story:?}");
                let street = Street::new().await;
                let (tip, state) = play(&street, story, |street, _| street.plan(operation, trouble, times)).await;
                check(&street, &tip, &state, &what).await;
                // A key that answers 500 for good cannot be waited out; whatever else passes does no harm.
                if times < FOR_GOOD && !matches!(trouble, Trouble::FailKept | Trouble::OtherAmount) {
                    let want = match story {
                        Story::Pays => "received",
                        Story::IsDeclined => "failed",
                        Story::PaysAndIsRefunded => "refunded",
                    };
                    assert_eq!(state, want, "{what}: {}", street.tip(&tip).await);
                }
            }
        }
    }
}

#[tokio::test]
async fn announcing() {
    every_trouble_with(Operation::Create).await;
}

#[tokio::test]
async fn looking() {
    every_trouble_with(Operation::Read).await;
}

#[tokio::test]
async fn taking() {
    every_trouble_with(Operation::Confirm).await;
}

#[tokio::test]
async fn closing() {
    every_trouble_with(Operation::Cancel).await;
}

#[tokio::test]
async fn giving_back() {
    every_trouble_with(Operation::Refund).await;
}

#[tokio::test]
async fn two_troubles_at_once() {
    for first in [Trouble::LoseAnswer, Trouble::Late, Trouble::FailAfter] {
        for second in Trouble::ALL {
            let street = Street::new().await;
            street.plan(Operation::Confirm, first, 2);
            street.plan(Operation::Read, second, 2);
            let tip = street.give("pm_card_visa").await;
            let state = street.through(&tip).await;
            check(&street, &tip, &state, &format!("{first:?} and {second:?}")).await;
        }
    }
}

#[tokio::test]
async fn a_charge_that_nobody_learns_of_in_time_is_given_back() {
    let street = Street::new().await;
    street.plan(Operation::Confirm, Trouble::LoseAnswer, 1);
    street.plan(Operation::Read, Trouble::Hang, 0);
    let tip = street.give("pm_card_visa").await;
    street.bench.settle().await;
    // From here on the bank shows another amount until the flow gives up, and tells the truth again when it gives back.
    street.plan(Operation::Read, Trouble::OtherAmount, 11);
    assert_eq!(street.through(&tip).await, "failed");
    let charges = street.charges(&tip);
    assert_eq!((charges.len(), charges[0].refunded), (1, 500));
    check(&street, &tip, "failed", "given back").await;
}

#[tokio::test]
async fn while_the_bank_is_away_nobody_begins_and_what_began_waits_with_a_reason() {
    let street = Street::new().await;
    street.plan(Operation::Create, Trouble::Hang, 5);
    let tip = street.give("pm_card_visa").await;
    for _ in 0..20 {
        street.wait_ms(1_000).await;
        if street.bench.nobody().get("/payments/offer").await.expect("an offer").json()["away"].is_string() {
            break;
        }
        street.wait_ms(20_000).await;
    }
    let away = street.bench.nobody().get("/payments/offer").await.expect("an offer").json();
    assert!(away["away"].as_str().expect("it is away").contains("nothing was charged"), "{away}");
    let shown = street.tip(&tip).await;
    assert_eq!(
        (&shown["state"], &shown["reason_code"]),
        (&"pending".into(), &"outside.unanswered".into()),
        "{shown:#}"
    );
    let wish = serde_json::json!({"series": crate::street::SERIES, "amount": 500, "card": "pm_card_visa"});
    let fault = street.bench.person("other", &["viewer"]).post("/tips", wish).await.expect_err("nothing begins");
    assert_eq!((fault.code, fault.status()), ("outside.away", 503));
    assert!(fault.headers.iter().any(|(name, _)| *name == "retry-after"));
    assert_eq!(street.through(&tip).await, "received");
}

#[tokio::test]
async fn a_tip_that_is_stuck_is_given_back_once_the_bank_works_again() {
    for story in [Story::Pays, Story::PaysAndIsRefunded] {
        let street = Street::new().await;
        let (tip, state) = play(&street, story, |street, is_new| {
            street.plan(Operation::Read, Trouble::Hang, if is_new { 60 } else { 12 });
        })
        .await;
        assert_eq!(state, "stuck", "{story:?}");
        street.refund(&tip).await.expect("the owner may try");
        assert_eq!(street.through(&tip).await, "refunded", "{story:?}");
        assert_eq!((street.held().await, street.bank(|bank| bank.book().open)), (0, 0), "{story:?}");
        assert!(street.charges(&tip).iter().all(|charge| charge.refunded == 500), "{story:?}");
    }
}
