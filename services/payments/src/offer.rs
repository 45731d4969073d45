//! What a channel takes: its currency, the amounts it proposes, and whether it takes tips at all.

use crate::currency::{self, Currency};
use crate::model::NOTE_CHARS_MAX;
use crate::records::{OFFER, OFFER_SET};
use crate::stripe;
use callboard::{Empty, Env, Fault, Msg, Reply, params, uri};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most amounts that are proposed.
const AMOUNTS_MAX: usize = 6;

/// Cards that the payment service keeps for trying out, and what each does.
const TEST_CARDS: [(&str, &str); 3] = [
    ("pm_card_visa", "Test card that pays"),
    ("pm_card_visa_chargeDeclined", "Test card that is declined"),
    ("pm_card_visa_chargeDeclinedInsufficientFunds", "Test card without money"),
];

/// What a channel takes.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) is_open: bool,
    pub(crate) currency: &'static Currency,
    amounts: Vec<i64>,
    version: i64,
}

#[derive(Deserialize)]
struct Stored {
    currency: String,
    amounts: Vec<i64>,
    is_open: bool,
    version: i64,
}

/// What pages need to know.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct View {
    is_open: bool,
    currency: &'static str,
    amounts: Vec<Money>,
    least: Money,
    most: Money,
    note_chars_max: usize,
    cards: Vec<Card>,
    /// What does not work at this moment.
    away: Option<String>,
    version: i64,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Money {
    amount: i64,
    text: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Card {
    id: &'static str,
    name: &'static str,
}

/// What an owner sets.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    currency: String,
    amounts: Vec<i64>,
    is_open: bool,
}

/// The offer of the channel, or what stands where it has set none.
pub(crate) async fn load(env: &Env) -> Result<Offer, Fault> {
    let stored: Option<Stored> = env.query(&OFFER, params![]).await?.first()?;
    let is_connected = !env.setting::<String>(stripe::URL)?.is_empty();
    Ok(match stored {
        Some(Stored { currency, amounts, is_open, version }) => {
            Offer { is_open: is_open && is_connected, currency: currency::find(&currency)?, amounts, version }
        }
        None => {
            let currency = currency::find(&env.setting::<String>("payments.currency")?)?;
            Offer { is_open: is_connected, currency, amounts: currency.proposed.to_vec(), version: 0 }
        }
    })
}

/// Whether only the payment service's test cards are taken.
fn is_test(env: &Env) -> Result<bool, Fault> {
    Ok(env.setting::<String>("payments.test_cards")? == "yes")
}

/// Refuses what is no token of a card.
///
/// # Errors
/// `tip.card`
pub(crate) fn check_card(env: &Env, card: &str) -> Result<(), Fault> {
    let is_token = card.strip_prefix("pm_").is_some_and(|rest| {
        (1..=100).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    });
    let is_known = !is_test(env)? || TEST_CARDS.iter().any(|(id, _)| *id == card);
    if is_token && is_known {
        return Ok(());
    }
    let message = "choose a card of the list";
    Err(Fault::bad_input("tip.card", message).field("card", message))
}

fn view(env: &Env, offer: &Offer) -> Result<View, Fault> {
    let money = |amount: i64| Money { amount, text: offer.currency.show(amount) };
    let cards = if is_test(env)? { &TEST_CARDS[..] } else { &[] };
    Ok(View {
        is_open: offer.is_open,
        currency: offer.currency.code,
        amounts: offer.amounts.iter().copied().map(money).collect(),
        least: money(offer.currency.least),
        most: money(offer.currency.most),
        note_chars_max: NOTE_CHARS_MAX,
        cards: cards.iter().map(|&(id, name)| Card { id, name }).collect(),
        away: env.when_away(stripe::URL)?.map(|fault| fault.message),
        version: offer.version,
    })
}

/// `get /payments/offer`
pub(crate) async fn read(env: Env, _: Msg<Empty>) -> Result<Reply<View>, Fault> {
    let offer = load(&env).await?;
    Ok(Reply::ok(view(&env, &offer)?))
}

/// `put /payments/offer`
pub(crate) async fn change(env: Env, msg: Msg<Settings>) -> Result<Reply<View>, Fault> {
    let Settings { currency, amounts, is_open } = msg.data;
    let currency = currency::find(&currency)?;
    let is_sorted = amounts.is_sorted_by(|one, other| one < other);
    if amounts.is_empty() || amounts.len() > AMOUNTS_MAX || !is_sorted {
        let rule = format!("propose 1 to {AMOUNTS_MAX} amounts, each more than the one before");
        return Err(Fault::bad_input("offer.invalid", rule.clone()).field("amounts", rule));
    }
    amounts.iter().try_for_each(|amount| currency.check(*amount))?;
    let before = load(&env).await?.version;
    let stored = serde_json::to_string(&amounts).expect("numbers serialise to JSON");
    let write = OFFER_SET.with(params![currency.code, stored, is_open, before]).expect_or_retry(1..=1);
    let is_connected = !env.setting::<String>(stripe::URL)?.is_empty();
    let offer = Offer { is_open: is_open && is_connected, currency, amounts, version: before + 1 };
    Ok(Reply::changed(uri!("/payments/offer")?, view(&env, &offer)?).write(write))
}
