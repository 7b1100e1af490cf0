//! A source of given batches.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use bytes::Bytes;
use volley_api::{
    Boundedness, Positions, ReadEvent, ReadOptions, Replay, Source, SourceBatch, Split, SplitId, SplitOffset,
    SplitReader,
};

use crate::error::{Error, Result};

/// The version of the encoding of offsets: this byte, then the number of rows read as eight bytes, little-endian.
const OFFSET_VERSION: u8 = 1;
const OFFSET_BYTES: usize = 9;

/// Reads batches that it was given. Bounded; replays exactly; rows are counted from 0 within each split.
///
/// Splits are named `0`, `1` … in the order given. Batches are handed on without a copy, cut where they are larger than
/// asked for and never joined; empty ones are left out.
#[derive(Clone)]
pub struct MemorySource {
    schema: SchemaRef,
    splits: Vec<Arc<Batches>>,
}

/// The batches of one split.
#[derive(Debug)]
struct Batches {
    /// None of them empty.
    batches: Vec<RecordBatch>,
    /// How many rows there are up to and with each batch.
    ends: Vec<usize>,
}

impl Batches {
    fn new(batches: Vec<RecordBatch>) -> Self {
        let batches: Vec<_> = batches.into_iter().filter(|batch| batch.num_rows() > 0).collect();
        let ends = batches.iter().scan(0, |rows, batch| {
            *rows += batch.num_rows();
            Some(*rows)
        });
        Self { ends: ends.collect(), batches }
    }

    fn rows(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }
}

impl MemorySource {
    /// A source of these splits, each a list of batches of that schema.
    ///
    /// # Errors
    /// [`Error::Schema`] when a batch has another schema.
    pub fn new(schema: SchemaRef, splits: Vec<Vec<RecordBatch>>) -> Result<Self> {
        for (split, batches) in splits.iter().enumerate() {
            if let Some(batch) = batches.iter().position(|batch| batch.schema_ref() != &schema) {
                let found = batches[batch].schema();
                return Err(Error::Schema { split, batch, found, declared: schema });
            }
        }
        let splits = splits.into_iter().map(|batches| Arc::new(Batches::new(batches))).collect();
        Ok(Self { schema, splits })
    }

    fn split(&self, id: &SplitId) -> Result<&Arc<Batches>> {
        let index = id.as_str().parse::<usize>().ok();
        index
            .and_then(|index| self.splits.get(index))
            .ok_or_else(|| Error::NoSuchSplit { split: id.to_string(), splits: self.splits.len() })
    }
}

impl fmt::Debug for MemorySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<usize> = self.splits.iter().map(|split| split.rows()).collect();
        f.debug_struct("MemorySource").field("schema", &self.schema).field("rows", &rows).finish()
    }
}

#[async_trait]
impl Source for MemorySource {
    fn label(&self) -> String {
        format!("memory ({} rows)", self.splits.iter().map(|split| split.rows()).sum::<usize>())
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn boundedness(&self) -> Boundedness {
        Boundedness::Bounded
    }

    fn replay(&self) -> Replay {
        Replay::Exact
    }

    fn compare(&self, left: &SplitOffset, right: &SplitOffset) -> Option<Ordering> {
        left.compare_counts(right)
    }

    async fn discover(&self) -> volley_api::Result<Vec<Split>> {
        let splits = self.splits.iter().enumerate().map(|(index, split)| Split {
            id: SplitId::new(&index.to_string()),
            size_units: Some(split.rows() as u64),
        });
        Ok(splits.collect())
    }

    async fn open(
        &self,
        split: &Split,
        from: Option<&SplitOffset>,
        options: ReadOptions,
    ) -> volley_api::Result<Box<dyn SplitReader>> {
        let batches = Arc::clone(self.split(&split.id)?);
        let row = from.map_or(Ok(0), |offset| decode(&split.id, offset, batches.rows()))?;
        Ok(Box::new(Reader { batches, row, batch_rows_max: options.batch_rows_max.get() }))
    }
}

fn encode(row: usize) -> SplitOffset {
    let mut bytes = [0; OFFSET_BYTES];
    bytes[0] = OFFSET_VERSION;
    bytes[1..].copy_from_slice(&(row as u64).to_le_bytes());
    SplitOffset(Bytes::copy_from_slice(&bytes))
}

fn decode(split: &SplitId, offset: &SplitOffset, rows: usize) -> Result<usize> {
    let wrong = |reason: String| Error::Offset { split: split.to_string(), found: offset.0.to_vec(), reason };
    let Ok([version, row @ ..]) = <[u8; OFFSET_BYTES]>::try_from(&offset.0[..]) else {
        return Err(wrong(format!("it has {} bytes, and {OFFSET_BYTES} were expected", offset.0.len())));
    };
    if version != OFFSET_VERSION {
        return Err(wrong(format!("its version is {version}, and {OFFSET_VERSION} was expected")));
    }
    let row = u64::from_le_bytes(row);
    match usize::try_from(row) {
        Ok(row) if row <= rows => Ok(row),
        _ => Err(wrong(format!("it is behind row {row}, and the split has {rows}"))),
    }
}

struct Reader {
    batches: Arc<Batches>,
    /// How many rows were read.
    row: usize,
    batch_rows_max: usize,
}

#[async_trait]
impl SplitReader for Reader {
    async fn next(&mut self) -> volley_api::Result<ReadEvent> {
        let index = self.batches.ends.partition_point(|&end| end <= self.row);
        let Some(batch) = self.batches.batches.get(index) else { return Ok(ReadEvent::End) };
        let start = self.row - (self.batches.ends[index] - batch.num_rows());
        let rows = self.batch_rows_max.min(batch.num_rows() - start);
        let first = i64::try_from(self.row).expect("memory holds fewer rows than 2^63");
        self.row += rows;
        Ok(ReadEvent::Batch(SourceBatch {
            batch: batch.slice(start, rows),
            positions: Positions::From(first),
            rejects: Vec::new(),
            progress_units: rows as u64,
        }))
    }

    fn offset(&self) -> SplitOffset {
        encode(self.row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array};
    use proptest::prelude::*;
    use volley_test_contract::{assert_source_documented, source_contract};

    fn batch(values: std::ops::Range<i64>) -> RecordBatch {
        let column: ArrayRef = Arc::new(Int64Array::from_iter_values(values));
        RecordBatch::try_from_iter([("x", column)]).unwrap()
    }

    fn on_runtime<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn it_keeps_the_contract(sizes in prop::collection::vec(prop::collection::vec(0i64..150, 0..5), 1..4)) {
            let splits = sizes.iter().map(|sizes| sizes.iter().map(|&rows| batch(rows..2 * rows)).collect());
            let source = MemorySource::new(batch(0..0).schema(), splits.collect()).unwrap();
            on_runtime(source_contract(&source));
        }
    }

    #[test]
    fn the_page_of_guarantees_says_what_it_promises() {
        let source = MemorySource::new(batch(0..0).schema(), Vec::new()).unwrap();
        assert_source_documented("`memory` (Rust API)", &source);
    }

    #[test]
    fn other_schemas_splits_and_offsets_are_refused() {
        let schema = batch(0..0).schema();
        let other: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        let other = RecordBatch::try_from_iter([("y", other)]).unwrap();
        let error = MemorySource::new(schema.clone(), vec![vec![], vec![batch(0..1), other]]).unwrap_err();
        assert!(matches!(error, Error::Schema { split: 1, batch: 1, .. }), "{error}");

        let source = MemorySource::new(schema, vec![vec![batch(0..5)]]).unwrap();
        assert_eq!(source.label(), "memory (5 rows)");
        let open = |id: &str, bytes: &'static [u8]| {
            let split = Split { id: SplitId::new(id), size_units: None };
            let offset = SplitOffset(Bytes::from_static(bytes));
            on_runtime(source.open(&split, Some(&offset), ReadOptions::default())).map(|_| ()).unwrap_err().to_string()
        };
        assert_eq!(open("1", &[]), "there is no split `1`: the source has 1, named from 0");
        assert!(open("0", &[1, 2]).ends_with("it has 2 bytes, and 9 were expected"));
        assert!(open("0", &[2, 0, 0, 0, 0, 0, 0, 0, 0]).ends_with("its version is 2, and 1 was expected"));
        assert!(open("0", &[1, 6, 0, 0, 0, 0, 0, 0, 0]).ends_with("it is behind row 6, and the split has 5"));
    }
}
