//! Batches in memory as a source, and memory as a sink: for tests, for benches, and for programs that embed Volley.
//!
//! [`MemorySource`] reads given batches, [`MemorySink`] keeps what is committed where a [`MemoryHandle`] sees it, and
//! [`DiscardSink`] only counts.
//!
//! The crate shows every promise of the connector traits in its plainest form. It must know nothing but `volley-api`.
#![forbid(unsafe_code)]

mod discard;
mod error;
mod sink;
mod source;

pub use discard::{DiscardHandle, DiscardSink};
pub use error::{Error, Result};
pub use sink::{MemoryHandle, MemorySink};
pub use source::MemorySource;
