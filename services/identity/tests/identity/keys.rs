//! Keys of programs: made by owners, shown once, taken back, and never worth more than whoever made them.

use crate::{bench, outcome, owner, sign_up};
use callboard::{Fault, Kind};
use callboard_bench::{Actor, Bench};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

async fn make(actor: &Actor<'_>, role: &str) -> Result<Value, Fault> {
    actor.post("/keys", json!({"name": "Importer", "role": role, "days": 7})).await.map(|answer| answer.json())
}

/// Whom a key stands for, asked as the handler does.
async fn whose(bench: &Bench, secret: &str, tenant: &str) -> Result<Value, Fault> {
    let hash: String = Sha256::digest(secret).iter().map(|byte| format!("{byte:02x}")).collect();
    let answer = bench.service().in_tenant(tenant).get(&format!("/keys/resolve?hash={hash}")).await?;
    Ok(answer.json())
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("{name} of {value}")).to_owned()
}

#[tokio::test]
async fn a_key_is_told_once_and_stands_for_its_roles_until_it_is_taken_back() {
    let bench = bench().await;
    let boss = owner(&bench, "boss").await;
    let made = make(&boss.on(&bench), "editor").await.expect("a key");
    let secret = text(&made, "secret");
    assert!(secret.starts_with("srk_") && secret.len() > 40);
    let id = text(&made, "id");
    let want = json!({"person": format!("key-{id}"), "roles": ["viewer", "editor"]});
    assert_eq!(whose(&bench, &secret, "demo").await.expect("it works"), want);
    assert_eq!(whose(&bench, &secret, "other").await.expect_err("another tenant").code, "key.unknown");
    assert_eq!(whose(&bench, &secret[1..], "demo").await.expect_err("another key").code, "key.unknown");
    let listed = boss.on(&bench).get("/keys").await.expect("a list").json().to_string();
    assert!(listed.contains(&id) && !listed.contains("srk_") && !listed.contains("secret"), "{listed}");
    let stored = bench.inspect("SELECT hash || name FROM api_key").await;
    assert!(stored.len() == 1 && !stored[0].contains(&secret), "only its hash is stored");
    assert!(bench.messages().await.iter().all(|message| !message.to_string().contains(&secret)));
    let gone = format!("/keys/{id}");
    assert_eq!(outcome(&boss.on(&bench).in_tenant("other").delete(&gone).await), "404 key.unknown");
    boss.on(&bench).delete(&gone).await.expect("it is taken back");
    assert_eq!(whose(&bench, &secret, "demo").await.expect_err("it is gone").code, "key.unknown");
    assert_eq!(outcome(&boss.on(&bench).delete(&gone).await), "404 key.unknown");
}

#[tokio::test]
async fn keys_end_with_their_time() {
    let bench = bench().await;
    let boss = owner(&bench, "boss").await;
    let secret = text(&make(&boss.on(&bench), "viewer").await.expect("a key"), "secret");
    bench.clock().advance(7 * 86_400_000 - 1);
    assert!(whose(&bench, &secret, "demo").await.is_ok());
    bench.clock().advance(1);
    assert_eq!(whose(&bench, &secret, "demo").await.expect_err("it has expired").code, "key.unknown");
}

#[tokio::test]
async fn a_key_ends_where_its_maker_is_no_owner_any_more_but_not_the_operators() {
    let bench = bench().await;
    let (boss, other) = (owner(&bench, "boss").await, owner(&bench, "other").await);
    let secret = text(&make(&other.on(&bench), "editor").await.expect("a key"), "secret");
    let operators = text(&make(&bench.service(), "editor").await.expect("a key"), "secret");
    let demoted = boss.on(&bench).put(&format!("/members/{}", other.id), json!({"role": "editor"})).await;
    assert_eq!(outcome(&demoted), "200");
    assert_eq!(whose(&bench, &secret, "demo").await.expect_err("nobody answers for it").code, "key.unknown");
    assert!(whose(&bench, &operators, "demo").await.is_ok());
    boss.on(&bench).delete(&format!("/members/{}", other.id)).await.expect("they are removed");
    assert_eq!(whose(&bench, &secret, "demo").await.expect_err("still").code, "key.unknown");
}

#[tokio::test]
async fn only_owners_who_are_people_make_keys() {
    let bench = bench().await;
    owner(&bench, "boss").await;
    let viewer = sign_up(&bench, "viewer").await;
    let key = bench.person("key-1", &["viewer", "editor", "owner"]);
    let outcomes = async |actor: Actor<'_>| {
        let data = json!({"name": "x", "role": "viewer"});
        outcome(&actor.send(Kind::Post, "/keys", callboard::Data::json(&data)).await)
    };
    assert_eq!(outcomes(bench.nobody()).await, "401 not_signed_in");
    assert_eq!(outcomes(viewer.on(&bench)).await, "403 denied");
    assert_eq!(outcomes(key).await, "403 key.by_key");
}

#[tokio::test]
async fn what_is_no_key_is_refused_by_field() {
    let bench = bench().await;
    let boss = owner(&bench, "boss").await;
    for (data, field) in [
        (json!({"name": "", "role": "viewer"}), "name"),
        (json!({"name": "x", "role": "viewer", "days": 0}), "days"),
        (json!({"name": "x", "role": "viewer", "days": 4_000}), "days"),
        (json!({"name": "x", "role": "king"}), "role"),
    ] {
        let fault = boss.on(&bench).post("/keys", data).await.expect_err(field);
        assert_eq!((fault.status(), fault.errors[0].field.as_str()), (400, field));
    }
}
