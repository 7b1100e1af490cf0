//! The workload of benches/engine-peers: its rows, made by number, and what must come of them.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use bytes::Bytes;
use volley_api::{
    Boundedness, Positions, ReadEvent, ReadOptions, Replay, Result, Source, SourceBatch, Split, SplitId, SplitOffset,
    SplitReader, split_mix_64,
};

/// Rows of the whole workload.
pub(crate) const ROWS: u64 = 10_000_000;
/// What W1 and W2 give for all of them: how many results, and their checksum.
pub(crate) const W1: Total = Total { results: 4_951_893, checksum: 1_490_511_267 };
pub(crate) const W2: Total = Total { results: 200_000, checksum: 37_137_556_257_845 };
/// The size of a window, in milliseconds.
pub(crate) const WINDOW_MS: i64 = 60_000;

const USERS: u64 = 100_000;
const AMOUNTS: u64 = 200;
const ROWS_PER_MS: u64 = 100;

/// Results, counted and summed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Total {
    pub(crate) results: u64,
    pub(crate) checksum: u64,
}

/// SplitMix64's first number from a state on.
fn mix(state: u64) -> u64 {
    split_mix_64(state.wrapping_add(0x9e37_79b9_7f4a_7c15))
}

pub(crate) fn schema() -> SchemaRef {
    let field = |name: &str| Field::new(name, DataType::Int64, false);
    Arc::new(Schema::new(["user_id", "amount", "ts"].map(field).to_vec()))
}

/// Every `step`th row from `first` on.
pub(crate) fn batch(first: u64, step: u64, rows: usize) -> RecordBatch {
    let column = |value: fn(u64) -> u64| -> ArrayRef {
        let numbers = (0..rows as u64).map(|row| first + row * step);
        Arc::new(Int64Array::from_iter_values(numbers.map(|row| value(row) as i64)))
    };
    let columns = vec![
        column(|row| mix(row * 2) % USERS),
        column(|row| mix(row * 2 + 1) % AMOUNTS),
        column(|row| row / ROWS_PER_MS),
    ];
    RecordBatch::try_new(schema(), columns).expect("three columns of one length")
}

/// Makes the rows while they are read; each split has every so manyth.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Generated {
    pub(crate) rows: u64,
    pub(crate) splits: u64,
    /// The most rows of a batch, if fewer than the job asks for.
    pub(crate) batch_rows: usize,
}

#[async_trait]
impl Source for Generated {
    fn label(&self) -> String {
        "workload".to_owned()
    }

    fn schema(&self) -> SchemaRef {
        schema()
    }

    fn boundedness(&self) -> Boundedness {
        Boundedness::Bounded
    }

    fn replay(&self) -> Replay {
        Replay::Exact
    }

    async fn discover(&self) -> Result<Vec<Split>> {
        let split =
            |number: u64| Split { id: SplitId::new(&number.to_string()), size_units: Some(self.rows / self.splits) };
        Ok((0..self.splits).map(split).collect())
    }

    async fn open(&self, split: &Split, _: Option<&SplitOffset>, options: ReadOptions) -> Result<Box<dyn SplitReader>> {
        let next = split.id.as_str().parse().unwrap_or(0);
        Ok(Box::new(Reader { source: *self, next, batch_rows: options.batch_rows_max.get().min(self.batch_rows) }))
    }
}

struct Reader {
    source: Generated,
    next: u64,
    batch_rows: usize,
}

#[async_trait]
impl SplitReader for Reader {
    async fn next(&mut self) -> Result<ReadEvent> {
        let Generated { rows, splits, .. } = self.source;
        let left = rows.saturating_sub(self.next).div_ceil(splits);
        if left == 0 {
            return Ok(ReadEvent::End);
        }
        let count = self.batch_rows.min(left as usize);
        let batch = batch(self.next, splits, count);
        let positions = Positions::From(self.next as i64);
        self.next += count as u64 * splits;
        Ok(ReadEvent::Batch(SourceBatch { batch, positions, rejects: Vec::new(), progress_units: count as u64 }))
    }

    fn offset(&self) -> SplitOffset {
        SplitOffset(Bytes::copy_from_slice(&self.next.to_le_bytes()))
    }
}
