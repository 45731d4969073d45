//! A batch of writes.

use crate::stage::{Engine, LINES, MAKE, SET, SOME, STOCK, Stage, TAKE, WRITE, commit, commit_in};
use callboard::ports::{Commit, CommitError, Read};
use callboard::{Datum, Effects, Fault, Tenant, params};
use futures_util::future::join_all;
use serde_json::json;

async fn with_box(engine: Engine, stock: i64) -> Stage {
    let stage = Stage::new(engine).await;
    stage.write(MAKE.with(params!["tea", stock])).await.expect("a box");
    stage
}

fn refused() -> Fault {
    Fault::conflict("busy", "not so")
}

pub(crate) async fn a_batch_is_all_or_nothing(engine: Engine) {
    let stage = with_box(engine, 3).await;
    let effects = Effects::from(WRITE.with(params!["one", 1.0])).write(TAKE.with(params!["tea"]));
    let effects = effects.write(TAKE.with(params!["coffee"]).expect(1..=1, refused()));
    let error = stage.write(effects).await.expect_err("there is no coffee");
    assert!(matches!(error, CommitError::Refused(fault) if fault.code == "busy"));
    assert_eq!((stage.stock("tea").await, stage.lines().await.len()), (3, 0));
    // A batch that the store itself refuses leaves nothing either.
    let effects = Effects::from(WRITE.with(params!["one", 1.0])).write(MAKE.with(params!["tea", 1_i64]));
    let error = stage.write(effects).await.expect_err("there is a box of this name");
    assert!(
        matches!(&error, CommitError::Failed(fault) if fault.detail.as_ref().is_some_and(|it| it.contains("statement make"))),
        "{error:?}"
    );
    assert_eq!(stage.lines().await.len(), 0);
    stage.write(WRITE.with(params!["after", 1.0])).await.expect("the records go on");
    assert_eq!(stage.lines().await, ["after"]);
}

pub(crate) async fn every_expectation_is_kept(engine: Engine) {
    let stage = with_box(engine, 3).await;
    stage.write(MAKE.with(params!["milk", 9_i64])).await.expect("a box");
    let set = |from: i64| SET.with(params![from, from]);
    stage.write(set(100)).await.expect("any number of rows will do");
    stage.write(set(100).expect(0..=0, refused())).await.expect("none was to change");
    stage.write(set(2).expect(2..=2, refused())).await.expect("two were to change");
    stage.write(set(2).expect_or_retry(1..=5)).await.expect("some were to change");
    for too_many in [0..=1, 3..=u64::MAX] {
        let error = stage.write(set(2).expect(too_many.clone(), refused())).await.expect_err("two change");
        assert!(matches!(error, CommitError::Refused(_)));
        let error = stage.write(set(2).expect_or_retry(too_many)).await.expect_err("two change");
        assert!(matches!(error, CommitError::Retry));
    }
    // The first expectation that fails decides.
    let effects = Effects::from(set(100).expect_or_retry(1..=1)).write(set(100).expect(1..=1, refused()));
    assert!(matches!(stage.write(effects).await.expect_err("none changes"), CommitError::Retry));
}

pub(crate) async fn what_a_batch_finds_out_comes_back(engine: Engine) {
    let stage = with_box(engine, 3).await;
    let effects = Effects::from(WRITE.with(params!["x", 0.5])).write(TAKE.with(params!["tea"]));
    let mut effects = effects.write(TAKE.with(params!["tea"]));
    let slot = effects.slot("stock");
    let out = crate::stage::message("shop sent", "a", json!({"left": slot}));
    let committed = stage.records.commit(Commit { outbox: vec![out], ..commit(effects) }).await.expect("committed");
    assert_eq!(committed.returned[1].rows, [params![2_i64]]);
    assert_eq!(committed.returned[2].rows, [params![1_i64]]);
    assert!(committed.returned[0].is_empty());
    assert_eq!(stage.claim(1).await[0].envelope.data, json!({"left": 1}));
}

pub(crate) async fn reads_together_see_one_moment(engine: Engine) {
    let stage = with_box(engine, 0).await;
    let (stage, stop) = (&stage, &std::sync::atomic::AtomicBool::new(false));
    let writing = async {
        for at in 1..=60_i64 {
            stage.write(SET.with(params![at, 0_i64])).await.expect("set");
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    };
    let reading = async {
        while !stop.load(std::sync::atomic::Ordering::Relaxed) {
            let read = || Read { statement: &STOCK, params: params!["tea"] };
            let rows = stage.records.query(&Tenant::new("demo"), vec![read(), read(), read()]).await.expect("rows");
            assert!(rows.windows(2).all(|pair| pair[0].rows == pair[1].rows), "{rows:?}");
        }
    };
    tokio::join!(writing, reading);
}

pub(crate) async fn a_guarded_stock_is_never_oversold(engine: Engine) {
    let stage = with_box(engine, 5).await;
    let other = stage.another().await;
    let take = |at: usize| {
        let records = if at.is_multiple_of(2) { &stage.records } else { &other };
        records.commit(commit(TAKE.with(params!["tea"]).expect(1..=1, refused())))
    };
    let takes = join_all((0..24).map(take)).await;
    assert_eq!(takes.iter().filter(|take| take.is_ok()).count(), 5);
    assert_eq!(stage.stock("tea").await, 0);
}

pub(crate) async fn values_come_back_as_they_were(engine: Engine) {
    let stage = with_box(engine, i64::MAX).await;
    assert_eq!(stage.stock("tea").await, i64::MAX);
    for (text, weight) in [("it's \"quoted\" \\ $tenant ?1", 0.1), ("多 😀 é", -1.5e300), ("", 0.0)] {
        stage.write(WRITE.with(params![text, weight])).await.expect("written");
    }
    stage.write(WRITE.with(vec![Datum::Null, Datum::Null])).await.expect("written");
    let rows = stage.read(&LINES, params![]).await;
    assert_eq!(rows[0], params!["it's \"quoted\" \\ $tenant ?1", 0.1]);
    assert_eq!(rows[1], params!["多 😀 é", -1.5e300]);
    assert_eq!(rows[2..], [params!["", 0.0], vec![Datum::Null, Datum::Null]]);
    let wanted = vec!["milk".to_owned(), "tea".to_owned(), "it's".to_owned()];
    assert_eq!(stage.read(&SOME, params![wanted]).await, [params!["tea"]]);
    assert!(stage.read(&SOME, params![Vec::<String>::new()]).await.is_empty());
}

pub(crate) async fn a_tenant_sees_its_own_rows(engine: Engine) {
    let stage = with_box(engine, 3).await;
    let other = stage.records.commit(commit_in("other", MAKE.with(params!["tea", 7_i64]))).await;
    other.expect("a box of the same name");
    assert_eq!(stage.read_in("other", &STOCK, params!["tea"]).await, [params![7_i64]]);
    assert_eq!(stage.stock("tea").await, 3);
    assert!(stage.read_in("third", &STOCK, params!["tea"]).await.is_empty());
}

pub(crate) async fn a_statement_of_another_service_is_refused(engine: Engine) {
    let stage = with_box(engine, 3).await;
    let foreign = Commit { service: "another", ..commit(TAKE.with(params!["tea"])) };
    let error = stage.records.commit(foreign).await.expect_err("it is of the shop");
    assert!(matches!(error, CommitError::Failed(fault) if fault.code == "bug"));
    assert_eq!(stage.stock("tea").await, 3);
}
