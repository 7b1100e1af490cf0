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

pub(crate) const USERS: u64 = 100_000;
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

/// What the columns are called.
pub(crate) const NAMES: [&str; 3] = ["user_id", "amount", "ts"];
/// What they are called for the plugin `filter-project`.
pub(crate) const NAMES_OF_PLUGIN: [&str; 3] = ["b", "a", "c"];

pub(crate) fn schema_of(names: [&str; 3]) -> SchemaRef {
    let field = |name: &str| Field::new(name, DataType::Int64, false);
    Arc::new(Schema::new(names.map(field).to_vec()))
}

pub(crate) fn schema() -> SchemaRef {
    schema_of(NAMES)
}

/// Every `step`th row from `first` on.
pub(crate) fn batch(first: u64, step: u64, rows: usize) -> RecordBatch {
    columns(schema(), USERS, first, step, rows)
}

fn columns(schema: SchemaRef, users: u64, first: u64, step: u64, rows: usize) -> RecordBatch {
    let numbers = || (0..rows as u64).map(|row| first + row * step);
    let column = |values: Vec<i64>| -> ArrayRef { Arc::new(Int64Array::from(values)) };
    let columns = vec![
        // A number of users that is known makes a multiplication of the division.
        column(if users == USERS {
            numbers().map(|row| (mix(row * 2) % USERS) as i64).collect()
        } else {
            numbers().map(|row| (mix(row * 2) % users) as i64).collect()
        }),
        column(numbers().map(|row| (mix(row * 2 + 1) % AMOUNTS) as i64).collect()),
        column(numbers().map(|row| (row / ROWS_PER_MS) as i64).collect()),
    ];
    RecordBatch::try_new(schema, columns).expect("three columns of one length")
}

/// Makes the rows while they are read; each split has every so manyth.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Generated {
    pub(crate) rows: u64,
    pub(crate) splits: u64,
    /// The most rows of a batch, if fewer than the job asks for.
    pub(crate) batch_rows: usize,
    pub(crate) users: u64,
    pub(crate) names: [&'static str; 3],
}

impl Generated {
    /// The workload as other engines have it.
    pub(crate) fn new(rows: u64, splits: u64) -> Self {
        Self { rows, splits, batch_rows: usize::MAX, users: USERS, names: NAMES }
    }
}

#[async_trait]
impl Source for Generated {
    fn label(&self) -> String {
        "workload".to_owned()
    }

    fn schema(&self) -> SchemaRef {
        schema_of(self.names)
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

    async fn open(
        &self,
        split: &Split,
        from: Option<&SplitOffset>,
        options: ReadOptions,
    ) -> Result<Box<dyn SplitReader>> {
        let next = match from {
            Some(offset) => offset.0.as_ref().try_into().map(u64::from_le_bytes).expect("an offset of this source"),
            None => split.id.as_str().parse().expect("a split of this source"),
        };
        let batch_rows = options.batch_rows_max.get().min(self.batch_rows);
        Ok(Box::new(Reader { source: *self, schema: self.schema(), next, batch_rows }))
    }
}

struct Reader {
    source: Generated,
    schema: SchemaRef,
    next: u64,
    batch_rows: usize,
}

#[async_trait]
impl SplitReader for Reader {
    async fn next(&mut self) -> Result<ReadEvent> {
        let Generated { rows, splits, users, .. } = self.source;
        let left = rows.saturating_sub(self.next).div_ceil(splits);
        if left == 0 {
            return Ok(ReadEvent::End);
        }
        let count = self.batch_rows.min(left as usize);
        let batch = columns(Arc::clone(&self.schema), users, self.next, splits, count);
        let positions = Positions::From(self.next as i64);
        self.next += count as u64 * splits;
        Ok(ReadEvent::Batch(SourceBatch { batch, positions, rejects: Vec::new(), progress_units: count as u64 }))
    }

    fn offset(&self) -> SplitOffset {
        SplitOffset(Bytes::copy_from_slice(&self.next.to_le_bytes()))
    }
}
