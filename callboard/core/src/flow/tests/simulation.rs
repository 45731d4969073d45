//! Ten thousand seeds of duplicates, reordering, lost processes, stale and early answers, expired leases, clock skew and stores that
//! fail after their commit; and the bugs that all this must find.

use super::checker::check;
use super::shapes::{PARTS, rich, shape};
use super::world::{KernelBug, OUTCOMES, Outcome, World};
use crate::flow::Flow;
use crate::flow::planted::{Bug, plant};
use proptest::prelude::*;

/// After so many actions everything works, so that a run can end.
const STORMY: u32 = 60;
const ACTIONS_MAX: u32 = 3_000;

pub(super) fn simulate(flow: &Flow, seed: u64, bug: Option<KernelBug>) -> Vec<String> {
    let mut world = World::new(flow, seed, bug);
    world.is_slow = true;
    let gentle = world.pick(4);
    // In some worlds nothing can be undone.
    let is_hopeless = world.pick(8) == 0;
    // In some what was lost with its lease answers only at the very end.
    let is_tenacious = world.pick(4) == 0;
    for action in 0..ACTIONS_MAX {
        let is_stormy = action < STORMY && gentle > 0;
        let due = world.due();
        let choice = world.pick(if is_stormy { 20 } else { 4 });
        match choice {
            0..=3 | 10..=13 if !due.is_empty() && (world.pending() == 0 || choice.is_multiple_of(2)) => {
                let at = due[usize::try_from(world.pick(64)).expect("small") % due.len()];
                let outcome = outcome(&mut world, is_stormy);
                let undo_fails = is_hopeless || (is_stormy && world.pick(4) == 0);
                world.take(at, outcome, undo_fails);
            }
            4..=5 if !world.taken().is_empty() => {
                let taken = world.taken();
                let at = taken[usize::try_from(world.pick(64)).expect("small") % taken.len()];
                world.expire_lease(at, choice == 4);
            }
            6 if world.pick(3) == 0 => world.crash(),
            7 if world.pick(3) == 0 => world.cancel(),
            8..=9 => {
                let token = world.pick(12);
                world.answer(token);
            }
            14 if world.pending() > 0 && !is_tenacious => world.complete_unheard(0, world.now_ms()),
            15 => {
                world.wait();
            }
            _ if world.pending() > 0 => {
                let any = usize::try_from(world.pick(64)).expect("small") % world.pending();
                let at = match world.pending_with_lease() {
                    Some(at) if is_tenacious => at,
                    None if is_tenacious && !world.is_delivered() => {
                        world.wait();
                        if let Some(&at) = world.due().first() {
                            world.take(at, Outcome::Done, false);
                        } else if let Some(&at) = world.taken().first() {
                            world.expire_lease(at, false);
                        }
                        continue;
                    }
                    _ => any,
                };
                let skew_ms = if is_stormy && world.pick(10) == 0 { 3_600_000 } else { 0 };
                world.complete(at, world.now_ms() - skew_ms);
            }
            _ if due.is_empty() => {
                let taken = world.taken();
                if let Some(&at) = taken.first() {
                    world.expire_lease(at, true);
                } else if !world.wait() && !world.answer_all() {
                    break;
                }
            }
            _ => {}
        }
    }
    check(&world)
}

fn outcome(world: &mut World<'_>, is_stormy: bool) -> Outcome {
    match world.pick(3) {
        0 if is_stormy => OUTCOMES[usize::try_from(world.pick(5)).expect("small")],
        _ => Outcome::Done,
    }
}

#[test]
fn ten_thousand_storms_leave_nothing_half_done() {
    let flows = rich();
    for seed in 0..10_000 {
        let flow = &flows[usize::try_from(seed).expect("small") % flows.len()];
        let wrongs = simulate(flow, seed, None);
        assert!(wrongs.is_empty(), "seed {seed} of flow {}: {wrongs:#?}", flow.name);
    }
}

#[test]
fn every_planted_bug_is_caught() {
    let flows = rich();
    let caught = |kernel: Option<KernelBug>| {
        (0..6_000).find(|&seed| {
            let flow = &flows[usize::try_from(seed).expect("small") % flows.len()];
            !simulate(flow, seed, kernel).is_empty()
        })
    };
    let bugs = [
        Bug::SkippedFence,
        Bug::WrongUndoOrder,
        Bug::ForgottenUnknown,
        Bug::ForgottenTaint,
        Bug::SilentUndoFailure,
        Bug::LostTimer,
        Bug::UndonePastPivot,
        Bug::UnseenConflict,
        Bug::LostRetry,
        Bug::DroppedEarlyAnswer,
        Bug::SecondDecision,
        Bug::EarlyJoin,
        Bug::HastyUndo,
        Bug::UnstoppedRetry,
        Bug::UndoneTwice,
    ];
    let mut missed = Vec::new();
    for bug in bugs {
        plant(Some(bug));
        if caught(None).is_none() {
            missed.push(format!("{bug:?}"));
        }
    }
    plant(None);
    for bug in [KernelBug::SkippedEpoch, KernelBug::EarlySettle, KernelBug::LostCommands] {
        if caught(Some(bug)).is_none() {
            missed.push(format!("{bug:?}"));
        }
    }
    assert!(missed.is_empty(), "nobody noticed {missed:?}");
}

proptest! {
    #[test]
    fn any_shape_in_any_storm_ends_as_it_should(parts in prop::collection::vec(0..PARTS.len(), 1..5), seed: u64) {
        let mut parts: Vec<_> = parts.into_iter().map(|at| PARTS[at]).collect();
        // A second pivot is refused at start.
        let mut is_first = true;
        parts.retain(|part| *part != super::shapes::Part::Pivot || std::mem::take(&mut is_first));
        let flow = shape(&parts);
        prop_assert!(flow.mistakes().is_empty(), "{:?}", flow.mistakes());
        let wrongs = simulate(&flow, seed, None);
        prop_assert!(wrongs.is_empty(), "{parts:?} {wrongs:#?}");
    }
}
