//! What the tests of this crate share: reading everything, writing everything, and small files.
#![allow(dead_code, reason = "each test file uses its own part of this one")]

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use serde_json::Value;
use volley_api::{
    Committable, Epoch, ManualClock, NodeName, Positions, ReadEvent, ReadOptions, Result, Sink, SinkContext,
    SinkWriter, Source, SourceReject, Split, SplitOffset, SubtaskId,
};
use volley_connector_file::{FileSink, FileSource};

/// Everything that a source gave.
pub(crate) struct All {
    pub(crate) batch: RecordBatch,
    pub(crate) positions: Vec<i64>,
    pub(crate) rejects: Vec<SourceReject>,
    /// For each poll: the rows and rejects given before the offset, and the offset.
    pub(crate) offsets: Vec<(usize, usize, SplitOffset)>,
    pub(crate) progress_units: u64,
}

pub(crate) fn options<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("options")
}

pub(crate) fn source(base: &Path, value: Value) -> Result<FileSource> {
    FileSource::open(options(value), base)
}

pub(crate) fn batch_rows(rows: usize) -> ReadOptions {
    ReadOptions { batch_rows_max: NonZeroUsize::new(rows).expect("not zero") }
}

/// Reads one split from an offset to its end.
pub(crate) async fn read_split(
    source: &FileSource,
    split: &Split,
    from: Option<&SplitOffset>,
    rows: usize,
) -> Result<All> {
    let mut reader = source.open(split, from, batch_rows(rows)).await?;
    let schema = source.schema();
    let (mut batches, mut positions, mut rejects, mut offsets) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut seen, mut progress_units) = (0, 0);
    offsets.push((0, 0, reader.offset()));
    loop {
        match reader.next().await? {
            ReadEvent::End => break,
            ReadEvent::Idle(_) => panic!("a bounded source without a rate is never idle"),
            ReadEvent::Batch(batch) => {
                let count = batch.batch.num_rows();
                assert!(count + batch.rejects.len() <= rows && count + batch.rejects.len() > 0);
                assert_eq!(batch.batch.schema(), schema);
                match batch.positions {
                    Positions::From(first) => positions.extend(first..first + count as i64),
                    Positions::Each(each) => {
                        assert_eq!(each.len(), count);
                        positions.extend(each.values());
                    }
                }
                seen += count;
                progress_units += batch.progress_units;
                rejects.extend(batch.rejects);
                batches.push(batch.batch);
                offsets.push((seen, rejects.len(), reader.offset()));
            }
        }
    }
    let batch = concat_batches(&schema, &batches).expect("one schema");
    Ok(All { batch, positions, rejects, offsets, progress_units })
}

/// Reads every split of a source, one after another.
pub(crate) async fn read_all(source: &FileSource, rows: usize) -> Result<All> {
    let mut all: Option<All> = None;
    for split in source.discover().await? {
        let part = read_split(source, &split, None, rows).await?;
        all = Some(match all {
            None => part,
            Some(mut all) => {
                all.batch = concat_batches(&source.schema(), [&all.batch, &part.batch]).expect("one schema");
                all.positions.extend(part.positions);
                all.rejects.extend(part.rejects);
                all
            }
        });
    }
    Ok(all.expect("at least one split"))
}

pub(crate) fn context(input: &SchemaRef, index: u32, parallelism: u32) -> SinkContext {
    let (node, clock) = (NodeName::new("out").expect("a name"), Arc::new(ManualClock::at(1_700_000_000_000)));
    SinkContext { subtask: SubtaskId { index, parallelism }, ..SinkContext::single(node, Arc::clone(input), clock) }
}

pub(crate) async fn open(sink: &FileSink, input: &SchemaRef) -> Result<Box<dyn SinkWriter>> {
    sink.check(input)?;
    sink.open(context(input, 0, 1)).await
}

/// Writes batches as one epoch, and prepares it.
pub(crate) async fn prepare(
    sink: &FileSink,
    schema: &SchemaRef,
    batches: &[RecordBatch],
) -> Result<Option<Committable>> {
    let mut writer = open(sink, schema).await?;
    for batch in batches {
        writer.write(batch.clone()).await?;
    }
    writer.prepare(Epoch(1)).await
}

/// Writes batches as one epoch, and commits it.
pub(crate) async fn write(base: &Path, value: Value, schema: &SchemaRef, batches: &[RecordBatch]) -> Result<()> {
    let sink = FileSink::new(options(value), base)?;
    if let Some(committable) = prepare(&sink, schema, batches).await? {
        sink.commit(&committable).await?;
    }
    Ok(())
}

/// The names in a folder, sorted.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
    names.sort();
    names
}

/// The names in a folder with `RUN` in the place of what tells one run from another, sorted.
pub(crate) fn part_names(folder: &Path) -> Vec<String> {
    let plain = |name: String| match name.splitn(4, '-').collect::<Vec<_>>()[..] {
        ["part", time, random, rest] => {
            assert!(time.len() == 11 && random.len() == 8, "{name}");
            format!("part-RUN-{rest}")
        }
        _ => name.clone(),
    };
    let mut names: Vec<String> = names(folder).into_iter().map(plain).collect();
    names.sort();
    names
}
