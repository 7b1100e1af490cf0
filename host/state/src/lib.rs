//! Keyed state behind [`volley_api::StateBackend`]: in memory, or on disk.
//!
//! [`MemoryBackend`] keeps all state of a job in the process, up to a limit. State that may grow beyond memory needs
//! `RocksBackend`, which is there with the feature `rocksdb`; it restores what either of them wrote. Both keep entries for a
//! declared time, where that is asked for. [`PartReader`] looks at what they wrote, and opens nothing for it.
//!
//! Knows `volley-api` only: which operator keeps what in its state, and when a checkpoint takes it, is not its business.
#![forbid(unsafe_code)]

mod budget;
mod check;
mod entry;
mod error;
mod memory;
mod read;
#[cfg(feature = "rocksdb")]
mod rocks;
mod snapshot;
mod table;
mod ttl;

pub use error::{Error, Result};
pub use memory::MemoryBackend;
pub use read::{PartReader, ReadEntry};
#[cfg(feature = "rocksdb")]
pub use rocks::{RocksBackend, RocksOptions};
