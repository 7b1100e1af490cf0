//! The component side: bindings to the interface package, and the exports over the runners. Only in wasm.

// The generated code calls imports and exports by raw pointers, and `memory` is an allocator.
#![allow(unsafe_code)]

mod bindings;
mod exports;
mod heap;
mod memory;
mod one_thread;
mod panic;
mod values;

pub use bindings::{codec, filter, flat_map, imports, lifecycle, map, scalar};
pub use exports::{Holder, Slot};
pub use one_thread::OneThread;

pub use crate::runner::{CodecRunner, FilterRunner, FlatMapRunner, MapRunner, ScalarRunner};
