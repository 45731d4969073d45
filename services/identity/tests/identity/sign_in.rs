//! Signing in and out, and what a session is.

use crate::{PASSWORD, bench, events, outcome, owner, sign_in, sign_up, signed, token};
use serde_json::json;
use std::time::{Duration, Instant};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

#[tokio::test]
async fn who_has_an_account_signs_in_with_a_new_token_each_time() {
    let bench = bench().await;
    let ana = sign_up(&bench, "ana").await;
    let email = "ANA@Example.org";
    let answer =
        bench.nobody().post("/sessions", json!({"email": email, "password": PASSWORD})).await.expect("a session");
    assert_eq!(answer.json(), json!({"id": ana.id, "name": "ana", "roles": ["viewer"]}));
    assert_ne!(token(&answer), ana.token);
    assert_eq!(signed(&bench, &token(&answer)).await.expect("a session").id, ana.id);
    assert!(ana.again(&bench).await.is_ok(), "the other browser stays signed in");
}

#[tokio::test]
async fn nobody_learns_who_has_an_account() {
    let bench = bench().await;
    sign_up(&bench, "ana").await;
    let wrong = sign_in(&bench, "ana", "correct house").await.expect_err("a wrong password");
    let unknown = sign_in(&bench, "eve", "correct house").await.expect_err("an unknown address");
    let no_address = bench.nobody().post("/sessions", json!({"email": "?", "password": PASSWORD})).await;
    assert_eq!(wrong, unknown);
    assert_eq!(no_address.expect_err("no address"), unknown);
    assert_eq!((wrong.status(), wrong.code), (401, "sign_in.wrong"));
}

#[tokio::test]
async fn an_unknown_address_takes_as_long_as_a_wrong_password() {
    let bench = bench().await;
    // Failures lock an address, so each is tried with fresh ones; the shortest time is the least disturbed.
    let mut shortest = [Duration::MAX; 2];
    for round in 0..4 {
        sign_up(&bench, &format!("ana{round}")).await;
        for (at, name) in [format!("ana{round}"), format!("eve{round}")].iter().enumerate() {
            let start = Instant::now();
            sign_in(&bench, name, "correct house").await.expect_err("a wrong password");
            shortest[at] = shortest[at].min(start.elapsed());
        }
    }
    let [known, unknown] = shortest;
    assert!(unknown * 3 > known && known * 3 > unknown, "known {known:?}, unknown {unknown:?}");
}

#[tokio::test]
async fn the_session_a_browser_had_ends_when_it_signs_in_again() {
    let bench = bench().await;
    let ana = sign_up(&bench, "ana").await;
    sign_up(&bench, "ben").await;
    let as_ben = json!({"email": "ben@example.org", "password": PASSWORD});
    ana.on(&bench).post("/sessions", as_ben).await.expect("a session");
    assert_eq!(ana.again(&bench).await.err().map(|fault| fault.code), Some("session.unknown"));
    assert!(events(&bench).await.contains(&format!("deleted /sessions/{}", ana.session)));
}

#[tokio::test]
async fn signing_out_ends_the_session_and_says_so() {
    let bench = bench().await;
    let ana = sign_up(&bench, "ana").await;
    let answer = ana.on(&bench).delete("/sessions/current").await.expect("signed out");
    assert_eq!(answer.status(), 204);
    let cookie = &answer.cookies[0];
    assert_eq!((cookie.name, cookie.value.as_str(), cookie.age_s), ("session", "", 0));
    assert_eq!(ana.again(&bench).await.err().map(|fault| fault.code), Some("session.unknown"));
    assert_eq!(events(&bench).await.last(), Some(&format!("deleted /sessions/{}", ana.session)));
    assert_eq!(outcome(&ana.on(&bench).delete("/sessions/current").await), "204", "again is fine");
}

#[tokio::test]
async fn a_session_lasts_thirty_days() {
    let bench = bench().await;
    let ana = sign_up(&bench, "ana").await;
    bench.clock().advance(30 * DAY_MS - 1);
    assert!(ana.again(&bench).await.is_ok());
    bench.clock().advance(1);
    assert_eq!(ana.again(&bench).await.err().map(|fault| fault.code), Some("session.unknown"));
    sign_in(&bench, "ana", PASSWORD).await.expect("a session");
    assert_eq!(bench.inspect("SELECT count(*) FROM session").await, ["1"], "the old one is swept");
}

#[tokio::test]
async fn the_oldest_of_too_many_sessions_ends() {
    let bench = bench().await;
    let first = sign_up(&bench, "ana").await;
    for _ in 0..19 {
        bench.clock().advance(1);
        sign_in(&bench, "ana", PASSWORD).await.expect("a session");
    }
    assert!(first.again(&bench).await.is_ok());
    bench.clock().advance(1);
    sign_in(&bench, "ana", PASSWORD).await.expect("a session");
    assert_eq!(first.again(&bench).await.err().map(|fault| fault.code), Some("session.unknown"));
    assert_eq!(bench.inspect("SELECT count(*) FROM session").await, ["20"]);
}

#[tokio::test]
async fn a_token_counts_in_its_own_channel_only() {
    let bench = bench().await;
    let ana = owner(&bench, "ana").await;
    let hash = bench.inspect("SELECT hash FROM session").await.remove(0);
    let uri = format!("/sessions/resolve?hash={hash}");
    assert_eq!(outcome(&bench.service().get(&uri).await), "200");
    assert_eq!(outcome(&bench.service().in_tenant("other").get(&uri).await), "404 session.unknown");
    assert_eq!(
        outcome(&bench.service().get(&format!("/sessions/resolve?hash={}", ana.token)).await),
        "404 session.unknown"
    );
}
