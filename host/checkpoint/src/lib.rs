//! Checkpoints: when what a job has done counts, where that is kept, and when output becomes visible, exactly once.
//!
//! [`protocol`] decides, and does nothing: facts go in, decisions come out. [`store`] keeps epochs: files with checksums under
//! one location, a manifest written twice for each epoch that is complete, and the numbers of starts and epochs, none of
//! which is ever given out twice; [`manifest`] is what a manifest says. [`coordinator`] drives a job by the one and over the
//! other. [`fail_point`] lets tests stop the process between any two steps.
//!
//! Knows `volley-api` only: which source, operator, state or sink stands behind a name is not its business.
#![forbid(unsafe_code)]

pub mod coordinator;
mod error;
pub mod manifest;
pub mod protocol;
mod restore;
pub mod store;

pub use error::{Damage, Error, Result};
pub use restore::{Restored, StateParts};
pub use volley_fail_point as fail_point;
