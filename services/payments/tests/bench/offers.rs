//! What a channel takes, and who decides that.

use crate::street::{SERIES, Street};
use serde_json::json;

#[tokio::test]
async fn without_a_payment_service_there_are_no_tips() {
    let street = Street::with(&[("payments.stripe_url", "")]).await;
    let offer = street.bench.nobody().get("/payments/offer").await.expect("an offer").json();
    assert_eq!(offer["is_open"], false);
    let wish = json!({"series": SERIES, "amount": 500, "card": "pm_card_visa"});
    assert_eq!(street.bench.viewer().post("/tips", wish).await.expect_err("closed").code, "tip.closed");
}

#[tokio::test]
async fn an_owner_sets_currency_and_amounts_and_may_close_it() {
    let street = Street::new().await;
    let change = json!({"currency": "jpy", "amounts": [200, 400], "is_open": true});
    for (who, status) in [(street.bench.nobody(), 401), (street.bench.viewer(), 403), (street.bench.editor(), 403)] {
        assert_eq!(who.put("/payments/offer", change.clone()).await.expect_err("not theirs").status(), status);
    }
    let offer = street.bench.owner().put("/payments/offer", change).await.expect("set").json();
    assert_eq!(offer["amounts"], json!([{"amount": 200, "text": "¥200"}, {"amount": 400, "text": "¥400"}]));
    assert_eq!(street.bench.nobody().get("/payments/offer").await.expect("an offer").json()["currency"], "jpy");
    let rival = street.bench.nobody().in_tenant("rival").get("/payments/offer").await.expect("an offer").json();
    assert_eq!(rival["currency"], "eur", "every channel has its own");
    let euros = json!({"series": SERIES, "amount": 500, "currency": "eur", "card": "pm_card_visa"});
    assert_eq!(street.bench.viewer().post("/tips", euros).await.expect_err("not offered").code, "tip.currency");
    let closed = json!({"currency": "jpy", "amounts": [200], "is_open": false});
    street.bench.owner().put("/payments/offer", closed).await.expect("closed");
    let wish = json!({"series": SERIES, "amount": 500, "card": "pm_card_visa"});
    assert_eq!(street.bench.viewer().post("/tips", wish).await.expect_err("closed").code, "tip.closed");
}

#[tokio::test]
async fn an_offer_that_nobody_could_take_is_refused() {
    let street = Street::new().await;
    for (currency, amounts, code) in [
        ("btc", json!([500]), "tip.currency"),
        ("eur", json!([]), "offer.invalid"),
        ("eur", json!([500, 500]), "offer.invalid"),
        ("eur", json!([1, 2, 3, 4, 5, 6, 7]), "offer.invalid"),
        ("eur", json!([1]), "tip.amount"),
        ("eur", json!([500, 1_000_000_000_000_i64]), "tip.amount"),
    ] {
        let change = json!({"currency": currency, "amounts": amounts, "is_open": true});
        assert_eq!(street.bench.owner().put("/payments/offer", change).await.expect_err("no offer").code, code);
    }
}
