//! Every shape of up to four nodes, every way its nodes can go, and the process ending at every transition.

use super::checker::check;
use super::shapes::{PARTS, Part, shape};
use super::world::{OUTCOMES, Outcome, World};
use crate::flow::Flow;

/// Runs a flow whose steps always go so, in order; before the commit of one transition the process ends.
fn play(flow: &Flow, outcomes: &[Outcome], crash_at: usize) -> (usize, Vec<String>) {
    let mut world = World::new(flow, 1, None);
    let mut is_alive = true;
    for _ in 0..400 {
        if let Some(&at) = world.due().first() {
            let outcome = world.step_of(at).map_or(Outcome::Done, |step| outcomes[step % outcomes.len()]);
            world.take(at, outcome, false);
        } else if !world.wait() && !world.answer_all() {
            break;
        }
        if world.pending() > 0 {
            if is_alive && world.transitions >= crash_at {
                is_alive = false;
                world.crash();
            } else {
                world.complete(0, world.now_ms());
            }
        }
    }
    (world.transitions, check(&world))
}

/// Plays a way with the process ending at every transition.
fn with_every_crash(parts: &[Part], flow: &Flow, outcomes: &[Outcome]) -> usize {
    for crash_at in 0.. {
        let (transitions, wrongs) = play(flow, outcomes, crash_at);
        assert!(wrongs.is_empty(), "{parts:?} going {outcomes:?}, ending at {crash_at}: {wrongs:#?}");
        if crash_at >= transitions {
            return crash_at;
        }
    }
    0
}

/// Every way in which so many nodes can go.
fn ways(nodes: u32) -> impl Iterator<Item = Vec<Outcome>> {
    let of = move |way: usize| (0..nodes).map(move |node| OUTCOMES[way / OUTCOMES.len().pow(node) % OUTCOMES.len()]);
    (0..OUTCOMES.len().pow(nodes)).map(move |way| of(way).collect())
}

/// Every shape of so many nodes.
fn shapes(nodes: u32) -> impl Iterator<Item = Vec<Part>> {
    let of = move |shape: usize| (0..nodes).map(move |node| PARTS[shape / PARTS.len().pow(node) % PARTS.len()]);
    let all = (0..PARTS.len().pow(nodes)).map(move |shape| of(shape).collect::<Vec<_>>());
    // A second pivot is refused at start.
    all.filter(|parts| parts.iter().filter(|part| **part == Part::Pivot).count() < 2)
}

#[test]
fn up_to_two_nodes_in_every_way_with_every_crash() {
    play_all(1);
    play_all(2);
}

/// Plays every way of every shape of so many nodes, ending at every transition, on all processors.
fn play_all(nodes: u32) {
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let all: Vec<_> = shapes(nodes).collect();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let mine = all.iter().skip(thread).step_by(threads);
            scope.spawn(move || {
                for parts in mine {
                    let flow = shape(parts);
                    let played: usize = ways(nodes).map(|outcomes| with_every_crash(parts, &flow, &outcomes)).sum();
                    assert!(played > OUTCOMES.len(), "{parts:?}");
                }
            });
        }
    });
}

#[test]
fn three_nodes_in_every_way_with_every_crash() {
    play_all(3);
}

#[test]
#[ignore = "minutes; `cargo xtask test --only model` runs it optimised"]
fn four_nodes_in_every_way_with_every_crash() {
    play_all(4);
}

#[test]
fn four_nodes_of_which_one_goes_wrong_with_every_crash() {
    for (at, parts) in shapes(4).enumerate() {
        let flow = shape(&parts);
        // Each shape has its node and its way; all together have each of them many times.
        let mut outcomes = [Outcome::Done; 4];
        outcomes[at % 4] = OUTCOMES[at / 4 % OUTCOMES.len()];
        assert!(with_every_crash(&parts, &flow, &outcomes) > 0);
    }
}
