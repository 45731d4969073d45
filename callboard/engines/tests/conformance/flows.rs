//! Runs of flows in the records.

use crate::stage::{Engine, NOW_MS, Stage, WRITE, commit, id, service};
use callboard::flow::{FlowEvent, Place, Run, Status};
use callboard::ports::{Commit, CommitError, Page, RunFilter};
use callboard::{Effects, FlowMove, Principal, Tenant, params};
use futures_util::future::join_all;
use serde_json::{Value, json};

pub(crate) fn start(key: &str, input: Value) -> Commit {
    // As it was stored by the first version, so that what is not said has its default.
    let run: Run = serde_json::from_value(json!({
        "id": id(), "service": "shop", "flow": "parcel", "hash": service().flows[0].hash(), "tenant": "demo", "key": key,
        "principal": Principal::Nobody, "correlation": id(), "input": input, "status": Status::Running, "reason": null,
        "steps": [],
    }))
    .expect("a run");
    Commit { moves: vec![FlowMove::Start(Box::new(run))], ..commit(Effects::new()) }
}

async fn runs(stage: &Stage, filter: RunFilter) -> Vec<callboard::ports::RunSummary> {
    stage.records.operations().runs(filter, Page { after: None, limit: 10 }).await.expect("runs")
}

pub(crate) async fn a_run_is_started_once(engine: Engine) {
    let stage = Stage::new(engine).await;
    let other = stage.another().await;
    let at_once = join_all((0..8).map(|at| {
        let records = if at % 2 == 0 { &stage.records } else { &other };
        records.commit(start("tea", json!("input")))
    }));
    for started in at_once.await {
        started.expect("started, or there already");
    }
    assert_eq!(runs(&stage, RunFilter::default()).await.len(), 1);
    assert_eq!(stage.claim(10).await.len(), 1, "its first step is to be done once");
    let error = stage.records.commit(start("tea", json!("another"))).await.expect_err("the key is taken");
    assert!(matches!(&error, CommitError::Refused(fault) if fault.code == "flow.started"), "{error:?}");
}

pub(crate) async fn a_run_is_known_with_what_happened_to_it(engine: Engine) {
    let stage = Stage::new(engine).await;
    stage.records.commit(start("tea", json!("input"))).await.expect("started");
    let run = runs(&stage, RunFilter { key: Some("tea".into()), ..RunFilter::default() }).await.remove(0);
    assert_eq!((run.status, run.started_ms), (Status::Running, NOW_MS));
    let step = stage.claim(1).await.remove(0);
    let done = FlowEvent::Done { at: Place { step: 0, item: 0, iteration: 0, attempt: 1 }, output: json!(7) };
    let moved = Commit {
        settle: Some(step.settle),
        moves: vec![FlowMove::Event { run: run.id, event: done.clone() }],
        ..commit(Effects::new())
    };
    stage.records.commit(moved.clone()).await.expect("moved");
    let again = stage.records.commit(moved).await;
    assert!(matches!(again, Err(CommitError::Stale | CommitError::Late)), "{again:?}");
    let operations = stage.records.operations();
    let history = operations.run(Some(Tenant::new("demo")), run.id).await.expect("a run").expect("it is there");
    assert_eq!((history.run.status, history.events), (Status::Completed, vec![(NOW_MS, done)]));
    assert_eq!(operations.run(Some(Tenant::new("other")), run.id).await, Ok(None));
    let completed = RunFilter { status: Some(Status::Completed), ..RunFilter::default() };
    assert_eq!(runs(&stage, completed).await.len(), 1);
    assert_eq!(runs(&stage, RunFilter { flow: Some("other".into()), ..RunFilter::default() }).await, []);
}

pub(crate) async fn an_answer_that_does_not_fit_leaves_its_message_in_hand(engine: Engine) {
    let stage = Stage::new(engine).await;
    stage.records.commit(start("tea", json!("input"))).await.expect("started");
    let run = runs(&stage, RunFilter::default()).await.remove(0);
    let step = stage.claim(1).await.remove(0);
    let at = Place { step: 0, item: 0, iteration: 7, attempt: 1 };
    let answer = |effects| Commit { settle: Some(step.settle), ..commit(effects) };
    let moves = vec![FlowMove::Event { run: run.id, event: FlowEvent::Done { at, output: json!(7) } }];
    let late = Commit { moves, ..answer(Effects::from(WRITE.with(params!["late", 1.0]))) };
    let refused = stage.records.commit(late).await;
    assert!(matches!(refused, Err(CommitError::Late)), "{refused:?}");
    assert_eq!(stage.lines().await, Vec::<String>::new(), "nothing that came with it");
    assert_eq!(stage.records.renew(&[step.settle], NOW_MS).await, Ok(Vec::new()), "it is still in hand");
    stage.records.commit(answer(Effects::new())).await.expect("settled");
    assert_eq!(stage.records.operations().stale().await, Ok(0));
    assert_eq!(stage.records.next_due(&[]).await, Ok(None), "nothing waits");
}
