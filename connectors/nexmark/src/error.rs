//! What can be wrong with a generator.

use crate::options::{BASE_TIME_MS_MAX, EVENTS_MAX, SPLITS_MAX};

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a generator cannot be made or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No splits, or too many.
    #[error("nexmark: splits is {0}, and 1 to {SPLITS_MAX} are possible")]
    Splits(u32),
    /// More events than can be numbered.
    #[error("nexmark: event_count is {0}, and {EVENTS_MAX} is the most")]
    EventCount(u64),
    /// A time that stands still.
    #[error("nexmark: events_per_second is 0, and 1 is the least")]
    EventsPerSecond,
    /// A time that calendars do not have.
    #[error("nexmark: base_time_ms is {0}, and 0 to {BASE_TIME_MS_MAX} are possible")]
    BaseTime(i64),
    /// An empty list of columns.
    #[error("nexmark: columns is empty: name at least one, or leave the option out for all")]
    NoColumns,
    /// A column that this kind of events has not.
    #[error("nexmark: {events} have no column `{column}`; they have {columns}")]
    UnknownColumn {
        /// The name asked for.
        column: String,
        /// The kind of events.
        events: &'static str,
        /// What it has.
        columns: String,
    },
    /// A column twice.
    #[error("nexmark: the column `{0}` is given twice")]
    ColumnTwice(String),
    /// A split that the source has not.
    #[error("nexmark: there is no split `{split}` among {splits}, named `0-of-{splits}` and so on")]
    NoSuchSplit {
        /// The name asked for.
        split: String,
        /// How many there are.
        splits: u32,
    },
    /// Bytes that are no offset of this split.
    #[error("nexmark: split `{split}` cannot be opened at the offset {found:02x?}: {reason}")]
    Offset {
        /// The split.
        split: String,
        /// The bytes.
        found: Vec<u8>,
        /// What is wrong with them.
        reason: String,
    },
}

impl From<Error> for volley_api::Error {
    fn from(error: Error) -> Self {
        Self::new(volley_api::ErrorKind::Config, error.to_string())
    }
}
