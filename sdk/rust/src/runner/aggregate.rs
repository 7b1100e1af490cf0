//! An aggregate between messages.

use super::{Bound, Memory, Outputs, PortWire, RejectedRows, Runner, bound_to, sorted};
use crate::layout::Place;
use crate::wire::Frame;
use crate::{
    AggregateOperator, Array, Batch, Binding, Failure, Groups, OpenError, Port, ProcessInput, Rejects, Schema,
    WriteMode, wire,
};

/// An opened aggregate.
pub struct AggregateRunner<Op> {
    operator: Op,
    pub(crate) bound: Bound,
    memory: Memory,
    pub(crate) state: StateWire,
    /// Groups since the last drain.
    groups: usize,
}

/// The columns of the state as they cross.
pub(crate) struct StateWire {
    port: Port,
    wire: PortWire,
    places: Vec<Place>,
}

impl StateWire {
    #[inline(never)]
    fn new(state: &Schema) -> Result<Self, OpenError> {
        if state.is_empty() {
            return Err(OpenError::Failed(
                "an aggregate binds the columns of its state, this one binds none".to_owned(),
            ));
        }
        let port = Port { name: "state".to_owned(), schema: state.unpacked(), writes: WriteMode::Replace };
        let wire = PortWire::new(&port, &Schema::default())?;
        let places = wire::places(&wire.schema).map_err(|field| {
            OpenError::Failed(format!(
                "column `{}` of the state is {}, which cannot be kept",
                field.name, field.data_type
            ))
        })?;
        Ok(Self { port, wire, places })
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn schema(&self) -> &Schema {
        &self.wire.schema
    }

    #[inline(never)]
    fn decode<'a>(&self, message: &'a [u8]) -> Result<Frame<'a>, Failure> {
        Frame::open(message, &self.wire.schema, &self.places)
            .map_err(|error| Failure::Fatal(format!("the host's states cannot be read: {error}")))
    }

    fn view<'a>(&'a self, frame: &'a Frame<'a>) -> Batch<'a> {
        Batch::of_message(&self.wire.schema, frame, &self.places)
    }
}

impl<Op: AggregateOperator> Runner for AggregateRunner<Op> {
    const DETERMINISM: crate::Determinism = Op::DETERMINISM;

    fn open_for(config: &str, input: &ProcessInput) -> Result<Self, OpenError> {
        let (operator, binding) = Op::open(crate::config::parse(config)?, &input.schema)?;
        let (operator, (bound, state)) = bound_to(operator, bound(binding, &input.schema))?;
        Ok(Self { operator, bound, memory: Memory::default(), state, groups: 0 })
    }

    fn bound(&self) -> &Bound {
        &self.bound
    }

    fn close(&mut self) {
        self.operator.close();
    }
}

impl<Op: AggregateOperator> AggregateRunner<Op> {
    /// Adds rows; gives those that are refused.
    pub(crate) fn update(&mut self, groups: &[u32], message: &[u8]) -> Result<RejectedRows, Failure> {
        let Self { operator, bound, memory, groups: known, .. } = self;
        // Here, where it is compiled for speed: it looks at every row.
        let greatest = crate::kernels::max_u32(groups);
        let mut each = |groups: Groups<'_>, batch: &Batch<'_>| operator.update(groups, batch);
        update(bound, memory, known, (groups, greatest), message, &mut each)
    }

    /// Adds states.
    pub(crate) fn merge(&mut self, groups: &[u32], message: &[u8]) -> Result<(), Failure> {
        let Self { operator, memory, state, groups: known, .. } = self;
        merge(state, memory, known, groups, message, &mut |groups, states| operator.merge(groups, states))
    }

    /// The states of all groups, as a message.
    pub(crate) fn drain(&mut self) -> Result<&[u8], Failure> {
        let rows = std::mem::take(&mut self.groups);
        let columns = self.operator.drain(rows)?;
        drained(&self.state, &mut self.memory, columns, rows)
    }

    /// The results of states, as a message.
    pub(crate) fn evaluate(&mut self, message: &[u8]) -> Result<&[u8], Failure> {
        let Self { operator, bound, memory, state, .. } = self;
        evaluate(bound, state, memory, message, &mut |states| operator.evaluate(states))
    }
}

#[inline(never)]
fn bound(binding: Binding, input: &Schema) -> Result<(Bound, StateWire), OpenError> {
    let bound = Bound::new(binding, Outputs::One, input)?;
    let state = StateWire::new(&bound.binding.state)?;
    Ok((bound, state))
}

/// Rows, whatever the operator.
#[inline(never)]
fn update(
    bound: &Bound,
    memory: &mut Memory,
    known: &mut usize,
    (groups, greatest): (&[u32], Option<u32>),
    message: &[u8],
    update: &mut dyn FnMut(Groups<'_>, &Batch<'_>) -> Result<Rejects, Failure>,
) -> Result<RejectedRows, Failure> {
    let (message, _) = memory.align(message);
    let frame = bound.decode(message)?;
    let groups = numbered(groups, greatest, frame.rows, *known)?;
    let rejects = update(groups, &bound.view(&frame))?;
    // Only now: a call that failed has brought no groups.
    *known = groups.total();
    sorted(rejects, frame.rows)
}

/// States, whatever the operator.
#[inline(never)]
fn merge(
    state: &StateWire,
    memory: &mut Memory,
    known: &mut usize,
    groups: &[u32],
    message: &[u8],
    merge: &mut dyn FnMut(Groups<'_>, &Batch<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let (message, _) = memory.align(message);
    let frame = state.decode(message)?;
    let groups = numbered(groups, crate::kernels::max_u32(groups), frame.rows, *known)?;
    merge(groups, &state.view(&frame))?;
    *known = groups.total();
    Ok(())
}

/// The message of states.
#[inline(never)]
fn drained<'a>(
    state: &StateWire,
    memory: &'a mut Memory,
    columns: Vec<Array>,
    rows: usize,
) -> Result<&'a [u8], Failure> {
    state.wire.encode(&state.port, &columns, rows, &mut memory.out)?;
    crate::array::spare(columns);
    Ok(memory.out.bytes())
}

/// Results, whatever the operator.
#[inline(never)]
fn evaluate<'a>(
    bound: &Bound,
    state: &StateWire,
    memory: &'a mut Memory,
    message: &[u8],
    evaluate: &mut dyn FnMut(&Batch<'_>) -> Result<Vec<Array>, Failure>,
) -> Result<&'a [u8], Failure> {
    let (message, out) = memory.align(message);
    let frame = state.decode(message)?;
    let columns = evaluate(&state.view(&frame))?;
    bound.wires[0].encode(&bound.binding.ports[0], &columns, frame.rows, out)?;
    crate::array::spare(columns);
    Ok(memory.out.bytes())
}

#[inline(never)]
fn numbered(groups: &[u32], greatest: Option<u32>, rows: usize, known: usize) -> Result<Groups<'_>, Failure> {
    if groups.len() != rows {
        return Err(Failure::Fatal(format!("{} groups for {rows} rows", groups.len())));
    }
    Ok(Groups::new(groups, greatest, known))
}
