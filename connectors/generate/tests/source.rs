//! The generator as a source: the contract, rows that depend on nothing but seed and number, the rate.
#![allow(clippy::unwrap_used, reason = "a test helper may panic like a test")]

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use bytes::Bytes;
use proptest::prelude::*;
use volley_api::{Boundedness, ManualClock, ReadEvent, ReadOptions, Source, Split, SplitId, SplitOffset, SplitReader};
use volley_connector_generate::{ColumnEvaluator, ColumnList, GenerateOptions, GenerateSource, base_schema};
use volley_test_contract::{assert_source_documented, rows_as_text, source_contract, source_prefix_contract};

/// Puts out what it reads.
#[derive(Debug)]
struct Same(Vec<String>, SchemaRef);

impl Same {
    fn columns(names: &[&str]) -> Arc<Self> {
        let fields: Vec<_> = names.iter().map(|name| base_schema().field_with_name(name).unwrap().clone()).collect();
        Arc::new(Self(names.iter().map(|name| (*name).to_owned()).collect(), Arc::new(Schema::new(fields))))
    }
}

impl ColumnEvaluator for Same {
    fn reads(&self) -> &[String] {
        &self.0
    }
    fn schema(&self) -> SchemaRef {
        self.1.clone()
    }
    fn evaluate(&self, base: &RecordBatch) -> volley_api::Result<RecordBatch> {
        Ok(base.clone())
    }
}

fn options() -> GenerateOptions {
    GenerateOptions::new(ColumnList::new(vec![("n".into(), "n".into())]).unwrap())
}

fn source(rows: Option<u64>, splits: u32, seed: u64) -> GenerateSource {
    let options = GenerateOptions { rows, splits, seed, ..options() };
    GenerateSource::new(&options, Same::columns(&["n", "u0", "u3"])).unwrap()
}

fn on_runtime<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
}

fn batches_of(batch_rows: usize) -> ReadOptions {
    ReadOptions { batch_rows_max: NonZeroUsize::new(batch_rows).unwrap() }
}

/// All rows of all splits as text, sorted.
async fn rows(source: &dyn Source, batch_rows: usize) -> Vec<String> {
    let mut batches = Vec::new();
    for split in source.discover().await.unwrap() {
        let mut reader = source.open(&split, None, batches_of(batch_rows)).await.unwrap();
        while let ReadEvent::Batch(batch) = reader.next().await.unwrap() {
            batches.push(batch.batch);
        }
    }
    let mut rows = rows_as_text(&batches);
    rows.sort();
    rows
}

#[tokio::test]
async fn it_keeps_the_contract() {
    assert_source_documented("`generate`", &source(None, 1, 0));
    source_contract(&source(Some(300), 4, 42)).await;
    source_contract(&source(Some(0), 1, 42)).await;
    source_contract(&source(Some(3), 7, 42)).await;
    source_prefix_contract(&source(None, 3, 42), 200).await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn rows_depend_on_seed_and_number_alone(total in 0u64..500, splits in 1u32..20, batch_rows in 1usize..100, seed: u64) {
        let cut = on_runtime(rows(&source(Some(total), splits, seed), batch_rows));
        let whole = on_runtime(rows(&source(Some(total), 1, seed), 8192));
        prop_assert_eq!(cut.len() as u64, total);
        prop_assert_eq!(&cut, &whole);
        let other = on_runtime(rows(&source(Some(total), splits, seed ^ 1), batch_rows));
        prop_assert!(total == 0 || other != cut);
    }
}

#[tokio::test]
async fn expressions_that_read_nothing_still_have_rows() {
    let options = GenerateOptions { rows: Some(10), ..options() };
    let source = GenerateSource::new(&options, Same::columns(&[])).unwrap();
    assert_eq!(rows(&source, 4).await.len(), 10);
}

#[tokio::test]
async fn an_endless_source_says_so() {
    let endless = source(None, 2, 0);
    assert_eq!(endless.boundedness(), Boundedness::Unbounded);
    assert_eq!(endless.label(), "generate (endless)");
    assert_eq!(endless.discover().await.unwrap()[1], Split { id: SplitId::new("1-of-2"), size_units: None });
    let bounded = source(Some(5), 2, 0);
    assert_eq!(bounded.boundedness(), Boundedness::Bounded);
    assert_eq!(bounded.discover().await.unwrap()[1], Split { id: SplitId::new("1-of-2"), size_units: Some(2) });
}

async fn poll(reader: &mut dyn SplitReader) -> Result<usize, Duration> {
    match reader.next().await.unwrap() {
        ReadEvent::Batch(batch) => Ok(batch.batch.num_rows()),
        ReadEvent::Idle(wait) => Err(wait),
        ReadEvent::End => Ok(0),
    }
}

#[tokio::test]
async fn the_rate_is_shared_by_the_splits() {
    let clock = Arc::new(ManualClock::at(1_000));
    let options = GenerateOptions { rows: Some(50), rate: Some(1_000.0), splits: 2, ..options() };
    let source = GenerateSource::new(&options, Same::columns(&["n"])).unwrap().with_clock(clock.clone());
    assert_eq!(source.label(), "generate (50 rows, 1000 per second)");
    let splits = source.discover().await.unwrap();
    let mut reader = source.open(&splits[0], None, ReadOptions::default()).await.unwrap();
    assert_eq!(poll(&mut *reader).await, Err(Duration::from_millis(10)));
    clock.set(1_010);
    assert_eq!(poll(&mut *reader).await, Ok(10));
    assert_eq!(poll(&mut *reader).await, Err(Duration::from_millis(10)));
    let mut other = source.open(&splits[1], None, ReadOptions::default()).await.unwrap();
    assert_eq!(poll(&mut *other).await, Err(Duration::from_millis(10)), "one rate for all splits");
    // The last rows are not held back for want of a full tick's worth.
    clock.set(1_020);
    assert_eq!(poll(&mut *reader).await, Ok(10));
    clock.set(1_025);
    assert_eq!(poll(&mut *reader).await, Ok(5));
    assert_eq!(poll(&mut *reader).await, Ok(0));
}

#[tokio::test]
async fn foreign_splits_and_offsets_are_refused() {
    let four = source(Some(100), 4, 0);
    let splits = four.discover().await.unwrap();
    let message = async |source: &GenerateSource, split: &Split, offset: &SplitOffset| {
        source.open(split, Some(offset), ReadOptions::default()).await.map(|_| ()).unwrap_err().to_string()
    };
    let offset = four.open(&splits[1], None, ReadOptions::default()).await.unwrap().offset();
    let other = message(&four, &splits[2], &offset).await;
    assert!(other.ends_with("it is one of split `1-of-4`"), "{other}");
    let renamed = message(&source(Some(100), 2, 0), &splits[1], &offset).await;
    assert_eq!(renamed, "generate: there is no split `1-of-4` among 2, named `0-of-2` and so on");
    let short = message(&four, &splits[1], &SplitOffset(Bytes::from_static(b"x"))).await;
    assert!(short.ends_with("it has 1 bytes, and 17 were expected"), "{short}");
    let mut reader = four.open(&splits[1], None, ReadOptions::default()).await.unwrap();
    reader.next().await.unwrap();
    let far = message(&source(Some(50), 4, 0), &splits[1], &reader.offset()).await;
    assert!(far.ends_with("it is behind 25 rows, and the split has 13"), "{far}");
}

#[test]
fn an_evaluator_must_read_what_there_is() {
    let evaluator = Arc::new(Same(vec!["carrier".into()], base_schema()));
    let error = GenerateSource::new(&options(), evaluator).unwrap_err().to_string();
    assert_eq!(error, "generate: the expressions read `carrier`, and there are only n and u0 to u9");
}
