//! Keys under which a message may come again.

use crate::stage::{Engine, MAKE, NOW_MS, Stage, TAKE, commit};
use callboard::ports::{Commit, CommitError, Once, OnceKey, Retention, Seen};
use callboard::{Effects, KEY_AGE_MS, Tenant, params};
use futures_util::future::join_all;
use serde_json::{Value, json};

pub(crate) fn key(text: &str) -> OnceKey {
    let (principal, target) = ("person ann".to_owned(), "shop post /boxes/{name}/take".to_owned());
    OnceKey { tenant: Tenant::new("demo"), principal, target, key: text.to_owned() }
}

fn take(text: &str) -> Commit {
    let mut effects = Effects::from(TAKE.with(params!["tea"]));
    let left = json!({"left": effects.slot("stock")});
    let once = Once { key: key(text), input: "hash".to_owned(), answer: Some(left) };
    Commit { once: Some(once), ..commit(effects) }
}

async fn with_box(engine: Engine) -> Stage {
    let stage = Stage::new(engine).await;
    stage.write(MAKE.with(params!["tea", 5_i64])).await.expect("a box");
    stage
}

pub(crate) async fn what_comes_again_changes_nothing(engine: Engine) {
    let stage = with_box(engine).await;
    assert_eq!(stage.records.seen(&key("k"), 0).await, Ok(None));
    stage.records.commit(take("k")).await.expect("the first");
    let again = stage.records.commit(take("k")).await.expect_err("the second");
    assert!(matches!(again, CommitError::Seen), "{again:?}");
    let seen = Seen { input: "hash".to_owned(), answer: Some(json!({"left": 4})) };
    assert_eq!(stage.records.seen(&key("k"), 0).await, Ok(Some(seen)));
    assert_eq!(stage.records.seen(&OnceKey { principal: "person bob".to_owned(), ..key("k") }, 0).await, Ok(None));
    stage.records.commit(take("another")).await.expect("another key");
    assert_eq!(stage.stock("tea").await, 3);
}

pub(crate) async fn of_many_at_once_one_takes_effect(engine: Engine) {
    let stage = with_box(engine).await;
    let other = stage.another().await;
    let at_once = join_all((0..8).map(|at| if at % 2 == 0 { &stage.records } else { &other }.commit(take("k"))));
    let ended = at_once.await;
    assert_eq!(ended.iter().filter(|one| one.is_ok()).count(), 1, "{ended:?}");
    assert!(ended.iter().all(|one| matches!(one, Ok(_) | Err(CommitError::Seen))), "{ended:?}");
    assert_eq!(stage.stock("tea").await, 4);
}

pub(crate) async fn a_key_is_forgotten_when_its_time_is_over(engine: Engine) {
    let stage = with_box(engine).await;
    stage.records.commit(take("k")).await.expect("the first");
    let later_ms = NOW_MS + KEY_AGE_MS + 1;
    assert_eq!(stage.records.seen(&key("k"), later_ms - KEY_AGE_MS).await, Ok(None));
    stage.records.commit(Commit { now_ms: later_ms, ..take("k") }).await.expect("a new request");
    assert_eq!(stage.stock("tea").await, 3);
    let removed = stage.records.sweep(&Retention::default(), 100, later_ms + KEY_AGE_MS + 1).await;
    assert_eq!(removed, Ok(1));
    assert_eq!(stage.records.seen(&key("k"), 0).await, Ok(None));
}

pub(crate) async fn an_answer_need_not_be_kept(engine: Engine) {
    let stage = with_box(engine).await;
    let mut first = take("k");
    first.once.as_mut().expect("it has a key").answer = None::<Value>;
    stage.records.commit(first).await.expect("the first");
    let seen = Seen { input: "hash".to_owned(), answer: None };
    assert_eq!(stage.records.seen(&key("k"), 0).await, Ok(Some(seen)));
}
