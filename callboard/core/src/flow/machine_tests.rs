//! The machine against every way a run can go: invariants that hold after any sequence of answers.

use super::*;
use crate::{Env, Fault, Id, Msg, Principal, Reply, Retry, Step, Tenant};
use proptest::prelude::*;
use serde_json::json;

async fn work(_: Env, _: Msg<Step>) -> Result<Reply<Value>, Fault> {
    Ok(Reply::ok(Value::Null))
}

fn flow() -> Flow {
    let once = Retry { attempts: 2, base_ms: 0, cap_ms: 0 };
    Flow::new("publish")
        .step("probe", work)
        .no_undo("reads only")
        .retry(once)
        .step("plan", work)
        .undo(work)
        .retry(once)
        .map("encode", "plan", work)
        .undo(work)
        .retry(once)
        .concurrency(2)
        .step("list", work)
        .undo(work)
        .retry(once)
}

fn start(flow: &Flow) -> (Run, Vec<Command>) {
    let mut run = Run {
        id: Id::nil(),
        service: "media".into(),
        flow: flow.name.into(),
        hash: flow.hash(),
        tenant: Tenant::only(),
        key: "k".into(),
        principal: Principal::Nobody,
        correlation: Id::nil(),
        input: Value::Null,
        status: Status::Running,
        reason: None,
        steps: Vec::new(),
    };
    let commands = begin(flow, &mut run);
    (run, commands)
}

fn done(step: usize, item: usize) -> FlowEvent {
    let output = if step == 1 { json!(["a", "b", "c"]) } else { json!(item) };
    FlowEvent::Done { step, item, attempt: 1, output }
}

#[test]
fn steps_follow_each_other_and_a_map_keeps_its_bound() {
    let flow = flow();
    let (mut run, first) = start(&flow);
    assert_eq!(first, [Command::Do { step: 0, item: 0, attempt: 1, delay_ms: 0 }]);
    advance(&flow, &mut run, done(0, 0), 0);
    let map = advance(&flow, &mut run, done(1, 0), 0);
    assert_eq!(map.len(), 2, "two of three items at once: {map:?}");
    assert_eq!(advance(&flow, &mut run, done(2, 1), 0), [Command::Do { step: 2, item: 2, attempt: 1, delay_ms: 0 }]);
    advance(&flow, &mut run, done(2, 0), 0);
    advance(&flow, &mut run, done(2, 2), 0);
    assert_eq!(advance(&flow, &mut run, done(3, 0), 0), [Command::Finish(Status::Completed)]);
    assert_eq!(run.output(&flow, 2), json!([0, 1, 2]));
}

#[test]
fn a_failure_waits_for_what_is_in_flight_and_undoes_in_reverse() {
    let flow = flow();
    let (mut run, _) = start(&flow);
    advance(&flow, &mut run, done(0, 0), 0);
    advance(&flow, &mut run, done(1, 0), 0);
    let refuse = FlowEvent::Failed {
        step: 2,
        item: 0,
        attempt: 1,
        code: "media.refused".into(),
        message: "no".into(),
        is_retryable: false,
    };
    assert_eq!(advance(&flow, &mut run, refuse, 0), [], "item 1 is still being done");
    let undo = advance(&flow, &mut run, done(2, 1), 0);
    assert_eq!(undo, [Command::Undo { step: 2, item: 1, attempt: 1, delay_ms: 0 }], "the refused item had no effect");
    let before = advance(&flow, &mut run, FlowEvent::Undone { step: 2, item: 1, attempt: 1 }, 0);
    assert_eq!(before, [Command::Undo { step: 1, item: 0, attempt: 1, delay_ms: 0 }]);
    let end = advance(&flow, &mut run, FlowEvent::Undone { step: 1, item: 0, attempt: 1 }, 0);
    assert_eq!(end, [Command::Finish(Status::Undone)], "the probe needs no undo");
    assert_eq!(run.reason.map(|reason| reason.code), Some("media.refused".to_owned()));
}

#[test]
fn an_attempt_that_is_repeated_says_why() {
    let flow = flow();
    let (mut run, _) = start(&flow);
    let (code, message) = ("tool.missing".to_owned(), "install it".to_owned());
    let away = FlowEvent::Failed { step: 0, item: 0, attempt: 1, code, message, is_retryable: true };
    let again = advance(&flow, &mut run, away, u32::MAX);
    let [Command::Do { step: 0, item: 0, attempt: 2, .. }, Command::Delay(reason)] = again.as_slice() else {
        panic!("{again:?}")
    };
    assert_eq!((reason.step.as_deref(), reason.code.as_str()), (Some(flow.steps[0].id), "tool.missing"));
    assert_eq!((run.status, &run.reason), (Status::Running, &None));
}

#[test]
fn an_undo_that_keeps_failing_stops_where_people_see_it() {
    let flow = flow();
    let (mut run, _) = start(&flow);
    advance(&flow, &mut run, done(0, 0), 0);
    advance(&flow, &mut run, done(1, 0), 0);
    advance(&flow, &mut run, done(2, 0), 0);
    advance(&flow, &mut run, FlowEvent::Cancelled, 0);
    advance(&flow, &mut run, done(2, 1), 0);
    let mut commands = advance(&flow, &mut run, done(2, 2), 0);
    for _ in 0..100 {
        let Some(Command::Undo { step, item, attempt, .. }) = commands.first().cloned() else { break };
        commands.remove(0);
        commands.extend(advance(
            &flow,
            &mut run,
            FlowEvent::UndoFailed { step, item, attempt, message: "away".into() },
            0,
        ));
    }
    assert_eq!(run.status, Status::UndoStuck);
}

#[test]
fn a_wrong_flow_names_the_place() {
    let wrong = Flow::new("f").map("a", "b", work).no_undo("x").step("b", work).step("b", work).undo(work);
    let mistakes = wrong.mistakes().join("\n");
    for part in ["step a: it maps over", "step b: say how it is undone", "step b: this id stands twice"] {
        assert!(mistakes.contains(part), "{mistakes}");
    }
}

/// Steps and items, in the order in which something happened to them.
type Items = Vec<(usize, usize)>;

/// Answers every command by a script of choices until the run ends, checking invariants on the way.
fn play(choices: &[u8]) -> (Run, Items, Items) {
    let flow = flow();
    let (mut run, mut open) = start(&flow);
    let (mut applied, mut undone) = (Items::new(), Items::new());
    let mut choices = choices.iter().copied().chain(std::iter::repeat(0));
    let mut last: Option<FlowEvent> = None;
    for _ in 0..10_000 {
        if run.status.is_final() {
            break;
        }
        let choice = choices.next().unwrap_or(0);
        if choice % 16 == 15 {
            open.extend(advance(&flow, &mut run, FlowEvent::Cancelled, 0));
            continue;
        }
        if let Some(again) = last.clone().filter(|_| choice % 16 == 14) {
            let before = run.clone();
            assert_eq!(advance(&flow, &mut run, again, 0), [], "an answer given twice does nothing");
            assert_eq!(run, before);
            continue;
        }
        assert!(!open.is_empty(), "a run that has not ended has something open: {run:?}");
        let event = match open.remove(usize::from(choice) % open.len()) {
            Command::Do { step, item, attempt, .. } if choice % 4 == 3 => {
                let is_retryable = choice & 16 != 0;
                if is_retryable && choice & 32 != 0 {
                    applied.push((step, item))
                }
                let (code, message) = ("x".into(), String::new());
                FlowEvent::Failed { step, item, attempt, code, message, is_retryable }
            }
            Command::Do { step, item, attempt, .. } => {
                applied.push((step, item));
                let output = if step == 1 { json!(["a", "b", "c"]) } else { Value::Null };
                FlowEvent::Done { step, item, attempt, output }
            }
            Command::Undo { step, item, attempt, .. } if choice % 8 == 7 => {
                FlowEvent::UndoFailed { step, item, attempt, message: String::new() }
            }
            Command::Undo { step, item, attempt, .. } => {
                undone.push((step, item));
                FlowEvent::Undone { step, item, attempt }
            }
            Command::Delay(_) | Command::Finish(_) => continue,
        };
        last = Some(event.clone());
        open.extend(advance(&flow, &mut run, event, 0));
        open.retain(|command| !matches!(command, Command::Delay(_) | Command::Finish(_)));
    }
    (run, applied, undone)
}

proptest! {
    #[test]
    fn every_run_ends_with_all_done_or_all_undone_in_reverse(choices in prop::collection::vec(any::<u8>(), 0..120)) {
        let (run, applied, undone) = play(&choices);
        prop_assert!(run.status.is_final(), "{run:?}");
        match run.status {
            Status::Completed => prop_assert!(undone.is_empty() && applied.contains(&(3, 0))),
            Status::Undone => {
                for done in applied.iter().filter(|(step, _)| *step != 0) {
                    prop_assert!(undone.contains(done), "{done:?} was applied and not undone");
                }
                prop_assert!(undone.windows(2).all(|pair| pair[0].0 >= pair[1].0), "{undone:?} is not in reverse");
                let mut once = undone.clone();
                once.sort_unstable();
                once.dedup();
                prop_assert_eq!(once.len(), undone.len());
            }
            _ => {}
        }
    }
}
