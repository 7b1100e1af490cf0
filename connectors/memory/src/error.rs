//! What can go wrong in memory.

use arrow::datatypes::SchemaRef;
use volley_api::{Epoch, NodeName};

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a memory connector refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A batch with other columns than the source's.
    #[error("batch {batch} of split {split} has the schema {found}, and the source has {declared}")]
    Schema {
        /// Index of the split.
        split: usize,
        /// Index of the batch in it.
        batch: usize,
        /// The batch's schema.
        found: SchemaRef,
        /// The source's schema.
        declared: SchemaRef,
    },
    /// A split that the source has not.
    #[error("there is no split `{split}`: the source has {splits}, named from 0")]
    NoSuchSplit {
        /// The name asked for.
        split: String,
        /// How many there are.
        splits: usize,
    },
    /// Bytes that are no offset of this source.
    #[error("split `{split}` cannot be opened at the offset {found:02x?}: {reason}")]
    Offset {
        /// The split.
        split: String,
        /// The bytes.
        found: Vec<u8>,
        /// What is wrong with them.
        reason: String,
    },
    /// Bytes that are no token of this sink.
    #[error("{0:02x?} is not a token of this memory sink")]
    Token(Vec<u8>),
    /// A token that was given out for another committable.
    #[error(
        "the token of sink `{sink}` for epoch {epoch} of job `{job}` was given out for something else: it is of another run, \
         subtask or process"
    )]
    Foreign {
        /// The job.
        job: String,
        /// The sink.
        sink: NodeName,
        /// The epoch.
        epoch: Epoch,
    },
    /// What was prepared is gone.
    #[error(
        "what was prepared for epoch {0} is not in memory: it has been aborted or cleaned up, or the process that held it has \
         ended"
    )]
    Gone(Epoch),
    /// An abort of what can be seen already.
    #[error("what was prepared for epoch {0} is committed already and cannot be aborted")]
    Visible(Epoch),
}

impl From<Error> for volley_api::Error {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::Schema { .. } | Error::NoSuchSplit { .. } | Error::Offset { .. } => volley_api::ErrorKind::Config,
            Error::Gone(_) => volley_api::ErrorKind::External,
            Error::Token(_) | Error::Foreign { .. } | Error::Visible(_) => volley_api::ErrorKind::Internal,
        };
        Self::new(kind, error.to_string())
    }
}
