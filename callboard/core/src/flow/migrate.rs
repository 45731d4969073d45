//! Moving a run to another definition, by the map of step names that the new one declares.

use super::{Flow, Goal, ItemState, Run, StepRun};

/// Whether a map leads from the definition that a run is at to this one, and nothing that the run did would be lost.
pub(super) fn is_possible(flow: &Flow, run: &Run) -> bool {
    let is_untouched = |step: &StepRun| step.items.iter().all(|item| item.state == ItemState::Waiting);
    let is_kept = |step: &StepRun| is_untouched(step) || present(flow, run, &step.id).is_some();
    // Branches that were given up cannot be told apart any more, and the steps of a redo are counted as they were.
    let is_simple = run.given_up.iter().flatten().all(Option::is_none) && !matches!(run.goal, Goal::Redo(_));
    flow.formers.iter().any(|(hash, _)| *hash == run.hash) && is_simple && run.steps.iter().all(is_kept)
}

fn present(flow: &Flow, run: &Run, id: &str) -> Option<usize> {
    let (_, renamed) = flow.formers.iter().find(|(hash, _)| *hash == run.hash)?;
    flow.position(renamed.iter().find(|(from, _)| *from == id).map_or(id, |(_, to)| to))
}

/// Moves a run to this definition.
pub(super) fn migrate(flow: &Flow, run: &mut Run) {
    let mut steps: Vec<StepRun> =
        flow.steps.iter().map(|row| StepRun { id: row.id.to_owned(), ..StepRun::default() }).collect();
    for step in &run.steps {
        if let Some(at) = present(flow, run, &step.id) {
            steps[at] = StepRun { id: flow.steps[at].id.to_owned(), ..step.clone() };
        }
    }
    run.steps = steps;
    run.given_up = flow.no_branch_given_up();
    run.hash = flow.hash().to_owned();
}
