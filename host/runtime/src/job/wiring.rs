//! How the tasks of a job are joined: which node leads to which, through which channel, and how many feed each end.

use std::sync::Arc;

use volley_api::{OperatorIdentity, Result, SubtaskId};

use super::build::Builder;
use crate::partition::Partitioner;
use crate::plan::{Edge, EdgePort, ExchangeKind, NodeKind};
use crate::task::combining::Combining;
use crate::task::outlet::{Outlet, Receivers, Routing};
use crate::task::slot::{Place, Target, Wiring};

impl Builder {
    /// What surrounds a node in one subtask; edges that leave the chain become outlets.
    pub(super) fn wiring(
        &self,
        chain: usize,
        node: usize,
        subtask: u32,
        identity: OperatorIdentity,
        outlets: &mut Vec<Outlet>,
    ) -> Result<Wiring> {
        let checked = &self.plan.checked.nodes[node];
        let mut wiring = Wiring {
            node: checked.name.clone(),
            subtask: SubtaskId { index: subtask, parallelism: checked.parallelism },
            identity,
            origins: self.origins.clone(),
            metrics: Arc::clone(&self.metrics[node]),
            ports: checked.ports.iter().map(|_| Vec::new()).collect(),
            errors: Vec::new(),
        };
        for (index, edge) in self.plan.checked.edges.iter().enumerate().filter(|(_, edge)| edge.from == node) {
            let to = if self.plan.is_local(edge) {
                let slot = self.plan.chains[chain].nodes.iter().position(|&other| other == edge.to);
                let input = self.local_edges_into(edge.to).position(|other| other == index);
                Place::Slot {
                    index: slot.expect("a local edge stays in its chain"),
                    input: input.expect("a local edge is one of those into its node"),
                }
            } else {
                outlets.push(self.outlet(index, edge, subtask)?);
                Place::Outlet(outlets.len() - 1)
            };
            let target = Target { to, align: edge.align.clone() };
            match edge.port {
                EdgePort::Declared(port) => wiring.ports[port].push(target),
                EdgePort::Errors => wiring.errors.push(target),
            }
        }
        Ok(wiring)
    }

    /// The edges from nodes of the same chain into a node, in the order by which they are its inputs.
    pub(super) fn local_edges_into(&self, node: usize) -> impl Iterator<Item = usize> {
        let edges = self.plan.checked.edges.iter().enumerate();
        edges.filter(move |(_, edge)| edge.to == node && self.plan.is_local(edge)).map(|(index, _)| index)
    }

    /// The outlet of an edge in one subtask, with a lane of its own in the channel of each receiver.
    fn outlet(&self, index: usize, edge: &Edge, subtask: u32) -> Result<Outlet> {
        let kind = self.plan.exchange(edge);
        let receivers = match self.plan.chain_of[edge.to] {
            None => {
                let writers = &self.writer_channels[edge.to];
                Receivers::Sink(picked(writers, kind, subtask).map(|writer| writer.lane()).collect())
            }
            Some(chain) => {
                let inlet = InletFrom::Edge(index, edge.to);
                let subtasks = picked(&self.chain_channels[chain], kind, subtask);
                Receivers::Chain(subtasks.map(|channel| channel.lane(inlet)).collect())
            }
        };
        let to = &self.plan.checked.nodes[edge.to];
        match (kind, to.keys(), &to.input) {
            (ExchangeKind::Key, Some(keys), Some(input)) => {
                let routing = Routing::Key(Box::new(Partitioner::new(&input.schema, keys, to.parallelism)?));
                Ok(Outlet::new(receivers, routing, self.combining(edge.to, keys)?))
            }
            // The first record of each subtask goes to another receiver, so that all get some of few.
            _ => Ok(Outlet::new(receivers, Routing::Turn(subtask as usize), None)),
        }
    }

    /// What takes rows before they are dealt out to a node.
    fn combining(&self, node: usize, keys: &[String]) -> Result<Option<Combining>> {
        let to = &self.plan.checked.nodes[node];
        let NodeKind::Operator(factory) = &to.kind else { return Ok(None) };
        if !self.options.combine {
            return Ok(None);
        }
        let combiner = factory.combiner(&self.context(node, 0)).map_err(|error| error.within(&to.name))?;
        combiner.map(|combiner| Combining::new(combiner, keys, to.parallelism)).transpose()
    }
}

/// A way into a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InletFrom {
    /// This node, which is a source.
    Source(usize),
    /// This edge, to this node.
    Edge(usize, usize),
}

impl InletFrom {
    pub(super) fn node(self) -> usize {
        match self {
            Self::Source(node) | Self::Edge(_, node) => node,
        }
    }
}

/// Those of the receivers that a subtask feeds.
fn picked<T>(receivers: &[T], kind: ExchangeKind, subtask: u32) -> impl Iterator<Item = &T> {
    let only = (kind == ExchangeKind::Forward).then(|| subtask as usize % receivers.len());
    receivers.iter().enumerate().filter(move |(index, _)| only.is_none_or(|only| only == *index)).map(|(_, to)| to)
}
