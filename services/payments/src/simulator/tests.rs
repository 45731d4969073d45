//! The simulator keeps Stripe's promises, so that tests through it mean something.

use super::*;

fn post(path: &str, key: &str, form: &str) -> Asked {
    let text = |text: &str| Some(text.to_owned());
    Asked { method: "POST".into(), path: path.into(), key: text(key), secret: text("sk"), form: form.into() }
}

fn get(path: &str) -> Asked {
    Asked { method: "GET".into(), key: None, ..post(path, "", "") }
}

fn ask(simulator: &mut Simulator, asked: &Asked, now_ms: i64) -> (u16, Value) {
    match simulator.play(asked, now_ms) {
        Played::Answer { status, body, .. } => (status, body),
        other => panic!("no answer but {other:?}"),
    }
}

const FORM: &str = "amount=500&currency=eur&metadata%5Btip%5D=t1";

fn announced(simulator: &mut Simulator) -> String {
    let (status, intent) = ask(simulator, &post("/v1/payment_intents", "k1", FORM), 0);
    assert_eq!(status, 200);
    format!("/v1/payment_intents/{}", intent["id"].as_str().expect("an id"))
}

#[test]
fn the_same_key_is_the_same_request_for_a_day() {
    let mut simulator = Simulator::new("sk", 1);
    let path = announced(&mut simulator);
    assert_eq!(announced(&mut simulator), path);
    let other = post("/v1/payment_intents", "k1", "amount=501&currency=eur");
    let (status, refused) = ask(&mut simulator, &other, 1);
    assert_eq!((status, &refused["error"]["type"]), (400, &json!("idempotency_error")));
    let (status, _) = ask(&mut simulator, &other, keys::MEMORY_MS);
    assert_eq!((status, simulator.book().intents), (200, 2), "after a day the key is new");
}

#[test]
fn a_payment_is_made_once_and_given_back_once() {
    let mut simulator = Simulator::new("sk", 1);
    let path = announced(&mut simulator);
    let confirm = |key: &str| post(&format!("{path}/confirm"), key, "payment_method=pm_card_visa");
    assert_eq!(ask(&mut simulator, &confirm("k2"), 0).1["status"], "succeeded");
    assert_eq!(ask(&mut simulator, &confirm("k2"), 0).0, 200, "the answer is kept");
    assert_eq!(ask(&mut simulator, &confirm("k3"), 0).1["error"]["code"], "payment_intent_unexpected_state");
    let refund =
        |key: &str| post("/v1/refunds", key, &format!("payment_intent={}", path.rsplit('/').next().expect("an id")));
    assert_eq!(ask(&mut simulator, &refund("k4"), 0).1["status"], "succeeded");
    assert_eq!(ask(&mut simulator, &refund("k5"), 0).1["error"]["code"], "charge_already_refunded");
    let book = simulator.book();
    assert_eq!((book.charges.len(), book.charges[0].refunded, book.open), (1, 500, 0));
    let kinds: Vec<Value> = simulator
        .take_webhooks()
        .iter()
        .map(|sent| serde_json::from_str::<Value>(&sent.body).expect("JSON")["type"].clone())
        .collect();
    assert_eq!(kinds, ["payment_intent.created", "payment_intent.succeeded", "charge.refunded"]);
}

#[test]
fn a_declined_card_leaves_the_payment_open_until_it_is_cancelled() {
    let mut simulator = Simulator::new("sk", 1);
    let path = announced(&mut simulator);
    let form = "payment_method=pm_card_visa_chargeDeclinedInsufficientFunds";
    let (status, refused) = ask(&mut simulator, &post(&format!("{path}/confirm"), "k2", form), 0);
    assert_eq!((status, &refused["error"]["decline_code"]), (402, &json!("insufficient_funds")));
    assert_eq!(simulator.book().open, 1);
    assert_eq!(ask(&mut simulator, &post(&format!("{path}/cancel"), "k3", ""), 0).1["status"], "canceled");
    assert_eq!(ask(&mut simulator, &get(&path), 0).1["status"], "canceled");
    assert!(simulator.book().charges.is_empty());
}

#[test]
fn a_late_request_is_carried_out_after_its_sender_gave_up() {
    let mut simulator = Simulator::new("sk", 1);
    let path = announced(&mut simulator);
    simulator.plan(Operation::Confirm, Trouble::Late, 1);
    let confirm = post(&format!("{path}/confirm"), "k2", "payment_method=pm_card_visa");
    assert_eq!(simulator.play(&confirm, 0), Played::Silence);
    assert!(simulator.book().charges.is_empty());
    assert_eq!(ask(&mut simulator, &get(&path), 0).1["status"], "succeeded");
}

#[test]
fn who_has_no_key_gets_nothing() {
    let mut simulator = Simulator::new("sk", 1);
    let stranger = Asked { secret: Some("sk_other".into()), ..post("/v1/payment_intents", "k1", FORM) };
    assert_eq!(ask(&mut simulator, &stranger, 0).0, 401);
    assert_eq!(simulator.book().intents, 0);
}
