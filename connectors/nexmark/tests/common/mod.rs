//! Reading a generator whole.
#![allow(clippy::unwrap_used, reason = "a test helper may panic like a test")]

use std::num::NonZeroUsize;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use volley_api::{ReadEvent, ReadOptions, Source, SourceBatch};
use volley_connector_nexmark::{EventKind, NexmarkOptions, NexmarkSource};

/// A generator of a kind's events among the first `event_count`, in one split.
pub(crate) fn options(events: EventKind, event_count: u64) -> NexmarkOptions {
    NexmarkOptions { event_count: Some(event_count), splits: 1, ..NexmarkOptions::new(events) }
}

/// Every batch of every split, in turns of splits.
pub(crate) async fn batches(options: &NexmarkOptions, batch_rows: usize) -> Vec<Vec<SourceBatch>> {
    let source = NexmarkSource::new(options).unwrap();
    let read = ReadOptions { batch_rows_max: NonZeroUsize::new(batch_rows).unwrap() };
    let mut all = Vec::new();
    for split in source.discover().await.unwrap() {
        let mut reader = source.open(&split, None, read).await.unwrap();
        let mut batches = Vec::new();
        while let ReadEvent::Batch(batch) = reader.next().await.unwrap() {
            batches.push(batch);
        }
        all.push(batches);
    }
    all
}

/// All rows, split by split.
pub(crate) async fn rows(options: &NexmarkOptions) -> RecordBatch {
    let schema = NexmarkSource::new(options).unwrap().schema();
    let batches: Vec<_> = batches(options, 8192).await.into_iter().flatten().map(|batch| batch.batch).collect();
    concat_batches(&schema, &batches).unwrap()
}
