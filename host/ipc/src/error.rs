//! What can be wrong with a message, or with data that should become one.

use arrow::error::ArrowError;

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a message was refused, or could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// More bytes than the limit.
    #[error("the message has {bytes} bytes; the limit is {limit}")]
    TooManyBytes {
        /// Bytes of the whole message.
        bytes: usize,
        /// The cap it broke.
        limit: usize,
    },
    /// More rows than the limit.
    #[error("the batch claims {rows} rows; the limit is {limit}")]
    TooManyRows {
        /// Rows that the message claims.
        rows: i64,
        /// The cap it broke.
        limit: usize,
    },
    /// More bytes once decoded than the limit: overlapping buffers, or rows that take no bytes.
    #[error("the batch would stand for {bytes} bytes once decoded; the limit is {limit}")]
    TooManyLogicalBytes {
        /// Bytes counted until the limit was passed.
        bytes: u64,
        /// The cap it broke.
        limit: usize,
    },
    /// The bytes around the metadata are not those of an encapsulated message.
    #[error("not an encapsulated Arrow IPC message: {0}")]
    Envelope(String),
    /// The metadata is not a flatbuffer of a message.
    #[error("the metadata is not a valid Arrow IPC flatbuffer: {0}")]
    Flatbuffer(String),
    /// The message is of another kind, or of a form that is not part of the contract.
    #[error("{0}")]
    Unsupported(String),
    /// Nodes or buffers do not fit the schema or the body.
    #[error("column `{column}`: {problem}")]
    Layout {
        /// The column, with the path to the child.
        column: String,
        /// What is wrong.
        problem: String,
    },
    /// A schema that nobody may send.
    #[error("field `{field}`: {problem}")]
    Schema {
        /// The field, with the path to the child.
        field: String,
        /// What is wrong.
        problem: String,
    },
    /// Arrow refused the data, or could not encode or convert it.
    #[error("{0}")]
    Arrow(#[from] ArrowError),
}

impl Error {
    pub(crate) fn layout(column: &str, problem: impl Into<String>) -> Self {
        Self::Layout { column: column.to_owned(), problem: problem.into() }
    }

    pub(crate) fn schema(field: &str, problem: impl Into<String>) -> Self {
        Self::Schema { field: field.to_owned(), problem: problem.into() }
    }
}
