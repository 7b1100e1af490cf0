//! An iterator of batches as a source: read once, as it is asked for.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use bytes::Bytes;
use volley_api::{
    Boundedness, Error, Positions, ReadEvent, ReadOptions, Replay, Result, Source, SourceBatch, Split, SplitId,
    SplitOffset, SplitReader,
};

use crate::operator::fit;

/// The batches of a source.
pub(crate) type Batches = Box<dyn Iterator<Item = RecordBatch> + Send>;

/// Reads an iterator, once.
#[derive(Clone)]
pub(crate) struct IterSource {
    schema: SchemaRef,
    /// Gone when a reader has taken it.
    batches: Arc<Mutex<Option<Batches>>>,
}

impl IterSource {
    pub(crate) fn new(schema: SchemaRef, batches: Batches) -> Self {
        Self { schema, batches: Arc::new(Mutex::new(Some(batches))) }
    }
}

impl fmt::Debug for IterSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IterSource").field("schema", &self.schema).finish_non_exhaustive()
    }
}

#[async_trait]
impl Source for IterSource {
    fn label(&self) -> String {
        "iterator".to_owned()
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn boundedness(&self) -> Boundedness {
        Boundedness::Bounded
    }

    fn replay(&self) -> Replay {
        Replay::None
    }

    async fn discover(&self) -> Result<Vec<Split>> {
        Ok(vec![Split { id: SplitId::new("iterator"), size_units: None }])
    }

    async fn open(&self, _: &Split, from: Option<&SplitOffset>, options: ReadOptions) -> Result<Box<dyn SplitReader>> {
        let taken = self.batches.lock().unwrap_or_else(PoisonError::into_inner).take();
        match taken {
            Some(batches) if from.is_none() => Ok(Box::new(Reader {
                schema: Arc::clone(&self.schema),
                batches,
                left: None,
                rows: 0,
                batch_rows_max: options.batch_rows_max.get(),
            })),
            _ => Err(Error::config(
                "an iterator is read once, and this one has been: give from_batches what several runs read",
            )),
        }
    }
}

struct Reader {
    schema: SchemaRef,
    batches: Batches,
    /// What is left of a batch that is larger than was asked for.
    left: Option<RecordBatch>,
    /// How many rows were read.
    rows: i64,
    batch_rows_max: usize,
}

#[async_trait]
impl SplitReader for Reader {
    async fn next(&mut self) -> Result<ReadEvent> {
        let batch = match self.left.take() {
            Some(batch) => batch,
            None => match self.batches.find(|batch| batch.num_rows() > 0) {
                Some(batch) => fit(batch, &self.schema)?,
                None => return Ok(ReadEvent::End),
            },
        };
        let rows = batch.num_rows().min(self.batch_rows_max);
        if rows < batch.num_rows() {
            self.left = Some(batch.slice(rows, batch.num_rows() - rows));
        }
        let first = self.rows;
        self.rows += i64::try_from(rows).unwrap_or(i64::MAX);
        Ok(ReadEvent::Batch(SourceBatch {
            batch: batch.slice(0, rows),
            positions: Positions::From(first),
            rejects: Vec::new(),
            progress_units: rows as u64,
        }))
    }

    fn offset(&self) -> SplitOffset {
        SplitOffset(Bytes::copy_from_slice(&self.rows.to_le_bytes()))
    }
}
