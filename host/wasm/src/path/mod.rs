//! How batches cross to a guest and back: one trait, so that another way can take its place.
//!
//! The stock path is `list<u8>` in both directions and arrow-ipc's encoder. A path only moves bytes: whatever comes
//! back is gated by the caller.

mod stock;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use wasmtime::Store;
use wasmtime::component::{ComponentExportIndex, Instance};

use crate::contract::{Failure, Reject};
use crate::inspect::PluginKind;
use crate::store::HostState;

/// The crossing of batches for one instance.
pub(crate) trait BatchPath: Send {
    /// Prepares a batch, in wire form, for the next [`BatchPath::call`]; gives the bytes that will cross.
    fn encode(&mut self, batch: &RecordBatch) -> volley_ipc::Result<usize>;

    /// Calls the guest with what was prepared, which is used up. An error is a trap.
    fn call(&mut self, store: &mut Store<HostState>) -> wasmtime::Result<Result<Reply, Failure>>;
}

/// What came back from a successful call, not yet gated.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) output: ReplyOutput,
    pub(crate) rejects: Vec<Reject>,
}

/// The part of a reply that depends on the kind.
#[derive(Debug)]
pub(crate) enum ReplyOutput {
    /// A filter's bitmap.
    Keep(Vec<u8>),
    /// A map's columns, as a message.
    Columns(Buffer),
    /// A flat-map's rows went through `emit`.
    Emitted,
}

/// The path that every component can use.
pub(crate) fn stock(
    store: &mut Store<HostState>,
    instance: &Instance,
    export: &ComponentExportIndex,
    kind: PluginKind,
) -> wasmtime::Result<Box<dyn BatchPath>> {
    Ok(Box::new(stock::Stock::new(store, instance, export, kind)?))
}
