//! The source: splits that take turns at the rows, offsets that are numbers of rows.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use bytes::Bytes;
use volley_api::{
    Boundedness, Positions, ReadEvent, ReadOptions, Replay, Source, SourceBatch, Split, SplitId, SplitOffset,
    SplitReader,
};

use crate::column::Column;
use crate::error::{Error, Result};
use crate::kind::EventKind;
use crate::model::Model;
use crate::options::{EVENTS_MAX, NexmarkOptions};

/// The version of the encoding of offsets: this byte; the kind of events, as a byte; the split and the number of splits
/// as four bytes each; how many of the split's rows were read, as eight; all little-endian.
const OFFSET_VERSION: u8 = 1;
const OFFSET_BYTES: usize = 18;
/// A batch has no more rows, whatever is asked for: its texts stay far below the 2 GB that a column can have.
const BATCH_ROWS_MAX: usize = 1 << 20;

/// Makes up the events of the Nexmark benchmark, the same ones at every run. Replays exactly.
///
/// Splits are named `0-of-4`, `1-of-4` …; the row that is the `k`-th of its kind, from 0, is in split `k` modulo their
/// number. Its position is the number of its event, counted over all kinds.
/// [`volley_api::SourceBatch::progress_units`] are rows.
#[derive(Debug, Clone)]
pub struct NexmarkSource {
    kind: EventKind,
    event_count: Option<u64>,
    splits: u32,
    model: Model,
    columns: Vec<&'static Column>,
    schema: SchemaRef,
}

impl NexmarkSource {
    /// A generator with these options.
    ///
    /// # Errors
    /// Those of [`NexmarkOptions::check`].
    pub fn new(options: &NexmarkOptions) -> Result<Self> {
        options.check()?;
        let columns = options.columns()?;
        Ok(Self {
            kind: options.events,
            event_count: options.event_count,
            splits: options.splits,
            model: Model::new(options),
            schema: Arc::new(Schema::new(columns.iter().map(|column| column.field()).collect::<Vec<_>>())),
            columns,
        })
    }

    fn name(&self, split: u32) -> SplitId {
        SplitId::new(&format!("{split}-of-{}", self.splits))
    }

    /// How many rows are in a split; without an end, as many as can be numbered.
    fn rows_of(&self, split: u32) -> u64 {
        let rows = self.kind.rows_of(self.event_count.unwrap_or(EVENTS_MAX));
        rows.saturating_sub(u64::from(split)).div_ceil(u64::from(self.splits))
    }

    fn number_of(&self, id: &SplitId) -> Result<u32> {
        let number = id.as_str().split_once("-of-").and_then(|(number, _)| number.parse().ok());
        number
            .filter(|&number| number < self.splits && self.name(number) == *id)
            .ok_or_else(|| Error::NoSuchSplit { split: id.to_string(), splits: self.splits })
    }

    fn encode(&self, split: u32, read: u64) -> SplitOffset {
        let mut bytes = Vec::with_capacity(OFFSET_BYTES);
        bytes.extend([OFFSET_VERSION, self.kind as u8]);
        bytes.extend(split.to_le_bytes());
        bytes.extend(self.splits.to_le_bytes());
        bytes.extend(read.to_le_bytes());
        SplitOffset(Bytes::from(bytes))
    }

    fn decode(&self, split: u32, offset: &SplitOffset) -> Result<u64> {
        let wrong =
            |reason: String| Error::Offset { split: self.name(split).to_string(), found: offset.0.to_vec(), reason };
        let Ok(bytes) = <[u8; OFFSET_BYTES]>::try_from(&offset.0[..]) else {
            return Err(wrong(format!("it has {} bytes, and {OFFSET_BYTES} were expected", offset.0.len())));
        };
        let [version, kind, a0, a1, a2, a3, b0, b1, b2, b3, read @ ..] = bytes;
        if version != OFFSET_VERSION {
            return Err(wrong(format!("its version is {version}, and {OFFSET_VERSION} was expected")));
        }
        if kind != self.kind as u8 {
            return Err(wrong(format!("it is one of other events than {}", self.kind.name())));
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
impl Source for NexmarkSource {
    fn label(&self) -> String {
        let events = self.event_count.map_or_else(|| "endless".to_owned(), |events| format!("of {events} events"));
        format!("nexmark ({}, {events})", self.kind.name())
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn boundedness(&self) -> Boundedness {
        if self.event_count.is_some() { Boundedness::Bounded } else { Boundedness::Unbounded }
    }

    fn replay(&self) -> Replay {
        Replay::Exact
    }

    fn compare(&self, left: &SplitOffset, right: &SplitOffset) -> Option<Ordering> {
        left.compare_counts(right)
    }

    async fn discover(&self) -> volley_api::Result<Vec<Split>> {
        let size = |split| self.event_count.map(|_| self.rows_of(split));
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
            batch_rows_max: options.batch_rows_max.get().min(BATCH_ROWS_MAX),
        }))
    }
}

struct Reader {
    source: NexmarkSource,
    split: u32,
    /// How many rows the split has.
    rows: u64,
    /// How many of them were read.
    read: u64,
    batch_rows_max: usize,
}

impl Reader {
    fn batch(&self, rows: usize) -> SourceBatch {
        let NexmarkSource { kind, model, columns, schema, splits, .. } = &self.source;
        let step = u64::from(*splits);
        let numbers = kind.numbers(u64::from(self.split) + self.read * step, step, rows);
        let columns = columns.iter().map(|column| column.make(model, &numbers)).collect();
        let batch = RecordBatch::try_new(Arc::clone(schema), columns).expect("the columns were made for this schema");
        let positions = Int64Array::from(numbers.iter().map(|&n| n as i64).collect::<Vec<_>>());
        SourceBatch { batch, positions: Positions::Each(positions), rejects: Vec::new(), progress_units: rows as u64 }
    }
}

#[async_trait]
impl SplitReader for Reader {
    /// Works where it is called, not on a blocking thread: a batch of the usual 8,192 rows takes a millisecond or so,
    /// and behind each batch the caller waits for its turn at a channel.
    async fn next(&mut self) -> volley_api::Result<ReadEvent> {
        let left = usize::try_from(self.rows - self.read).unwrap_or(usize::MAX);
        if left == 0 {
            return Ok(ReadEvent::End);
        }
        let rows = left.min(self.batch_rows_max);
        let batch = self.batch(rows);
        self.read += rows as u64;
        Ok(ReadEvent::Batch(batch))
    }

    fn offset(&self) -> SplitOffset {
        self.source.encode(self.split, self.read)
    }
}
