//! Flows of every shape.

use crate::flow::{Flow, Goal, Join, Run, Status};
use crate::{Env, Fault, Id, Msg, Principal, Reply, Retry, Step, Tenant};
use serde_json::Value;

pub(super) async fn work(_: Env, _: Msg<Step>) -> Result<Reply<Value>, Fault> {
    Ok(Reply::ok(Value::Null))
}

pub(super) const TWICE: Retry = Retry { attempts: 2, base_ms: 10, cap_ms: 100 };

/// One node of a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Step,
    NoUndo,
    Verified,
    Pivot,
    Map,
    Wait,
    Parallel,
    Choice,
}

pub(super) const PARTS: [Part; 8] =
    [Part::Step, Part::NoUndo, Part::Verified, Part::Pivot, Part::Map, Part::Wait, Part::Parallel, Part::Choice];

const IDS: [[&str; 3]; 4] = [["a", "a1", "a2"], ["b", "b1", "b2"], ["c", "c1", "c2"], ["d", "d1", "d2"]];

/// A flow of these nodes; a map needs a list, which the step `list` gives.
pub(super) fn shape(parts: &[Part]) -> Flow {
    let mut flow = Flow::new("shape");
    if parts.contains(&Part::Map) {
        flow = flow.step("list", work).no_undo("it only reads").retry(TWICE);
    }
    for (part, [id, one, other]) in parts.iter().zip(IDS) {
        flow = match part {
            Part::Step => flow.step(id, work).undo(work).retry(TWICE),
            Part::NoUndo => flow.step(id, work).no_undo("nobody minds").retry(TWICE),
            Part::Verified => flow.step(id, work).undo(work).verify(work).retry(TWICE),
            Part::Pivot => flow.step(id, work).undo(work).retry(TWICE).pivot(),
            Part::Map => flow.map(id, "list", work).undo(work).retry(TWICE).concurrency(2),
            Part::Wait => flow.wait(id, work).undo(work).retry(TWICE).expires_ms(5_000),
            Part::Parallel => flow
                .parallel(id)
                .branch("one")
                .step(one, work)
                .undo(work)
                .retry(TWICE)
                .branch("other")
                .step(other, work)
                .undo(work)
                .retry(TWICE)
                .end(),
            Part::Choice => flow
                .choice(id, work)
                .retry(TWICE)
                .branch("yes")
                .step(one, work)
                .undo(work)
                .retry(TWICE)
                .branch("no")
                .step(other, work)
                .undo(work)
                .retry(TWICE)
                .end(),
        };
    }
    flow
}

/// Flows with everything that no small shape has.
pub(super) fn rich() -> Vec<Flow> {
    let tolerant = |join| {
        Flow::new("map")
            .step("list", work)
            .no_undo("it only reads")
            .retry(TWICE)
            .map("each", "list", work)
            .undo(work)
            .retry(TWICE)
            .concurrency(2)
            .join(join)
            .step("last", work)
            .undo(work)
            .retry(TWICE)
    };
    let branches = |join| {
        Flow::new("branches")
            .step("first", work)
            .undo(work)
            .retry(TWICE)
            .parallel("both")
            .join(join)
            .branch("one")
            .step("b1", work)
            .undo(work)
            .retry(TWICE)
            .step("b2", work)
            .undo(work)
            .retry(TWICE)
            .branch("two")
            .step("b3", work)
            .undo(work)
            .verify(work)
            .retry(TWICE)
            .end()
            .step("last", work)
            .undo(work)
            .retry(TWICE)
    };
    let waits = Flow::new("waits")
        .flow_timeout_ms(60_000)
        .step("first", work)
        .undo(work)
        .retry(TWICE)
        .heartbeat_ms(2_000)
        .wait("ask", work)
        .undo(work)
        .retry(TWICE)
        .expires_ms(4_000)
        .expired()
        .step("remind", work)
        .undo(work)
        .retry(TWICE)
        .end()
        .wait_for_decision("decide")
        .expires_ms(20_000)
        .pause_ms("cool", 1_000)
        .step("slow", work)
        .undo(work)
        .retry(Retry { attempts: 4, base_ms: 500, cap_ms: 5_000 })
        .step_timeout_ms(3_000);
    let mut flows =
        vec![tolerant(Join::All), tolerant(Join::AtLeast(2)), tolerant(Join::Tolerate(1)), branches(Join::All)];
    flows.extend([branches(Join::AtLeast(1)), branches(Join::Tolerate(1)), waits]);
    let pause = Flow::new("pause").step("first", work).undo(work).retry(TWICE).pause_ms("cool", 1_000);
    flows.push(pause.step("last", work).undo(work).retry(TWICE));
    flows.push(shape(&[Part::Step, Part::Verified, Part::Pivot, Part::Step]));
    flows.push(shape(&[Part::Step, Part::Choice, Part::Wait, Part::Step]));
    flows
}

pub(super) fn new_run(flow: &Flow) -> Run {
    Run {
        id: Id::nil(),
        service: "test".into(),
        flow: flow.name.into(),
        hash: flow.hash().to_owned(),
        tenant: Tenant::only(),
        key: "k".into(),
        entity: None,
        principal: Principal::Nobody,
        correlation: Id::nil(),
        traceparent: None,
        input: Value::Null,
        status: Status::Running,
        goal: Goal::Forward,
        reason: None,
        steps: Vec::new(),
        given_up: Vec::new(),
        conflicts: Vec::new(),
    }
}
