//! The identity service on the bench: people who sign up, in and out, and owners who look after their members.

mod keys;
mod lock;
mod me;
mod members;
mod owners;
mod sign_in;
mod sign_up;
mod strangers;

use callboard::{Answer, Fault};
use callboard_bench::{Actor, Bench};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The password everybody here has, unless they say otherwise.
const PASSWORD: &str = "correct horse";

async fn bench() -> Bench {
    Bench::new(vec![identity::service()]).await
}

/// Somebody who is signed in, with the token of their cookie.
struct Signed {
    id: String,
    token: String,
    session: String,
    roles: Vec<String>,
}

impl Signed {
    /// The person acting in their session.
    fn on<'a>(&self, bench: &'a Bench) -> Actor<'a> {
        let roles: Vec<&str> = self.roles.iter().map(String::as_str).collect();
        bench.person(&self.id, &roles).in_session(&self.session)
    }

    /// The same session with what the records say of it now.
    async fn again(&self, bench: &Bench) -> Result<Self, Fault> {
        signed(bench, &self.token).await
    }
}

/// Who acts with a token, asked as the authentication handler does.
async fn signed(bench: &Bench, token: &str) -> Result<Signed, Fault> {
    let hash: String = Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect();
    let found = bench.service().get(&format!("/sessions/resolve?hash={hash}")).await?.json();
    let text = |name: &str| found[name].as_str().expect(name).to_owned();
    let roles = found["roles"].as_array().expect("roles").iter().map(|role| role.as_str().expect("a role").to_owned());
    Ok(Signed { id: text("person"), token: token.to_owned(), session: text("session"), roles: roles.collect() })
}

/// The token in the cookie of an answer.
fn token(answer: &Answer) -> String {
    let cookie = answer.cookies.iter().find(|cookie| cookie.name == "session").expect("a cookie");
    assert_eq!(cookie.age_s, 30 * 24 * 60 * 60);
    cookie.value.clone()
}

fn account(name: &str) -> Value {
    json!({"email": format!("{name}@example.org"), "password": PASSWORD, "name": name})
}

/// Signs somebody up who was not here before.
async fn sign_up(bench: &Bench, name: &str) -> Signed {
    let answer = bench.nobody().post("/accounts", account(name)).await.expect("a new account");
    signed(bench, &token(&answer)).await.expect("a session")
}

async fn sign_in(bench: &Bench, name: &str, password: &str) -> Result<Answer, Fault> {
    let email = format!("{name}@example.org");
    bench.nobody().post("/sessions", json!({"email": email, "password": password})).await
}

/// Makes an owner as the command line does, and signs them in.
async fn owner(bench: &Bench, name: &str) -> Signed {
    bench.service().post("/owners", account(name)).await.expect("a new owner");
    let answer = sign_in(bench, name, PASSWORD).await.expect("a session");
    signed(bench, &token(&answer)).await.expect("a session")
}

/// The status and code of a refusal, or the status of an answer.
fn outcome(result: &Result<Answer, Fault>) -> String {
    match result {
        Ok(answer) => answer.status().to_string(),
        Err(fault) => format!("{} {}", fault.status(), fault.code),
    }
}

/// Type and URI of everything that was published, the oldest first.
async fn events(bench: &Bench) -> Vec<String> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let line = |message: &Value| format!("{} {}", text(&message["type"]), text(&message["subject"]));
    bench.messages().await.iter().map(line).collect()
}
