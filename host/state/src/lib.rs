//! Keyed state behind [`volley_api::StateBackend`]: at present in memory.
//!
//! [`MemoryBackend`] keeps all state of a job in the process, up to a limit. State that may grow beyond memory needs a
//! backend on disk, which a host has when it is built with the feature `rocksdb`.
//!
//! Knows `volley-api` only: which operator keeps what in its state, and when a checkpoint takes it, is not its business.
#![forbid(unsafe_code)]

mod budget;
mod error;
mod memory;
mod snapshot;
mod table;

pub use error::{Error, Result};
pub use memory::MemoryBackend;
