//! Durable checkpoints: where they are kept, and when what they hold counts.
//!
//! [`store`] keeps epochs: files with checksums under one location, a manifest written twice for each epoch that is
//! complete, and the numbers of starts and epochs, none of which is ever given out twice. [`manifest`] is what a manifest
//! says. [`fail_point`] lets tests stop the process between any two steps.
//!
//! Knows `volley-api` only.
#![forbid(unsafe_code)]

mod error;
pub mod fail_point;
pub mod manifest;
mod restore;
pub mod store;

pub use error::{Damage, Error, Result};
pub use restore::Restored;
