//! One's own account.

use crate::{PASSWORD, bench, events, outcome, sign_in, sign_up, signed, token};
use serde_json::json;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

#[tokio::test]
async fn a_person_changes_their_name() {
    let bench = bench().await;
    let ana = sign_up(&bench, "ana").await;
    let answer = ana.on(&bench).patch("/me", json!({"name": " Ana 🎬 "})).await.expect("a change");
    let want = json!({"id": ana.id, "name": "Ana 🎬", "email": "ana@example.org", "roles": ["viewer"], "version": 2});
    assert_eq!(answer.json(), want);
    assert_eq!(ana.on(&bench).get("/me").await.expect("an account").json(), want);
    assert_eq!(events(&bench).await.last(), Some(&format!("changed /members/{}", ana.id)));
    let stale = ana.on(&bench).with("if-match", "\"v1\"").patch("/me", json!({"name": "Late"})).await;
    assert_eq!(outcome(&stale), "412 precondition_failed");
    assert_eq!(ana.on(&bench).patch("/me", json!({})).await.expect("nothing to do").json(), want);
}

#[tokio::test]
async fn a_person_changes_nothing_else() {
    let bench = bench().await;
    let ana = sign_up(&bench, "ana").await;
    for (change, want) in [
        (json!({"name": ""}), "400 account.name_invalid"),
        (json!({"role": "owner"}), "400 data.invalid"),
        (json!({"roles": ["owner"]}), "400 data.invalid"),
        (json!({"email": "eve@example.org"}), "400 data.invalid"),
        (json!({"id": "someone"}), "400 data.invalid"),
    ] {
        assert_eq!(outcome(&ana.on(&bench).patch("/me", change.clone()).await), want, "{change}");
    }
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions() {
    let bench = bench().await;
    let phone = sign_up(&bench, "ana").await;
    let laptop = sign_in(&bench, "ana", PASSWORD).await.expect("a session");
    let laptop = signed(&bench, &token(&laptop)).await.expect("a session");
    let change = json!({"old": PASSWORD, "new": "battery staple"});
    assert_eq!(outcome(&laptop.on(&bench).put("/me/password", change).await), "204");
    assert!(laptop.again(&bench).await.is_ok());
    assert_eq!(phone.again(&bench).await.err().map(|fault| fault.code), Some("session.unknown"));
    assert_eq!(events(&bench).await.last(), Some(&format!("deleted /sessions/{}", phone.session)));
    assert_eq!(outcome(&sign_in(&bench, "ana", PASSWORD).await), "401 sign_in.wrong");
    assert_eq!(outcome(&sign_in(&bench, "ana", "battery staple").await), "200");
}

#[tokio::test]
async fn a_new_password_asks_for_the_old_one_and_guesses_count() {
    let bench = bench().await;
    let ana = sign_up(&bench, "ana").await;
    let change = |old: &str, new: &str| json!({"old": old, "new": new});
    for weak in ["short", "ana@example.org"] {
        assert_eq!(ana.on(&bench).put("/me/password", change(PASSWORD, weak)).await.expect_err(weak).status(), 400);
    }
    for _ in 0..5 {
        let result = ana.on(&bench).put("/me/password", change("correct house", "battery staple")).await;
        assert_eq!(outcome(&result), "403 password.wrong");
    }
    let result = ana.on(&bench).put("/me/password", change(PASSWORD, "battery staple")).await;
    assert_eq!(outcome(&result), "429 sign_in.locked");
    assert_eq!(outcome(&sign_in(&bench, "ana", PASSWORD).await), "429 sign_in.locked");
    bench.clock().advance(30_000);
    assert_eq!(outcome(&sign_in(&bench, "ana", PASSWORD).await), "200", "the password is what it was");
}

/// Runs a call until it has waited so often, and leaves it there; gives its outcome where it ended before.
async fn hold_up<F: Future>(mut call: Pin<&mut F>, waits: u32) -> Option<F::Output> {
    let mut waited = 0;
    poll_fn(|context| match call.as_mut().poll(context) {
        Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
        Poll::Pending => {
            waited += 1;
            if waited == waits { Poll::Ready(None) } else { Poll::Pending }
        }
    })
    .await
}

#[tokio::test]
async fn a_sign_in_that_meets_a_new_password_does_not_slip_through() {
    // A busy machine answers some waits at once, so the two do not meet in every round.
    for _ in 0..100 {
        let bench = bench().await;
        let ana = sign_up(&bench, "ana").await;
        let mut entering = pin!(sign_in(&bench, "ana", PASSWORD));
        // It waits for the attempts, for the account, and then for the old password to be compared.
        let ended = hold_up(entering.as_mut(), 3).await;
        let change = json!({"old": PASSWORD, "new": "battery staple"});
        assert_eq!(outcome(&ana.on(&bench).put("/me/password", change).await), "204");
        let entered = match ended {
            Some(result) => result,
            None => entering.await,
        };
        let left = bench.inspect("SELECT id FROM session").await;
        assert_eq!(left, std::slice::from_ref(&ana.session), "{}", outcome(&entered));
        if outcome(&entered) == "401 sign_in.wrong" {
            return;
        }
    }
    panic!("the sign-in never met the new password");
}

#[tokio::test]
async fn somebody_whose_account_is_gone_is_not_signed_in() {
    let bench = bench().await;
    for result in [
        bench.viewer().get("/me").await,
        bench.viewer().patch("/me", json!({"name": "x"})).await,
        bench.viewer().put("/me/password", json!({"old": PASSWORD, "new": PASSWORD})).await,
    ] {
        assert_eq!(outcome(&result), "401 not_signed_in");
    }
    let ana = sign_up(&bench, "ana").await;
    assert_eq!(outcome(&ana.on(&bench).in_tenant("other").get("/me").await), "401 not_signed_in");
}
