//! How often what happens: shares, hot auctions, sellers, bidders and channels, prices, sizes, against what the benchmark's
//! constants make likely. Seeds are fixed; bounds are five standard deviations.
#![allow(clippy::unwrap_used, reason = "a test helper may panic like a test")]

mod common;

use std::collections::HashSet;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampMillisecondType};
use volley_connector_nexmark::{EventKind, NexmarkOptions};

const EVENTS: u64 = 500_000;

async fn table(kind: EventKind) -> RecordBatch {
    common::rows(&NexmarkOptions { seed: 1, ..common::options(kind, EVENTS) }).await
}

fn numbers<'a>(table: &'a RecordBatch, name: &str) -> &'a [i64] {
    table.column_by_name(name).unwrap().as_primitive::<Int64Type>().values()
}

fn texts<'a>(table: &'a RecordBatch, name: &str) -> Vec<&'a str> {
    table.column_by_name(name).unwrap().as_string::<i32>().iter().map(Option::unwrap).collect()
}

/// Panics unless `hits` of `rows` are as many as a probability makes likely.
#[track_caller]
fn assert_share(what: &str, hits: usize, rows: usize, probability: f64) {
    let deviation = (probability * (1.0 - probability) / rows as f64).sqrt();
    let share = hits as f64 / rows as f64;
    assert!((share - probability).abs() < 5.0 * deviation, "{what}: {share:.4} instead of {probability:.4}");
}

/// The mean size of an event's values in bytes, numbers and times at eight.
fn bytes(table: &RecordBatch) -> f64 {
    let column = |column: &dyn Array| match column.as_string_opt::<i32>() {
        Some(texts) => texts.value_data().len(),
        None => 8 * column.len(),
    };
    table.columns().iter().map(|c| column(c)).sum::<usize>() as f64 / table.num_rows() as f64
}

#[tokio::test]
async fn bids() {
    let bids = table(EventKind::Bids).await;
    let rows = bids.num_rows();
    assert_eq!(rows as u64, EVENTS / 50 * 46);
    let (auctions, bidders, prices) = (numbers(&bids, "auction"), numbers(&bids, "bidder"), numbers(&bids, "price"));
    let channels = texts(&bids, "channel");

    // Once there are enough of each: before, ids are fewer.
    let late = 46 * 2_000..rows;
    let (mut hot_auctions, mut hot_bidders, mut expected_auctions, mut expected_bidders) = (0, 0, 0.0, 0.0);
    for row in late.clone() {
        let epoch = row as i64 / 46;
        let (person, auction) = (epoch, epoch * 3 + 2);
        let (hot_auction, hot_bidder) = (auction / 100 * 100, person / 100 * 100 + 1);
        assert!(
            (auction - 100..=auction + 10).contains(&(auctions[row] - 1000)) || auctions[row] - 1000 == hot_auction
        );
        assert!((person - 999..=person + 10).contains(&(bidders[row] - 1000)));
        hot_auctions += usize::from(auctions[row] - 1000 == hot_auction);
        hot_bidders += usize::from(bidders[row] - 1000 == hot_bidder);
        // The hot one may also be chosen among the others.
        expected_auctions += 0.5 + 0.5 / 111.0;
        expected_bidders += 0.75 + 0.25 / 1010.0;
    }
    let count = late.len();
    assert_share("hot auctions", hot_auctions, count, expected_auctions / count as f64);
    assert_share("hot bidders", hot_bidders, count, expected_bidders / count as f64);

    // Prices are uniform in their logarithm, over six decades.
    for decade in 0..6_u32 {
        let range = 100 * 10_i64.pow(decade)..100 * 10_i64.pow(decade + 1);
        let hits = prices.iter().filter(|price| range.contains(price)).count();
        assert_share(&format!("prices from {}", range.start), hits, rows, 1.0 / 6.0);
    }

    for channel in ["Google", "Facebook", "Baidu", "Apple"] {
        assert_share(channel, channels.iter().filter(|&&c| c == channel).count(), rows, 1.0 / 8.0);
    }
    let others: HashSet<_> = channels.iter().filter(|channel| channel.starts_with("channel-")).collect();
    assert_eq!(others.len(), 10_000);
    let urls: HashSet<_> = channels.iter().copied().zip(texts(&bids, "url")).collect();
    assert_eq!(urls.len(), 10_004, "a channel has one address");

    let extra: Vec<_> = texts(&bids, "extra").iter().map(|text| text.len()).collect();
    assert_eq!((extra.iter().min(), extra.iter().max()), (Some(&54), Some(&81)));
    let mean = extra.iter().sum::<usize>() as f64 / rows as f64;
    assert!((mean - 67.5).abs() < 0.1, "{mean}");
}

#[tokio::test]
async fn auctions() {
    let auctions = table(EventKind::Auctions).await;
    let rows = auctions.num_rows();
    assert_eq!(rows as u64, EVENTS / 50 * 3);
    assert!(numbers(&auctions, "id").iter().copied().eq(1000..1000 + rows as i64));
    let sellers = numbers(&auctions, "seller");
    let late = 3 * 2_000..rows;
    let hot = late.clone().filter(|&row| sellers[row] - 1000 == row as i64 / 3 / 100 * 100).count();
    assert_share("hot sellers", hot, late.len(), 0.75 + 0.25 / 1010.0);
    for category in 10..15 {
        let hits = numbers(&auctions, "category").iter().filter(|&&found| found == category).count();
        assert_share("a category", hits, rows, 0.2);
    }
    assert!(numbers(&auctions, "reserve").iter().zip(numbers(&auctions, "initial_bid")).all(|(more, bid)| more > bid));
    let times = |name: &str| auctions.column_by_name(name).unwrap().as_primitive::<TimestampMillisecondType>().values();
    let lengths: Vec<_> = times("expires").iter().zip(times("date_time")).map(|(end, begin)| end - begin).collect();
    // 1,666 events of a tenth of a millisecond, doubled.
    assert!(lengths.iter().all(|length| (1..=334).contains(length)));
    let mean = lengths.iter().sum::<i64>() as f64 / rows as f64;
    assert!((mean - 167.0).abs() < 3.0, "{mean}");
    // 500, and eight more: the benchmark counts six numbers where there are seven.
    assert!((bytes(&auctions) - 507.5).abs() < 2.0, "{}", bytes(&auctions));
}

#[tokio::test]
async fn persons() {
    let persons = table(EventKind::Persons).await;
    let rows = persons.num_rows();
    assert_eq!(rows as u64, EVENTS / 50);
    assert!(numbers(&persons, "id").iter().copied().eq(1000..1000 + rows as i64));
    for state in ["AZ", "CA", "ID", "OR", "WA", "WY"] {
        assert_share(state, texts(&persons, "state").iter().filter(|&&s| s == state).count(), rows, 1.0 / 6.0);
    }
    let distinct = |name: &str| texts(&persons, name).into_iter().collect::<HashSet<_>>().len();
    assert_eq!((distinct("name"), distinct("city")), (99, 10));
    assert!(distinct("email_address") == rows && distinct("credit_card") == rows);
    let card = texts(&persons, "credit_card")[0];
    assert!(
        card.len() == 19 && card.split(' ').all(|group| group.len() == 4 && group.parse::<u16>().is_ok()),
        "{card}"
    );
    // 200, without the eight of the time, which the benchmark does not count for persons.
    assert!((bytes(&persons) - 208.0).abs() < 1.5, "{}", bytes(&persons));
}
