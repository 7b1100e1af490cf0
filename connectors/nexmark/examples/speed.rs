//! How fast events are made, on one core: `cargo run --release -p volley-connector-nexmark --example speed`.

use std::time::{Duration, Instant};

use volley_api::{ReadEvent, ReadOptions, Source};
use volley_connector_nexmark::{EventKind, NexmarkOptions, NexmarkSource};

const ROWS: usize = 2_000_000;
const ROUNDS: usize = 5;

#[tokio::main(flavor = "current_thread")]
async fn main() -> volley_api::Result<()> {
    use EventKind::{All, Auctions, Bids, Persons};
    let q0 = ["auction", "bidder", "price", "date_time"];
    let q5 = ["auction", "date_time"];
    let q7 = ["auction", "bidder", "price", "channel", "date_time"];
    measure("bids: auction, date_time", Bids, Some(&q5)).await?;
    measure("bids: auction, bidder, price, date_time", Bids, Some(&q0)).await?;
    measure("bids: the same with channel", Bids, Some(&q7)).await?;
    measure("bids: all columns", Bids, None).await?;
    measure("auctions: all columns", Auctions, None).await?;
    measure("persons: all columns", Persons, None).await?;
    measure("all events", All, None).await
}

/// Prints the best of several rounds.
async fn measure(what: &str, events: EventKind, columns: Option<&[&str]>) -> volley_api::Result<()> {
    let columns = columns.map(|names| names.iter().map(|&name| name.to_owned()).collect());
    let source = NexmarkSource::new(&NexmarkOptions { columns, splits: 1, ..NexmarkOptions::new(events) })?;
    let split = source.discover().await?.remove(0);
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let mut reader = source.open(&split, None, ReadOptions::default()).await?;
        let (begin, mut rows) = (Instant::now(), 0);
        while rows < ROWS
            && let ReadEvent::Batch(batch) = reader.next().await?
        {
            rows += batch.batch.num_rows();
        }
        best = best.min(begin.elapsed().div_f64(rows as f64 / 1e6));
    }
    println!("{what}: {:.1} ns per row, {:.2} million rows/s", best.as_secs_f64() * 1e3, 1.0 / best.as_secs_f64());
    Ok(())
}
