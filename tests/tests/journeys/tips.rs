//! Tips against the real binary and the payment service's simulator in a process of its own, which keeps a book of its own: killed
//! in the middle, lied to by webhooks, left without answers, each tip is charged once, or not at all.

use crate::bank::{Bank, open, start};
use crate::exchange::{Answer, Visitor};
use crate::news::News;
use crate::programs::eventually;
use serde_json::{Value, json};

fn give(visitor: &Visitor, series: &str, amount: i64, key: &str) -> Answer {
    visitor.post("/api/tips", &json!({"series": series, "amount": amount, "card": "pm_card_visa", "key": key}))
}

fn id(answer: &Answer) -> String {
    assert_eq!(answer.status, 202, "{}", answer.text());
    answer.json()["id"].as_str().expect("a tip has an id").to_owned()
}

#[track_caller]
fn wait_for(visitor: &Visitor, tip: &str, state: &str) -> Value {
    let look = || visitor.get(&format!("/api/tips/{tip}")).ok().json();
    eventually(&format!("is the tip {state}"), look, |seen| seen["state"] == state)
}

fn charges(bank: &Bank, tip: &str) -> Vec<Value> {
    let book = bank.book();
    book["charges"].as_array().expect("a list").iter().filter(|charge| charge["tip"] == tip).cloned().collect()
}

#[test]
fn a_tip_is_followed_live_until_it_is_received_and_then_given_back() {
    let (channel, bank) = open();
    let (owner, viewer) = (channel.owner(), channel.member("Vera", "viewer"));
    let series = owner.make_series("Night ferry");
    bank.trouble("confirm", json!({"delay": {"delay_ms": 400}}), 1);
    let answer = give(&viewer, &series, 500, "one");
    let tip = id(&answer);
    assert_eq!(answer.header("location"), Some(format!("/api/tips/{tip}").as_str()));
    assert_eq!(answer.json()["correlation"].as_str(), answer.header("x-request-id"));
    let mut news = News::of(&viewer, &format!("/tips/{tip}"));
    if viewer.get(&format!("/api/tips/{tip}")).ok().json()["state"] == "pending" {
        news.until(|kind, _| kind == "received");
    }
    let page = viewer.get(&format!("/me/tips/{tip}")).ok().text();
    assert!(page.contains("Thank you") && page.contains("T-") && page.contains("Night ferry"), "{page}");
    assert!(owner.get("/studio/tips").ok().text().contains("Vera"));
    let other = channel.member("Otto", "viewer");
    other.get(&format!("/api/tips/{tip}")).refused(404, "tip.not_found", "there is no such tip");
    assert_eq!(other.get(&format!("/me/tips/{tip}")).status, 404);
    assert_eq!(channel.nobody().get(&format!("/me/tips/{tip}")).status, 303);
    viewer.post(&format!("/api/tips/{tip}/refund"), &json!({})).refused(403, "denied", "you may not do this");
    let asked = owner.post(&format!("/api/tips/{tip}/refund"), &json!({}));
    assert_eq!(asked.status, 202, "{}", asked.text());
    wait_for(&viewer, &tip, "refunded");
    assert_eq!(charges(&bank, &tip)[0]["refunded"], 500);
    assert_eq!(owner.get("/api/payments/books").ok().json()["is_balanced"], true);
}

#[test]
fn tips_survive_kills_in_the_middle_and_are_charged_once() {
    let (mut channel, bank) = open();
    let series = channel.owner().make_series("Night ferry");
    let viewer = channel.member("Vera", "viewer");
    let mut tips = Vec::new();
    for round in 0..4 {
        // Each is killed while the payment service has done what it was asked and has not said so.
        bank.trouble(if round % 2 == 0 { "confirm" } else { "create" }, json!({"delay": {"delay_ms": 3000}}), 1);
        let viewer = Visitor { port: channel.running().port, ..viewer.clone() };
        let tip = id(&give(&viewer, &series, 500, &format!("round-{round}")));
        let before = round + usize::from(round % 2 == 0);
        eventually("is it at the bank", || bank.book()["intents"].as_u64(), |seen| *seen == Some(round as u64 + 1));
        if round % 2 == 0 {
            eventually(
                "is it charged",
                || bank.book()["charges"].as_array().map(Vec::len),
                |seen| *seen == Some(before),
            );
        }
        channel.kill();
        start(&mut channel, &bank);
        let viewer = Visitor { port: channel.running().port, ..viewer };
        assert_eq!(id(&give(&viewer, &series, 500, &format!("round-{round}"))), tip, "sent again, it is the same tip");
        wait_for(&viewer, &tip, "received");
        tips.push(tip);
    }
    for tip in &tips {
        assert_eq!(charges(&bank, tip).len(), 1, "{:#}", bank.book());
    }
    let books = channel.owner().get("/api/payments/books").ok().json();
    let held = books["accounts"].as_array().expect("accounts").iter().find(|account| account["account"] == "provider");
    assert_eq!(
        (&books["is_balanced"], &held.expect("the provider's")["amount"]),
        (&json!(true), &json!(2000)),
        "{books:#}"
    );
}

#[test]
fn lost_answers_and_forged_webhooks_take_nothing_twice() {
    let (channel, bank) = open();
    let owner = channel.owner();
    let series = owner.make_series("Night ferry");
    bank.trouble("create", json!("lose_answer"), 1);
    bank.trouble("confirm", json!("lose_answer"), 1);
    let tip = id(&give(&owner, &series, 700, "one"));
    let forged = json!({"id": "evt_1", "type": "charge.refunded", "data": {"object": {"id": "ch_1", "refunded": true,
        "metadata": {"tip": tip, "tenant": "demo"}}}});
    let nobody = channel.nobody();
    nobody.post("/api/payments/webhook", &forged).refused(400, "webhook.signature", "not signed");
    let header = [("content-type", "application/json"), ("stripe-signature", "t=1,v1=00")];
    let sent = nobody.send("POST", "/api/payments/webhook", &header, forged.to_string().as_bytes());
    sent.refused(400, "webhook.signature", "not signed");
    wait_for(&owner, &tip, "received");
    assert_eq!(charges(&bank, &tip).len(), 1);
}

#[test]
fn a_tip_of_nothing_of_too_much_or_in_another_currency_is_refused_in_words_and_never_asked_for() {
    let (channel, bank) = open();
    let viewer = channel.member("Vera", "viewer");
    let series = channel.owner().make_series("Night ferry");
    for amount in [-1, 0, 99, 50_001, 1_000_000_000_000, i64::MAX] {
        let refused = give(&viewer, &series, amount, "one");
        let refused = refused.refused(400, "tip.amount", "give from €1.00 to €500.00, not ");
        assert_eq!(refused.json()["errors"][0]["field"], "amount", "{}", refused.text());
    }
    for (currency, words) in [
        ("usd", "this channel takes eur, not usd"),
        ("EUR", "this channel takes eur, not EUR"),
        ("btc", "this channel takes eur, not btc"),
        ("", "this channel takes eur, not "),
    ] {
        let order =
            json!({"series": series, "amount": 500, "currency": currency, "card": "pm_card_visa", "key": "one"});
        let refused = viewer.post("/api/tips", &order).refused(400, "tip.currency", words);
        assert_eq!(refused.json()["errors"][0]["field"], "currency", "{}", refused.text());
    }
    let form = [("content-type", "application/x-www-form-urlencoded")];
    for other in ["-1", "0", "10000000000.00"] {
        let fields = format!("other={other}&note=Keep+me&card=pm_card_visa&key=two");
        let page = viewer.send("POST", "/series/night-ferry/tip", &form, fields.as_bytes());
        assert_eq!(page.status, 400, "{}", page.text());
        assert!(
            page.text().contains("Give from €1.00 to €500.00") && page.text().contains("Keep me"),
            "{}",
            page.text()
        );
    }
    assert_eq!((&bank.book()["intents"], &bank.book()["charges"]), (&json!(0), &json!([])), "the bank heard of none");
    // The same key is free, since nothing was taken under it.
    wait_for(&viewer, &id(&give(&viewer, &series, 500, "one")), "received");
}

#[test]
fn the_form_works_without_script_and_says_when_payments_are_away() {
    let (channel, mut bank) = open();
    let owner = channel.owner();
    owner.make_series("Night ferry");
    assert!(channel.nobody().get("/series/night-ferry").ok().text().contains("/series/night-ferry/tip"));
    assert_eq!(channel.nobody().get("/series/night-ferry/tip").status, 303, "to sign in");
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let given = |fields: &str| owner.send("POST", "/series/night-ferry/tip", &form, fields.as_bytes());
    let sent = given("amount=%E2%82%AC3.00&note=&card=pm_card_visa&key=one");
    assert_eq!(sent.status, 303, "{}", sent.text());
    let place = sent.header("location").expect("where to look").to_owned();
    eventually("is it received", || owner.get(&place).ok().text(), |page| page.contains("Thank you"));
    bank.end();
    for attempt in 0..5 {
        // Where the machine is slow, payments are known to be away before all are given.
        let status = given(&format!("other=4&note=&card=pm_card_visa&key=away-{attempt}")).status;
        assert!(status == 303 || (attempt > 0 && status == 503), "{status}");
    }
    let page = eventually(
        "are payments away",
        || owner.get("/series/night-ferry/tip").ok().text(),
        |page| page.contains("away"),
    );
    assert!(page.contains("nothing was charged"), "{page}");
    let sent = given("other=4&note=Keep+me&card=pm_card_visa&key=late");
    let kept = sent.text();
    assert_eq!(sent.status, 503, "{kept}");
    assert!(kept.contains("Keep me") && kept.contains("value=\"4\""), "{kept}");
}
