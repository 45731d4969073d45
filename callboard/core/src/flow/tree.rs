//! How the steps of a flow hang together: sequences of steps and of blocks with branches.

use super::{Flow, Join};

/// A step or a block in a sequence.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// A step by its position.
    Step(usize),
    /// A block.
    Block(Block),
}

/// Branches, and when which of them is done.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) id: &'static str,
    /// Position among the blocks of the flow.
    pub(super) at: usize,
    pub(super) branching: Branching,
    pub(super) branches: Vec<(&'static str, Vec<Node>)>,
}

/// When a branch is done.
#[derive(Clone, Copy, Debug)]
pub(super) enum Branching {
    /// All, side by side.
    Parallel { join: Join, concurrency: usize },
    /// The one whose label this step gave.
    Choice(usize),
    /// The only one, where nobody answered this step in time.
    Expired(usize),
}

impl Block {
    pub(super) fn is_parallel(&self) -> bool {
        matches!(self.branching, Branching::Parallel { .. })
    }
}

impl Flow {
    /// Whether a wait has a branch of its own for nobody answering.
    pub(super) fn handles_expiry(&self, step: usize) -> bool {
        let mut found = false;
        self.each_block(&mut |block| found |= matches!(block.branching, Branching::Expired(at) if at == step));
        found
    }

    /// The labels a choice may give.
    pub(super) fn labels(&self, step: usize) -> Vec<&'static str> {
        let mut labels = Vec::new();
        self.each_block(&mut |block| {
            if matches!(block.branching, Branching::Choice(at) if at == step) {
                labels.extend(block.branches.iter().map(|(label, _)| *label));
            }
        });
        labels
    }

    pub(super) fn each_block(&self, see: &mut dyn FnMut(&Block)) {
        fn walk(nodes: &[Node], see: &mut dyn FnMut(&Block)) {
            for node in nodes {
                if let Node::Block(block) = node {
                    see(block);
                    block.branches.iter().for_each(|(_, nodes)| walk(nodes, see));
                }
            }
        }
        walk(&self.root, see);
    }

    /// A step and everything that comes after it, without what stands in branches beside it.
    pub(super) fn from(&self, step: usize) -> Vec<usize> {
        let mut found = Vec::new();
        from(&self.root, step, &mut found);
        found.sort_unstable();
        found
    }
}

fn from(nodes: &[Node], step: usize, found: &mut Vec<usize>) -> bool {
    let mut is_after = false;
    for node in nodes {
        if is_after {
            all(node, found);
            continue;
        }
        match node {
            Node::Step(at) if *at == step => {
                found.push(*at);
                is_after = true;
            }
            Node::Step(_) => {}
            Node::Block(block) => is_after = block.branches.iter().any(|(_, nodes)| from(nodes, step, found)),
        }
    }
    is_after
}

fn all(node: &Node, found: &mut Vec<usize>) {
    match node {
        Node::Step(at) => found.push(*at),
        Node::Block(block) => block.branches.iter().flat_map(|(_, nodes)| nodes).for_each(|node| all(node, found)),
    }
}
