//! Checkpoints: the protocol by which the epochs of a job become complete and their output visible, exactly once.
//!
//! Knows `volley-api` only: which source, operator, state or sink stands behind a name is not its business.
#![forbid(unsafe_code)]

pub mod protocol;
