//! The source: splits that take turns at the numbers, offsets that are numbers.

use std::cmp::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::Int64Array;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use bytes::Bytes;
use volley_api::{
    Boundedness, Clock, Positions, ReadEvent, ReadOptions, Replay, Source, SourceBatch, Split, SplitId, SplitOffset,
    SplitReader, SystemClock,
};

use crate::base::Base;
use crate::error::{Error, Result};
use crate::evaluator::ColumnEvaluator;
use crate::options::{GenerateOptions, ROWS_MAX};
use crate::pace::{Due, Pace};

/// The version of the encoding of offsets: this byte; the split and the number of splits as four bytes each; how many
/// of the split's rows were read, as eight; all little-endian.
const OFFSET_VERSION: u8 = 1;
const OFFSET_BYTES: usize = 17;

/// Makes rows up, the same ones at every run. Replays exactly.
///
/// Splits are named `0-of-4`, `1-of-4` …; row `n` is in split `n` modulo their number, and its position is `n`.
/// [`volley_api::SourceBatch::progress_units`] are rows.
#[derive(Debug, Clone)]
pub struct GenerateSource {
    rows: Option<u64>,
    rate: Option<f64>,
    splits: u32,
    /// Shared by all readers: the rate is that of the source, however many splits are read side by side.
    pace: Option<Arc<Mutex<Pace>>>,
    base: Base,
    evaluator: Arc<dyn ColumnEvaluator>,
    clock: Arc<dyn Clock>,
}

impl GenerateSource {
    /// A generator with these options, whose columns `evaluator` makes: it stands for `options.columns`, which is not
    /// looked at again.
    ///
    /// # Errors
    /// [`Error::Splits`], [`Error::Rows`], [`Error::Rate`] for an option beyond its range;
    /// [`Error::UnknownColumn`] when the evaluator reads what is not in [`crate::base_schema`].
    pub fn new(options: &GenerateOptions, evaluator: Arc<dyn ColumnEvaluator>) -> Result<Self> {
        options.check()?;
        Ok(Self {
            rows: options.rows,
            rate: options.rate,
            splits: options.splits,
            pace: options.rate.map(|rate| Arc::new(Mutex::new(Pace::new(rate)))),
            base: Base::new(options.seed, evaluator.reads())?,
            evaluator,
            clock: Arc::new(SystemClock),
        })
    }

    /// The same generator with another clock, which only `rate` looks at. Default: the machine's.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    fn name(&self, split: u32) -> SplitId {
        SplitId::new(&format!("{split}-of-{}", self.splits))
    }

    /// How many of the rows are in a split; without an end, as many as can be numbered.
    fn rows_of(&self, split: u32) -> u64 {
        let rows = self.rows.unwrap_or(ROWS_MAX);
        rows.saturating_sub(u64::from(split)).div_ceil(u64::from(self.splits))
    }

    fn number_of(&self, id: &SplitId) -> Result<u32> {
        let number = id.as_str().split_once("-of-").and_then(|(number, _)| number.parse().ok());
        number
            .filter(|&number| number < self.splits && self.name(number) == *id)
            .ok_or_else(|| Error::NoSuchSplit { split: id.to_string(), splits: self.splits })
    }

    fn decode(&self, split: u32, offset: &SplitOffset) -> Result<u64> {
        let wrong =
            |reason: String| Error::Offset { split: self.name(split).to_string(), found: offset.0.to_vec(), reason };
        let Ok(bytes) = <[u8; OFFSET_BYTES]>::try_from(&offset.0[..]) else {
            return Err(wrong(format!("it has {} bytes, and {OFFSET_BYTES} were expected", offset.0.len())));
        };
        let [version, a0, a1, a2, a3, b0, b1, b2, b3, read @ ..] = bytes;
        if version != OFFSET_VERSION {
            return Err(wrong(format!("its version is {version}, and {OFFSET_VERSION} was expected")));
        }
        let (found, splits) = (u32::from_le_bytes([a0, a1, a2, a3]), u32::from_le_bytes([b0, b1, b2, b3]));
        if (found, splits) != (split, self.splits) {
            return Err(wrong(format!("it is one of split `{found}-of-{splits}`")));
        }
        let (read, rows) = (u64::from_le_bytes(read), self.rows_of(split));
        if read > rows {
            return Err(wrong(format!("it is behind {read} rows, and the split has {rows}")));
        }
        Ok(read)
    }
}

#[async_trait]
impl Source for GenerateSource {
    fn label(&self) -> String {
        let rows = self.rows.map_or_else(|| "endless".to_owned(), |rows| format!("{rows} rows"));
        let rate = self.rate.map(|rate| format!(", {rate} per second")).unwrap_or_default();
        format!("generate ({rows}{rate})")
    }

    fn schema(&self) -> SchemaRef {
        self.evaluator.schema()
    }

    fn boundedness(&self) -> Boundedness {
        if self.rows.is_some() { Boundedness::Bounded } else { Boundedness::Unbounded }
    }

    fn replay(&self) -> Replay {
        Replay::Exact
    }

    fn compare(&self, left: &SplitOffset, right: &SplitOffset) -> Option<Ordering> {
        left.compare_counts(right)
    }

    async fn discover(&self) -> volley_api::Result<Vec<Split>> {
        let size = |split| self.rows.map(|_| self.rows_of(split));
        Ok((0..self.splits).map(|split| Split { id: self.name(split), size_units: size(split) }).collect())
    }

    async fn open(
        &self,
        split: &Split,
        from: Option<&SplitOffset>,
        options: ReadOptions,
    ) -> volley_api::Result<Box<dyn SplitReader>> {
        let split = self.number_of(&split.id)?;
        let read = from.map_or(Ok(0), |offset| self.decode(split, offset))?;
        Ok(Box::new(Reader {
            rows: self.rows_of(split),
            source: self.clone(),
            split,
            read,
            batch_rows_max: options.batch_rows_max.get(),
        }))
    }
}

struct Reader {
    source: GenerateSource,
    split: u32,
    /// How many rows the split has.
    rows: u64,
    /// How many of them were read.
    read: u64,
    batch_rows_max: usize,
}

impl Reader {
    fn batch(&self, rows: usize) -> volley_api::Result<SourceBatch> {
        let step = u64::from(self.source.splits);
        let first = u64::from(self.split) + self.read * step;
        let batch = self.source.evaluator.evaluate(&self.source.base.batch(first, step, rows))?;
        if batch.num_rows() != rows {
            return Err(Error::Evaluator(format!("{} rows for {rows}", batch.num_rows())).into());
        }
        if batch.schema_ref() != &self.source.evaluator.schema() {
            return Err(Error::Evaluator(format!("the schema {}, which is another one", batch.schema_ref())).into());
        }
        let position = |row: u64| i64::try_from(first + row * step).expect("rows are numbered within i64");
        let positions = match step {
            1 => Positions::From(position(0)),
            _ => Positions::Each(Int64Array::from_iter_values((0..rows as u64).map(position))),
        };
        Ok(SourceBatch { batch, positions, rejects: Vec::new(), progress_units: rows as u64 })
    }
}

#[async_trait]
impl SplitReader for Reader {
    /// Works where it is called, not on a blocking thread: a batch of the usual 8,192 rows takes well under a
    /// millisecond for arithmetic expressions, and behind each batch the caller waits for its turn at a channel.
    async fn next(&mut self) -> volley_api::Result<ReadEvent> {
        let left = usize::try_from(self.rows - self.read).unwrap_or(usize::MAX);
        if left == 0 {
            return Ok(ReadEvent::End);
        }
        let mut rows = left.min(self.batch_rows_max);
        if let Some(pace) = &self.source.pace {
            let mut pace = pace.lock().unwrap_or_else(PoisonError::into_inner);
            match pace.poll(self.source.clock.now_ms(), rows) {
                Due::Rows(due) => rows = due,
                Due::Wait(wait) => return Ok(ReadEvent::Idle(wait)),
            }
        }
        let batch = self.batch(rows)?;
        self.read += rows as u64;
        Ok(ReadEvent::Batch(batch))
    }

    fn offset(&self) -> SplitOffset {
        let mut bytes = Vec::with_capacity(OFFSET_BYTES);
        bytes.push(OFFSET_VERSION);
        bytes.extend(self.split.to_le_bytes());
        bytes.extend(self.source.splits.to_le_bytes());
        bytes.extend(self.read.to_le_bytes());
        SplitOffset(Bytes::from(bytes))
    }
}
