//! What the machine does, example by example.

use super::shapes::Part;
use super::shapes::{TWICE, new_run, rich, shape, work};
use crate::flow::planted::{Bug, plant};
use crate::flow::{
    Command, Flow, FlowEvent, Goal, ItemState, Operation, Place, Run, Status, advance, begin, describe, draw, plan_redo,
};
use serde_json::{Value, json};

fn at(step: usize) -> Place {
    Place { step, item: 0, iteration: 0, attempt: 1 }
}

fn done(step: usize) -> FlowEvent {
    FlowEvent::Done { at: at(step), output: Value::Null }
}

fn go(flow: &Flow, run: &mut Run, event: FlowEvent) -> Vec<Command> {
    advance(flow, run, event.clone(), 0, 0).unwrap_or_else(|| panic!("{event:?} does not fit {run:#?}"))
}

fn operate(operation: Operation) -> FlowEvent {
    FlowEvent::Operated { operation, by: "owner".into(), why: "they asked".into() }
}

/// Three steps, all done.
fn completed() -> (Flow, Run) {
    let flow = shape(&[Part::Step, Part::NoUndo, Part::Step]);
    let mut run = new_run(&flow);
    begin(&flow, &mut run, 0);
    (0..3).for_each(|step| drop(go(&flow, &mut run, done(step))));
    assert_eq!(run.status, Status::Completed);
    (flow, run)
}

#[test]
fn a_redo_undoes_what_comes_after_and_does_it_again_under_a_new_iteration() {
    let (flow, mut run) = completed();
    let plan = plan_redo(&flow, &run, "b").expect("it can be").join("\n");
    assert!(plan.contains("undo c") && plan.contains("do b") && !plan.contains("undo a"), "{plan}");
    let undo = go(&flow, &mut run, operate(Operation::Redo { from: "b".into() }));
    assert_eq!(undo, [Command::Undo { at: at(2), delay_ms: 0 }]);
    let again = go(&flow, &mut run, FlowEvent::Undone { at: at(2) });
    let next = Place { iteration: 1, ..at(1) };
    assert_eq!(again, [Command::Do { at: next, delay_ms: 0 }]);
    assert_ne!(run.step_key(&flow, at(1), "do"), run.step_key(&flow, next, "do"));
    assert!(advance(&flow, &mut run, done(1), 0, 0).is_none(), "an answer of the former iteration is stale");
    plant(Some(Bug::SkippedIteration));
    assert!(advance(&flow, &mut run, done(1), 0, 0).is_some(), "the planted bug lets it count");
    plant(None);
}

#[test]
fn a_stuck_undo_is_helped_by_a_person_in_three_ways() {
    let (flow, run) = completed();
    let ways = [
        (Operation::Retry { step: None }, Status::Undoing),
        (Operation::MarkDone { step: "c".into(), item: None, output: Value::Null }, Status::Undoing),
        (Operation::Skip { step: "c".into(), item: None }, Status::Undoing),
    ];
    for (way, expected) in ways {
        let mut run = run.clone();
        go(&flow, &mut run, operate(Operation::Undo));
        for attempt in 1..=8 {
            go(&flow, &mut run, FlowEvent::UndoFailed { at: Place { attempt, ..at(2) }, message: "away".into() });
        }
        assert_eq!(run.status, Status::UndoStuck);
        assert!(describe(&flow, &run).contains("c is stuck"), "{}", describe(&flow, &run));
        let commands = go(&flow, &mut run, operate(way));
        assert_eq!(run.status, expected);
        assert!(matches!(commands.as_slice(), [Command::Undo { .. }]), "{commands:?}");
    }
}

#[test]
fn a_killed_run_lists_what_it_leaves() {
    let (flow, mut run) = completed();
    go(&flow, &mut run, operate(Operation::Redo { from: "c".into() }));
    let end = go(&flow, &mut run, operate(Operation::Kill));
    assert_eq!(end, [Command::Finish(Status::Killed)]);
    assert!(describe(&flow, &run).contains("a done, c may not be undone"), "{}", describe(&flow, &run));
    assert!(draw(&flow, &run).contains("c ◂ being undone"), "{}", draw(&flow, &run));
}

#[test]
fn past_the_pivot_a_run_only_goes_forward() {
    let flow = shape(&[Part::Step, Part::Pivot, Part::Step]);
    let mut run = new_run(&flow);
    begin(&flow, &mut run, 0);
    go(&flow, &mut run, done(0));
    go(&flow, &mut run, done(1));
    assert!(advance(&flow, &mut run, FlowEvent::Cancelled, 0, 0).is_none(), "it is too late to cancel");
    let refused = crate::Fault::bad_input("test.refused", "no");
    let failed = FlowEvent::Failed { at: at(2), failure: crate::flow::Failure::of(&refused) };
    assert_eq!(go(&flow, &mut run, failed), [Command::Finish(Status::Parked)]);
    assert_eq!(plan_redo(&flow, &run, "a").expect_err("past the pivot").code, "flow.operation");
    let retry = go(&flow, &mut run, operate(Operation::Retry { step: None }));
    assert_eq!(retry, [Command::Do { at: Place { attempt: 2, ..at(2) }, delay_ms: 0 }]);
    assert_eq!((run.status, run.goal.clone()), (Status::Running, Goal::Forward));
}

#[test]
fn a_poisonous_message_parks_the_run_and_redriven_it_goes_on() {
    let flow = shape(&[Part::Step, Part::Step]);
    let mut run = new_run(&flow);
    begin(&flow, &mut run, 0);
    let (code, message) = ("poison".to_owned(), "it ended the process".to_owned());
    let poisoned = FlowEvent::Poisoned { at: at(0), is_undo: false, code, message };
    assert_eq!(go(&flow, &mut run, poisoned), [Command::Finish(Status::Parked)]);
    go(&flow, &mut run, done(0));
    assert_eq!((run.status, run.steps[0].items[0].state), (Status::Running, ItemState::Done));
}

#[test]
fn a_run_moves_to_another_definition_only_by_a_map_of_its_steps() {
    let old = shape(&[Part::Step, Part::Step]);
    let hash: &'static str = Box::leak(old.hash().into());
    let mut run = new_run(&old);
    begin(&old, &mut run, 0);
    let lost = Flow::new("shape").step("z", work).undo(work).migrate(hash, &[]);
    assert!(!crate::flow::migrate::is_possible(&lost, &run), "step a is being done and would be lost");
    let new = Flow::new("shape").step("first", work).undo(work).step("b", work).undo(work).retry(TWICE);
    let new = new.migrate(hash, &[("a", "first")]);
    assert!(crate::flow::migrate::is_possible(&new, &run) && new.mistakes().is_empty());
    let (from, to) = (run.hash.clone(), new.hash().to_owned());
    let commands = go(&new, &mut run, FlowEvent::Migrated { from, to, then: Box::new(done(0)) });
    assert_eq!(commands, [Command::Do { at: at(1), delay_ms: 0 }]);
    assert_eq!(run.hash, new.hash());
}

#[test]
fn a_heartbeat_that_stays_away_ends_the_attempt() {
    let flow = rich().into_iter().find(|flow| flow.name == "waits").expect("it is there");
    let mut run = new_run(&flow);
    begin(&flow, &mut run, 0);
    let beat = |run: &mut Run, at_ms| {
        advance(&flow, run, FlowEvent::Due { timer: crate::flow::Timer::Beat, at: at(0) }, at_ms, 0).expect("it fits")
    };
    assert!(matches!(beat(&mut run, 1_500).as_slice(), [Command::Wake { delay_ms: 500, .. }]), "it has 500 ms left");
    advance(&flow, &mut run, FlowEvent::Beat { at: at(0) }, 1_900, 0).expect("alive");
    assert!(matches!(beat(&mut run, 2_000).as_slice(), [Command::Wake { .. }]));
    let next = beat(&mut run, 4_000);
    assert_eq!(next.first(), Some(&Command::Do { at: Place { attempt: 2, ..at(0) }, delay_ms: 0 }));
}

#[test]
fn a_wrong_flow_names_the_place() {
    let wrong = Flow::new("f")
        .map("a", "b", work)
        .no_undo("x")
        .step("b", work)
        .step("b", work)
        .undo(work)
        .pivot()
        .choice("c", work)
        .end()
        .parallel("p")
        .branch("one")
        .step("d", work)
        .undo(work)
        .pivot()
        .branch("one")
        .end()
        .expired();
    let mistakes = wrong.mistakes().join("\n");
    for part in [
        "step a: it maps over",
        "step b: say how it is undone",
        "step b: this id stands twice",
        "flow f c: it has no branch to go on with",
        "branch one: unreachable",
        "branch one: it leads nowhere",
        "step d: a pivot stands in no branch",
        "two pivots",
        "`.expired()` stands only after a wait",
        "have no `.end()`",
    ] {
        assert!(mistakes.contains(part), "{mistakes}\nshould mention {part}");
    }
    let mut choice = new_run(&shape(&[Part::Choice]));
    let flow = shape(&[Part::Choice]);
    begin(&flow, &mut choice, 0);
    go(&flow, &mut choice, FlowEvent::Done { at: at(0), output: json!("elsewhere") });
    assert_eq!(choice.reason.map(|reason| reason.code), Some("flow.branch".to_owned()));
}
