//! Keys of programs before the gate.

use crate::gate::{Coming, guarded};
use callboard::Kind;
use callboard_handlers::{ApiKeys, Authenticate};
use serde_json::json;

#[tokio::test]
async fn a_key_makes_its_person_without_a_session_and_others_make_nobody() {
    let bench = guarded(|builder| builder.handler(ApiKeys::new()).handler(Authenticate::new())).await;
    let come = |token: &str| Coming::to(&bench, Kind::Get, "/inside").with_token(token);
    let answer = come("srk_good").come().await.unwrap();
    let person = json!({"person": {"id": "key-1", "roles": ["viewer"], "session": null}});
    assert_eq!(answer.json(), json!({"principal": person, "has_credential": false}));
    for (token, tenant) in [("srk_other", "demo"), ("srk_good", "other"), ("srk_", "demo")] {
        let fault = come(token).in_tenant(tenant).come().await.expect_err("no key");
        assert_eq!((fault.code, fault.headers[0].0), ("not_signed_in", "www-authenticate"), "no cookie is taken back");
        assert!(fault.message.contains("no such key works in this channel"));
    }
    assert!(come("good").come().await.is_ok(), "a session is still a session");
    let fault = come("srk_good").in_tenant("away").come().await.expect_err("the store is away");
    assert_eq!(fault.code, "records.unavailable");
}
