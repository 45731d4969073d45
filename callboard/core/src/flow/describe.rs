//! A run in words: one sentence that says what is done and what is left, and a drawing for a terminal.

use super::plan::is_to_undo;
use super::tree::{Block, Branching, Node};
use super::{Flow, ItemState, Run, Status, StepRun, Undo};
use std::fmt::Write;

/// Steps that have, or may have, an effect which nobody has undone, with what is known of it.
pub fn left_behind(flow: &Flow, run: &Run) -> Vec<String> {
    if !matches!(run.status, Status::Killed | Status::UndoStuck | Status::Undone | Status::Parked) {
        return Vec::new();
    }
    let steps = flow.steps.iter().zip(&run.steps).filter(|(row, _)| matches!(row.undo, Undo::By(_)));
    let left = steps.flat_map(|(row, step)| {
        step.items.iter().enumerate().filter_map(move |(at, item)| {
            let name = if row.over.is_some() { format!("{}[{at}]", row.id) } else { row.id.to_owned() };
            let what = match item.state {
                ItemState::Done | ItemState::Expired => "done",
                ItemState::Doing if item.is_scheduled && !item.is_tainted => return None,
                ItemState::Doing | ItemState::Checking | ItemState::Unknown | ItemState::Asked | ItemState::Parked => {
                    "may be done"
                }
                ItemState::Undoing | ItemState::Stuck => "may not be undone",
                ItemState::Conflict => "done again after it was undone",
                ItemState::Skipped if item.attempt > 0 => "left by a person",
                _ => return None,
            };
            Some(format!("{name} {what}"))
        })
    });
    left.collect()
}

/// One sentence: what is done, and what is left to do, to undo or to redo.
pub fn describe(flow: &Flow, run: &Run) -> String {
    let names = |is: &dyn Fn(&StepRun) -> bool| -> Vec<&str> {
        flow.steps.iter().zip(&run.steps).filter(|(_, step)| is(step)).map(|(row, _)| row.id).collect()
    };
    let any = |state: ItemState| move |step: &StepRun| step.items.iter().any(|item| item.state == state);
    let done = names(&|step| step.is_open && step.items.iter().all(|item| item.state == ItemState::Done));
    let undoable = |id: &&str| flow.position(id).is_some_and(|at| matches!(flow.steps[at].undo, Undo::By(_)));
    let to_undo =
        names(&|step| step.items.iter().any(|item| is_to_undo(item.state) || item.state == ItemState::Undoing));
    let to_undo: Vec<&str> = to_undo.into_iter().filter(undoable).rev().collect();
    let undone = names(&any(ItemState::Undone));
    let stuck = names(&|step| any(ItemState::Stuck)(step) || any(ItemState::Conflict)(step));
    let rest = names(&|step| !step.is_open);
    let why = run.reason.as_ref().map_or_else(String::new, |reason| match &reason.step {
        Some(step) => format!("{step} failed ({}: {}): ", reason.code, reason.message),
        None => format!("{}: ", reason.message),
    });
    let left = |ids: &[&str], verb: &str| match ids {
        [] => format!("nothing is left to {verb}"),
        ids => format!("{} left to {verb}", are(ids)),
    };
    match run.status {
        Status::Queued => "it waits for another run about the same thing to end; nothing is done yet.".to_owned(),
        Status::Running => {
            let busy = names(&|step| {
                [ItemState::Doing, ItemState::Asked, ItemState::Checking].iter().any(|&state| any(state)(step))
            });
            let done = if done.is_empty() { "nothing is done yet".to_owned() } else { format!("{} done", are(&done)) };
            let busy = if busy.is_empty() { String::new() } else { format!(", {} under way", are(&busy)) };
            format!("{done}{busy}, {}.", left(&rest, "do"))
        }
        Status::Completed => format!("{} done; nothing is left to undo or redo.", are(&done)),
        Status::Undoing => {
            let again = match &run.goal {
                super::Goal::Redo(steps) => {
                    let ids: Vec<&str> = steps.iter().map(|&at| flow.steps[at].id).collect();
                    format!(", then {} done again", are(&ids))
                }
                _ => String::new(),
            };
            format!("{why}{}{again}.", left(&to_undo, "undo"))
        }
        Status::Undone if undone.is_empty() => format!("{why}nothing had to be undone."),
        Status::Undone => format!("{why}{} undone; nothing is left to undo.", are(&undone)),
        Status::UndoStuck => {
            let next = left(&to_undo, "undo after that");
            format!("{why}the undo of {} is stuck and needs a person; {next}.", stuck.join(" and "))
        }
        Status::Parked => {
            format!("{why}a person must retry, mark as done or skip; {} if it is given up.", left(&to_undo, "undo"))
        }
        Status::Killed => match left_behind(flow, run).as_slice() {
            [] => format!("{why}nothing is left behind."),
            rest => format!("{why}left behind: {}.", rest.join(", ")),
        },
    }
}

fn are(ids: &[&str]) -> String {
    match ids {
        [] => "nothing is".to_owned(),
        [one] => format!("{one} is"),
        [rest @ .., last] => format!("{} and {last} are", rest.join(", ")),
    }
}

/// The flow for a terminal, one line a step with its state; branches are indented.
pub fn draw(flow: &Flow, run: &Run) -> String {
    let mut out = format!("{} {} · {}\n", run.flow, run.id, run.status.as_str());
    draw_nodes(&mut out, flow, run, &flow.root, 1);
    out
}

fn draw_nodes(out: &mut String, flow: &Flow, run: &Run, nodes: &[Node], depth: usize) {
    for node in nodes {
        match node {
            Node::Step(at) => draw_step(out, flow, run, *at, depth),
            Node::Block(block) => draw_block(out, flow, run, block, depth),
        }
    }
}

fn draw_block(out: &mut String, flow: &Flow, run: &Run, block: &Block, depth: usize) {
    if let Branching::Parallel { .. } = block.branching {
        writeln!(out, "{}═ {}", "  ".repeat(depth), block.id).expect("a string takes every write");
    }
    for (at, (label, nodes)) in block.branches.iter().enumerate() {
        let given_up = run.given_up.get(block.at).and_then(|branches| branches.get(at)?.as_ref());
        let why = given_up.map_or_else(String::new, |reason| format!(" given up: {}", reason.message));
        writeln!(out, "{}├ {label}{why}", "  ".repeat(depth)).expect("a string takes every write");
        draw_nodes(out, flow, run, nodes, depth + 1);
    }
}

fn draw_step(out: &mut String, flow: &Flow, run: &Run, at: usize, depth: usize) {
    let (row, step) = (&flow.steps[at], &run.steps[at]);
    let pivot = if row.is_pivot { " ◆" } else { "" };
    let again = if step.iteration > 0 { format!(" iteration {}", step.iteration + 1) } else { String::new() };
    let states: Vec<String> = step
        .items
        .iter()
        .map(|item| {
            let attempt = if item.attempt > 1 { format!(" attempt {}", item.attempt) } else { String::new() };
            match item.state {
                ItemState::Doing if item.is_scheduled && item.attempt > 1 => format!("◷ waiting for{attempt}"),
                state => format!("{} {}{attempt}", glyph(state), word(state)),
            }
        })
        .collect();
    let state = match states.as_slice() {
        [] => "· waiting".to_owned(),
        [one] => one.clone(),
        many => summary(many),
    };
    let failure = step.items.iter().find_map(|item| {
        // What kept it from being done says nothing of what keeps it from being undone.
        let is_shown =
            !matches!(item.state, ItemState::Done | ItemState::Undoing | ItemState::Stuck | ItemState::Undone);
        item.failure.as_ref().filter(|_| is_shown).map(|failure| format!(" — {}: {}", failure.code, failure.message))
    });
    let failure = failure.unwrap_or_default();
    writeln!(out, "{}{} {state}{again}{pivot}{failure}", "  ".repeat(depth), row.id)
        .expect("a string takes every write");
}

fn summary(states: &[String]) -> String {
    let mut counted: Vec<(&String, usize)> = Vec::new();
    for state in states {
        match counted.iter_mut().find(|(other, _)| *other == state) {
            Some((_, count)) => *count += 1,
            None => counted.push((state, 1)),
        }
    }
    counted.iter().map(|(state, count)| format!("{state} ×{count}")).collect::<Vec<_>>().join(", ")
}

fn glyph(state: ItemState) -> char {
    match state {
        ItemState::Waiting => '·',
        ItemState::Doing | ItemState::Checking => '▸',
        ItemState::Asked => '◷',
        ItemState::Done => '✓',
        ItemState::Expired | ItemState::Skipped => '○',
        ItemState::Failed => '✗',
        ItemState::Unknown => '?',
        ItemState::Parked | ItemState::Stuck | ItemState::Conflict => '!',
        ItemState::Undoing => '◂',
        ItemState::Undone => '↩',
    }
}

fn word(state: ItemState) -> &'static str {
    match state {
        ItemState::Waiting => "waiting",
        ItemState::Doing => "being done",
        ItemState::Asked => "waiting for an answer",
        ItemState::Checking => "being looked into",
        ItemState::Done => "done",
        ItemState::Expired => "expired",
        ItemState::Skipped => "skipped",
        ItemState::Failed => "failed",
        ItemState::Unknown => "unknown",
        ItemState::Parked => "parked",
        ItemState::Undoing => "being undone",
        ItemState::Undone => "undone",
        ItemState::Stuck => "undo stuck",
        ItemState::Conflict => "done after its undo",
    }
}
