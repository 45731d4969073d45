//! Everything that can be wrong with the table of a flow, found at start, with the place named.

use super::tree::{Branching, Node};
use super::{Flow, Join, StepRow, Undo};

impl Flow {
    /// Everything wrong with the table, with the place named.
    pub fn mistakes(&self) -> Vec<String> {
        let mut mistakes = self.mistakes.clone();
        if self.steps.is_empty() {
            mistakes.push(format!("flow {}: it has no step", self.name));
        }
        if let Some(block) = self.is_unended() {
            mistakes.push(format!("flow {} {block}: its branches have no `.end()`", self.name));
        }
        for at in 0..self.steps.len() {
            let place = format!("flow {} step {}", self.name, self.steps[at].id);
            mistakes.extend(self.step_mistakes(at).into_iter().map(|mistake| format!("{place}: {mistake}")));
        }
        self.each_block(&mut |block| {
            let place = format!("flow {} {}", self.name, block.id);
            let wanted = if block.is_parallel() { 2 } else { 1 };
            if block.branches.len() < wanted {
                mistakes.push(format!("{place}: it has no branch to go on with; begin one with `.branch(…)`"));
            }
            if let Branching::Parallel { join, .. } = block.branching
                && join.least(block.branches.len()) > block.branches.len()
            {
                mistakes.push(format!("{place}: it joins more branches than it has"));
            }
            for (at, (label, nodes)) in block.branches.iter().enumerate() {
                if block.branches[..at].iter().any(|(other, _)| other == label) {
                    mistakes.push(format!("{place} branch {label}: unreachable, this label stands twice; rename one"));
                }
                if nodes.is_empty() && block.is_parallel() {
                    mistakes.push(format!("{place} branch {label}: it leads nowhere; give it a step"));
                }
            }
        });
        if self.steps.iter().filter(|step| step.is_pivot).count() > 1 {
            mistakes.push(format!("flow {}: it has two pivots; the second is past the first", self.name));
        }
        for (hash, renamed) in &self.formers {
            for (_, to) in renamed.iter().filter(|(_, to)| self.position(to).is_none()) {
                mistakes.push(format!("flow {} migration {hash}: there is no step {to}", self.name));
            }
        }
        mistakes
    }

    fn step_mistakes(&self, at: usize) -> Vec<String> {
        let step = &self.steps[at];
        let mut mistakes = Vec::new();
        let mut say = |is_wrong: bool, mistake: &str| {
            if is_wrong {
                mistakes.push(mistake.to_owned());
            }
        };
        say(matches!(step.undo, Undo::Unsaid), "say how it is undone, `.undo(function)` or `.no_undo(\"reason\")`");
        say(matches!(step.undo, Undo::Never("")), "say why it needs no undo");
        say(self.steps[..at].iter().any(|other| other.id == step.id), "this id stands twice; rename one");
        let is_before = |over| self.steps[..at].iter().any(|other| other.id == over);
        say(step.over.is_some_and(|over| !is_before(over)), "it maps over a step that does not come before it");
        say(step.over.is_none() && step.join != Join::All, "only a map or parallel branches are joined");
        say(retries(step).any(|attempts| attempts == 0), "give it at least one attempt");
        say(step.expires_ms.is_some() && !step.kind.waits(), "only a wait expires");
        say(
            step.is_pivot && !self.root.iter().any(|node| matches!(node, Node::Step(root) if *root == at)),
            "a pivot stands in no branch: the branches beside it could not be undone",
        );
        say(step.is_pivot && step.over.is_some(), "a pivot is one item, not a map");
        say(step.is_records_only && step.verify.is_some(), "records are never unknown; leave out `.verify(…)`");
        mistakes
    }
}

fn retries(step: &StepRow) -> impl Iterator<Item = u32> {
    std::iter::once(step.retry.attempts).chain(step.classes.iter().map(|(_, retry)| retry.attempts))
}
