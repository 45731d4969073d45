//! Owners look after the people of their channel.

use crate::{PASSWORD, account, bench, events, outcome, owner, sign_in, sign_up, signed, token};
use callboard_bench::START_MS;
use serde_json::json;

#[tokio::test]
async fn an_owner_reads_the_members_page_by_page() {
    let bench = bench().await;
    let olga = owner(&bench, "olga").await;
    for name in ["ana", "ben", "cleo"] {
        bench.clock().advance(1);
        sign_up(&bench, name).await;
    }
    let first = olga.on(&bench).get("/members?limit=3").await.expect("a page").json();
    let names = |page: &serde_json::Value| -> Vec<String> {
        page["items"]
            .as_array()
            .expect("items")
            .iter()
            .map(|item| item["name"].as_str().expect("a name").to_owned())
            .collect()
    };
    assert_eq!(names(&first), ["olga", "ana", "ben"]);
    let next = first["next"].as_str().expect("another page");
    let second = olga.on(&bench).get(&format!("/members?limit=3&after={next}")).await.expect("a page").json();
    assert_eq!((names(&second), &second["next"]), (vec!["cleo".to_owned()], &json!(null)));
    let shown = json!({
        "id": olga.id, "email": "olga@example.org", "name": "olga", "role": "owner", "version": 1, "created_ms": START_MS,
    });
    assert_eq!(first["items"][0], shown);
    for limit in ["0", "101", "-1", "many"] {
        assert_eq!(olga.on(&bench).get(&format!("/members?limit={limit}")).await.expect_err(limit).status(), 400);
    }
}

#[tokio::test]
async fn members_of_another_channel_are_neither_seen_nor_changed() {
    let bench = bench().await;
    let olga = owner(&bench, "olga").await;
    let there =
        bench.nobody().in_tenant("other").post("/accounts", account("ana")).await.expect("a new account").json();
    let uri = format!("/members/{}", there["id"].as_str().expect("an id"));
    let items = olga.on(&bench).get("/members").await.expect("a page").json()["items"].clone();
    assert_eq!(items.as_array().map(Vec::len), Some(1));
    assert_eq!(outcome(&olga.on(&bench).put(&uri, json!({"role": "owner"})).await), "404 member.unknown");
    assert_eq!(outcome(&olga.on(&bench).delete(&uri).await), "404 member.unknown");
    assert_eq!(bench.inspect("SELECT role FROM account WHERE tenant = 'other'").await, ["viewer"]);
}

#[tokio::test]
async fn a_role_counts_at_once() {
    let bench = bench().await;
    let (olga, ana) = (owner(&bench, "olga").await, sign_up(&bench, "ana").await);
    let uri = format!("/members/{}", ana.id);
    let answer = olga.on(&bench).put(&uri, json!({"role": "editor"})).await.expect("a change");
    assert_eq!((&answer.json()["role"], answer.version), (&json!("editor"), Some(2)));
    assert_eq!(ana.again(&bench).await.expect("a session").roles, ["viewer", "editor"]);
    assert_eq!(events(&bench).await.last(), Some(&format!("changed {uri}")));
    let again = olga.on(&bench).put(&uri, json!({"role": "editor"})).await.expect("nothing to do");
    assert_eq!(again.version, Some(2));
    let stale = olga.on(&bench).with("if-match", "\"v1\"").put(&uri, json!({"role": "viewer"})).await;
    assert_eq!(outcome(&stale), "412 precondition_failed");
    for wrong in [json!({"role": "admin"}), json!({}), json!({"role": "viewer", "email": "x@y"})] {
        assert_eq!(outcome(&olga.on(&bench).put(&uri, wrong).await), "400 data.invalid");
    }
}

#[tokio::test]
async fn who_may_less_than_before_signs_in_again() {
    let bench = bench().await;
    let (olga, ana, ben) = (owner(&bench, "olga").await, sign_up(&bench, "ana").await, sign_up(&bench, "ben").await);
    let uri = format!("/members/{}", ana.id);
    assert_eq!(outcome(&olga.on(&bench).put(&uri, json!({"role": "owner"})).await), "200");
    let other = sign_in(&bench, "ana", PASSWORD).await.expect("a second session");
    let other = signed(&bench, &token(&other)).await.expect("a session");
    assert!(ana.again(&bench).await.is_ok(), "who may more stays signed in");
    assert_eq!(outcome(&olga.on(&bench).put(&uri, json!({"role": "editor"})).await), "200");
    for session in [&ana, &other] {
        assert_eq!(session.again(&bench).await.err().map(|fault| fault.code), Some("session.unknown"));
        let told = format!("deleted /sessions/{}", session.session);
        assert!(events(&bench).await.contains(&told), "what was granted to the session ends too");
    }
    assert!(olga.again(&bench).await.is_ok() && ben.again(&bench).await.is_ok(), "nobody else is signed out");
    let answer = sign_in(&bench, "ana", PASSWORD).await.expect("a new session");
    assert_eq!(signed(&bench, &token(&answer)).await.expect("a session").roles, ["viewer", "editor"]);
}

#[tokio::test]
async fn the_last_owner_stays() {
    let bench = bench().await;
    let (olga, ana) = (owner(&bench, "olga").await, sign_up(&bench, "ana").await);
    let (olgas, anas) = (format!("/members/{}", olga.id), format!("/members/{}", ana.id));
    let viewer = || json!({"role": "viewer"});
    assert_eq!(outcome(&olga.on(&bench).put(&olgas, viewer()).await), "409 member.last_owner");
    assert_eq!(outcome(&olga.on(&bench).delete(&olgas).await), "409 member.last_owner");
    assert_eq!(olga.again(&bench).await.expect("still here").roles, ["viewer", "editor", "owner"]);
    // An owner of another channel is no owner here.
    bench.service().in_tenant("other").post("/owners", account("olga")).await.expect("an owner there");
    assert_eq!(outcome(&olga.on(&bench).put(&olgas, viewer()).await), "409 member.last_owner");

    assert_eq!(outcome(&olga.on(&bench).put(&anas, json!({"role": "owner"})).await), "200");
    assert_eq!(outcome(&olga.on(&bench).put(&olgas, viewer()).await), "200");
    let ana = ana.again(&bench).await.expect("a session");
    assert_eq!(outcome(&ana.on(&bench).delete(&anas).await), "409 member.last_owner");
}

#[tokio::test]
async fn of_two_owners_who_remove_each_other_at_once_one_stays() {
    let bench = bench().await;
    let (olga, ana) = (owner(&bench, "olga").await, owner(&bench, "ana").await);
    let (olgas, anas) = (format!("/members/{}", olga.id), format!("/members/{}", ana.id));
    let (first, second) = (olga.on(&bench), ana.on(&bench));
    let (one, two) = tokio::join!(first.put(&anas, json!({"role": "editor"})), second.delete(&olgas));
    let mut outcomes = [outcome(&one), outcome(&two)];
    outcomes.sort();
    assert_eq!(outcomes[1], "409 member.last_owner");
    assert_eq!(bench.inspect("SELECT count(*) FROM account WHERE role = 'owner'").await, ["1"]);
    assert_eq!(bench.inspect("SELECT owners FROM ownership").await, ["1"]);
}

#[tokio::test]
async fn a_removed_member_is_gone_with_every_session() {
    let bench = bench().await;
    let (olga, ana) = (owner(&bench, "olga").await, sign_up(&bench, "ana").await);
    let uri = format!("/members/{}", ana.id);
    assert_eq!(outcome(&olga.on(&bench).delete(&uri).await), "204");
    assert_eq!(ana.again(&bench).await.err().map(|fault| fault.code), Some("session.unknown"));
    assert_eq!(outcome(&ana.on(&bench).get("/me").await), "401 not_signed_in");
    let told = events(&bench).await;
    assert!(told.contains(&format!("deleted {uri}")) && told.contains(&format!("deleted /sessions/{}", ana.session)));
    assert_eq!(outcome(&olga.on(&bench).delete(&uri).await), "404 member.unknown");
    sign_up(&bench, "ana").await;
}
