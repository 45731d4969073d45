//! Webhooks: what happened, to be told to whoever listens; doubled, reordered, late or lost where that is wanted.

use super::WebhookTrouble;
use serde_json::{Value, json};

/// A webhook to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// The event, as JSON.
    pub body: String,
    /// Not before so many milliseconds from now.
    pub delay_ms: u64,
}

#[derive(Debug, Default)]
pub(super) struct Events {
    pub(super) trouble: WebhookTrouble,
    waiting: Vec<Value>,
    count: u64,
}

impl Events {
    pub(super) fn tell(&mut self, first_id: u64, kind: &str, object: &Value, now_ms: i64) {
        self.count += 1;
        self.waiting.push(json!({
            "id": format!("evt_{}x{}", first_id, self.count), "object": "event", "api_version": "2024-06-20", "created": now_ms / 1000,
            "livemode": false, "type": kind, "data": {"object": object},
        }));
    }

    pub(super) fn take(&mut self) -> Vec<Webhook> {
        let WebhookTrouble { is_doubled, is_reversed, is_lost, delay_ms } = self.trouble;
        let mut waiting = std::mem::take(&mut self.waiting);
        if is_lost {
            waiting.clear();
        }
        if is_reversed {
            waiting.reverse();
        }
        let copies = if is_doubled { 2 } else { 1 };
        let bodies = waiting.iter().flat_map(|event| std::iter::repeat_n(event.to_string(), copies));
        bodies.map(|body| Webhook { body, delay_ms }).collect()
    }
}
