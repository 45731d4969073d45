//! Giving, seeing and giving back, by everybody.

use crate::street::{SERIES, Street, id};
use callboard::Outcome;
use serde_json::{Value, json};

fn wish(change: Value) -> Value {
    let mut wish = json!({"series": SERIES, "amount": 500, "card": "pm_card_visa"});
    for (name, value) in change.as_object().expect("fields") {
        wish[name] = value.clone();
    }
    wish
}

#[tokio::test]
async fn a_tip_is_accepted_followed_and_received() {
    let street = Street::new().await;
    let answer = street.bench.viewer().post("/tips", wish(json!({"note": "For the coal"}))).await.expect("accepted");
    let tip = answer.json();
    let (id, uri) = (tip["id"].as_str().expect("an id"), tip["status_uri"].as_str().expect("a place"));
    assert_eq!(
        (answer.status(), &answer.outcome),
        (202, &Outcome::Accepted(callboard::Uri::parse(uri).expect("a URI")))
    );
    assert_eq!(
        (tip["correlation"].as_str(), tip["state"].as_str()),
        (Some(answer.id.to_string().as_str()), Some("pending"))
    );
    assert_eq!(street.through(id).await, "received");
    let tip = street.tip(id).await;
    assert!(tip["receipt"].as_str().expect("a receipt").starts_with("T-"));
    assert_eq!((tip["amount_text"].as_str(), tip["series_title"].as_str()), (Some("€5.00"), Some("Night ferry")));
    assert!(tip["stages"].as_array().expect("stages").iter().all(|stage| stage["is_done"] == true), "{tip:#}");
    assert_eq!(street.charges(id).len(), 1);
    assert_eq!(street.held().await, 500);
    let books = street.books().await;
    let account =
        json!({"account": format!("tips/{SERIES}"), "currency": "eur", "amount": -500, "amount_text": "-€5.00"});
    assert!(books["accounts"].as_array().expect("accounts").contains(&account), "{books:#}");
}

#[tokio::test]
async fn what_cannot_be_a_tip_is_refused_with_the_field_named() {
    let street = Street::new().await;
    for (change, code, field) in [
        (json!({"amount": -1}), "tip.amount", "amount"),
        (json!({"amount": 0}), "tip.amount", "amount"),
        (json!({"amount": 1_000_000_000_000_i64}), "tip.amount", "amount"),
        (json!({"amount": i64::MAX}), "tip.amount", "amount"),
        (json!({"amount": null}), "tip.amount", "amount"),
        (json!({"amount": null, "amount_text": "five"}), "tip.amount", "amount"),
        (json!({"amount": null, "amount_text": "0.50"}), "tip.amount", "amount"),
        (json!({"amount": 5.5}), "data.invalid", "amount"),
        (json!({"currency": "usd"}), "tip.currency", "currency"),
        (json!({"currency": "btc"}), "tip.currency", "currency"),
        (json!({"currency": ""}), "tip.currency", "currency"),
        (json!({"note": "x".repeat(201)}), "tip.note", "note"),
        (json!({"note": "safe\u{202e}gpj"}), "tip.note", "note"),
        (json!({"card": "4242424242424242"}), "tip.card", "card"),
        (json!({"card": "pm_unheard_of"}), "tip.card", "card"),
        (json!({"key": "a b"}), "tip.key", "key"),
        (json!({"series": "../me"}), "data.invalid", "series"),
    ] {
        let fault = street.bench.viewer().post("/tips", wish(change.clone())).await.expect_err("no tip");
        assert_eq!((fault.code, fault.errors[0].field.as_str(), fault.status()), (code, field, 400), "{change}");
    }
    for change in [json!({"state": "received"}), json!({"person": "owner"}), json!({"tenant": "rival"})] {
        let fault =
            street.bench.viewer().post("/tips", wish(change.clone())).await.expect_err("not the giver's to say");
        assert_eq!(fault.code, "data.invalid", "{change}");
    }
    let unknown = wish(json!({"series": "0190a000-0000-7000-8000-000000000009"}));
    assert_eq!(street.bench.viewer().post("/tips", unknown).await.expect_err("no series").status(), 404);
    street.settle().await;
    assert_eq!(street.bank(|bank| bank.book().intents), 0);
    let longest = wish(json!({"note": "🎬".repeat(200), "amount": null, "amount_text": "5,00", "currency": "eur"}));
    assert_eq!(street.bench.viewer().post("/tips", longest).await.expect("at the limits").json()["amount"], 500);
}

#[tokio::test]
async fn who_may_what() {
    let street = Street::new().await;
    let bench = &street.bench;
    assert_eq!(bench.nobody().post("/tips", wish(json!({}))).await.expect_err("nobody").status(), 401);
    let tip = street.give("pm_card_visa").await;
    assert_eq!(street.through(&tip).await, "received");
    let (place, refund) = (format!("/tips/{tip}"), format!("/tips/{tip}/refund"));
    let stranger = bench.person("stranger", &["viewer"]);
    let rival = bench.owner().in_tenant("rival");
    for (who, read, list, refunded, books) in [
        (bench.nobody(), 401, 401, 401, 401),
        (stranger.clone(), 404, 403, 403, 403),
        (bench.viewer(), 200, 403, 403, 403),
        (bench.editor(), 200, 200, 403, 403),
        (rival.clone(), 404, 200, 404, 200),
    ] {
        let status = |result: Result<callboard::Answer, callboard::Fault>| match result {
            Ok(answer) => answer.status(),
            Err(fault) => fault.status(),
        };
        let have = [
            status(who.get(&place).await),
            status(who.get("/tips").await),
            status(who.post(&refund, json!({})).await),
            status(who.get("/payments/books").await),
        ];
        assert_eq!(have, [read, list, refunded, books]);
    }
    assert_eq!(rival.get("/tips").await.expect("their own").json()["items"], json!([]));
    assert_eq!(rival.get("/payments/books").await.expect("their own").json()["accounts"], json!([]));
    assert_eq!(stranger.get("/me/tips").await.expect("their own").json()["items"], json!([]));
    assert_eq!(bench.viewer().get("/me/tips").await.expect("their own").json()["items"][0]["id"], json!(tip));
    assert_eq!(bench.nobody().get("/me/tips").await.expect_err("nobody").status(), 401);
    assert_eq!(street.state(&tip).await, "received");
    assert_eq!(bench.owner().post(&refund, json!({})).await.expect("the owner may").status(), 202);
}

#[tokio::test]
async fn who_gives_anonymously_is_named_to_nobody_else() {
    let street = Street::new().await;
    let tip = id(street.bench.viewer().post("/tips", wish(json!({"anonymous": true}))).await);
    street.through(&tip).await;
    for answer in [street.bench.owner().get(&format!("/tips/{tip}")).await, street.bench.editor().get("/tips").await] {
        let text = answer.expect("they may look").json().to_string();
        assert!(!text.contains("viewer by name") && !text.contains("\"viewer\""), "{text}");
    }
    assert_eq!(street.tip(&tip).await["from"], "viewer by name");
}

#[tokio::test]
async fn sent_twice_is_given_once() {
    let street = Street::new().await;
    let same = wish(json!({"key": "form-1"}));
    let first = id(street.bench.viewer().post("/tips", same.clone()).await);
    assert_eq!(id(street.bench.viewer().post("/tips", same.clone()).await), first);
    street.through(&first).await;
    assert_eq!(id(street.bench.viewer().post("/tips", same).await), first);
    let other = street.bench.viewer().post("/tips", wish(json!({"key": "form-1", "amount": 700}))).await;
    assert_eq!(other.expect_err("another tip").code, "tip.key_used");
    let somebody = id(street.bench.person("other", &["viewer"]).post("/tips", wish(json!({"key": "form-1"}))).await);
    assert_ne!(somebody, first, "keys are one's own");
    assert_eq!(street.charges(&first).len(), 1);
}

#[tokio::test]
async fn who_tries_many_cards_is_slowed_down() {
    let street = Street::new().await;
    for _ in 0..5 {
        street.give("pm_card_visa").await;
    }
    let fault = street.bench.viewer().post("/tips", wish(json!({}))).await.expect_err("too many");
    assert_eq!((fault.code, fault.status()), ("tip.too_many", 429));
    street.settle().await;
    assert!(street.bench.viewer().post("/tips", wish(json!({}))).await.is_ok());
}

#[tokio::test]
async fn a_declined_card_takes_nothing_and_says_what_to_do() {
    let street = Street::new().await;
    let tip = street.give("pm_card_visa_chargeDeclinedInsufficientFunds").await;
    assert_eq!(street.through(&tip).await, "failed");
    let shown = street.tip(&tip).await;
    assert_eq!(shown["reason"], "the card does not have enough money; use another card");
    assert_eq!((&shown["receipt"], street.bank(|bank| bank.book().open)), (&Value::Null, 0));
    assert_eq!(street.refund(&tip).await.expect_err("nothing to give back").code, "tip.not_refundable");
}

#[tokio::test]
async fn a_refund_is_made_once_however_often_it_is_asked_for() {
    let street = Street::new().await;
    let tip = street.give("pm_card_visa").await;
    assert_eq!(street.refund(&tip).await.expect_err("not received yet").code, "tip.not_refundable");
    street.through(&tip).await;
    let (one, other) = (street.refund(&tip).await, street.refund(&tip).await);
    assert_eq!((one.expect("accepted").status(), other.expect("accepted").status()), (202, 202));
    assert_eq!(street.through(&tip).await, "refunded");
    street.refund(&tip).await.expect("it is the same refund");
    street.settle().await;
    assert_eq!(street.charges(&tip)[0].refunded, 500);
    assert_eq!(street.held().await, 0);
    assert_eq!(
        street.bench.inspect("SELECT count(*) FROM ledger_entry").await,
        ["2"],
        "what happened stays in the books"
    );
}

#[tokio::test]
async fn lists_are_paged_newest_first() {
    let street = Street::new().await;
    let mut given = Vec::new();
    for _ in 0..3 {
        street.wait_ms(1).await;
        let tip = street.give("pm_card_visa").await;
        street.through(&tip).await;
        given.insert(0, tip);
    }
    let ids = |list: &Value| -> Vec<String> {
        list["items"]
            .as_array()
            .expect("items")
            .iter()
            .map(|tip| tip["id"].as_str().expect("an id").to_owned())
            .collect()
    };
    let first = street.bench.editor().get("/tips?limit=2").await.expect("a page").json();
    assert_eq!(ids(&first), given[..2]);
    let rest = format!("/tips?limit=2&after={}", first["next"].as_str().expect("more"));
    let second = street.bench.editor().get(&rest).await.expect("a page").json();
    assert_eq!((ids(&second), &second["next"]), (given[2..].to_vec(), &Value::Null));
    assert_eq!(street.bench.editor().get("/tips?after=nonsense").await.expect_err("no place").code, "list.after");
    assert_eq!(street.bench.viewer().get("/me/tips?limit=101").await.expect_err("too many").code, "list.limit");
}
