//! The component side: bindings to the interface package, and the exports over the runners. Only in wasm.

// The generated code calls imports and exports by raw pointers, and `memory` is an allocator.
#![allow(unsafe_code)]

mod bindings;
mod exports;
mod heap;
mod memory;
mod one_thread;
mod panic;
mod process_exports;
mod snapshot_exports;

pub use bindings::{filter, flat_map, imports, lifecycle, map, process, snapshot};
pub use exports::{Holder, Slot};
pub use one_thread::OneThread;
pub(crate) use process_exports::wit_states;

pub use crate::runner::{FilterRunner, FlatMapRunner, MapRunner, ProcessRunner};
