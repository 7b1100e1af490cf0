//! The only part of the SDK that knows arrow-rs: types, messages and buffers are translated here.

pub(crate) mod buffers;
pub(crate) mod types;
pub(crate) mod wire;

use thiserror::Error;

use crate::DataType;

/// Why bytes or columns could not be translated.
#[derive(Debug, Error)]
pub(crate) enum ArrowError {
    /// The message is not what the contract says.
    #[error("not a {wanted} message: {found}")]
    Message { wanted: &'static str, found: String },
    /// A type that the SDK cannot write.
    #[error("columns of type {0} cannot be written")]
    Unwritable(DataType),
    /// arrow-rs refused.
    #[error(transparent)]
    Inner(#[from] arrow_schema::ArrowError),
}
