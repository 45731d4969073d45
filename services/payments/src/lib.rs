//! Tips: what a channel takes, the flow that charges each tip exactly once, the double-entry books, and refunds.
//!
//! Cards never come here: Stripe keeps them and gives a token. What a webhook says is only a reason to look; Stripe is asked.

mod currency;
mod ledger;
mod model;
mod offer;
mod records;
mod refund;
pub mod simulator;
pub mod stripe;
mod tipping;
mod tips;
mod webhook;

use callboard::contract::Changed;
use callboard::{Kind, Service, Stranger, Who, event};

/// The service.
pub fn service() -> Service {
    use Kind::{Get, Post, Put};
    use Stranger::{Denied, NotFound};
    const EDITOR: Who = Who::Role("editor");
    const OWNER: Who = Who::Role("owner");
    Service::new("payments")
        .on(Get, "/payments/offer", offer::read, Who::Anyone, Denied)
        .on(Put, "/payments/offer", offer::change, OWNER, Denied)
        .on(Get, "/payments/books", ledger::read, OWNER, Denied)
        .on(Post, "/payments/webhook", webhook::hear, Who::Anyone, Denied)
        .headers(&["stripe-signature"])
        .takes("application/json")
        .on(Post, "/tips", tips::create, Who::SignedIn, Denied)
        .answers(&[202])
        .reads(&["/series/{id}", "/me"])
        .on(Get, "/tips", tips::list, EDITOR, Denied)
        .on(Get, "/tips/{id}", tips::read, Who::SignedIn, Denied)
        .on(Post, "/tips/{id}/refund", refund::begin, OWNER, Denied)
        .answers(&[202])
        .on(Get, "/me/tips", tips::list_own, Who::SignedIn, Denied)
        .on(event("delayed"), "/flows/tip/{run}", tipping::delay, Who::Services, NotFound)
        .on(event("undone"), "/flows/tip/{run}", tipping::fail, Who::Services, NotFound)
        .on(event("undo_stuck"), "/flows/tip/{run}", tipping::get_stuck, Who::Services, NotFound)
        .on(event("delayed"), "/flows/refund/{run}", tipping::delay, Who::Services, NotFound)
        .on(event("undone"), "/flows/refund/{run}", refund::fail, Who::Services, NotFound)
        .publishes::<Changed>(event("created"), "/tips/{id}")
        .publishes::<Changed>(event("changed"), "/tips/{id}")
        .publishes::<model::News>(event("received"), "/tips/{id}")
        .publishes::<model::News>(event("refunded"), "/tips/{id}")
        .publishes::<Changed>(event("changed"), "/payments/offer")
        .flow(tipping::flow())
        .flow(refund::flow())
        .tenants_tables(&["tip_offer", "tip", "ledger_entry", "ledger_line", "payment_event"])
        .migration("0001_payments", include_str!("../migrations/0001_payments.sql"))
        .statements(records::ALL)
        .setting(stripe::URL, "", "origin of the payment service, such as https://api.stripe.com; empty takes no tips")
        .secret(stripe::KEY, "secret key of the payment service")
        .secret(stripe::WEBHOOK_SECRET, "secret that signs its webhooks; empty hears none")
        .setting("payments.currency", "eur", "currency of channels that chose none: eur, usd, gbp, chf or jpy")
        .setting("payments.test_cards", "no", "`yes` where tips are paid with the payment service's test cards only")
        .outside(
            stripe::URL,
            "payments are away for the moment, and nothing was charged; what you wrote is kept, try again in a minute",
        )
}
