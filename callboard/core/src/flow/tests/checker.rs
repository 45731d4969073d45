//! The invariants of flows, checked from the table, the ledger, the log of events and the state at rest; it knows nothing of how
//! the machine comes to its decisions.

use super::world::{World, same};
use crate::flow::tree::{Branching, Node};
use crate::flow::{Flow, FlowEvent, ItemState, Place, Run, Status, Undo, advance};
use serde_json::Value;

/// Everything that is wrong.
pub(super) fn check(world: &World<'_>) -> Vec<String> {
    let mut wrongs = world.wrongs.clone();
    let mut say = |is_wrong: bool, wrong: &str| {
        if is_wrong {
            wrongs.push(wrong.to_owned());
        }
    };
    let run = &world.run;
    say(!run.status.is_final(), "the run does not end");
    say(!world.is_at_rest(), "messages wait at rest");
    say(fold(world) != *run, "the fold of the events is not what is stored");
    if run.status == Status::Completed {
        say(!is_whole(world, &world.flow.root), "it is completed, and not everything was done");
    }
    if run.status == Status::Undone {
        wrongs.extend(not_undone(world));
    }
    wrongs.extend(wrong_order(world));
    wrongs.extend(past_pivot(world));
    wrongs.extend(twice_undone(world));
    for (step, value) in &world.decided {
        let item = &run.steps[*step].items[0];
        if item.state == ItemState::Done && item.output != Value::Null && item.output != *value {
            wrongs.push(format!("step {step} was decided {value} first, and {} counts", item.output));
        }
    }
    wrongs
}

fn fold(world: &World<'_>) -> Run {
    let mut run = world.initial.clone();
    for (at_ms, event) in &world.log {
        advance(world.flow, &mut run, event.clone(), *at_ms, 0);
    }
    run
}

fn did(world: &World<'_>, step: usize, item: usize) -> bool {
    // What waits for a time or for its service has nothing to do.
    let is_idle = matches!(world.flow.steps[step].kind, crate::flow::StepKind::Pause | crate::flow::StepKind::Decision);
    // Nobody was asked where the time was over before.
    let is_over = world.run.steps[step].items.get(item).is_some_and(|item| item.state == ItemState::Expired);
    is_idle
        || is_over
        || world.ledger.iter().any(|entry| !entry.is_undo && entry.at.step == step && entry.at.item == item)
}

/// Whether the ledger has everything that these nodes must have done.
fn is_whole(world: &World<'_>, nodes: &[Node]) -> bool {
    nodes.iter().all(|node| match node {
        Node::Step(step) => {
            let row = &world.flow.steps[*step];
            let count = if row.over.is_some() { 3 } else { 1 };
            let least = if row.over.is_some() { row.join.least(count) } else { 1 };
            (0..count).filter(|&item| did(world, *step, item)).count() >= least
        }
        Node::Block(block) => match block.branching {
            Branching::Parallel { join, .. } => {
                let whole = block.branches.iter().filter(|(_, nodes)| is_whole(world, nodes)).count();
                whole >= join.least(block.branches.len())
            }
            Branching::Choice(_) => {
                block.branches.iter().filter(|(label, _)| *label == "no").all(|(_, nodes)| is_whole(world, nodes))
            }
            Branching::Expired(_) => true,
        },
    })
}

fn is_undoable(flow: &Flow, step: usize) -> bool {
    matches!(flow.steps[step].undo, Undo::By(_))
}

/// What happened and was not undone afterwards.
fn not_undone(world: &World<'_>) -> Vec<String> {
    let mut wrongs = Vec::new();
    for (index, entry) in world.ledger.iter().enumerate() {
        if entry.is_undo || !is_undoable(world.flow, entry.at.step) {
            continue;
        }
        let is_undone = world.ledger[index..].iter().any(|later| later.is_undo && same(later.at, entry.at));
        if !is_undone {
            wrongs.push(format!("{:?} happened and nobody undid it", entry.at));
        }
    }
    wrongs
}

fn applied_undos(world: &World<'_>) -> impl Iterator<Item = Place> {
    world.log.iter().filter_map(|(_, event)| match event {
        FlowEvent::Undone { at } => Some(*at),
        _ => None,
    })
}

fn twice_undone(world: &World<'_>) -> Vec<String> {
    let undos: Vec<Place> = applied_undos(world).collect();
    let twice = undos.iter().enumerate().filter(|(at, undo)| undos[..*at].iter().any(|other| same(*other, **undo)));
    twice.map(|(_, undo)| format!("{undo:?} was undone twice")).collect()
}

/// Undo runs in reverse: a step is not undone before one that comes after it in the same sequence.
fn wrong_order(world: &World<'_>) -> Vec<String> {
    let undos: Vec<Place> = applied_undos(world).collect();
    let mut wrongs = Vec::new();
    for (at, earlier) in undos.iter().enumerate() {
        for later in &undos[at + 1..] {
            let follows = earlier.step < later.step && earlier.iteration == later.iteration;
            // A branch that was given up is undone while what follows is still to come.
            if follows && !is_beside(world.flow, earlier.step, later.step) && !is_given_up(world, earlier.step) {
                wrongs.push(format!("{earlier:?} was undone before {later:?}, which came after it"));
            }
        }
    }
    wrongs
}

fn is_beside(flow: &Flow, one: usize, other: usize) -> bool {
    let pair =
        |block: usize, around: &[(usize, usize)]| around.iter().find(|(at, _)| *at == block).map(|(_, branch)| *branch);
    flow.around[one]
        .iter()
        .any(|&(block, branch)| pair(block, &flow.around[other]).is_some_and(|other| other != branch))
}

fn is_given_up(world: &World<'_>, step: usize) -> bool {
    let is_tolerant = world.flow.steps[step].over.is_some() && world.flow.steps[step].join != crate::flow::Join::All;
    is_tolerant || world.flow.around[step].iter().any(|&(block, branch)| world.run.given_up[block][branch].is_some())
}

/// Once the pivot is done nothing up to it is undone.
fn past_pivot(world: &World<'_>) -> Vec<String> {
    let Some(pivot) = world.flow.steps.iter().position(|step| step.is_pivot) else { return Vec::new() };
    let is_done = |event: &FlowEvent| match event {
        FlowEvent::Done { at, .. } => at.step == pivot,
        _ => false,
    };
    let Some(done) = world.log.iter().position(|(_, event)| is_done(event)) else { return Vec::new() };
    let was_wanted = fold_until(world, done);
    let undos = world.log[done..].iter().filter_map(|(_, event)| match event {
        FlowEvent::Undone { at } if at.step <= pivot && was_wanted => Some(format!("{at:?} was undone past the pivot")),
        _ => None,
    });
    undos.collect()
}

/// Whether the run still went forward when this event came.
fn fold_until(world: &World<'_>, end: usize) -> bool {
    let is_end = |event: &FlowEvent| {
        matches!(event, FlowEvent::Cancelled | FlowEvent::Due { timer: crate::flow::Timer::Flow, .. })
    };
    !world.log[..end].iter().any(|(_, event)| is_end(event))
}
