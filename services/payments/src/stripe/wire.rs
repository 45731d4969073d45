//! What Stripe answers, as far as it matters here. Fields that nobody looks at are not read.

use callboard::Fault;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A payment, announced or made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Intent {
    pub(crate) id: String,
    pub(crate) amount: i64,
    #[serde(default)]
    pub(crate) amount_received: i64,
    pub(crate) currency: String,
    pub(crate) status: IntentStatus,
    #[serde(default)]
    pub(crate) latest_charge: Option<String>,
    #[serde(default)]
    pub(crate) last_payment_error: Option<CardError>,
    #[serde(default)]
    pub(crate) metadata: BTreeMap<String, String>,
}

/// How an intent stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum IntentStatus {
    RequiresPaymentMethod,
    RequiresConfirmation,
    RequiresAction,
    RequiresCapture,
    Processing,
    Succeeded,
    Canceled,
}

impl IntentStatus {
    /// Whether it waits for a card.
    pub(crate) fn is_open(self) -> bool {
        matches!(self, Self::RequiresPaymentMethod | Self::RequiresConfirmation)
    }
}

/// Money that was taken.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Charge {
    pub(crate) refunded: bool,
}

/// Money given back.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Refund {
    pub(crate) status: String,
}

/// An answer that is no success.
#[derive(Debug, Deserialize)]
pub(crate) struct Refused {
    pub(crate) error: CardError,
}

/// What was wrong.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CardError {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) code: Option<String>,
    #[serde(default)]
    pub(crate) decline_code: Option<String>,
    #[serde(default)]
    pub(crate) message: String,
}

impl CardError {
    /// What somebody hears whose card was refused. Why exactly is between them and their bank.
    pub(crate) fn fault(&self) -> Fault {
        let message = match (self.code.as_deref(), self.decline_code.as_deref()) {
            (_, Some("insufficient_funds")) => "the card does not have enough money; use another card",
            (Some("expired_card"), _) => "the card has expired; use another card",
            (Some("authentication_required"), _) => {
                "the card asks for a confirmation that cannot be shown here; use another card"
            }
            _ => "the card was declined; use another card",
        };
        Fault::bad_input("payments.declined", message)
            .detail(format!("{:?} {:?}: {}", self.code, self.decline_code, self.message))
    }
}
