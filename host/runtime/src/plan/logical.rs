//! The logical plan: named nodes and what each reads from, before anything is checked.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use volley_api::{NodeName, OperatorFactory, PortName, Result, Sink, Source};

use super::CheckedPlan;
use crate::Error;
use crate::time::EventTime;

/// The most instances of one node. Each is a thread; a machine with more cores than this has other limits first.
pub const PARALLELISM_MAX: u32 = 1024;

/// An output of a node, as the input of another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PortRef {
    /// The node that is read from.
    pub node: NodeName,
    /// Which of its outputs.
    pub port: PortName,
}

impl PortRef {
    /// The main output of a node.
    #[must_use]
    pub fn main(node: NodeName) -> Self {
        Self { node, port: PortName::main() }
    }
}

impl fmt::Display for PortRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.port == PortName::main() { self.node.fmt(f) } else { write!(f, "{}.{}", self.node, self.port) }
    }
}

#[derive(Debug, Clone)]
pub(crate) enum NodeKind {
    Source(Arc<dyn Source>),
    Operator(Arc<dyn OperatorFactory>),
    Sink(Arc<dyn Sink>),
}

#[derive(Debug, Clone)]
pub(crate) struct LogicalNode {
    pub(crate) name: NodeName,
    pub(crate) kind: NodeKind,
    pub(crate) inputs: Vec<PortRef>,
    pub(crate) parallelism: u32,
    /// Where the node was written, for errors.
    pub(crate) place: Option<String>,
    /// The event time of a source's rows.
    pub(crate) event_time: Option<EventTime>,
}

/// What a pipeline is: sources, operators and sinks by name, and what each reads. The YAML file and the Rust API both
/// build this.
///
/// Nodes may be added in any order. Several inputs of a node are united: columns are matched by name, and the types
/// must be equal.
#[derive(Debug, Clone)]
pub struct LogicalPlan {
    pub(crate) name: String,
    pub(crate) nodes: Vec<LogicalNode>,
    parallelism: NonZeroU32,
}

impl LogicalPlan {
    /// An empty plan. `parallelism` is that of every node that does not set its own.
    #[must_use]
    pub fn new(name: impl Into<String>, parallelism: NonZeroU32) -> Self {
        Self { name: name.into(), nodes: Vec::new(), parallelism }
    }

    /// Adds a source.
    ///
    /// # Errors
    /// When the name is taken or the parallelism is above [`PARALLELISM_MAX`].
    pub fn add_source(
        &mut self,
        name: NodeName,
        source: Arc<dyn Source>,
        parallelism: Option<NonZeroU32>,
    ) -> Result<()> {
        self.add(name, NodeKind::Source(source), Vec::new(), parallelism)
    }

    /// Adds an operator that reads from `inputs`.
    ///
    /// # Errors
    /// As [`LogicalPlan::add_source`].
    pub fn add_operator(
        &mut self,
        name: NodeName,
        inputs: Vec<PortRef>,
        factory: Arc<dyn OperatorFactory>,
        parallelism: Option<NonZeroU32>,
    ) -> Result<()> {
        self.add(name, NodeKind::Operator(factory), inputs, parallelism)
    }

    /// Adds a sink that reads from `inputs`. It gets as many writers as the parallelism says and the sink allows.
    ///
    /// # Errors
    /// As [`LogicalPlan::add_source`].
    pub fn add_sink(
        &mut self,
        name: NodeName,
        inputs: Vec<PortRef>,
        sink: Arc<dyn Sink>,
        parallelism: Option<NonZeroU32>,
    ) -> Result<()> {
        self.add(name, NodeKind::Sink(sink), inputs, parallelism)
    }

    /// Says where a node was written, `pipeline.yaml:12:5`, so that errors about it can say so too. Nothing happens
    /// when there is no such node.
    pub fn set_place(&mut self, name: &NodeName, place: impl Into<String>) {
        if let Some(node) = self.nodes.iter_mut().find(|node| node.name == *name) {
            node.place = Some(place.into());
        }
    }

    /// Gives the rows of a source event time. Nothing happens when there is no such node.
    pub fn set_event_time(&mut self, source: &NodeName, event_time: EventTime) {
        if let Some(node) = self.nodes.iter_mut().find(|node| node.name == *source) {
            node.event_time = Some(event_time);
        }
    }

    /// Checks the whole plan: names, ports and types, plugins included. Moves no row.
    ///
    /// # Errors
    /// The first thing that cannot run.
    pub fn check(self) -> Result<CheckedPlan> {
        CheckedPlan::new(self)
    }

    fn add(
        &mut self,
        name: NodeName,
        kind: NodeKind,
        inputs: Vec<PortRef>,
        parallelism: Option<NonZeroU32>,
    ) -> Result<()> {
        if self.nodes.iter().any(|node| node.name == name) {
            return Err(Error::DuplicateNode(name).into());
        }
        let mut parallelism = parallelism.unwrap_or(self.parallelism).get();
        if parallelism > PARALLELISM_MAX {
            return Err(Error::Parallelism { node: name, parallelism, limit: PARALLELISM_MAX }.into());
        }
        if let NodeKind::Sink(sink) = &kind {
            parallelism = parallelism.min(sink.parallelism_max().unwrap_or(u32::MAX)).max(1);
        }
        self.nodes.push(LogicalNode { name, kind, inputs, parallelism, place: None, event_time: None });
        Ok(())
    }
}
