//! Who stands before the gate: whoever a session proves, and nobody else.

use crate::gate::{come, gate};
use callboard::{Cookie, Kind};
use callboard_handlers::Meter;
use serde_json::json;

#[tokio::test]
async fn a_session_makes_a_person_with_roles() {
    let bench = gate(&Meter::new()).await;
    let answer = come(&bench, Kind::Get, "/inside", "demo", Some("good")).await.unwrap();
    let person = json!({"person": {"id": "p1", "roles": ["viewer", "editor"], "session": "s1"}});
    assert_eq!(answer.json(), json!({"principal": person, "has_credential": false}));
    assert_eq!(answer.cookies, []);
}

#[tokio::test]
async fn without_a_token_nobody_is_asked() {
    let bench = gate(&Meter::new()).await;
    let answer = come(&bench, Kind::Get, "/who", "away", None).await.unwrap();
    assert_eq!((answer.json()["principal"].as_str(), answer.cookies), (Some("nobody"), vec![]));
}

#[tokio::test]
async fn a_token_that_proves_nothing_is_nobodys_and_is_taken_back() {
    let bench = gate(&Meter::new()).await;
    let gone = Cookie { name: "session", value: String::new(), age_s: 0 };
    for (tenant, token) in [("demo", "other"), ("other", "good"), ("demo", "")] {
        let answer = come(&bench, Kind::Get, "/who", tenant, Some(token)).await.unwrap();
        assert_eq!((answer.json()["principal"].as_str(), &answer.cookies), (Some("nobody"), &vec![gone.clone()]));
        let fault = come(&bench, Kind::Get, "/inside", tenant, Some(token)).await.expect_err("nobody may");
        assert_eq!((fault.code, fault.headers), ("not_signed_in", vec![("clear-cookie", "session".to_owned())]));
    }
}

#[tokio::test]
async fn a_new_session_is_not_taken_back_with_the_old_one() {
    let bench = gate(&Meter::new()).await;
    let answer = come(&bench, Kind::Post, "/sessions", "demo", Some("old")).await.unwrap();
    assert_eq!(answer.cookies, [Cookie { name: "session", value: "new".into(), age_s: 60 }]);
}

#[tokio::test]
async fn where_sessions_cannot_be_read_nobody_is_quietly_signed_out() {
    let bench = gate(&Meter::new()).await;
    let fault = come(&bench, Kind::Get, "/who", "away", Some("good")).await.expect_err("the store is away");
    assert_eq!((fault.code, fault.headers), ("records.unavailable", vec![]));
}
