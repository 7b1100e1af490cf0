//! What every connector promises, as suites that each connector runs against itself.
//!
//! [`source_contract`] and [`source_prefix_contract`] hold a [`volley_api::Source`] to the promises of its trait;
//! [`sink_contract`] and [`single_epoch_sink_contract`] do so for a [`volley_api::Sink`]. They panic with the promise that was broken, so a test is
//! one call.
//!
//! Knows `volley-api` only, and no connector.
#![forbid(unsafe_code)]

mod rows;
mod sink;
mod source;

pub use rows::rows_as_text;
pub use sink::{single_epoch_sink_contract, sink_contract};
pub use source::{source_contract, source_prefix_contract};
