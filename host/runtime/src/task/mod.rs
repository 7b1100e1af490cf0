//! The tasks of a job: readers and writers on the tokio runtime, chains on threads of their own.

pub(crate) mod chain;
pub(crate) mod combining;
pub(crate) mod outlet;
mod output;
pub(crate) mod reader;
pub(crate) mod replay;
pub(crate) mod report;
pub(crate) mod slot;
pub(crate) mod source;
pub(crate) mod writer;

use volley_api::{Combined, SourceBatch, SplitId, StreamRecord};
use volley_fail_point::fail_point;

use crate::channel::Closed;
use crate::time::Control;

/// What travels to a chain's thread.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every message is a record, and a box would cost each an allocation"
)]
pub(crate) enum Message {
    /// What a reader polled.
    Polled(Polled),
    /// What became of a split, by its number.
    Split(u32, SplitStatus),
    /// Rows from another chain.
    Record(StreamRecord),
    /// What stands for rows of another chain.
    Combined(Combined),
    /// A control element from another chain, or a barrier from a reader.
    Control(Control),
    /// The producer has no more.
    End,
}

/// What a reader says of a split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SplitStatus {
    Opened(SplitId),
    /// It was polled and had nothing for as long as the source's event time allows.
    Idle,
    Ended,
}

/// One poll of a source, with the split it came from.
pub(crate) struct Polled {
    pub(crate) batch: SourceBatch,
    pub(crate) split: SplitId,
    pub(crate) source_number: u16,
    pub(crate) split_number: u32,
}

/// How a task ended, other than by having done its work.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// It failed: this is a cause.
    Failed(volley_api::Error),
    /// Another task went away first: its error is the cause.
    Cancelled,
}

impl From<volley_api::Error> for Stopped {
    fn from(error: volley_api::Error) -> Self {
        if error.kind() == volley_api::ErrorKind::Cancelled { Self::Cancelled } else { Self::Failed(error) }
    }
}

impl From<Closed> for Stopped {
    fn from(_: Closed) -> Self {
        Self::Cancelled
    }
}

/// Comes past a place where tests end the process, or make it fail.
pub(crate) fn hit(name: &'static str) -> volley_api::Result<()> {
    fail_point(name).map_err(|error| {
        volley_api::Error::external(format!("cannot come past the fail point {name}")).caused_by(error).retryable()
    })
}

/// The error that operators pass through when a channel below them has closed.
pub(crate) fn cancelled() -> volley_api::Error {
    volley_api::Error::new(volley_api::ErrorKind::Cancelled, "the job is stopping")
}
