//! A process operator between messages.

use super::{Bound, Memory, Outputs, RejectedRows, Runner, bound_to, sorted};
use crate::buffer::Buffer;
use crate::emitter::EmitFn;
use crate::process::{Context, KeyedBatch, Marks, NewKeys, Timer, Watermark};
use crate::state::{Host, StateDeclaration, StateWire};
use crate::wire::Frame;
use crate::{Binding, Emitter, Failure, OpenError, ProcessInput, ProcessOperator, Rejects, Schema, wire};

/// An opened process operator.
pub struct ProcessRunner<Op> {
    pub(super) operator: Op,
    pub(crate) bound: Bound,
    sides: Sides,
}

/// What is there beside the operator, whichever it is.
struct Sides {
    memory: Memory,
    states: Vec<StateWire>,
    /// The columns of keys that cross.
    keys: Schema,
    key_places: Vec<crate::layout::Place>,
    message: Buffer,
    marks: Marks,
}

/// Keys that are new, as they cross: the first number, and a message.
pub(crate) type Keys<'a> = Option<(u32, &'a [u8])>;

impl<Op: ProcessOperator> Runner for ProcessRunner<Op> {
    const DETERMINISM: crate::Determinism = Op::DETERMINISM;

    const HAS_STATES: bool = true;

    fn open_for(config: &str, input: &ProcessInput) -> Result<Self, OpenError> {
        let (operator, binding) = Op::open(crate::config::parse(config)?, input)?;
        let (operator, (bound, sides)) = bound_to(operator, bound(binding, &input.schema, &Op::states))?;
        Ok(Self { operator, bound, sides })
    }

    fn states() -> Vec<StateDeclaration> {
        Op::states()
    }

    #[cfg(target_arch = "wasm32")]
    fn wit_states() -> Vec<crate::guest::lifecycle::exports::volley::operator::lifecycle::StateDeclaration> {
        crate::guest::wit_states(Op::states())
    }

    fn bound(&self) -> &Bound {
        &self.bound
    }

    fn close(&mut self) {
        self.operator.close();
    }
}

impl<Op: ProcessOperator> ProcessRunner<Op> {
    pub(crate) fn process(
        &mut self,
        keys: Keys<'_>,
        groups: &[u32],
        message: &[u8],
        host: &mut dyn Host,
        emit: &mut EmitFn<'_>,
    ) -> Result<RejectedRows, Failure> {
        let Self { operator, bound, sides } = self;
        sides.process(bound, keys, groups, message, host, emit, &mut |rows, cx| operator.process(rows, cx))
    }

    pub(crate) fn on_timers(
        &mut self,
        keys: Keys<'_>,
        timers: &[Timer],
        host: &mut dyn Host,
        emit: &mut EmitFn<'_>,
    ) -> Result<(), Failure> {
        let Self { operator, bound, sides } = self;
        let mut fire = |new_keys: Option<NewKeys<'_>>, cx: &mut Context<'_>| operator.on_timers(timers, new_keys, cx);
        sides.on_timers(bound, keys, timers.len(), host, emit, &mut fire)
    }

    pub(crate) fn on_watermark(&mut self, watermark: Watermark, emit: &mut EmitFn<'_>) -> Result<(), Failure> {
        let Self { operator, bound, sides } = self;
        let mut emit = |port: u32, parents: &[u32], message: &[u8]| emit(port, parents, message);
        let mut out = Emitter::new(&bound.binding.ports, &bound.wires, 0, &mut sides.memory.out, &mut emit);
        operator.on_watermark(watermark, &mut out)
    }

    #[cfg(target_arch = "wasm32")]
    pub(crate) fn forget(&mut self) {
        self.sides.marks.forget();
        self.operator.forget();
    }
}

/// Processes rows.
type ProcessFn<'a> = dyn FnMut(&KeyedBatch<'_>, &mut Context<'_>) -> Result<Rejects, Failure> + 'a;

/// Does what timers ask for.
type FireFn<'a> = dyn FnMut(Option<NewKeys<'_>>, &mut Context<'_>) -> Result<(), Failure> + 'a;

impl Sides {
    #[inline(never)]
    #[allow(clippy::too_many_arguments)]
    fn process(
        &mut self,
        bound: &Bound,
        keys: Keys<'_>,
        groups: &[u32],
        message: &[u8],
        host: &mut dyn Host,
        emit: &mut EmitFn<'_>,
        process: &mut ProcessFn<'_>,
    ) -> Result<RejectedRows, Failure> {
        let Self { memory, states, keys: key_schema, key_places, message: written, marks } = self;
        let (message, out) = memory.align(message);
        let frame = bound.decode(message)?;
        if groups.len() != frame.rows {
            return Err(Failure::Fatal(format!("{} keys for {} rows", groups.len(), frame.rows)));
        }
        let key_frame = key_frame(&keys, key_schema, key_places)?;
        let new_keys = new_keys(&keys, key_frame.as_ref(), key_schema, key_places);
        let rows = KeyedBatch { batch: bound.view(&frame), groups, new_keys };
        let mut emit = |port: u32, parents: &[u32], message: &[u8]| emit(port, parents, message);
        let out = Emitter::new(&bound.binding.ports, &bound.wires, frame.rows, out, &mut emit);
        let mut cx = Context { out, host, states, message: written, marks };
        let rejects = process(&rows, &mut cx)?;
        sorted(rejects, frame.rows)
    }

    #[inline(never)]
    fn on_timers(
        &mut self,
        bound: &Bound,
        keys: Keys<'_>,
        timers: usize,
        host: &mut dyn Host,
        emit: &mut EmitFn<'_>,
        fire: &mut FireFn<'_>,
    ) -> Result<(), Failure> {
        let Self { memory, states, keys: key_schema, key_places, message: written, marks } = self;
        let key_frame = key_frame(&keys, key_schema, key_places)?;
        let new_keys = new_keys(&keys, key_frame.as_ref(), key_schema, key_places);
        let mut emit = |port: u32, parents: &[u32], message: &[u8]| emit(port, parents, message);
        let out = Emitter::new(&bound.binding.ports, &bound.wires, timers, &mut memory.out, &mut emit);
        let mut cx = Context { out, host, states, message: written, marks };
        fire(new_keys, &mut cx)
    }
}

/// What an operator with these states has bound.
#[inline(never)]
fn bound(
    binding: Binding,
    input: &Schema,
    states: &dyn Fn() -> Vec<StateDeclaration>,
) -> Result<(Bound, Sides), OpenError> {
    let mut wanted = Vec::new();
    for key in &binding.keys {
        wanted.push(input.require(key)?.clone());
    }
    let keys = Schema::new(wanted).unpacked();
    let key_places = wire::places(&keys).map_err(|field| {
        OpenError::InvalidInput(format!("key `{}` is {}, which this SDK cannot read", field.name, field.data_type))
    })?;
    let bound = Bound::new(binding, Outputs::OneOrMore, input)?;
    let states = states().iter().map(StateWire::new).collect::<Result<_, _>>()?;
    let (memory, message) = (Memory::default(), Buffer::new());
    Ok((bound, Sides { memory, states, keys, key_places, message, marks: Marks::default() }))
}

#[inline(never)]
fn key_frame<'a>(
    keys: &Keys<'a>,
    schema: &Schema,
    places: &[crate::layout::Place],
) -> Result<Option<Frame<'a>>, Failure> {
    let Some((_, message)) = keys else { return Ok(None) };
    let frame = Frame::open(message, schema, places);
    frame.map(Some).map_err(|error| Failure::Fatal(format!("the host's keys cannot be read: {error}")))
}

fn new_keys<'a>(
    keys: &Keys<'_>,
    frame: Option<&'a Frame<'a>>,
    schema: &'a Schema,
    places: &'a [crate::layout::Place],
) -> Option<NewKeys<'a>> {
    let ((first, _), frame) = ((*keys)?, frame?);
    Some(NewKeys { first, columns: crate::Batch::of_message(schema, frame, places) })
}
