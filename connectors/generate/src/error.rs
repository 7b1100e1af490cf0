//! What can be wrong with a generator.

use crate::options::{RATE_MAX, ROWS_MAX, SPLITS_MAX};

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a generator cannot be made or opened.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No splits, or too many.
    #[error("generate: splits is {0}, and 1 to {SPLITS_MAX} are possible")]
    Splits(u32),
    /// More rows than can be numbered.
    #[error("generate: rows is {0}, and {ROWS_MAX} is the most")]
    Rows(u64),
    /// A rate that is no rate.
    #[error("generate: rate is {0} rows per second, and more than 0 up to {RATE_MAX} are possible")]
    Rate(f64),
    /// A column that the evaluator reads and the generator has not.
    #[error("generate: the expressions read `{0}`, and there are only n and u0 to u9")]
    UnknownColumn(String),
    /// A split that the source has not.
    #[error("generate: there is no split `{split}` among {splits}, named `0-of-{splits}` and so on")]
    NoSuchSplit {
        /// The name asked for.
        split: String,
        /// How many there are.
        splits: u32,
    },
    /// Bytes that are no offset of this split.
    #[error("generate: split `{split}` cannot be opened at the offset {found:02x?}: {reason}")]
    Offset {
        /// The split.
        split: String,
        /// The bytes.
        found: Vec<u8>,
        /// What is wrong with them.
        reason: String,
    },
    /// An evaluator that does not give what it announced.
    #[error("generate: the expressions gave {0}")]
    Evaluator(String),
}

impl From<Error> for volley_api::Error {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::Evaluator(_) => volley_api::ErrorKind::Internal,
            _ => volley_api::ErrorKind::Config,
        };
        Self::new(kind, error.to_string())
    }
}
