//! Making an account.

use crate::{account, bench, events, outcome, owner, sign_up, signed, token};
use serde_json::json;

#[tokio::test]
async fn who_signs_up_is_a_viewer_and_signed_in() {
    let bench = bench().await;
    let new = json!({"email": " Ana.Lopez@Example.ORG ", "password": "correct horse", "name": " Ana López "});
    let answer = bench.nobody().post("/accounts", new).await.expect("a new account");
    assert_eq!(answer.status(), 201);
    let person = answer.json();
    assert_eq!((&person["name"], &person["roles"]), (&json!("Ana López"), &json!(["viewer"])));
    let ana = signed(&bench, &token(&answer)).await.expect("a session");
    assert_eq!((json!(ana.id), ana.roles.clone()), (person["id"].clone(), vec!["viewer".to_owned()]));
    let me = ana.on(&bench).get("/me").await.expect("an account").json();
    assert_eq!(me["email"], "ana.lopez@example.org");
    assert_eq!(events(&bench).await, [format!("created /members/{}", ana.id)]);
}

#[tokio::test]
async fn neither_password_nor_token_is_stored() {
    let bench = bench().await;
    let ana = sign_up(&bench, "ana").await;
    let stored = bench.inspect("SELECT a.password || ' ' || s.hash || ' ' || s.id FROM account a, session s").await;
    assert_eq!(stored.len(), 1);
    let told = json!(bench.messages().await).to_string();
    assert!(!told.contains("correct horse") && !told.contains(&ana.token), "{told}");
    assert!(stored[0].starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored:?}");
    assert!(!stored[0].contains("correct horse") && !stored[0].contains(&ana.token), "{stored:?}");
}

#[tokio::test]
async fn an_address_has_one_account_in_a_channel_and_another_in_another() {
    let bench = bench().await;
    let ana = sign_up(&bench, "ana").await;
    let again = json!({"email": "ANA@example.org", "password": "another horse", "name": "Ana"});
    assert_eq!(outcome(&bench.nobody().post("/accounts", again).await), "409 account.email_taken");
    let there = bench.nobody().in_tenant("other").post("/accounts", account("ana")).await.expect("a new account");
    assert_ne!(there.json()["id"], json!(ana.id));
    assert_eq!(signed(&bench, &token(&there)).await.err().map(|fault| fault.code), Some("session.unknown"));
}

#[tokio::test]
async fn of_two_who_take_an_address_at_once_one_gets_it() {
    let bench = bench().await;
    let nobody = bench.nobody();
    let (one, two) = tokio::join!(nobody.post("/accounts", account("ana")), nobody.post("/accounts", account("ana")));
    let mut outcomes = [outcome(&one), outcome(&two)];
    outcomes.sort();
    assert_eq!(outcomes, ["201", "409 account.email_taken"]);
    assert_eq!(bench.inspect("SELECT count(*) FROM session").await, ["1"]);
}

#[tokio::test]
async fn wrong_input_says_what_is_wrong_and_nobody_becomes_more_by_asking() {
    let bench = bench().await;
    let with = |field: &str, value: serde_json::Value| {
        let mut new = account("ana.maria.lopez");
        new[field] = value;
        new
    };
    for (new, want, field) in [
        (with("email", json!("ana")), "400 account.email_invalid", "email"),
        (with("email", json!("ana@example.org\r\nbcc: x@y")), "400 account.email_invalid", "email"),
        (with("email", json!(format!("{}@example.org", "a".repeat(250)))), "400 account.email_invalid", "email"),
        (with("password", json!("short")), "400 password.length", "password"),
        (with("password", json!("x".repeat(129))), "400 password.length", "password"),
        (with("password", json!("Ana.Maria.Lopez@example.org")), "400 password.guessable", "password"),
        (with("password", json!(12345678901234_i64)), "400 data.invalid", "password"),
        (with("name", json!(" ")), "400 account.name_invalid", "name"),
        (with("name", json!("n".repeat(61))), "400 account.name_invalid", "name"),
        (with("name", json!("two\nlines")), "400 account.name_invalid", "name"),
        (with("role", json!("owner")), "400 data.invalid", "role"),
        (with("roles", json!(["owner"])), "400 data.invalid", "roles"),
        (with("tenant", json!("other")), "400 data.invalid", "tenant"),
        (with("id", json!("me")), "400 data.invalid", "id"),
    ] {
        let result = bench.nobody().post("/accounts", new.clone()).await;
        assert_eq!(outcome(&result), want, "{new}");
        let fault = result.expect_err("it was refused");
        assert_eq!(fault.errors.first().map(|error| error.field.as_str()), Some(field));
        assert!(!format!("{fault:?}").contains("12345678901234"), "{fault:?}");
    }
    assert_eq!(bench.inspect("SELECT count(*) FROM account").await, ["0"]);
}

#[tokio::test]
async fn a_channel_with_an_owner_makes_viewers_only() {
    let bench = bench().await;
    owner(&bench, "olga").await;
    assert_eq!(sign_up(&bench, "ana").await.roles, ["viewer"]);
}
