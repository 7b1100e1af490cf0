//! The order of a pipeline's nodes, and the cycles that have none.

use std::collections::HashMap;

use volley_api::NodeName;

use crate::spec::{InputRef, NodeIndex, PipelineSpec};

impl PipelineSpec {
    /// The nodes, each after everything that it reads; otherwise in the order of the file: sources, operators, sinks.
    ///
    /// # Panics
    /// Never for a pipeline that this crate has checked: that has no cycle.
    #[must_use]
    pub fn topological_order(&self) -> Vec<NodeIndex> {
        let mut order: Vec<NodeIndex> = (0..self.sources.len()).map(NodeIndex::Source).collect();
        let mut walk = Walk::new(self);
        for operator in 0..self.operators.len() {
            walk.visit(operator).expect("a checked pipeline has no cycle");
        }
        order.extend(walk.done.into_iter().map(NodeIndex::Operator));
        order.extend((0..self.sinks.len()).map(NodeIndex::Sink));
        order
    }
}

/// Each cycle that a walk from the first operator to the last one meets: the reference that closes it, and the names
/// along it, each reading the one before.
pub(crate) fn cycles(spec: &PipelineSpec) -> Vec<(&InputRef, Vec<&NodeName>)> {
    let mut walk = Walk::new(spec);
    (0..spec.operators.len()).filter_map(|operator| walk.visit(operator).err()).collect()
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    New,
    Open,
    Done,
}

/// A walk from operators to what they read.
struct Walk<'a> {
    spec: &'a PipelineSpec,
    by_name: HashMap<&'a NodeName, usize>,
    states: Vec<State>,
    done: Vec<usize>,
}

impl<'a> Walk<'a> {
    fn new(spec: &'a PipelineSpec) -> Self {
        let by_name =
            spec.operators.iter().enumerate().map(|(index, operator)| (&operator.name.value, index)).collect();
        Self { spec, by_name, states: vec![State::New; spec.operators.len()], done: Vec::new() }
    }

    /// Marks `start` and everything that it reads as done. The stack is explicit: a file may hold a chain of thousands.
    fn visit(&mut self, start: usize) -> Result<(), (&'a InputRef, Vec<&'a NodeName>)> {
        if self.states[start] != State::New {
            return Ok(());
        }
        let mut found = Ok(());
        let mut stack = vec![(start, 0)];
        self.states[start] = State::Open;
        // Every turn goes one reference further or leaves an operator, so the references bound the loop.
        while let Some((operator, next)) = stack.last_mut() {
            let (operator, spec) = (*operator, self.spec);
            let Some(input) = spec.operators[operator].from.get(*next) else {
                self.states[operator] = State::Done;
                self.done.push(operator);
                stack.pop();
                continue;
            };
            *next += 1;
            let Some(&read) = self.by_name.get(&input.node) else { continue };
            match self.states[read] {
                State::New => {
                    self.states[read] = State::Open;
                    stack.push((read, 0));
                }
                State::Open if found.is_ok() => found = Err((input, self.along(&stack, read))),
                State::Open | State::Done => {}
            }
        }
        found
    }

    /// From `read`, which is on the stack, back to itself in the direction in which rows flow.
    fn along(&self, stack: &[(usize, usize)], read: usize) -> Vec<&'a NodeName> {
        let spec = self.spec;
        let start = stack.iter().position(|&(operator, _)| operator == read).unwrap_or(0);
        let reading = stack[start..].iter().map(|&(operator, _)| operator);
        [read].into_iter().chain(reading.rev()).map(|operator| &spec.operators[operator].name.value).collect()
    }
}
