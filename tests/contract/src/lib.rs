//! What every connector and every state backend promises, as suites that each runs against itself.
//!
//! [`source_contract`] and [`source_prefix_contract`] hold a [`volley_api::Source`] to the promises of its trait;
//! [`sink_contract`], [`single_epoch_sink_contract`] and [`sink_recovery_contract`] do so for a [`volley_api::Sink`], and
//! [`keyed_state_contract`] for a [`volley_api::KeyedState`], with [`keyed_state_snapshot_contract`] for its snapshots
//! and [`keyed_state_ttl_contract`] for entries that live for some time. They panic with the promise that was broken, so a
//! test is one call.
//!
//! [`assert_source_documented`] and [`assert_sink_documented`] hold the page of guarantees to what a connector says of itself.
//! [`Unreliable`] puts a bad network in front of a sink, for tests of whoever drives sinks.
//!
//! Knows `volley-api` only, and no implementation of its traits.
#![forbid(unsafe_code)]

mod documented;
mod recovery;
mod rows;
mod sink;
mod snapshot;
mod source;
mod state;
mod ttl;
mod unreliable;

pub use documented::{assert_sink_documented, assert_source_documented};
pub use recovery::sink_recovery_contract;
pub use rows::rows_as_text;
pub use sink::{single_epoch_sink_contract, sink_contract};
pub use snapshot::{Taken, keyed_state_snapshot_contract, taken};
pub use source::{source_contract, source_prefix_contract};
pub use state::keyed_state_contract;
pub use ttl::keyed_state_ttl_contract;
pub use unreliable::{Answered, Schedule, SinkCall, SinkFault, Unreliable};
