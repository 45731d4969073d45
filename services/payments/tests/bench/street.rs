//! A channel with one series, people who give, and a payment service that may behave badly. Beside the answers of this service
//! stands the simulator's own book.

use callboard::outside::{Origin, Outside, Request, Response, unanswered};
use callboard::{Answer, BoxFuture, Data, Empty, Env, Fault, Kind, Msg, Reply, Service, Stranger, Who};
use callboard_bench::{Actor, Bench, Kept, START_MS};
use payments::simulator::{Asked, Booked, Operation, Played, Simulator, Trouble, WebhookTrouble};
use payments::stripe::signature;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

pub(crate) const SERIES: &str = "0190a000-0000-7000-8000-000000000001";
pub(crate) const SECRET: &str = "whsec_street";
const KEY: &str = "sk_test_street";

/// The payment service, as this machine reaches it.
struct Bank {
    simulator: Mutex<Simulator>,
    now_ms: Mutex<i64>,
}

impl Outside for Bank {
    fn fetch(&self, origin: Origin, request: Request) -> BoxFuture<'_, Result<Response, Fault>> {
        assert_eq!(origin.to_string(), "https://bank.example");
        let asked = Asked {
            method: request.method.to_owned(),
            key: request.header_value("idempotency-key").map(str::to_owned),
            secret: request
                .header_value("authorization")
                .and_then(|value| value.strip_prefix("Bearer "))
                .map(str::to_owned),
            form: String::from_utf8(request.body.bytes.to_vec()).expect("a form is text"),
            path: request.path,
        };
        let now_ms = *self.now_ms.lock().expect("nobody panicked");
        let played = self.simulator.lock().expect("nobody panicked").play(&asked, now_ms);
        Box::pin(std::future::ready(match played {
            Played::Answer { status, body, .. } => {
                Ok(Response { status, headers: Vec::new(), body: body.to_string().into() })
            }
            Played::Cut | Played::Silence => Err(unanswered("the bank says nothing")),
        }))
    }
}

pub(crate) struct Street {
    pub(crate) bench: Bench,
    bank: Arc<Bank>,
}

/// Series and people, as far as this service asks for them.
fn neighbours() -> Service {
    async fn series(env: Env, msg: Msg<Empty>) -> Result<Reply<Value>, Fault> {
        if msg.param("id") == SERIES && env.tenant().as_str() == "demo" {
            return Ok(Reply::ok(json!({"id": SERIES, "title": "Night ferry"})));
        }
        Err(Fault::not_found("series.not_found", "there is no such series, or it is not open to you"))
    }
    async fn me(env: Env, _: Msg<Empty>) -> Result<Reply<Value>, Fault> {
        Ok(Reply::ok(json!({"name": format!("{} by name", env.person()?)})))
    }
    Service::new("neighbours").on(Kind::Get, "/series/{id}", series, Who::Anyone, Stranger::Denied).on(
        Kind::Get,
        "/me",
        me,
        Who::SignedIn,
        Stranger::Denied,
    )
}

impl Street {
    pub(crate) async fn new() -> Self {
        Self::with(&[("payments.test_cards", "yes")]).await
    }

    pub(crate) async fn with(more: &[(&str, &str)]) -> Self {
        let bank = Arc::new(Bank { simulator: Mutex::new(Simulator::new(KEY, 1)), now_ms: Mutex::new(START_MS) });
        let known = [
            ("payments.stripe_url", "https://bank.example"),
            ("payments.stripe_key", KEY),
            ("payments.stripe_webhook_secret", SECRET),
        ];
        let settings: HashMap<String, String> =
            known.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let outside: Arc<dyn Outside> = bank.clone();
        let services = vec![payments::service(), neighbours()];
        let bench =
            Bench::shaped(services, Kept::InMemory, |builder| builder.settings(settings).outside(outside)).await;
        Self { bench, bank }
    }

    /// Whatever the bank does now.
    pub(crate) fn bank<T>(&self, work: impl FnOnce(&mut Simulator) -> T) -> T {
        work(&mut self.bank.simulator.lock().expect("nobody panicked"))
    }

    pub(crate) fn plan(&self, operation: Operation, trouble: Trouble, times: u32) {
        self.bank(|bank| bank.plan(operation, trouble, times));
    }

    /// Five euros for the series, by this card.
    pub(crate) async fn give(&self, card: &str) -> String {
        let wish = json!({"series": SERIES, "amount": 500, "card": card, "note": "For the coal"});
        id(self.bench.viewer().post("/tips", wish).await)
    }

    pub(crate) async fn tip(&self, id: &str) -> Value {
        self.bench.viewer().get(&format!("/tips/{id}")).await.expect("one's own tip").json()
    }

    pub(crate) async fn state(&self, id: &str) -> String {
        self.tip(id).await["state"].as_str().expect("a tip has a state").to_owned()
    }

    /// Delivers what is due, and the bank's webhooks.
    pub(crate) async fn settle(&self) {
        loop {
            let delivered = self.bench.settle().await;
            let webhooks = self.bank(Simulator::take_webhooks);
            if delivered == 0 && webhooks.is_empty() {
                return;
            }
            for webhook in webhooks {
                let heard = self.hear(&webhook.body, SECRET, self.now_ms()).await;
                heard.unwrap_or_else(|fault| panic!("{fault}: {}", webhook.body));
            }
        }
    }

    fn now_ms(&self) -> i64 {
        *self.bank.now_ms.lock().expect("nobody panicked")
    }

    /// A webhook signed with a secret at a time.
    pub(crate) async fn hear(&self, body: &str, secret: &str, at_ms: i64) -> Result<Answer, Fault> {
        let header = signature::sign(secret, at_ms / 1000, body.as_bytes());
        self.send(body, &self.bench.nobody().with("stripe-signature", &header)).await
    }

    pub(crate) async fn send(&self, body: &str, actor: &Actor<'_>) -> Result<Answer, Fault> {
        let data = Data { media_type: "application/json; charset=utf-8".into(), bytes: body.to_owned().into() };
        actor.send(Kind::Post, "/payments/webhook", data).await
    }

    pub(crate) async fn wait_ms(&self, time_ms: i64) {
        *self.bank.now_ms.lock().expect("nobody panicked") += time_ms;
        self.bench.clock().advance(time_ms);
        self.settle().await;
    }

    /// Waits until a tip goes no further by itself, at most for as long as its flow tries.
    pub(crate) async fn through(&self, id: &str) -> String {
        self.settle().await;
        for _ in 0..100 {
            let state = self.state(id).await;
            if !matches!(state.as_str(), "pending" | "refunding") {
                return state;
            }
            self.wait_ms(301_000).await;
        }
        self.state(id).await
    }

    pub(crate) async fn refund(&self, id: &str) -> Result<Answer, Fault> {
        self.bench.owner().post(&format!("/tips/{id}/refund"), json!({})).await
    }

    /// What the bank took for a tip.
    pub(crate) fn charges(&self, tip: &str) -> Vec<Booked> {
        self.bank(|bank| bank.book().charges.into_iter().filter(|charge| charge.tip == tip).collect())
    }

    pub(crate) async fn books(&self) -> Value {
        self.bench.owner().get("/payments/books").await.expect("the books").json()
    }

    /// What the books say the bank holds.
    pub(crate) async fn held(&self) -> i64 {
        let books = self.books().await;
        assert_eq!(books["is_balanced"], true, "{books:#}");
        let accounts = books["accounts"].as_array().expect("accounts").iter();
        accounts
            .filter(|account| account["account"] == "provider")
            .filter_map(|account| account["amount"].as_i64())
            .sum()
    }
}

pub(crate) fn id(answer: Result<Answer, Fault>) -> String {
    let answer = answer.expect("it is accepted");
    assert_eq!(answer.status(), 202);
    answer.json()["id"].as_str().expect("a tip has an id").to_owned()
}

/// The simulator's webhooks behave from now on as told.
pub(crate) fn webhooks(street: &Street, trouble: WebhookTrouble) {
    street.bank(|bank| bank.plan_webhooks(trouble));
}
