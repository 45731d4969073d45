//! The account behind the API: intents, what was taken, what was given back. Cards are Stripe's test tokens, whose name says what
//! becomes of them.

use super::events::Events;
use super::{Answered, Asked, error};
use crate::stripe::form;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

type Fields = Vec<(String, String)>;

#[derive(Debug)]
pub(super) struct Account {
    first_id: u64,
    count: u64,
    intents: BTreeMap<String, Value>,
    booked: Vec<Booked>,
}

/// What was taken and given back.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Book {
    /// Every charge, in order.
    pub charges: Vec<Booked>,
    /// How many payments were announced.
    pub intents: usize,
    /// How many of them can still be made.
    pub open: usize,
}

/// A charge, and what was given back of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Booked {
    /// Its id.
    pub charge: String,
    /// Its intent.
    pub intent: String,
    /// The tip it is for, as the intent's metadata say.
    pub tip: String,
    /// What was taken.
    pub amount: i64,
    /// In which currency.
    pub currency: String,
    /// What was given back.
    pub refunded: i64,
}

fn field<'f>(fields: &'f Fields, name: &str) -> Option<&'f str> {
    fields.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
}

fn missing(what: &str) -> Answered {
    error(404, "invalid_request_error", "resource_missing", &format!("no such {what}"))
}

fn wrong(code: &str, message: &str) -> Answered {
    error(400, "invalid_request_error", code, message)
}

impl Account {
    pub(super) fn new(first_id: u64) -> Self {
        Self { first_id, count: 0, intents: BTreeMap::new(), booked: Vec::new() }
    }

    pub(super) fn book(&self) -> Book {
        let is_open = |intent: &&Value| !matches!(intent["status"].as_str(), Some("succeeded" | "canceled"));
        Book {
            charges: self.booked.clone(),
            intents: self.intents.len(),
            open: self.intents.values().filter(is_open).count(),
        }
    }

    fn id(&mut self, prefix: &str) -> String {
        self.count += 1;
        format!("{prefix}_{}x{}", self.first_id, self.count)
    }

    pub(super) fn answer(&mut self, asked: &Asked, now_ms: i64, events: &mut Events) -> Answered {
        let fields = form::decode(&asked.form);
        let path: Vec<&str> = asked.path.trim_start_matches('/').split('/').collect();
        match (asked.method.as_str(), path.as_slice()) {
            ("POST", ["v1", "payment_intents"]) => self.create(&fields, now_ms, events),
            ("GET", ["v1", "payment_intents", id]) => {
                self.intents.get(*id).map_or_else(|| missing("payment_intent"), |intent| (200, intent.clone()))
            }
            ("GET", ["v1", "charges", id]) => {
                let booked = self.booked.iter().find(|booked| booked.charge == *id);
                booked.map_or_else(|| missing("charge"), |booked| (200, self.charge(booked)))
            }
            ("POST", ["v1", "payment_intents", id, "confirm"]) => self.confirm(id, &fields, now_ms, events),
            ("POST", ["v1", "payment_intents", id, "cancel"]) => self.cancel(id, now_ms, events),
            ("POST", ["v1", "refunds"]) => self.refund(&fields, now_ms, events),
            _ => error(404, "invalid_request_error", "", "unrecognized request URL"),
        }
    }

    fn create(&mut self, fields: &Fields, now_ms: i64, events: &mut Events) -> Answered {
        let amount = field(fields, "amount").and_then(|text| text.parse::<i64>().ok());
        let Some(amount) = amount.filter(|amount| (1..=99_999_999).contains(amount)) else {
            return wrong("parameter_invalid_integer", "invalid amount");
        };
        let Some(currency) = field(fields, "currency").filter(|code| code.len() == 3) else {
            return wrong("parameter_missing", "missing currency");
        };
        let inside = |name: &str| name.strip_prefix("metadata[")?.strip_suffix(']').map(str::to_owned);
        let metadata: BTreeMap<String, &String> =
            fields.iter().filter_map(|(name, value)| Some((inside(name)?, value))).collect();
        let metadata = json!(metadata);
        let id = self.id("pi");
        let intent = json!({
            "id": id, "object": "payment_intent", "amount": amount, "amount_received": 0, "currency": currency,
            "status": "requires_payment_method", "latest_charge": null, "last_payment_error": null, "metadata": metadata,
            "livemode": false, "created": now_ms / 1000,
        });
        events.tell(self.first_id, "payment_intent.created", &intent, now_ms);
        self.intents.insert(id, intent.clone());
        (200, intent)
    }

    fn confirm(&mut self, id: &str, fields: &Fields, now_ms: i64, events: &mut Events) -> Answered {
        let charge = self.id("ch");
        let first_id = self.first_id;
        let Some(intent) = self.intents.get_mut(id) else { return missing("payment_intent") };
        if intent["status"] != "requires_payment_method" {
            let message = format!("this PaymentIntent has the status {}", intent["status"]);
            return wrong("payment_intent_unexpected_state", &message);
        }
        let card = field(fields, "payment_method").unwrap_or_default();
        if let Some((code, decline_code)) = decline_of(card) {
            let declined = json!({"type": "card_error", "code": code, "decline_code": decline_code, "message": "your card was declined"});
            intent["last_payment_error"] = declined.clone();
            events.tell(first_id, "payment_intent.payment_failed", intent, now_ms);
            let mut answer = json!({"error": declined});
            answer["error"]["payment_intent"] = intent.clone();
            return (402, answer);
        }
        match card {
            "pm_card_visa" | "pm_card_mastercard" => {}
            "pm_card_authenticationRequired" => {
                intent["status"] = json!("requires_action");
                events.tell(first_id, "payment_intent.requires_action", intent, now_ms);
                return (200, intent.clone());
            }
            _ => return wrong("resource_missing", "no such PaymentMethod"),
        }
        intent["status"] = json!("succeeded");
        intent["amount_received"] = intent["amount"].clone();
        intent["latest_charge"] = json!(&charge);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        self.booked.push(Booked {
            charge,
            intent: id.to_owned(),
            tip: text(&intent["metadata"]["tip"]),
            amount: intent["amount"].as_i64().unwrap_or_default(),
            currency: text(&intent["currency"]),
            refunded: 0,
        });
        events.tell(first_id, "payment_intent.succeeded", intent, now_ms);
        (200, intent.clone())
    }

    fn cancel(&mut self, id: &str, now_ms: i64, events: &mut Events) -> Answered {
        let first_id = self.first_id;
        let Some(intent) = self.intents.get_mut(id) else { return missing("payment_intent") };
        if matches!(intent["status"].as_str(), Some("succeeded" | "canceled")) {
            return wrong("payment_intent_unexpected_state", "this PaymentIntent cannot be canceled");
        }
        intent["status"] = json!("canceled");
        events.tell(first_id, "payment_intent.canceled", intent, now_ms);
        (200, intent.clone())
    }

    pub(super) fn refund(&mut self, fields: &Fields, now_ms: i64, events: &mut Events) -> Answered {
        let id = self.id("re");
        let intent = field(fields, "payment_intent").unwrap_or_default();
        let Some(booked) = self.booked.iter_mut().find(|booked| booked.intent == intent) else {
            return missing("charge");
        };
        if booked.refunded == booked.amount {
            return wrong("charge_already_refunded", "this charge has already been refunded");
        }
        booked.refunded = booked.amount;
        let booked = booked.clone();
        let charge = self.charge(&booked);
        events.tell(self.first_id, "charge.refunded", &charge, now_ms);
        let amount = booked.amount;
        (200, json!({"id": id, "object": "refund", "amount": amount, "payment_intent": intent, "status": "succeeded"}))
    }
}

impl Account {
    fn charge(&self, booked: &Booked) -> Value {
        json!({
            "id": booked.charge, "object": "charge", "amount": booked.amount, "amount_refunded": booked.refunded,
            "currency": booked.currency, "payment_intent": booked.intent, "refunded": booked.refunded == booked.amount,
            "metadata": self.intents[&booked.intent]["metadata"],
        })
    }
}

/// Code and reason with which a test card is declined.
fn decline_of(card: &str) -> Option<(&'static str, &'static str)> {
    match card.rsplit("_chargeDeclined").next() {
        Some("") => Some(("card_declined", "generic_decline")),
        Some("InsufficientFunds") => Some(("card_declined", "insufficient_funds")),
        Some("ExpiredCard") => Some(("expired_card", "expired_card")),
        _ => None,
    }
}
