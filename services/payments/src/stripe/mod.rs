//! A thin client of Stripe's API: form-encoded requests, an idempotency key with everything that changes something, and its
//! errors as faults that say whether trying again can help.

pub(crate) mod form;
pub mod signature;
mod wire;

pub(crate) use form::Form;
pub(crate) use wire::{Intent, IntentStatus};

use crate::model::Tip;
use callboard::outside::{Request, Response};
use callboard::{Env, Fault, Secret};
use serde::de::DeserializeOwned;
use wire::Refused;

/// The setting that holds its origin.
pub const URL: &str = "payments.stripe_url";
/// The setting that holds the secret key.
pub const KEY: &str = "payments.stripe_key";
/// The setting that holds the secret of webhooks.
pub const WEBHOOK_SECRET: &str = "payments.stripe_webhook_secret";

/// The version of the API that this client speaks.
const VERSION: &str = "2024-06-20";

pub(crate) struct Stripe<'a> {
    env: &'a Env,
    key: Secret<String>,
}

impl<'a> Stripe<'a> {
    pub(crate) fn new(env: &'a Env) -> Result<Self, Fault> {
        Ok(Self { env, key: env.secret(KEY)? })
    }

    /// Announces a payment; nothing is taken yet.
    pub(crate) async fn create(&self, tip: &Tip, key: &str) -> Result<Intent, Fault> {
        let form = Form::new()
            .field("amount", &tip.amount.to_string())
            .field("currency", &tip.currency)
            .field("payment_method_types[]", "card")
            .field("description", &format!("Tip for {}", tip.series_title))
            .field("metadata[tip]", &tip.id)
            .field("metadata[tenant]", self.env.tenant().as_str());
        self.post("/v1/payment_intents", form, key).await
    }

    /// How an intent stands.
    pub(crate) async fn intent(&self, id: &str) -> Result<Intent, Fault> {
        self.send(Request::get(URL, format!("/v1/payment_intents/{}", form::encode(id)))).await
    }

    /// Takes the money.
    pub(crate) async fn confirm(&self, id: &str, card: &str, key: &str) -> Result<Intent, Fault> {
        let form = Form::new().field("payment_method", card);
        self.post(&format!("/v1/payment_intents/{}/confirm", form::encode(id)), form, key).await
    }

    /// Closes an intent that has taken nothing.
    ///
    /// # Errors
    /// Where it has taken something meanwhile, one that is tried again.
    pub(crate) async fn cancel(&self, id: &str, key: &str) -> Result<(), Fault> {
        let path = format!("/v1/payment_intents/{}/cancel", form::encode(id));
        let canceled = self.post::<Intent>(&path, Form::new(), key).await;
        match canceled {
            Ok(intent) if intent.status == IntentStatus::Canceled => Ok(()),
            Ok(_) => Err(unclear("an intent was cancelled and is not")),
            Err(fault) if fault.code == "payments.state" => Err(unclear("an intent changed while it was cancelled")),
            Err(fault) => Err(fault),
        }
    }

    /// Gives back everything that an intent took. What was given back already is done.
    pub(crate) async fn refund(&self, intent: &Intent, key: &str) -> Result<(), Fault> {
        if let Some(charge) = &intent.latest_charge {
            let charge: wire::Charge =
                self.send(Request::get(URL, format!("/v1/charges/{}", form::encode(charge)))).await?;
            if charge.refunded {
                return Ok(());
            }
        }
        let form = Form::new().field("payment_intent", &intent.id);
        // A refund has a key of its own: the same undo may have cancelled before it found out that something was taken.
        let refunded = self.post::<wire::Refund>("/v1/refunds", form, &format!("{key}/refund")).await;
        match refunded {
            Ok(refund) if matches!(refund.status.as_str(), "succeeded" | "pending") => Ok(()),
            Ok(refund) => Err(Fault::conflict(
                "payments.refund_refused",
                format!("the payment service could not give the money back ({})", refund.status),
            )),
            Err(fault) if fault.code == "payments.refunded" => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, form: Form, key: &str) -> Result<T, Fault> {
        self.send(Request::post(URL, path, form.data()).header("idempotency-key", key)).await
    }

    async fn send<T: DeserializeOwned>(&self, request: Request) -> Result<T, Fault> {
        let bearer = format!("Bearer {}", self.key.expose());
        let response =
            self.env.fetch(request.header("authorization", bearer).header("stripe-version", VERSION)).await?;
        if (200..300).contains(&response.status) { response.json() } else { Err(fault(&response)) }
    }
}

fn unclear(detail: &str) -> Fault {
    Fault::unavailable("payments.unclear", "the payment service is asked again how the payment stands").detail(detail)
}

/// What an error means: certainly refused, or worth another attempt because nobody knows.
fn fault(response: &Response) -> Fault {
    let Ok(Refused { error }) = response.json::<Refused>() else {
        return unclear(&format!("status {} without words", response.status));
    };
    let detail = format!("{}: {} {}", response.status, error.kind, error.message);
    let fault = match (response.status, error.kind.as_str(), error.code.as_deref().unwrap_or_default()) {
        (402, "card_error", _) => return error.fault(),
        (401 | 403, ..) => Fault::unavailable(
            "payments.key_refused",
            "the payment service does not accept this channel's key; it is tried again",
        ),
        (400, _, "payment_intent_unexpected_state") => {
            Fault::conflict("payments.state", "the payment stands otherwise than expected")
        }
        (400, _, "charge_already_refunded") => Fault::conflict("payments.refunded", "this was given back already"),
        (404, ..) => Fault::not_found("payments.unknown", "the payment service does not know this payment"),
        (400, "idempotency_error", _) | (409 | 429 | 500.., ..) => return unclear(&detail),
        _ => Fault::bad_input("payments.refused", "the payment service refused the request"),
    };
    fault.detail(detail)
}
