//! How batches cross to a guest and back: one trait, two ways behind it.
//!
//! The [direct path](direct) copies each byte once per crossing and is what jobs use; the [stock path](stock) is made of
//! other people's parts only, and is the oracle that tests hold the direct path to. Every component runs on either: a
//! guest cannot tell them apart. A path only moves bytes: whatever comes back is gated by the caller.

mod aggregate;
mod direct;
mod keyed;
pub(crate) mod pool;
mod process;
mod stock;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::Schema;
use wasmtime::Store;
use wasmtime::component::Instance;

pub(crate) use self::aggregate::{AggregateCall, AggregatePath, AggregateReply};
pub(crate) use self::keyed::{KeyedCall, KeyedPath};
pub(crate) use self::process::CodecCall;
use self::process::Process;
use crate::abi::message::Outgoing;
use crate::contract::{Failure, Part, Reject};
use crate::inspect::PluginKind;
use crate::options::Crossing;
use crate::plugin::Exports;
use crate::store::HostState;

/// The crossing of batches for one instance.
pub(crate) trait BatchPath: Send {
    /// The columns that will cross, in wire form: once, before the first batch.
    fn bind(&mut self, wire: &Schema) -> volley_ipc::Result<()>;

    /// Prepares a batch, in wire form, for the next [`BatchPath::call`]; gives the bytes that will cross.
    fn encode(&mut self, batch: &RecordBatch) -> volley_ipc::Result<usize>;

    /// Which call of a codec the next [`BatchPath::call`] is; nothing to other kinds.
    fn codec_call(&mut self, _call: CodecCall) {}

    /// Calls the guest with what was prepared last. An error is a trap.
    fn call(&mut self, store: &mut Store<HostState>) -> wasmtime::Result<Result<Reply, Failure>>;

    /// What there is besides where the operator is an aggregate, which is called by this alone.
    fn aggregate(&mut self) -> Option<&mut dyn AggregatePath> {
        None
    }

    /// What there is besides where the operator is a process.
    fn keyed(&mut self) -> Option<&mut dyn KeyedPath> {
        None
    }
}

/// What came back from a successful call, not yet gated.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) output: ReplyOutput,
    pub(crate) rejects: Vec<Reject>,
}

/// The part of a reply that depends on the kind.
#[derive(Debug, Clone)]
pub(crate) enum ReplyOutput {
    /// A filter's bitmap.
    Keep(Buffer),
    /// A map's columns, or a scalar's one, as a message.
    Columns(Buffer),
    /// Nothing: a flat-map's or a process's rows went through `emit`.
    Emitted,
    /// A codec's rows, as a message; the frame of each; and how much of the last frame it did not use.
    Decoded { rows: Buffer, frames: Vec<u32>, rest_bytes: u32 },
    /// A codec's frames, as a message, and the first row of each.
    Encoded { frames: Buffer, rows: Vec<u32> },
    /// What an operator holds itself.
    Parts(Vec<Part>),
}

impl ReplyOutput {
    /// Bytes that were copied with the reply.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Keep(bytes) | Self::Columns(bytes) => bytes.len(),
            // Parts come by a function that is not counted so.
            Self::Emitted | Self::Parts(_) => 0,
            Self::Decoded { rows: bytes, frames: numbers, .. } | Self::Encoded { frames: bytes, rows: numbers } => {
                bytes.len() + size_of_val(numbers.as_slice())
            }
        }
    }
}

/// The path for an instance.
pub(crate) fn new(
    crossing: Crossing,
    store: &mut Store<HostState>,
    instance: &Instance,
    exports: &Exports,
    kind: PluginKind,
) -> wasmtime::Result<Box<dyn BatchPath>> {
    if let Some(others) = &exports.aggregate {
        return aggregate::new(crossing, store, instance, &exports.process, others);
    }
    Ok(match (kind, crossing) {
        (PluginKind::Process, Crossing::Direct) => Box::new(keyed::Keyed::<Outgoing>::new(store, instance, exports)?),
        (PluginKind::Process, Crossing::Stock) => Box::new(keyed::Keyed::<Vec<u8>>::new(store, instance, exports)?),
        (_, Crossing::Direct) => Box::new(direct::Direct::new(store, instance, exports, kind)?),
        (_, Crossing::Stock) => Box::new(stock::Stock::new(store, instance, exports, kind)?),
    })
}
