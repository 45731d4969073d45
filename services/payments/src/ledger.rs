//! The books, double entry: every entry moves money between accounts, and in every currency its lines add up to nothing. An
//! entry is never changed; what is taken back is an entry the other way round.

use crate::currency;
use crate::model::Tip;
use crate::records::{BALANCES, ENTRY_ADD, ENTRY_BALANCE, ENTRY_REVERSE, LINE_ADD, LINES_REVERSE};
use callboard::{Effects, Empty, Env, Fault, Msg, Reply, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the payment service holds for the channel.
const PROVIDER: &str = "provider";

/// One line of an entry; positive is what the account gets.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    pub(crate) account: String,
    pub(crate) currency: &'a str,
    pub(crate) amount: i64,
}

/// Adds an entry; nothing of the batch is written where it does not balance, or where it is there already.
pub(crate) fn post(effects: Effects, entry: &str, lines: Vec<Line<'_>>, now_ms: i64) -> Effects {
    let twice = Fault::conflict("ledger.posted", "this is in the books already");
    let uneven = Fault::conflict("ledger.unbalanced", "an entry of the books must add up to nothing in every currency");
    let mut effects = effects.write(ENTRY_ADD.with(params![entry, now_ms]).expect(1..=1, twice));
    for Line { account, currency, amount } in lines {
        effects = effects.write(LINE_ADD.with(params![entry, account, currency, amount]));
    }
    effects.write(ENTRY_BALANCE.with(params![entry]).expect(1..=1, uneven))
}

fn entry_of(tip: &str) -> String {
    format!("tip/{tip}")
}

/// Books a tip: the payment service holds it, the series earned it.
pub(crate) fn book(effects: Effects, tip: &Tip, now_ms: i64) -> Effects {
    let line = |account: String, amount| Line { account, currency: &tip.currency, amount };
    let lines = vec![line(PROVIDER.to_owned(), tip.amount), line(format!("tips/{}", tip.series), -tip.amount)];
    post(effects, &entry_of(&tip.id), lines, now_ms)
}

/// Takes the booking of a tip back, if there is one; once, however often it is said.
pub(crate) fn unbook(effects: Effects, tip: &str, now_ms: i64) -> Effects {
    let (entry, back) = (entry_of(tip), format!("tip/{tip}/back"));
    effects.write(ENTRY_REVERSE.with(params![&entry, &back, now_ms])).write(LINES_REVERSE.with(params![&entry, &back]))
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Books {
    accounts: Vec<Account>,
    /// Whether everything together adds up to nothing in every currency.
    is_balanced: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Account {
    account: String,
    currency: String,
    amount: i64,
    amount_text: String,
}

/// `get /payments/books`
pub(crate) async fn read(env: Env, _: Msg<Empty>) -> Result<Reply<Books>, Fault> {
    #[derive(Deserialize)]
    struct Balance {
        account: String,
        currency: String,
        amount: i64,
    }
    let balances: Vec<Balance> = env.query(&BALANCES, params![]).await?.all()?;
    let mut sums = std::collections::BTreeMap::<String, i64>::new();
    let mut accounts = Vec::new();
    for Balance { account, currency, amount } in balances {
        *sums.entry(currency.clone()).or_default() += amount;
        let amount_text = currency::find(&currency)?.show(amount);
        accounts.push(Account { account, currency, amount, amount_text });
    }
    Ok(Reply::ok(Books { accounts, is_balanced: sums.values().all(|sum| *sum == 0) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use callboard::{Kind, Stranger, Who};
    use callboard_bench::Bench;
    use serde_json::{Value, json};

    async fn try_entry(env: Env, msg: Msg<Value>) -> Result<Reply, Fault> {
        let texts = msg.data["lines"].as_array().cloned().unwrap_or_default();
        let line = |line: &Value| {
            let currency = if line[1] == "usd" { "usd" } else { "eur" };
            Line { account: line[0].to_string(), currency, amount: line[2].as_i64().unwrap_or_default() }
        };
        Ok(Reply::nothing().with(post(Effects::new(), "e", texts.iter().map(line).collect(), env.now_ms())))
    }

    async fn post_lines(lines: Value) -> (Result<(), &'static str>, Value) {
        let service = crate::service().on(Kind::Post, "/try", try_entry, Who::Anyone, Stranger::Denied);
        let bench = Bench::new(vec![service]).await;
        let posted = bench.nobody().post("/try", json!({"lines": lines})).await;
        let books = bench.owner().get("/payments/books").await.expect("the books").json();
        (posted.map(drop).map_err(|fault| fault.code), books["accounts"].clone())
    }

    #[tokio::test]
    async fn an_entry_that_does_not_balance_in_every_currency_is_not_written() {
        for lines in [
            json!([]),
            json!([["a", "eur", 0]]),
            json!([["a", "eur", 5]]),
            json!([["a", "eur", 5], ["b", "eur", -4]]),
            json!([["a", "eur", 5], ["b", "usd", -5]]),
            json!([["a", "eur", 5], ["b", "eur", -5], ["a", "usd", 1]]),
        ] {
            assert_eq!(post_lines(lines.clone()).await, (Err("ledger.unbalanced"), json!([])), "{lines}");
        }
        let even = json!([["a", "eur", 5], ["b", "eur", -2], ["c", "eur", -3], ["a", "usd", 1], ["b", "usd", -1]]);
        assert_eq!(post_lines(even).await.0, Ok(()));
    }
}
