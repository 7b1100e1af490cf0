//! The physical plan: which nodes share a thread, and where rows change threads.

use std::collections::BTreeMap;
use std::sync::Arc;

use volley_api::{Boundedness, NodeName, Sink};

use super::check::{CheckedNode, CheckedPlan, Edge, EdgePort};
use super::logical::NodeKind;

/// Sources and operators that run on one thread per subtask and call each other directly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// How many threads run it.
    pub parallelism: u32,
    pub(crate) nodes: Vec<usize>,
}

/// How rows cross from the subtasks of one chain to those of another, or to the writers of a sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExchangeKind {
    /// Subtask i feeds subtask i modulo the reader's parallelism: order within a subtask is kept.
    Forward,
    /// Batches are dealt out in turn.
    Rebalance,
    /// Each row goes to the subtask that its key belongs to.
    Key,
}

/// A checked plan cut into chains.
#[derive(Debug, Clone)]
pub struct PhysicalPlan {
    pub(crate) checked: CheckedPlan,
    pub(crate) chains: Vec<Chain>,
    /// The chain of each node; `None` for sinks, which have tasks of their own.
    pub(crate) chain_of: Vec<Option<usize>>,
}

impl CheckedPlan {
    /// Cuts the plan into chains: nodes of one parallelism with no exchange between them share a thread.
    #[must_use]
    pub fn chain(self) -> PhysicalPlan {
        let stages = self.stages();
        let mut chains: Vec<Chain> = Vec::new();
        let mut keys: Vec<(usize, usize)> = Vec::new();
        let mut chain_of = vec![None; self.nodes.len()];
        let components = self.components(&stages);
        for (index, node) in self.nodes.iter().enumerate() {
            if matches!(node.kind, NodeKind::Sink(_)) {
                continue;
            }
            let key = (stages[index], components[index]);
            let chain = keys.iter().position(|known| *known == key).unwrap_or_else(|| {
                keys.push(key);
                chains.push(Chain { parallelism: node.parallelism, nodes: Vec::new() });
                chains.len() - 1
            });
            chains[chain].nodes.push(index);
            chain_of[index] = Some(chain);
        }
        PhysicalPlan { checked: self, chains, chain_of }
    }

    /// How many exchanges lie before each node. Chained nodes have one stage in common, so rows only ever go from a
    /// chain to one of a higher stage, and bounded channels cannot wait for each other in a circle.
    fn stages(&self) -> Vec<usize> {
        let mut stages = vec![0; self.nodes.len()];
        for index in 0..self.nodes.len() {
            stages[index] = self
                .edges_into(index)
                .map(|edge| stages[edge.from] + usize::from(self.is_exchanged(edge)))
                .max()
                .unwrap_or(0);
        }
        stages
    }

    /// Numbers the connected groups of nodes that may share a thread; each node has the least index of its group.
    fn components(&self, stages: &[usize]) -> Vec<usize> {
        let mut group: Vec<usize> = (0..self.nodes.len()).collect();
        let chained = |edge: &&Edge| {
            !self.is_exchanged(edge)
                && stages[edge.from] == stages[edge.to]
                && !matches!(self.nodes[edge.to].kind, NodeKind::Sink(_))
        };
        for edge in self.edges.iter().filter(chained) {
            let (keep, change) = (group[edge.from].min(group[edge.to]), group[edge.from].max(group[edge.to]));
            group.iter_mut().filter(|number| **number == change).for_each(|number| *number = keep);
        }
        group
    }

    /// Whether the rows of an edge may have to change subtasks.
    fn is_exchanged(&self, edge: &Edge) -> bool {
        let (from, to) = (&self.nodes[edge.from], &self.nodes[edge.to]);
        from.parallelism != to.parallelism || to.parallelism > 1 && to.keys().is_some()
    }

    fn edges_into(&self, node: usize) -> impl Iterator<Item = &Edge> {
        self.edges.iter().filter(move |edge| edge.to == node)
    }
}

impl PhysicalPlan {
    /// The chains, in stream order of their first nodes.
    #[must_use]
    pub fn chains(&self) -> &[Chain] {
        &self.chains
    }

    /// The sinks by name.
    #[must_use]
    pub fn sinks(&self) -> BTreeMap<NodeName, Arc<dyn Sink>> {
        let sink = |node: &CheckedNode| match &node.kind {
            NodeKind::Sink(sink) => Some((node.name.clone(), Arc::clone(sink))),
            NodeKind::Source(_) | NodeKind::Operator(_) => None,
        };
        self.checked.nodes.iter().filter_map(sink).collect()
    }

    /// Whether any of its sources ends by itself.
    pub(crate) fn has_bounded_source(&self) -> bool {
        let is_bounded = |node: &CheckedNode| match &node.kind {
            NodeKind::Source(source) => source.boundedness() == Boundedness::Bounded,
            NodeKind::Operator(_) | NodeKind::Sink(_) => false,
        };
        self.checked.nodes.iter().any(is_bounded)
    }

    /// Whether an edge stays within its chain.
    pub(crate) fn is_local(&self, edge: &Edge) -> bool {
        self.chain_of[edge.to].is_some() && self.chain_of[edge.from] == self.chain_of[edge.to]
    }

    /// How rows cross an edge that is not local.
    pub(crate) fn exchange(&self, edge: &Edge) -> ExchangeKind {
        let (from, to) = (&self.checked.nodes[edge.from], &self.checked.nodes[edge.to]);
        if to.parallelism > 1 && to.keys().is_some() {
            return ExchangeKind::Key;
        }
        let funnel = matches!(to.kind, NodeKind::Sink(_)) && from.parallelism >= to.parallelism;
        if funnel || from.parallelism == to.parallelism { ExchangeKind::Forward } else { ExchangeKind::Rebalance }
    }

    /// Whether somebody reads the refused rows of a node.
    pub(crate) fn errors_attached(&self, node: usize) -> bool {
        self.checked.edges.iter().any(|edge| edge.from == node && edge.port == EdgePort::Errors)
    }

    /// Whether a node below `source` can refuse rows, so that rows must carry where they came from.
    pub(crate) fn needs_origins(&self, source: usize) -> bool {
        let mut reached = vec![false; self.checked.nodes.len()];
        reached[source] = true;
        // Edges stand in stream order of their readers, so one pass reaches everything.
        for edge in &self.checked.edges {
            reached[edge.to] |= reached[edge.from] && edge.port != EdgePort::Errors;
        }
        let operators = self.checked.nodes.iter().zip(reached);
        operators.skip(source + 1).any(|(node, reached)| reached && node.can_reject)
    }
}
