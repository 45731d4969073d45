//! Owners as the command line makes them.

use crate::{PASSWORD, bench, events, outcome, owner, sign_in, sign_up, signed, token};
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
    let stored = bench.inspect("SELECT password FROM account").await;
    assert!(!stored[0].contains(&password) && !json!(bench.messages().await).to_string().contains(&password));
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
async fn who_lost_their_password_gets_another_and_whoever_was_signed_in_is_not_any_more() {
    let bench = bench().await;
    let olga = owner(&bench, "olga").await;
    for _ in 0..5 {
        assert_eq!(outcome(&sign_in(&bench, "olga", "correct house").await), "401 sign_in.wrong");
    }
    let lost = json!({"email": " Olga@Example.org"});
    let answer = bench.service().put("/accounts/password", lost).await.expect("a new password").json();
    let password = answer["password"].as_str().expect("a password").to_owned();
    assert_eq!(answer, json!({"id": olga.id, "email": "olga@example.org", "password": password}));
    assert_eq!(olga.again(&bench).await.err().map(|fault| fault.code), Some("session.unknown"));
    assert!(events(&bench).await.contains(&format!("deleted /sessions/{}", olga.session)));
    let entered = sign_in(&bench, "olga", &password).await.expect("the lock is gone with the old password");
    assert_eq!(signed(&bench, &token(&entered)).await.expect("a session").roles, ["viewer", "editor", "owner"]);
    assert_eq!(outcome(&sign_in(&bench, "olga", PASSWORD).await), "401 sign_in.wrong");
}

#[tokio::test]
async fn a_chosen_new_password_is_judged_and_not_repeated() {
    let bench = bench().await;
    sign_up(&bench, "ana").await;
    let reset = |password: &str| json!({"email": "ana@example.org", "password": password});
    assert_eq!(outcome(&bench.service().put("/accounts/password", reset("short")).await), "400 password.length");
    let answer = bench.service().put("/accounts/password", reset("battery staple")).await.expect("a new password");
    assert!(answer.json()["password"].is_null());
    let entered = sign_in(&bench, "ana", "battery staple").await.expect("a session");
    assert_eq!(signed(&bench, &token(&entered)).await.expect("a session").roles, ["viewer"], "the role stays");
    let nobody = json!({"email": "eve@example.org"});
    assert_eq!(outcome(&bench.service().put("/accounts/password", nobody).await), "404 member.unknown");
    let elsewhere = bench.service().in_tenant("other").put("/accounts/password", reset("battery staple")).await;
    assert_eq!(outcome(&elsewhere), "404 member.unknown");
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
