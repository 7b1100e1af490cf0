//! The tasks of a job: readers and writers on the tokio runtime, chains on threads of their own.

pub(crate) mod chain;
pub(crate) mod outlet;
pub(crate) mod reader;
pub(crate) mod slot;
pub(crate) mod writer;

use volley_api::{SourceBatch, SplitId, StreamRecord};

use crate::channel::Closed;

/// What travels to a chain's thread.
pub(crate) struct Message {
    /// Which of the chain's inlets it is for.
    pub(crate) inlet: usize,
    pub(crate) payload: Payload,
}

#[expect(
    clippy::large_enum_variant,
    reason = "nearly every message is a record, and a box would cost each an allocation"
)]
pub(crate) enum Payload {
    /// What a reader polled.
    Polled(Polled),
    /// Rows from another chain.
    Record(StreamRecord),
    /// One of the inlet's producers has no more.
    End,
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

/// The error that operators pass through when a channel below them has closed.
pub(crate) fn cancelled() -> volley_api::Error {
    volley_api::Error::new(volley_api::ErrorKind::Cancelled, "the job is stopping")
}
