//! The generator as a source: the contract, and rows that depend on nothing but seed and number.
#![allow(clippy::unwrap_used, reason = "a test helper may panic like a test")]

mod common;

use arrow::array::{ArrayRef, AsArray, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, filter, is_not_null, take_record_batch};
use arrow::datatypes::{DataType, TimeUnit, TimestampMillisecondType};
use bytes::Bytes;
use proptest::prelude::*;
use volley_api::{Boundedness, Positions, ReadOptions, Source, Split, SplitId, SplitOffset};
use volley_connector_nexmark::{EventKind, NexmarkOptions, NexmarkSource};
use volley_test_contract::{assert_source_documented, source_contract, source_prefix_contract};

use common::{batches, options, rows};

const KINDS: [EventKind; 3] = [EventKind::Persons, EventKind::Auctions, EventKind::Bids];

fn source(options: &NexmarkOptions) -> NexmarkSource {
    NexmarkSource::new(options).unwrap()
}

fn on_runtime<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

#[tokio::test]
async fn it_keeps_the_contract() {
    assert_source_documented("`nexmark`", &source(&NexmarkOptions::new(EventKind::Bids)));
    for kind in [EventKind::Persons, EventKind::Auctions, EventKind::Bids, EventKind::All] {
        source_contract(&source(&NexmarkOptions { splits: 4, ..options(kind, 300) })).await;
        source_contract(&source(&options(kind, 0))).await;
        source_contract(&source(&NexmarkOptions { splits: 7, ..options(kind, 3) })).await;
        let endless = NexmarkOptions { out_of_order_ms: 50, splits: 3, seed: 42, ..NexmarkOptions::new(kind) };
        source_prefix_contract(&source(&endless), 100).await;
    }
}

/// All rows in the order of their positions.
async fn sorted(options: &NexmarkOptions, batch_rows: usize) -> RecordBatch {
    let read: Vec<_> = batches(options, batch_rows).await.into_iter().flatten().collect();
    let positions = read.iter().flat_map(|batch| match &batch.positions {
        Positions::Each(each) => each.values().to_vec(),
        Positions::From(_) => panic!("each row has its position"),
    });
    let mut order: Vec<(i64, u32)> = positions.zip(0..).collect();
    order.sort_unstable();
    let all = concat_batches(&source(options).schema(), read.iter().map(|batch| &batch.batch)).unwrap();
    take_record_batch(&all, &UInt32Array::from_iter_values(order.into_iter().map(|(_, row)| row))).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn rows_depend_on_seed_and_number_alone(
        kind in prop::sample::select(&[EventKind::Persons, EventKind::Auctions, EventKind::Bids, EventKind::All][..]),
        events in 0u64..700, splits in 1u32..20, batch_rows in 1usize..100, seed: u64, out_of_order_ms in 0u32..5,
    ) {
        let whole = NexmarkOptions { seed, out_of_order_ms, ..options(kind, events) };
        let cut = NexmarkOptions { splits, ..whole.clone() };
        let expected = on_runtime(sorted(&whole, 8192));
        prop_assert_eq!(&on_runtime(sorted(&cut, batch_rows)), &expected);
        let other = NexmarkOptions { seed: seed ^ 1, ..whole };
        prop_assert!(events == 0 || expected.num_rows() == 0 || on_runtime(sorted(&other, 8192)) != expected);
    }
}

/// The tables of the three kinds are the rows of the table of all.
#[tokio::test]
async fn each_kind_is_a_part_of_all() {
    let all = rows(&NexmarkOptions { seed: 9, out_of_order_ms: 20, ..options(EventKind::All, 1_234) }).await;
    for (kind, name) in KINDS.iter().zip(["person", "auction", "bid"]) {
        let table = rows(&NexmarkOptions { seed: 9, out_of_order_ms: 20, ..options(*kind, 1_234) }).await;
        let column = all.column_by_name(name).unwrap();
        let present = is_not_null(column).unwrap();
        let found = filter(column, &present).unwrap();
        let found: Vec<ArrayRef> = found.as_struct().columns().to_vec();
        assert_eq!(found, table.columns(), "{name}");
        let types = all.column_by_name("event_type").unwrap().as_string::<i32>();
        assert!(types.iter().zip(present.iter()).all(|(of, is)| (of == Some(name)) == (is == Some(true))));
        let times = filter(all.column_by_name("date_time").unwrap(), &present).unwrap();
        assert_eq!(&times, table.column_by_name("date_time").unwrap());
    }
}

#[tokio::test]
async fn columns_come_alone_and_in_the_order_asked_for() {
    let whole = rows(&options(EventKind::Bids, 500)).await;
    let columns = ["date_time", "url", "auction"].map(str::to_owned).to_vec();
    let some = rows(&NexmarkOptions { columns: Some(columns.clone()), ..options(EventKind::Bids, 500) }).await;
    assert_eq!(some.num_columns(), 3);
    for (column, name) in some.columns().iter().zip(&columns) {
        assert_eq!(column, whole.column_by_name(name).unwrap(), "{name}");
    }
}

#[test]
fn schemas_are_those_of_the_benchmark() {
    let names = |kind| {
        let schema = source(&NexmarkOptions::new(kind)).schema();
        assert!(schema.fields().iter().all(|field| {
            let (data_type, is_struct) = (field.data_type(), matches!(field.data_type(), DataType::Struct(_)));
            assert_eq!(field.is_nullable(), is_struct, "{field}");
            is_struct
                || [DataType::Int64, DataType::Utf8, DataType::Timestamp(TimeUnit::Millisecond, None)]
                    .contains(data_type)
        }));
        schema.fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(EventKind::Bids), "auction bidder price channel url date_time extra");
    assert_eq!(
        names(EventKind::Auctions),
        "id item_name description initial_bid reserve date_time expires seller category extra"
    );
    assert_eq!(names(EventKind::Persons), "id name email_address credit_card city state date_time extra");
    assert_eq!(names(EventKind::All), "event_type person auction bid date_time");
}

fn times(batch: &RecordBatch) -> Vec<i64> {
    batch.column_by_name("date_time").unwrap().as_primitive::<TimestampMillisecondType>().values().to_vec()
}

#[tokio::test]
async fn event_times_follow_the_rate_and_ascend_in_each_split() {
    let options = NexmarkOptions { events_per_second: 500, base_time_ms: 7_000, ..options(EventKind::All, 2_000) };
    let whole = times(&rows(&options).await);
    assert_eq!((whole[0], whole[1], whole[500], whole[1_999]), (7_000, 7_002, 8_000, 10_998));
    for split in batches(&NexmarkOptions { splits: 6, ..options.clone() }, 100).await {
        let times: Vec<i64> = split.iter().flat_map(|batch| times(&batch.batch)).collect();
        assert!(times.is_sorted());
    }
    let late = times(&rows(&NexmarkOptions { out_of_order_ms: 300, ..options }).await);
    let early: Vec<i64> = whole.iter().zip(&late).map(|(due, time)| due - time).collect();
    assert!(early.iter().all(|early| (0..=300).contains(early)));
    assert!(early.contains(&0) && early.contains(&300) && !late.is_sorted());
}

#[tokio::test]
async fn an_endless_source_says_so() {
    let endless = source(&NexmarkOptions { splits: 2, ..NexmarkOptions::new(EventKind::Bids) });
    assert_eq!(endless.boundedness(), Boundedness::Unbounded);
    assert_eq!(endless.label(), "nexmark (bids, endless)");
    assert_eq!(endless.discover().await.unwrap()[1], Split { id: SplitId::new("1-of-2"), size_units: None });
    let bounded = source(&NexmarkOptions { splits: 2, ..options(EventKind::Bids, 101) });
    assert_eq!(bounded.label(), "nexmark (bids, of 101 events)");
    assert_eq!(bounded.boundedness(), Boundedness::Bounded);
    assert_eq!(bounded.discover().await.unwrap()[1], Split { id: SplitId::new("1-of-2"), size_units: Some(46) });
}

#[tokio::test]
async fn foreign_splits_and_offsets_are_refused() {
    let four = source(&NexmarkOptions { splits: 4, ..options(EventKind::Bids, 100) });
    let splits = four.discover().await.unwrap();
    let message = async |source: &NexmarkSource, split: &Split, offset: &SplitOffset| {
        source.open(split, Some(offset), ReadOptions::default()).await.map(|_| ()).unwrap_err().to_string()
    };
    let mut reader = four.open(&splits[1], None, ReadOptions::default()).await.unwrap();
    reader.next().await.unwrap();
    let offset = reader.offset();
    let other = message(&four, &splits[2], &offset).await;
    assert!(other.ends_with("it is one of split `1-of-4`"), "{other}");
    let two = source(&NexmarkOptions { splits: 2, ..options(EventKind::Bids, 100) });
    let renamed = message(&two, &splits[1], &offset).await;
    assert_eq!(renamed, "nexmark: there is no split `1-of-4` among 2, named `0-of-2` and so on");
    let auctions = source(&NexmarkOptions { splits: 4, ..options(EventKind::Auctions, 100) });
    let kind = message(&auctions, &splits[1], &offset).await;
    assert!(kind.ends_with("it is one of other events than auctions"), "{kind}");
    let short = message(&four, &splits[1], &SplitOffset(Bytes::from_static(b"x"))).await;
    assert!(short.ends_with("it has 1 bytes, and 18 were expected"), "{short}");
    let half = source(&NexmarkOptions { splits: 4, ..options(EventKind::Bids, 50) });
    let far = message(&half, &splits[1], &offset).await;
    assert!(far.ends_with("it is behind 23 rows, and the split has 12"), "{far}");
}
