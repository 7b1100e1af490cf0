//! How the tasks of a job are joined: which node leads to which, through which channel, and how many feed each end.

use std::sync::Arc;

use volley_api::OperatorIdentity;

use super::build::{Builder, Channel};
use crate::channel::Sender;
use crate::plan::{Edge, EdgePort, ExchangeKind, NodeKind};
use crate::task::outlet::{Outlet, Receivers};
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
    ) -> Wiring {
        let checked = &self.plan.checked.nodes[node];
        let mut wiring = Wiring {
            node: checked.name.clone(),
            identity,
            origins: self.origins.clone(),
            metrics: Arc::clone(&self.metrics[node]),
            ports: checked.ports.iter().map(|_| Vec::new()).collect(),
            errors: Vec::new(),
        };
        for (index, edge) in self.plan.checked.edges.iter().enumerate().filter(|(_, edge)| edge.from == node) {
            let to = if self.plan.is_local(edge) {
                let slot = self.plan.chains[chain].nodes.iter().position(|&other| other == edge.to);
                Place::Slot(slot.expect("a local edge stays in its chain"))
            } else {
                outlets.push(Outlet::new(self.runtime.clone(), self.receivers(index, edge, subtask)));
                Place::Outlet(outlets.len() - 1)
            };
            let target = Target { to, align: edge.align.clone() };
            match edge.port {
                EdgePort::Declared(port) => wiring.ports[port].push(target),
                EdgePort::Errors => wiring.errors.push(target),
            }
        }
        wiring
    }

    /// How many subtasks feed a writer of a sink.
    pub(super) fn producers_of_writer(&self, sink: usize, writer: u32) -> usize {
        let writers = self.plan.checked.nodes[sink].parallelism;
        let edges = self.plan.checked.edges.iter().filter(|edge| edge.to == sink);
        edges
            .map(|edge| {
                let subtasks = self.plan.checked.nodes[edge.from].parallelism;
                match self.plan.exchange(edge) {
                    ExchangeKind::Forward => (0..subtasks).filter(|subtask| subtask % writers == writer).count(),
                    ExchangeKind::Rebalance => subtasks as usize,
                }
            })
            .sum()
    }

    /// The channels that an edge feeds from one subtask.
    fn receivers(&self, index: usize, edge: &Edge, subtask: u32) -> Receivers {
        let kind = self.plan.exchange(edge);
        match self.plan.chain_of[edge.to] {
            None => Receivers::Sink(pick(&self.writer_channels[edge.to], kind, subtask)),
            Some(chain) => {
                let inlet = self.inlets(chain).iter().position(|inlet| *inlet == InletFrom::Edge(index, edge.to));
                Receivers::Chain {
                    inlet: inlet.expect("the edge is an inlet of its chain"),
                    subtasks: pick(&self.chain_channels[chain], kind, subtask),
                }
            }
        }
    }

    /// The ways into a chain, in the order by which messages number them.
    pub(super) fn inlets(&self, chain: usize) -> Vec<InletFrom> {
        let nodes = &self.plan.chains[chain].nodes;
        let sources = nodes.iter().filter(|&&node| matches!(self.plan.checked.nodes[node].kind, NodeKind::Source(_)));
        let edges = self.plan.checked.edges.iter().enumerate();
        let edges = edges.filter(|(_, edge)| self.plan.chain_of[edge.to] == Some(chain) && !self.plan.is_local(edge));
        sources
            .map(|&node| InletFrom::Source(node))
            .chain(edges.map(|(index, edge)| InletFrom::Edge(index, edge.to)))
            .collect()
    }

    /// How many producers an inlet of a subtask has.
    pub(super) fn producers_of_inlet(&self, inlet: &InletFrom, subtask: u32) -> usize {
        match *inlet {
            InletFrom::Source(node) => {
                let deal = self.deal(node);
                (0..deal.readers().len()).filter(|reader| deal.feeds(*reader, subtask)).count()
            }
            InletFrom::Edge(edge, _) => {
                let edge = &self.plan.checked.edges[edge];
                match self.plan.exchange(edge) {
                    ExchangeKind::Forward => 1,
                    ExchangeKind::Rebalance => self.plan.checked.nodes[edge.from].parallelism as usize,
                }
            }
        }
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

fn pick<T>(channels: &[Channel<T>], kind: ExchangeKind, subtask: u32) -> Vec<Sender<T>> {
    match kind {
        ExchangeKind::Forward => vec![channels[subtask as usize % channels.len()].sender.clone()],
        ExchangeKind::Rebalance => channels.iter().map(|channel| channel.sender.clone()).collect(),
    }
}
