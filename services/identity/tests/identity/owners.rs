//! Owners as the command line makes them.

use crate::{PASSWORD, bench, outcome, sign_in, sign_up, signed, token};
use serde_json::json;

#[tokio::test]
async fn a_generated_password_is_told_once_and_works() {
    let bench = bench().await;
    let new = json!({"email": "olga@example.org", "name": "Olga"});
    let answer = bench.service().post("/owners", new.clone()).await.expect("an owner");
    assert_eq!((answer.status(), answer.cookies.len()), (201, 0));
    let password = answer.json()["password"].as_str().expect("a password").to_owned();
    assert_eq!(password.len(), 23);
    let entered = sign_in(&bench, "olga", &password).await.expect("a session");
    let olga = signed(&bench, &token(&entered)).await.expect("a session");
    assert_eq!(olga.roles, ["viewer", "editor", "owner"]);
    let stored =
        bench.inspect("SELECT password || (SELECT group_concat(envelope) FROM kernel_event) FROM account").await;
    assert!(!stored[0].contains(&password));
    assert_eq!(outcome(&bench.service().post("/owners", new).await), "409 account.email_taken");
}

#[tokio::test]
async fn two_generated_passwords_differ() {
    let bench = bench().await;
    let mut passwords = Vec::new();
    for name in ["olga", "oleg"] {
        let new = json!({"email": format!("{name}@example.org"), "name": name});
        passwords.push(bench.service().post("/owners", new).await.expect("an owner").json()["password"].clone());
    }
    assert_ne!(passwords[0], passwords[1]);
}

#[tokio::test]
async fn a_chosen_password_is_not_repeated() {
    let bench = bench().await;
    let new = json!({"email": "olga@example.org", "name": "Olga", "password": PASSWORD});
    let answer = bench.service().post("/owners", new).await.expect("an owner").json();
    assert_eq!(answer, json!({"id": answer["id"], "email": "olga@example.org"}));
    sign_in(&bench, "olga", PASSWORD).await.expect("a session");
    let weak = json!({"email": "oleg@example.org", "name": "Oleg", "password": "password"});
    assert_eq!(outcome(&bench.service().post("/owners", weak).await), "400 password.length");
}

#[tokio::test]
async fn there_is_no_account_nobody_made() {
    let bench = bench().await;
    assert_eq!(bench.inspect("SELECT count(*) FROM account").await, ["0"]);
    for (name, password) in [("admin", "admin"), ("owner", "owner"), ("root", "password123")] {
        assert_eq!(outcome(&sign_in(&bench, name, password).await), "401 sign_in.wrong");
    }
    sign_up(&bench, "first").await;
    assert_eq!(bench.inspect("SELECT role FROM account").await, ["viewer"]);
}
