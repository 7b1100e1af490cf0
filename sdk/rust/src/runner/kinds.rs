//! The three kinds of operator between messages.

use super::{Bound, Memory, Outputs, RejectedRows, Runner, open, sorted};
use crate::emitter::EmitFn;
use crate::{
    Batch, Emitter, Failure, FilterOperator, Filtered, FlatMapOperator, MapOperator, Mapped, OpenError, ProcessInput,
    Rejects,
};

/// An opened map.
pub struct MapRunner<Op> {
    operator: Op,
    pub(crate) bound: Bound,
    memory: Memory,
}

impl<Op: MapOperator> Runner for MapRunner<Op> {
    const DETERMINISM: crate::Determinism = Op::DETERMINISM;

    fn open_for(config: &str, input: &ProcessInput) -> Result<Self, OpenError> {
        let (operator, bound) = open(config, &input.schema, Outputs::One, Op::open)?;
        Ok(Self { operator, bound, memory: Memory::default() })
    }

    fn bound(&self) -> &Bound {
        &self.bound
    }

    fn close(&mut self) {
        self.operator.close();
    }
}

/// What a map gives back for a message.
pub(crate) enum Answer<'a> {
    /// The message itself.
    Same,
    /// Another message, in memory of the runner.
    Written(&'a [u8]),
}

impl<Op: MapOperator> MapRunner<Op> {
    pub(crate) fn map(&mut self, message: &[u8]) -> Result<(Answer<'_>, RejectedRows), Failure> {
        let Self { operator, bound, memory } = self;
        map(bound, memory, message, &mut |batch| operator.map(batch))
    }
}

/// One batch, whatever the operator.
#[inline(never)]
fn map<'a>(
    bound: &Bound,
    memory: &'a mut Memory,
    message: &[u8],
    map: &mut dyn FnMut(&Batch<'_>) -> Result<Mapped, Failure>,
) -> Result<(Answer<'a>, RejectedRows), Failure> {
    let (message, out) = memory.align(message);
    let frame = bound.decode(message)?;
    let mapped = map(&bound.view(&frame))?;
    let rejects = sorted(mapped.rejects, frame.rows)?;
    let (port, wire) = (&bound.binding.ports[0], &bound.wires[0]);
    if mapped.unchanged {
        if !wire.same_as_read {
            let message = "a map gives its input unchanged, but its output has other columns than it reads";
            return Err(Failure::Fatal(message.to_owned()));
        }
        return Ok((Answer::Same, rejects));
    }
    wire.encode(port, &mapped.columns, frame.rows, out)?;
    crate::array::spare(mapped.columns);
    Ok((Answer::Written(memory.out.bytes()), rejects))
}

/// An opened filter.
pub struct FilterRunner<Op> {
    operator: Op,
    pub(crate) bound: Bound,
    memory: Memory,
}

impl<Op: FilterOperator> Runner for FilterRunner<Op> {
    const DETERMINISM: crate::Determinism = Op::DETERMINISM;

    fn open_for(config: &str, input: &ProcessInput) -> Result<Self, OpenError> {
        let (operator, bound) = open(config, &input.schema, Outputs::None, Op::open)?;
        Ok(Self { operator, bound, memory: Memory::default() })
    }

    fn bound(&self) -> &Bound {
        &self.bound
    }

    fn close(&mut self) {
        self.operator.close();
    }
}

impl<Op: FilterOperator> FilterRunner<Op> {
    /// The bitmap of the rows that stay, and the rejects.
    pub(crate) fn filter(&mut self, message: &[u8]) -> Result<(&[u8], RejectedRows), Failure> {
        let Self { operator, bound, memory } = self;
        filter(bound, memory, message, &mut |batch| operator.filter(batch))
    }
}

/// One batch, whatever the operator.
#[inline(never)]
fn filter<'a>(
    bound: &Bound,
    memory: &'a mut Memory,
    message: &[u8],
    filter: &mut dyn FnMut(&Batch<'_>) -> Result<Filtered, Failure>,
) -> Result<(&'a [u8], RejectedRows), Failure> {
    let (message, _) = memory.align(message);
    let frame = bound.decode(message)?;
    let rows = frame.rows;
    let filtered = filter(&bound.view(&frame))?;
    if filtered.keep.len() != rows {
        let found = filtered.keep.len();
        return Err(Failure::Fatal(format!("{found} decisions of the filter for {rows} rows")));
    }
    let rejects = sorted(filtered.rejects, rows)?;
    memory.out = filtered.keep.into_buffer();
    Ok((memory.out.bytes(), rejects))
}

/// An opened flat-map.
pub struct FlatMapRunner<Op> {
    operator: Op,
    pub(crate) bound: Bound,
    memory: Memory,
}

impl<Op: FlatMapOperator> Runner for FlatMapRunner<Op> {
    const DETERMINISM: crate::Determinism = Op::DETERMINISM;

    fn open_for(config: &str, input: &ProcessInput) -> Result<Self, OpenError> {
        let (operator, bound) = open(config, &input.schema, Outputs::OneOrMore, Op::open)?;
        Ok(Self { operator, bound, memory: Memory::default() })
    }

    fn bound(&self) -> &Bound {
        &self.bound
    }

    fn close(&mut self) {
        self.operator.close();
    }
}

impl<Op: FlatMapOperator> FlatMapRunner<Op> {
    pub(crate) fn flat_map(&mut self, message: &[u8], emit: &mut EmitFn<'_>) -> Result<RejectedRows, Failure> {
        let Self { operator, bound, memory } = self;
        flat_map(bound, memory, message, emit, &mut |batch, out| operator.flat_map(batch, out))
    }
}

/// One batch, whatever the operator.
#[inline(never)]
fn flat_map(
    bound: &Bound,
    memory: &mut Memory,
    message: &[u8],
    emit: &mut EmitFn<'_>,
    flat_map: &mut dyn FnMut(&Batch<'_>, &mut Emitter<'_>) -> Result<Rejects, Failure>,
) -> Result<RejectedRows, Failure> {
    let (message, out) = memory.align(message);
    let frame = bound.decode(message)?;
    // The emitter wants the closure for exactly as long as itself.
    let mut emit = |port: u32, parents: &[u32], message: &[u8]| emit(port, parents, message);
    let mut out = Emitter::new(&bound.binding.ports, &bound.wires, frame.rows, out, &mut emit);
    let rejects = flat_map(&bound.view(&frame), &mut out)?;
    sorted(rejects, frame.rows)
}
