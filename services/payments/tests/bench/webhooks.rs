//! Webhooks: forged, replayed, reordered, doubled, lost, about something else.

use crate::street::{SECRET, Street, webhooks};
use callboard_bench::START_MS;
use payments::simulator::{Operation, Trouble, WebhookTrouble};
use serde_json::{Value, json};

fn succeeded(id: &str, tip: &Value, change: &Value) -> String {
    let mut object = json!({"id": "pi_1x1", "object": "payment_intent", "amount": 500, "currency": "eur", "status": "succeeded",
        "metadata": {"tip": tip["id"], "tenant": "demo"}});
    for (name, value) in change.as_object().expect("fields") {
        object[name] = value.clone();
    }
    json!({"id": id, "object": "event", "type": "payment_intent.succeeded", "data": {"object": object}}).to_string()
}

#[tokio::test]
async fn forged_and_replayed_webhooks_are_refused() {
    let street = Street::new().await;
    let tip = street.give("pm_card_visa").await;
    street.through(&tip).await;
    let tip = street.tip(&tip).await;
    let body = succeeded("evt_own", &tip, &json!({}));
    let unsigned = street.send(&body, &street.bench.nobody()).await.expect_err("unsigned");
    assert_eq!((unsigned.code, unsigned.status()), ("webhook.signature", 400));
    assert_eq!(street.hear(&body, "whsec_guess", START_MS).await.expect_err("forged").code, "webhook.signature");
    let signature = payments::stripe::signature::sign(SECRET, START_MS / 1000, body.as_bytes());
    let altered = body.replace("succeeded\"", "canceled\"");
    let altered = street.send(&altered, &street.bench.nobody().with("stripe-signature", &signature)).await;
    assert_eq!(altered.expect_err("altered").code, "webhook.signature");
    assert_eq!(street.hear(&body, SECRET, START_MS - 301_000).await.expect_err("old").code, "webhook.expired");
    assert_eq!(
        street.hear(&body, SECRET, START_MS + 302_000).await.expect_err("from the future").code,
        "webhook.expired"
    );
    assert_eq!(street.hear(&body, SECRET, START_MS).await.expect("the first time").json()["is_news"], true);
    assert_eq!(street.hear(&body, SECRET, START_MS).await.expect("again").json()["is_news"], false);
    let closed = Street::with(&[("payments.stripe_webhook_secret", "")]).await;
    assert_eq!(closed.hear(&body, "", START_MS).await.expect_err("no secret").code, "webhook.signature");
}

#[tokio::test]
async fn another_amount_currency_or_payment_is_refused() {
    let street = Street::new().await;
    let tip = street.give("pm_card_visa").await;
    street.through(&tip).await;
    let tip = street.tip(&tip).await;
    for change in [json!({"amount": 501}), json!({"amount": 50}), json!({"currency": "usd"}), json!({"id": "pi_other"})]
    {
        let body = succeeded("evt_own", &tip, &change);
        assert_eq!(
            street.hear(&body, SECRET, START_MS).await.expect_err("no match").code,
            "webhook.mismatch",
            "{change}"
        );
    }
    for metadata in
        [json!({"tip": "unheard-of", "tenant": "demo"}), json!({"tip": tip["id"], "tenant": "rival"}), json!({})]
    {
        let body = succeeded("evt_own", &tip, &json!({"metadata": metadata}));
        assert_eq!(street.hear(&body, SECRET, START_MS).await.expect("not about us").json()["is_news"], false);
    }
    assert_eq!(street.state(tip["id"].as_str().expect("an id")).await, "received");
}

#[tokio::test]
async fn what_is_no_event_is_refused() {
    let street = Street::new().await;
    for body in ["", "[]", "{}", "{\"id\": 1}", "not JSON"] {
        assert_eq!(street.hear(body, SECRET, START_MS).await.expect_err(body).code, "data.invalid", "{body}");
    }
}

#[tokio::test]
async fn order_copies_and_losses_of_webhooks_change_nothing() {
    for trouble in [
        WebhookTrouble { is_doubled: true, ..WebhookTrouble::default() },
        WebhookTrouble { is_reversed: true, is_doubled: true, ..WebhookTrouble::default() },
        WebhookTrouble { is_lost: true, ..WebhookTrouble::default() },
    ] {
        let street = Street::new().await;
        webhooks(&street, trouble);
        let (kept, declined) = (street.give("pm_card_visa").await, street.give("pm_card_visa_chargeDeclined").await);
        let refunded = street.give("pm_card_visa").await;
        street.through(&refunded).await;
        street.refund(&refunded).await.expect("accepted");
        for (tip, state) in [(kept, "received"), (declined, "failed"), (refunded, "refunded")] {
            assert_eq!(street.through(&tip).await, state, "{trouble:?}");
        }
        assert_eq!(street.held().await, 500, "{trouble:?}");
    }
}

#[tokio::test]
async fn what_is_refunded_at_the_bank_is_refunded_here() {
    let street = Street::new().await;
    let tip = street.give("pm_card_visa").await;
    street.through(&tip).await;
    let intent = street.charges(&tip)[0].intent.clone();
    street.bank(|bank| bank.refund_here(&intent, START_MS));
    assert_eq!(street.state(&tip).await, "received", "nobody has told yet");
    street.wait_ms(1).await;
    assert_eq!(street.through(&tip).await, "refunded");
    assert_eq!((street.held().await, street.charges(&tip)[0].refunded), (0, 500));
}

#[tokio::test]
async fn a_refund_from_both_sides_at_once_is_one() {
    let street = Street::new().await;
    let tip = street.give("pm_card_visa").await;
    street.through(&tip).await;
    let intent = street.charges(&tip)[0].intent.clone();
    street.plan(Operation::Refund, Trouble::LoseAnswer, 1);
    street.refund(&tip).await.expect("accepted");
    street.bank(|bank| bank.refund_here(&intent, START_MS));
    assert_eq!(street.through(&tip).await, "refunded");
    assert_eq!((street.held().await, street.charges(&tip)[0].refunded), (0, 500));
}
