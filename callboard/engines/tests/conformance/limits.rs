//! What is as large as it may be is kept as it is, and what cannot be kept is refused in words.

use crate::flows::start;
use crate::once::key;
use crate::stage::{Engine, MAKE, NOW_MS, Place, SET, SOME, STOCK, Stage, WRITE, commit, message, number, service};
use callboard::ports::{Commit, CommitError, Committed, DeadFilter, DeadReason, Fate, Once, OnceKey, Read, TARGET_MAX};
use callboard::{
    BATCH_STATEMENTS_MAX, DATA_BYTES_MAX, Datum, Effects, Fault, FaultKind, FlowMove, KEY_BYTES_MAX, Statement, Tenant,
    URI_BYTES_MAX, Uri, params,
};
use callboard_engines::INDEXED_BYTES_MAX;
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

/// What a commit is refused with.
fn code(result: Result<Committed, CommitError>) -> Result<(), (FaultKind, &'static str)> {
    match result {
        Ok(_) => Ok(()),
        Err(CommitError::Failed(fault)) => Err((fault.kind, fault.code)),
        Err(other) => panic!("{other:?}"),
    }
}

pub(crate) async fn a_text_with_nul_is_the_callers_mistake(engine: Engine) {
    let stage = Stage::new(engine).await;
    let refused = Err((FaultKind::BadInput, "text.unstorable"));
    assert_eq!(code(stage.write(WRITE.with(params!["a\0b", 1.0])).await), refused);
    assert_eq!(code(stage.write(MAKE.with(params!["a\0b", 1_i64])).await), refused);
    assert!(stage.lines().await.is_empty(), "nothing of it is there");
    let names = vec!["tea".to_owned(), "a\0b".to_owned()];
    for (statement, params) in [(&STOCK, params!["a\0b"]), (&SOME, params![names])] {
        let found = stage.records.query(&Tenant::new("demo"), vec![Read { statement, params }]).await;
        assert_eq!(found.map_err(|fault| (fault.kind, fault.code)).map(drop), refused, "{}", statement.name);
    }
    let once = Once { key: key("a\0b"), input: "hash".to_owned(), answer: None };
    assert_eq!(stage.records.seen(&once.key, 0).await.map_err(|fault| (fault.kind, fault.code)).map(drop), refused);
    let remembered = Commit { once: Some(once), ..commit(WRITE.with(params!["x", 1.0])) };
    assert_eq!(code(stage.records.commit(remembered).await), refused);
    assert_eq!(code(stage.records.commit(start("a\0b", json!("input"))).await), refused);
    let cancel = vec![FlowMove::Cancel { flow: "parcel", key: "a\0b".to_owned() }];
    assert_eq!(code(stage.records.commit(Commit { moves: cancel, ..commit(Effects::new()) }).await), refused);
    assert!(stage.lines().await.is_empty(), "nothing of it is there");
}

/// In JSON it is only written otherwise. What comes back from the dead letters says it still.
pub(crate) async fn a_message_may_say_nul(engine: Engine) {
    let stage = Stage::new(engine).await;
    let data = json!({"a\0b": "c\0", "text": "\\u0000"});
    stage.send("shop sent", "a", data.clone()).await;
    let taken = stage.claim(1).await.remove(0);
    assert_eq!(taken.envelope.data, data);
    let reason = DeadReason { code: "shop.away".into(), message: "nobody is there".into() };
    stage.records.fail(taken.settle, Fate::Bury { reason, hold: false }, NOW_MS).await.expect("buried");
    assert_eq!(stage.records.operations().redrive(DeadFilter::default(), 10, 0, NOW_MS).await, Ok(1));
    assert_eq!(stage.claim(1).await.remove(0).envelope, taken.envelope);
    stage.records.commit(start("tea", data)).await.expect("a run may be started with it");
}

pub(crate) async fn a_text_that_is_too_long_for_an_index_is_the_callers_mistake(engine: Engine) {
    static RENAME: Statement =
        Statement::write("rename", &["box"], "UPDATE box SET name = $2 WHERE tenant = $tenant AND name = $1");
    static PUT: Statement = Statement::write(
        "put",
        &["box"],
        "INSERT INTO box (tenant, name, stock) VALUES ($tenant, $1, 1)
         ON CONFLICT (tenant, name) DO UPDATE SET name = excluded.name || $2",
    );
    let place = Place::new(engine);
    let records = place.open(service().statements(&[&RENAME, &PUT])).await.expect("records");
    let stage = Stage::on(records, place);
    let longest = INDEXED_BYTES_MAX - "demo".len();
    let refused = Err((FaultKind::BadInput, "text.too_long"));
    // Whether it could be made smaller makes no difference.
    for text in [noise, |bytes| "é".repeat(bytes / 2) + &"x".repeat(bytes % 2)] {
        assert_eq!(code(stage.write(MAKE.with(params![text(longest), 1_i64])).await), Ok(()));
        assert_eq!(code(stage.write(MAKE.with(params![text(longest + 1), 1_i64])).await), refused);
        assert_eq!(code(stage.write(PUT.with(params!["tea", ""])).await), Ok(()));
        assert_eq!(code(stage.write(PUT.with(params!["tea", text(longest)])).await), refused);
        assert_eq!(code(stage.write(RENAME.with(params!["tea", text(longest + 1)])).await), refused);
        assert_eq!(code(stage.write(RENAME.with(params!["tea", text(longest - 1)])).await), Ok(()));
        assert!(stage.read(&STOCK, params![text(10 * longest)]).await.is_empty(), "there is none");
    }
}

pub(crate) async fn a_later_index_has_its_limit_too(engine: Engine) {
    let Stage { records, place, .. } = Stage::new(engine).await;
    let long = || WRITE.with(params![noise(INDEXED_BYTES_MAX), 1.0]);
    assert_eq!(code(records.commit(commit(long())).await), Ok(()));
    drop(records);
    let later = service().migration("0002_text", "DELETE FROM line; CREATE INDEX line_text ON line (tenant, text)");
    let stage = Stage::on(place.open(later).await.expect("a later version"), place);
    assert_eq!(code(stage.write(long()).await), Err((FaultKind::BadInput, "text.too_long")));
    assert_eq!(code(stage.write(WRITE.with(params![noise(INDEXED_BYTES_MAX - 4), 1.0])).await), Ok(()));
}
