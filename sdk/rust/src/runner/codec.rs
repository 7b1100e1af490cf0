//! A codec between messages.

use super::{Bound, Memory, Outputs, PortWire, RejectedRows, Runner, bound_to, sorted};
use crate::codec::{Decoded, Encoded, Frames, Framing};
use crate::{
    Batch, Binding, CodecOperator, DataType, Failure, Field, OpenError, Port, ProcessInput, Schema, WriteMode,
};

/// The one column that frames cross as.
const FRAME: &str = "frame";

/// An opened codec, which decodes or encodes.
pub struct CodecRunner<Op> {
    operator: Op,
    pub(crate) bound: Bound,
    memory: Memory,
    /// How frames cross, where it encodes.
    frames: Option<(Port, PortWire)>,
}

/// Rows that were read: their message, the frame of each, what is refused, and the bytes that are left.
pub(crate) type DecodedMessage<'a> = (&'a [u8], Vec<u32>, RejectedRows, usize);

/// Frames that were written: their message, the first row of each, and what is refused.
pub(crate) type EncodedMessage<'a> = (&'a [u8], Vec<u32>, RejectedRows);

impl<Op: CodecOperator> Runner for CodecRunner<Op> {
    const DETERMINISM: crate::Determinism = Op::DETERMINISM;

    fn open_for(config: &str, input: &ProcessInput) -> Result<Self, OpenError> {
        let (config, rows) = (crate::config::parse(config)?, &input.schema);
        if rows.fields().is_empty() {
            let (operator, columns) = Op::decoder(config)?;
            let (operator, bound) = bound_to(operator, reading(columns))?;
            return Ok(Self { operator, bound, memory: Memory::default(), frames: None });
        }
        let (operator, reads) = Op::encoder(config, rows)?;
        let (operator, (bound, frames)) = bound_to(operator, writing(reads, rows))?;
        Ok(Self { operator, bound, memory: Memory::default(), frames: Some(frames) })
    }

    fn bound(&self) -> &Bound {
        &self.bound
    }

    fn close(&mut self) {
        self.operator.close();
    }
}

fn frame_schema() -> Schema {
    Schema::new([Field { nullable: false, ..Field::new(FRAME, DataType::Binary) }])
}

/// What is bound to where frames are read: nothing of an input, since they are no columns of one.
#[inline(never)]
fn reading(columns: Schema) -> Result<Bound, OpenError> {
    let binding = Binding::reads([FRAME]).replace(columns);
    let mut bound = Bound::new(binding, Outputs::One, &frame_schema())?;
    bound.binding.reads.clear();
    Ok(bound)
}

/// What is bound to where frames are written, and how they cross.
#[inline(never)]
fn writing(reads: Vec<String>, rows: &Schema) -> Result<(Bound, (Port, PortWire)), OpenError> {
    let bound = Bound::new(Binding { reads, ..Binding::default() }, Outputs::None, rows)?;
    Ok((bound, frames()?))
}

#[inline(never)]
fn frames() -> Result<(Port, PortWire), OpenError> {
    let port = Port { name: FRAME.to_owned(), schema: frame_schema(), writes: WriteMode::Replace };
    let wire = PortWire::new(&port, &Schema::new([]))?;
    Ok((port, wire))
}

impl<Op: CodecOperator> CodecRunner<Op> {
    pub(crate) fn decode(
        &mut self,
        framing: Framing,
        message: &[u8],
        end: bool,
    ) -> Result<DecodedMessage<'_>, Failure> {
        let Self { operator, bound, memory, .. } = self;
        decode(bound, memory, framing, message, end, &mut |frames| operator.decode(frames))
    }

    pub(crate) fn encode(&mut self, message: &[u8]) -> Result<EncodedMessage<'_>, Failure> {
        let Self { operator, bound, memory, frames } = self;
        encode(bound, memory, frames.as_ref(), message, &mut |batch| operator.encode(batch))
    }
}

/// Some frames, whatever the operator.
#[inline(never)]
fn decode<'a>(
    bound: &Bound,
    memory: &'a mut Memory,
    framing: Framing,
    message: &[u8],
    end: bool,
    decode: &mut dyn FnMut(&Frames<'_>) -> Result<Decoded, Failure>,
) -> Result<DecodedMessage<'a>, Failure> {
    let (message, out) = memory.align(message);
    let frame = bound.decode(message)?;
    let view = bound.view(&frame);
    let Decoded { columns, frames, rejects, rest_bytes } = decode(&Frames::new(view.at(0).as_bytes()?, framing, end))?;
    bound.wires[0].encode(&bound.binding.ports[0], &columns, frames.len(), out)?;
    crate::array::spare(columns);
    Ok((memory.out.bytes(), frames, rejects, rest_bytes))
}

/// One batch, whatever the operator.
#[inline(never)]
fn encode<'a>(
    bound: &Bound,
    memory: &'a mut Memory,
    frames: Option<&(Port, PortWire)>,
    message: &[u8],
    encode: &mut dyn FnMut(&Batch<'_>) -> Result<Encoded, Failure>,
) -> Result<EncodedMessage<'a>, Failure> {
    let Some((port, wire)) = frames else {
        return Err(Failure::Fatal("called to encode, and opened to decode".to_owned()));
    };
    let (message, out) = memory.align(message);
    let frame = bound.decode(message)?;
    let encoded = encode(&bound.view(&frame))?;
    let rejects = sorted(encoded.rejects, frame.rows)?;
    let count = encoded.rows.len();
    let columns = crate::array::collect([encoded.frames]);
    wire.encode(port, &columns, count, out)?;
    crate::array::spare(columns);
    Ok((memory.out.bytes(), encoded.rows, rejects))
}
