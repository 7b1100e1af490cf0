//! The component side: bindings to the interface package, and the exports over the runners. Only in wasm.

// The generated code calls imports and exports by raw pointers, and `memory` is an allocator.
#![allow(unsafe_code)]

mod aggregate_exports;
mod bindings;
mod exports;
mod heap;
mod lifecycle_exports;
mod memory;
mod one_thread;
mod panic;
mod process_exports;
mod snapshot_exports;
mod values;

pub use bindings::{aggregate, codec, filter, flat_map, imports, lifecycle, map, process, scalar, snapshot};
pub use exports::{Holder, Slot};
pub use lifecycle_exports::entries as lifecycle_entries;
pub use one_thread::OneThread;
pub(crate) use process_exports::wit_states;

pub use crate::runner::{
    AggregateRunner, CodecRunner, FilterRunner, FlatMapRunner, MapRunner, ProcessRunner, ScalarRunner,
};
