//! Sources: splits that are read from a given offset on, so that a checkpoint can hold where each reader stood.

use std::cmp::Ordering;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use bytes::Bytes;

use crate::Result;

/// The name of a split: unique within its source and the same at every discovery, for example a path.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SplitId(Arc<str>);

impl SplitId {
    /// Takes a name; any text will do.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self(id.into())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SplitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SplitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// A part of a source that one reader reads in order: a file, a partition, a range of numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Its name.
    pub id: SplitId,
    /// How much there is to read, in the unit of [`SourceBatch::progress_units`], where it is known: for progress bars.
    pub size_units: Option<u64>,
}

/// Where a reader stands in its split: everything needed to go on from there, in the connector's own versioned
/// encoding. It is what a checkpoint keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitOffset(pub Bytes);

impl SplitOffset {
    /// Compares two offsets that end in how much was read, as eight bytes, the lowest first: [`Source::compare`] of connectors
    /// that number what they read. `None` where they differ in anything else.
    #[must_use]
    pub fn compare_counts(&self, other: &Self) -> Option<Ordering> {
        let ((head, count), (other_head, other_count)) = (self.0.split_last_chunk()?, other.0.split_last_chunk()?);
        (head == other_head).then(|| u64::from_le_bytes(*count).cmp(&u64::from_le_bytes(*other_count)))
    }
}

/// Whether a source ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boundedness {
    /// Every split ends.
    Bounded,
    /// It goes on until it is stopped.
    Unbounded,
}

/// Whether what was read can be read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    /// Opening a split at an offset gives exactly the rows after it, every time: exactly-once is possible.
    Exact,
    /// What was read is gone (standard input): a restart loses or repeats rows.
    None,
}

/// How a reader should cut what it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadOptions {
    /// The most rows of one batch. The rows of the output never depend on it.
    pub batch_rows_max: NonZeroUsize,
}

impl Default for ReadOptions {
    fn default() -> Self {
        // What stays in a core's second-level cache at usual row widths (design §5).
        const BATCH_ROWS_MAX: NonZeroUsize = NonZeroUsize::new(8192).expect("not zero");
        Self { batch_rows_max: BATCH_ROWS_MAX }
    }
}

/// The positions of the rows of a batch within their split, in the source's own unit (see [`crate::Origin`]).
#[derive(Debug, Clone)]
pub enum Positions {
    /// Consecutive, from this one on.
    From(i64),
    /// One for each row.
    Each(Int64Array),
}

/// A record of the source that could not be read as a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceReject {
    /// Its position within the split, like the positions of rows.
    pub position: i64,
    /// A short, stable name of the reason, for programs: `malformed-csv`, `type-mismatch`, `invalid-utf8` …
    pub code: String,
    /// A sentence for people that names file, line or row, and what was found.
    pub message: String,
    /// The record as it stands in the source, with what is not UTF-8 replaced.
    pub raw: String,
}

/// What one poll of a reader brought.
#[derive(Debug, Clone)]
pub struct SourceBatch {
    /// Rows of the source's schema; may have none when there are only rejects.
    pub batch: RecordBatch,
    /// Where the rows stand.
    pub positions: Positions,
    /// Records between or after the rows that could not be read.
    pub rejects: Vec<SourceReject>,
    /// How far this poll advanced in the unit of [`Split::size_units`].
    pub progress_units: u64,
}

/// The outcome of one poll.
#[derive(Debug)]
pub enum ReadEvent {
    /// Rows, rejects, or both.
    Batch(SourceBatch),
    /// Nothing at present; poll again after this long.
    Idle(Duration),
    /// The split has ended; the reader is not polled again.
    End,
}

/// An outside system that rows come from.
#[async_trait]
pub trait Source: Send + Sync + fmt::Debug {
    /// What it is, in a few words, for drawings of the plan: `file data/flights.csv (csv)`.
    fn label(&self) -> String;

    /// The schema of every batch it will ever give.
    fn schema(&self) -> SchemaRef;

    /// Whether it ends by itself.
    fn boundedness(&self) -> Boundedness;

    /// Whether what was read can be read again.
    fn replay(&self) -> Replay;

    /// Whether single records can be refused, so that the source has an `errors` port. Default: false.
    fn can_reject(&self) -> bool {
        false
    }

    /// Which of two offsets of one split lies further on, where that can be told without reading: it lets a replay that ends at
    /// an offset read in large batches up to there. They are equal where no row lies between them. Default: it cannot be told.
    fn compare(&self, left: &SplitOffset, right: &SplitOffset) -> Option<Ordering> {
        let _ = (left, right);
        None
    }

    /// The splits there are at present, in a fixed order. The runtime deals them out to the subtasks round robin.
    ///
    /// # Errors
    /// When the outside system cannot be asked, or has nothing that matches.
    async fn discover(&self) -> Result<Vec<Split>>;

    /// Opens one split behind `from`, or at its beginning.
    ///
    /// # Errors
    /// When the split is gone, or the offset is not one of this connector's.
    async fn open(
        &self,
        split: &Split,
        from: Option<&SplitOffset>,
        options: ReadOptions,
    ) -> Result<Box<dyn SplitReader>>;
}

/// Reads one split in order.
#[async_trait]
pub trait SplitReader: Send {
    /// Reads on. Must be cancel safe only in that dropping the reader afterwards leaks nothing: a cancelled reader is
    /// not polled again. Work that blocks or takes long goes to a blocking thread.
    ///
    /// # Errors
    /// When the split cannot be read on at all; a single bad record is a [`SourceReject`] instead.
    async fn next(&mut self) -> Result<ReadEvent>;

    /// Where the reader stands: behind the last row and reject that [`SplitReader::next`] gave.
    fn offset(&self) -> SplitOffset;
}
