//! Event time: where it comes from, how far it has come, and how that is told from task to task.

mod inputs;
mod source;
mod spec;

use std::time::Duration;

use volley_api::{CheckpointBarrier, Watermark};

pub(crate) use inputs::Inputs;
pub(crate) use source::{Pace, SourceTime};
pub use spec::{EventTime, WatermarkStrategy};

/// What travels between tasks in band with rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Control {
    /// Event time has come this far.
    Watermark(Watermark),
    /// Nothing comes at present, and nobody should wait for this input's event time.
    Idle,
    /// Rows come again.
    Active,
    /// An epoch ends.
    Barrier(CheckpointBarrier),
}

/// A duration in whole milliseconds; one that is beyond 64 bits is the longest there is.
pub(crate) fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
