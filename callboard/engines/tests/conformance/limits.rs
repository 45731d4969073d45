//! What is as large as it may be is kept as it is.

use crate::stage::{Engine, MAKE, NOW_MS, SET, STOCK, Stage, WRITE, commit, message, number};
use callboard::ports::{Commit, Once, OnceKey, TARGET_MAX};
use callboard::{
    BATCH_STATEMENTS_MAX, DATA_BYTES_MAX, Datum, Effects, Fault, KEY_BYTES_MAX, Tenant, URI_BYTES_MAX, Uri, params,
};
use serde_json::json;
use std::sync::Arc;

/// Texts that no compression makes smaller.
fn noise(bytes: usize) -> String {
    let mut random = vec![0; bytes.div_ceil(2)];
    getrandom::fill(&mut random).expect("randomness of the operating system");
    let mut text: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    text.truncate(bytes);
    text
}

pub(crate) async fn a_batch_may_be_as_large_as_it_may(engine: Engine) {
    let stage = Stage::new(engine).await;
    let line = |at| WRITE.with(params![format!("{at:03}"), 1.0]);
    let effects = (1..BATCH_STATEMENTS_MAX).fold(Effects::from(line(0)), |effects, at| effects.write(line(at)));
    let outbox = (0..BATCH_STATEMENTS_MAX).map(|at| message("shop sent", &format!("{at:03}"), number(at))).collect();
    stage.records.commit(Commit { outbox, ..commit(effects) }).await.expect("committed");
    assert_eq!(stage.lines().await.len(), BATCH_STATEMENTS_MAX);
    // Of one target no more at once, however many are asked for.
    let taken = stage.claim(10 * TARGET_MAX).await;
    assert_eq!(taken.len(), TARGET_MAX);
    let mut seen: Vec<u64> = taken.iter().filter_map(|one| one.envelope.data.as_u64()).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), TARGET_MAX, "each once");
}

pub(crate) async fn texts_keys_and_messages_may_be_as_long_as_they_may(engine: Engine) {
    let stage = Stage::new(engine).await;
    let (text, uri) = (noise(1024 * 1024), format!("/{}", noise(URI_BYTES_MAX - 1)));
    let mut long = message("shop sent", &uri, json!(noise(DATA_BYTES_MAX - 2)));
    Arc::make_mut(&mut long.envelope).uri = Uri::parse(&uri).expect("as long as a URI may be");
    let key = OnceKey {
        tenant: Tenant::new("demo"),
        principal: noise(KEY_BYTES_MAX),
        target: format!("post {uri}"),
        key: noise(KEY_BYTES_MAX),
    };
    let once = Once { key: key.clone(), input: noise(64), answer: Some(json!(noise(DATA_BYTES_MAX))) };
    let effects = Effects::from(WRITE.with(params![&text, f64::MAX]));
    let all = Commit { outbox: vec![long.clone()], once: Some(once.clone()), ..commit(effects) };
    stage.records.commit(all).await.expect("committed");
    assert_eq!(stage.lines().await, [text]);
    let taken = stage.claim(1).await.remove(0);
    assert_eq!((&taken.envelope.data, &taken.envelope.uri), (&long.envelope.data, &long.envelope.uri));
    let seen = stage.records.seen(&key, NOW_MS).await.expect("found").expect("it is remembered");
    assert_eq!((seen.input, seen.answer), (once.input, once.answer));
    stage.settle(taken.settle, "done").await.expect("settled");
}

pub(crate) async fn numbers_stop_where_they_end(engine: Engine) {
    let stage = Stage::new(engine).await;
    stage.write(MAKE.with(params!["tea", i64::MAX])).await.expect("the largest");
    let refused = Fault::conflict("short", "there is not so much");
    let none = stage.write(SET.with(params![i64::MIN, i64::MAX]).expect(1..=1, refused)).await;
    none.expect("all of it is there");
    assert_eq!(stage.read(&STOCK, params!["tea"]).await, [[Datum::Int(i64::MIN)]]);
}
