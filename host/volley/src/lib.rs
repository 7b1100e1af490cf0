//! Volley in Rust: pipelines as chains of calls, over the same plan that the pipeline file builds.
//!
//! ```
//! use std::sync::Arc;
//!
//! use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
//! use volley::prelude::*;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let carrier: ArrayRef = Arc::new(StringArray::from(vec!["UA", "AA", "UA", "DL"]));
//! let delay: ArrayRef = Arc::new(Float64Array::from(vec![Some(30.0), Some(20.0), Some(10.0), None]));
//! let flights = RecordBatch::try_from_iter_with_nullable([("carrier", carrier, false), ("delay", delay, true)])?;
//!
//! let env = StreamExecutionEnvironment::new().set_parallelism(2);
//! let by_carrier = env
//!     .from_batches(flights.schema(), vec![flights])
//!     .filter_expr(col("delay").is_not_null())
//!     .key_by(["carrier"])
//!     .aggregate_expr([avg("delay").alias("mean_delay"), count()]);
//!
//! let rows: usize = by_carrier.collect_blocking()?.iter().map(RecordBatch::num_rows).sum();
//! assert_eq!(rows, 2);
//! # Ok(())
//! # }
//! ```
//!
//! A program that says something that makes no sense does not compile: only a [`KeyedStream`] has windows and aggregates,
//! only a [`DataStream`] has sinks.
//!
//! ```text
//! StreamExecutionEnvironment ─from_source─▶ DataStream ─key_by─▶ KeyedStream ─window─▶ WindowedKeyedStream
//!                                            │     ▲                  │                        │
//!                              to_sink ◀─────┘     └──aggregate_expr──┴─────aggregate_expr─────┘
//! ```
//!
//! What can only be known later — columns, types, plugins — is checked when the job is run, collected or explained: an error
//! there names the node, and no row has moved. Nodes are called by their kind and a number until
//! [`uid`](DataStream::uid) names them.
//!
//! Sources and sinks are whatever implements [`Source`] and [`Sink`]: memory is here, other connectors are crates of their
//! own. More, by example: `docs/rust-api.md`.
#![forbid(unsafe_code)]

mod compose;
mod environment;
mod expr;
mod graph;
mod iter_source;
mod operator;
mod run;
mod stream;
mod time;
mod window;

pub use environment::StreamExecutionEnvironment;
pub use expr::{
    Aggregate, Expr, Literal, approx_distinct, avg, call, col, count, count_all, count_distinct, count_of, first, last,
    lit, max, min, not, sql, stddev, sum,
};
pub use operator::ClosureResult;
pub use stream::{DataStream, DataStreamSink, KeyedStream, OutputTag, WindowedKeyedStream};
pub use time::WatermarkStrategy;
pub use volley_api::{Error, ErrorKind, OperatorFactory, Result, Sink, Source, StateBackend};
pub use volley_connector_memory::{DiscardSink, MemoryHandle, MemorySink, MemorySource};
pub use volley_runtime::{JobHandle, JobOptions, JobReport, PlanView, Window};
pub use volley_wasm::{OnError, PluginLimits, PluginOptions};
pub use window::{Count, Session, Sliding, Tumbling};

/// What most programs need; `use volley::prelude::*`.
pub mod prelude {
    pub use crate::{
        Aggregate, Count, DataStream, Expr, KeyedStream, OutputTag, Session, Sliding, StreamExecutionEnvironment,
        Tumbling, WatermarkStrategy, WindowedKeyedStream, approx_distinct, avg, call, col, count, count_all,
        count_distinct, count_of, first, last, lit, max, min, not, sql, stddev, sum,
    };
}

/// The examples of the page are tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/rust-api.md")]
struct RustApiPage;
