//! The checked plan: nodes in stream order, with the schema of every edge.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use volley_api::{
    Boundedness, KEY_GROUPS, NodeName, OperatorBinding, OutputPort, PortName, Result, StateView, StreamRecord,
    StreamType, dead_letter,
};

use super::logical::{LogicalNode, LogicalPlan, NodeKind, PortRef};
use super::times::{self, Input};
use crate::Error;
use crate::time::EventTime;

/// Which output of its node an edge leaves by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EdgePort {
    /// Index among the declared ports.
    Declared(usize),
    /// The host's own port for refused rows.
    Errors,
}

/// One edge. Nodes are numbered in stream order.
#[derive(Debug, Clone)]
pub(crate) struct Edge {
    pub(crate) from: usize,
    pub(crate) port: EdgePort,
    pub(crate) to: usize,
    /// What makes the rows of this edge fit the reader's input, where they do not as they are.
    pub(crate) align: Option<Arc<Align>>,
}

/// Puts the columns of one input of a union into the order of the first.
#[derive(Debug)]
pub(crate) struct Align {
    schema: SchemaRef,
    columns: Vec<usize>,
}

impl Align {
    pub(crate) fn apply(&self, record: StreamRecord) -> Result<StreamRecord, ArrowError> {
        let columns = self.columns.iter().map(|&index| Arc::clone(record.batch.column(index))).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(record.batch.num_rows()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        Ok(record.with_columns_of(batch))
    }
}

#[derive(Debug, Clone)]
pub(crate) struct CheckedNode {
    pub(crate) name: NodeName,
    pub(crate) kind: NodeKind,
    pub(crate) parallelism: u32,
    /// What the united inputs are; `None` for a source.
    pub(crate) input: Option<StreamType>,
    /// The event time of a source's rows.
    pub(crate) event_time: Option<EventTime>,
    /// The declared outputs, main first; none for a sink.
    pub(crate) ports: Vec<OutputPort>,
    /// What leaves by each of them.
    pub(crate) outputs: Vec<StreamType>,
    /// Whether there is a port `errors` besides.
    pub(crate) can_reject: bool,
}

/// A plan in which every name is known and every type fits.
#[derive(Debug, Clone)]
pub struct CheckedPlan {
    pub(crate) name: String,
    /// In stream order: each node stands behind all that it reads from.
    pub(crate) nodes: Vec<CheckedNode>,
    pub(crate) edges: Vec<Edge>,
}

impl CheckedPlan {
    pub(crate) fn new(plan: LogicalPlan) -> Result<Self> {
        let order = stream_order(&plan.nodes)?;
        let mut slots: Vec<Option<LogicalNode>> = plan.nodes.into_iter().map(Some).collect();
        let mut checked = Self { name: plan.name, nodes: Vec::new(), edges: Vec::new() };
        for index in order {
            let node = slots[index].take().expect("each node stands in the order once");
            checked.push(node)?;
        }
        Ok(checked)
    }

    /// The declared outputs that nobody reads, main ones included: their rows would be dropped in silence.
    #[must_use]
    pub fn unread_outputs(&self) -> Vec<PortRef> {
        let mut unread = Vec::new();
        for (from, node) in self.nodes.iter().enumerate() {
            for (index, port) in node.ports.iter().enumerate() {
                let read = |edge: &Edge| edge.from == from && edge.port == EdgePort::Declared(index);
                if !self.edges.iter().any(read) {
                    unread.push(PortRef { node: node.name.clone(), port: port.name.clone() });
                }
            }
        }
        unread
    }

    /// The schema of an output, if there is such a node with such a port.
    #[must_use]
    pub fn schema_of(&self, port: &PortRef) -> Option<SchemaRef> {
        let node = self.nodes.iter().find(|node| node.name == port.node)?;
        node.port(&port.port).map(|(_, schema)| schema)
    }

    /// The keyed states of an operator, for whoever looks at a checkpoint: none where it keeps none, or there is no such
    /// operator.
    ///
    /// # Errors
    /// Those of the operator, which has been bound to its input already.
    pub fn state_views(&self, operator: &str) -> Result<Vec<StateView>> {
        let node = self.nodes.iter().find(|node| node.name.as_str() == operator);
        match node.map(|node| (&node.kind, &node.input)) {
            Some((NodeKind::Operator(factory), Some(input))) => {
                factory.state_views(input).map_err(|error| error.within(operator))
            }
            _ => Ok(Vec::new()),
        }
    }

    fn push(&mut self, node: LogicalNode) -> Result<()> {
        let place = node.place.clone().unwrap_or_else(|| node.name.to_string());
        self.try_push(node).map_err(|error| error.within(place))
    }

    fn try_push(&mut self, node: LogicalNode) -> Result<()> {
        let LogicalNode { name, kind, inputs, parallelism, place: _, event_time } = node;
        let input = self.unite(&inputs)?;
        let (ports, can_reject) = match (&kind, &input) {
            // A source of a format whose records cannot be refused one by one still has the port: it stays empty.
            (NodeKind::Source(source), _) => {
                if let Some(event_time) = &event_time {
                    times::check(event_time, &source.schema())?;
                }
                (vec![OutputPort::new(PortName::main(), source.schema())], true)
            }
            (NodeKind::Operator(factory), Some(input)) => {
                let OperatorBinding { outputs, reads: _ } = factory.bind_stream(input)?;
                self.check_keys(&name, factory.keys(), parallelism)?;
                (outputs, factory.can_reject())
            }
            (NodeKind::Sink(sink), Some(input)) => {
                sink.check(&input.schema)?;
                self.refuse_shared_target(&name, sink.target())?;
                (Vec::new(), false)
            }
            (_, None) => return Err(Error::NoInput.into()),
        };
        let source = match &kind {
            NodeKind::Source(source) => Some((event_time.as_ref(), source.boundedness() == Boundedness::Bounded)),
            _ => None,
        };
        let outputs = ports.iter().map(|port| times::output(port, input.as_ref(), source)).collect();
        self.nodes.push(CheckedNode { name, kind, parallelism, input, event_time, ports, outputs, can_reject });
        Ok(())
    }

    /// A keyed node has no more subtasks than there are key groups to deal out.
    fn check_keys(&self, node: &NodeName, keys: Option<&[String]>, parallelism: u32) -> Result<()> {
        if keys.is_some() && parallelism > KEY_GROUPS {
            return Err(Error::Parallelism { node: node.clone(), parallelism, limit: KEY_GROUPS }.into());
        }
        Ok(())
    }

    /// Two sinks that write to one place would overwrite each other.
    fn refuse_shared_target(&self, name: &NodeName, target: Option<String>) -> Result<()> {
        let Some(target) = target else { return Ok(()) };
        let writes_there = |node: &&CheckedNode| match &node.kind {
            NodeKind::Sink(sink) => sink.target().as_ref() == Some(&target),
            _ => false,
        };
        match self.nodes.iter().find(writes_there) {
            Some(other) => Err(Error::SharedTarget { node: name.clone(), other: other.name.clone(), target }.into()),
            None => Ok(()),
        }
    }

    /// Adds the edges from `inputs` to the node that is about to be pushed, and gives the schema it will read.
    fn unite(&mut self, inputs: &[PortRef]) -> Result<Option<StreamType>> {
        let to = self.nodes.len();
        let mut resolved = Vec::with_capacity(inputs.len());
        for input in inputs {
            let from = self.nodes.iter().position(|node| node.name == input.node).expect("stream order");
            let node = &self.nodes[from];
            if matches!(node.kind, NodeKind::Sink(_)) {
                return Err(Error::InputIsSink { input: input.node.clone() }.into());
            }
            let (port, schema) = node.port(&input.port).ok_or_else(|| Error::UnknownPort {
                input: input.node.clone(),
                port: input.port.clone(),
                known: node.port_names(),
            })?;
            resolved.push((from, port, schema));
        }
        let Some(united) = united_schema(inputs, &resolved)? else { return Ok(None) };
        let times = resolved.iter().map(|(from, port, _)| self.nodes[*from].output(*port)).collect::<Vec<_>>();
        let stream = times::united(&times, Arc::clone(&united));
        for (from, port, schema) in resolved {
            let align = (schema.fields() != united.fields()).then(|| {
                let columns = united.fields().iter().filter_map(|field| schema.index_of(field.name()).ok()).collect();
                Arc::new(Align { schema: Arc::clone(&united), columns })
            });
            self.edges.push(Edge { from, port, to, align });
        }
        Ok(Some(stream))
    }
}

impl CheckedNode {
    /// The columns by which its input is dealt out.
    pub(crate) fn keys(&self) -> Option<&[String]> {
        match &self.kind {
            NodeKind::Operator(factory) => factory.keys(),
            NodeKind::Source(_) | NodeKind::Sink(_) => None,
        }
    }

    fn port(&self, name: &PortName) -> Option<(EdgePort, SchemaRef)> {
        if *name == PortName::errors() {
            return self.can_reject.then(|| (EdgePort::Errors, dead_letter::schema()));
        }
        let index = self.ports.iter().position(|port| port.name == *name)?;
        Some((EdgePort::Declared(index), Arc::clone(&self.ports[index].schema)))
    }

    /// What is known of the time of what leaves by a port.
    fn output(&self, port: EdgePort) -> Input<'_> {
        match port {
            EdgePort::Declared(index) => {
                let output = &self.outputs[index];
                let (is_bounded, is_revised) = (output.is_bounded, output.is_revised);
                Input { event_time: output.event_time.as_ref(), is_bounded, is_revised }
            }
            // Refused rows are of every time, and come as long as others do.
            EdgePort::Errors => {
                let is_bounded = self.outputs.iter().all(|output| output.is_bounded);
                Input { event_time: None, is_bounded, is_revised: false }
            }
        }
    }

    fn port_names(&self) -> String {
        let errors = self.can_reject.then(PortName::errors);
        let names: Vec<_> = self.ports.iter().map(|port| &port.name).chain(&errors).map(|n| format!("`{n}`")).collect();
        names.join(", ")
    }
}

/// The schema that a node reads: that of its first input, nullable where any input is.
fn united_schema(inputs: &[PortRef], resolved: &[(usize, EdgePort, SchemaRef)]) -> Result<Option<SchemaRef>> {
    let Some((_, _, first)) = resolved.first() else { return Ok(None) };
    let mut fields: Vec<Arc<Field>> = first.fields().iter().cloned().collect();
    for (input, (_, _, schema)) in inputs.iter().zip(resolved).skip(1) {
        let mismatch = |difference: String| Error::UnionMismatch {
            first: inputs[0].to_string(),
            other: input.to_string(),
            difference,
        };
        if let Some(extra) = schema.fields().iter().find(|field| first.field_with_name(field.name()).is_err()) {
            return Err(mismatch(format!("only `{input}` has a column `{}`", extra.name())).into());
        }
        for field in &mut fields {
            let Ok(other) = schema.field_with_name(field.name()) else {
                return Err(mismatch(format!("`{input}` has no column `{}`", field.name())).into());
            };
            if other.data_type() != field.data_type() {
                let (ours, theirs) = (field.data_type(), other.data_type());
                return Err(mismatch(format!("column `{}` is {ours} here and {theirs} there", field.name())).into());
            }
            if other.is_nullable() && !field.is_nullable() {
                *field = Arc::new(field.as_ref().clone().with_nullable(true));
            }
        }
    }
    if fields.iter().eq(first.fields().iter()) {
        return Ok(Some(Arc::clone(first)));
    }
    Ok(Some(Arc::new(Schema::new_with_metadata(fields, first.metadata().clone()))))
}

/// The nodes in an order in which each stands behind all that it reads from, otherwise as they were added.
fn stream_order(nodes: &[LogicalNode]) -> Result<Vec<usize>> {
    let by_name: HashMap<&NodeName, usize> = nodes.iter().enumerate().map(|(i, node)| (&node.name, i)).collect();
    for node in nodes {
        if let Some(input) = node.inputs.iter().find(|input| !by_name.contains_key(&input.node)) {
            return Err(Error::UnknownInput { node: node.name.clone(), input: input.node.clone() }.into());
        }
    }
    let mut order = Vec::with_capacity(nodes.len());
    let mut placed = vec![false; nodes.len()];
    while order.len() < nodes.len() {
        let ready = (0..nodes.len())
            .find(|&index| !placed[index] && nodes[index].inputs.iter().all(|input| placed[by_name[&input.node]]));
        let Some(ready) = ready else {
            let stuck = placed.iter().position(|placed| !placed).expect("some node is not placed");
            return Err(Error::Cycle(nodes[stuck].name.clone()).into());
        };
        placed[ready] = true;
        order.push(ready);
    }
    Ok(order)
}
