//! The guest SDK of Volley: what an operator written in Rust is built on.
//!
//! It knows the interface package in `wit/` and nothing of the host's crates. Arrow messages are read in place and
//! written into memory that is used again, inside `wire/`; there is no Arrow library below it.
//!
#![doc = include_str!("../README.md")]
// Unsafe code is in the generated bindings alone, which only a component has.
#![cfg_attr(not(target_arch = "wasm32"), forbid(unsafe_code))]

// The generated bindings and the macros name this crate from outside and from inside.
extern crate self as volley_sdk;

mod aggregate;
mod array;
#[cfg(feature = "arrow")]
pub mod arrow;
mod batch;
mod bits;
mod buffer;
pub mod build;
pub mod clock;
mod codec;
pub mod column;
mod config;
mod display;
mod emitter;
mod export;
mod float;
mod float16;
mod gather;
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod guest;
pub mod http;
mod int256;
pub mod kernels;
mod layout;
pub mod log;
mod memory;
pub mod metrics;
mod offsets;
mod operator;
mod process;
pub mod random;
pub mod row;
#[doc(hidden)]
pub mod runner;
mod scalar;
mod schema;
mod snapshot;
pub mod state;
mod store;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
mod text;
mod wire;
mod writer;

pub use aggregate::{AggregateOperator, Groups};
pub use array::{Array, RecordBatch};
pub use batch::Batch;
pub use bits::{Bits, BitsBuilder};
pub use codec::{CodecOperator, Decoded, Encoded, FrameWriter, Frames, Framing};
pub use column::{Column, ColumnError};
pub use emitter::{EmitError, Emitter, PortRef};
pub use float::Float;
pub use int256::Int256;
pub use operator::{
    Binding, Determinism, Failure, FilterOperator, Filtered, FlatMapOperator, MapOperator, Mapped, NoConfig, OpenError,
    Port, Reject, Rejects, WriteMode,
};
pub use process::{
    Context, Distinct, EventTime, KeyedBatch, NewKeys, ProcessInput, ProcessOperator, TimeDomain, Timer, Timers,
    Watermark,
};
pub use row::{Date, Decimal, Emit, Record, TimestampMicros, TimestampMillis, TimestampNanos, TimestampSeconds};
pub use scalar::{NullHandling, ScalarOperator};
pub use schema::{DataType, Field, IntervalUnit, Schema, TimeUnit};
pub use snapshot::{SnapshotOperator, StatePart};
pub use state::{List, Map, Merged, Value};

pub use writer::Writer;

pub use row::AggregateState;
pub use volley_sdk_macros::{AggregateState, Columns, aggregate, codec, filter, flat_map, map, process, scalar};

/// The examples of the pages are tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/aggregate-plugins.md")]
struct AggregatePluginsPage;

/// Likewise.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/scalar-plugins.md")]
struct ScalarPluginsPage;

/// Likewise.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/codec-plugins.md")]
struct CodecPluginsPage;

/// Likewise.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/process-plugins.md")]
struct ProcessPluginsPage;

/// Likewise.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/row-plugins.md")]
struct RowPluginsPage;

/// Likewise.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/state-of-plugins.md")]
struct StateOfPluginsPage;

#[doc(hidden)]
#[cfg(target_arch = "wasm32")]
pub use wit_bindgen as __wit_bindgen;
