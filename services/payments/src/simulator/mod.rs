//! Stripe as far as this service speaks to it, in memory and without a network: the same requests, answers, errors, idempotency
//! keys and webhooks, and on demand everything that can go wrong with them. It keeps its own book of what it took and gave
//! back, for whoever checks that nothing was taken twice. `showrunner payments-simulator` puts it behind a port.

mod account;
mod events;
mod keys;
mod troubles;

pub use account::{Book, Booked};
pub use events::Webhook;
pub use troubles::{Operation, Trouble, Troubles, WebhookTrouble};

use crate::stripe::signature;
use account::Account;
use events::Events;
use keys::{Key, Keys};
use serde_json::{Value, json};

/// A request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `GET` or `POST`.
    pub method: String,
    /// Its path.
    pub path: String,
    /// Its idempotency key.
    pub key: Option<String>,
    /// Its secret key, without `Bearer `.
    pub secret: Option<String>,
    /// Its form.
    pub form: String,
}

/// What somebody who asked gets.
#[derive(Clone, Debug, PartialEq)]
pub enum Played {
    /// An answer, perhaps after a while.
    Answer {
        /// The status.
        status: u16,
        /// The body.
        body: Value,
        /// Whether it was kept from before.
        is_replayed: bool,
        /// After so many milliseconds.
        delay_ms: u64,
    },
    /// The connection breaks off.
    Cut,
    /// Nothing, ever.
    Silence,
}

/// An answer before anything goes wrong with it.
pub(crate) type Answered = (u16, Value);

/// The simulator.
#[derive(Debug)]
pub struct Simulator {
    secret: String,
    account: Account,
    keys: Keys,
    events: Events,
    troubles: Troubles,
    /// Requests that are carried out only after their sender gave up.
    late: Vec<Asked>,
}

impl Simulator {
    /// A simulator that takes this secret key, and starts its ids behind this number.
    pub fn new(secret: &str, first_id: u64) -> Self {
        Self {
            secret: secret.to_owned(),
            account: Account::new(first_id),
            keys: Keys::default(),
            events: Events::default(),
            troubles: Troubles::default(),
            late: Vec::new(),
        }
    }

    /// Has something go wrong.
    pub fn plan(&mut self, operation: Operation, trouble: Trouble, times: u32) {
        self.troubles.plan(operation, trouble, times);
    }

    /// Has something go wrong with webhooks from now on.
    pub fn plan_webhooks(&mut self, trouble: WebhookTrouble) {
        self.events.trouble = trouble;
    }

    /// What was taken and given back, as this side sees it.
    pub fn book(&self) -> Book {
        self.account.book()
    }

    /// Refunds an intent from here, as somebody does in Stripe's own pages.
    pub fn refund_here(&mut self, intent: &str, now_ms: i64) {
        let form = vec![("payment_intent".to_owned(), intent.to_owned())];
        drop(self.account.refund(&form, now_ms, &mut self.events));
    }

    /// Webhooks to send, in this order.
    pub fn take_webhooks(&mut self) -> Vec<Webhook> {
        self.events.take()
    }

    /// Answers a request.
    pub fn play(&mut self, asked: &Asked, now_ms: i64) -> Played {
        for late in std::mem::take(&mut self.late) {
            drop(self.carry_out(&late, now_ms));
        }
        let now = |(status, body): Answered| Played::Answer { status, body, is_replayed: false, delay_ms: 0 };
        match self.troubles.take(Operation::of(asked)) {
            None => self.carry_out(asked, now_ms),
            Some(Trouble::LoseAnswer) => {
                drop(self.carry_out(asked, now_ms));
                Played::Cut
            }
            Some(Trouble::LoseRequest) => Played::Cut,
            Some(Trouble::Hang) => Played::Silence,
            Some(Trouble::HangAfter) => {
                drop(self.carry_out(asked, now_ms));
                Played::Silence
            }
            Some(Trouble::Late) => {
                self.late.push(asked.clone());
                Played::Silence
            }
            Some(Trouble::Fail) => now(error(500, "api_error", "", "something went wrong here")),
            Some(Trouble::FailAfter) => {
                drop(self.carry_out(asked, now_ms));
                now(error(500, "api_error", "", "something went wrong here, after it was done"))
            }
            Some(Trouble::FailKept) => {
                let answer = error(500, "api_error", "", "something went wrong here, and stays so for this key");
                if let Some(key) = &asked.key {
                    self.keys.keep(key, asked, &answer, now_ms);
                }
                now(answer)
            }
            Some(Trouble::Busy) => now(error(409, "idempotency_error", "idempotency_key_in_use", "this key is in use")),
            Some(Trouble::Limit) => now(error(429, "rate_limit_error", "rate_limit", "too many requests")),
            Some(Trouble::Delay { delay_ms }) => match self.carry_out(asked, now_ms) {
                Played::Answer { status, body, is_replayed, .. } => {
                    Played::Answer { status, body, is_replayed, delay_ms }
                }
                other => other,
            },
            Some(Trouble::OtherAmount) => {
                let Played::Answer { status, mut body, is_replayed, delay_ms } = self.carry_out(asked, now_ms) else {
                    return Played::Cut;
                };
                body["amount"] = json!(body["amount"].as_i64().unwrap_or_default() + 1);
                Played::Answer { status, body, is_replayed, delay_ms }
            }
        }
    }

    fn carry_out(&mut self, asked: &Asked, now_ms: i64) -> Played {
        let answered =
            |(status, body): Answered, is_replayed| Played::Answer { status, body, is_replayed, delay_ms: 0 };
        if asked.secret.as_deref() != Some(self.secret.as_str()) {
            return answered(error(401, "invalid_request_error", "", "the key is not valid"), false);
        }
        let Some(key) = asked.key.as_deref().filter(|_| asked.method == "POST") else {
            return answered(self.account.answer(asked, now_ms, &mut self.events), false);
        };
        match self.keys.find(key, asked, now_ms) {
            Key::Known(answer) => answered(answer, true),
            Key::ForAnother => {
                let message =
                    "keys for idempotent requests can only be used with the same parameters they were first used with";
                answered(error(400, "idempotency_error", "", message), false)
            }
            Key::New => {
                let answer = self.account.answer(asked, now_ms, &mut self.events);
                self.keys.keep(key, asked, &answer, now_ms);
                answered(answer, false)
            }
        }
    }
}

/// An error as it is answered.
pub(crate) fn error(status: u16, kind: &str, code: &str, message: &str) -> Answered {
    (status, json!({"error": {"type": kind, "code": Some(code).filter(|code| !code.is_empty()), "message": message}}))
}

impl Webhook {
    /// The header that proves who sent it.
    pub fn signature(&self, secret: &str, now_ms: i64) -> String {
        signature::sign(secret, now_ms / 1000, self.body.as_bytes())
    }
}

#[cfg(test)]
mod tests;
