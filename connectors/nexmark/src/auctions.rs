//! Auctions.

use std::sync::Arc;

use arrow::array::Int64Array;

use crate::column::{Column, date_time, int64, integers, text, time, times};
use crate::model::{AUCTION_ID_FIRST, AUCTIONS, EPOCH, Model, PERSONS, events_in_flight, seller};
use crate::price;
use crate::random::{Draws, Use, below};
use crate::texts::{extra_length, letters};

/// What an auction has in bytes, on average.
const BYTES: usize = 500;
const ITEM_BYTES: usize = 20;
const DESCRIPTION_BYTES: usize = 100;
/// What its other columns are counted as: six numbers, and these two texts.
const OTHERS: usize = 48 + ITEM_BYTES + DESCRIPTION_BYTES;
const CATEGORY_FIRST: u64 = 10;
const CATEGORIES: u64 = 5;

pub(crate) static COLUMNS: [Column; 10] = [
    Column::new("id", int64, |_, numbers| {
        integers(numbers, |n| AUCTION_ID_FIRST + n / EPOCH * AUCTIONS + n % EPOCH - PERSONS)
    }),
    Column::new("item_name", text, |model, numbers| {
        letters(model.draws(Use::AuctionItem), numbers, ITEM_BYTES, |_, _| ITEM_BYTES)
    }),
    Column::new("description", text, |model, numbers| {
        letters(model.draws(Use::AuctionDescription), numbers, DESCRIPTION_BYTES, |_, _| DESCRIPTION_BYTES)
    }),
    Column::new("initial_bid", int64, |model, numbers| Arc::new(Int64Array::from(initial_bids(model, numbers)))),
    Column::new("reserve", int64, |model, numbers| {
        let draws = model.draws(Use::AuctionReserve);
        let more = price::of(numbers.iter().map(|&n| draws.of(n)));
        let reserves = initial_bids(model, numbers).into_iter().zip(more).map(|(initial, more)| initial + more);
        Arc::new(Int64Array::from(reserves.collect::<Vec<_>>()))
    }),
    Column::new("date_time", time, date_time),
    Column::new("expires", time, |model, numbers| {
        let draws = model.draws(Use::AuctionLength);
        times(numbers, |n| model.event_time_ms(n) + length_ms(model, draws, n))
    }),
    Column::new("seller", int64, |model, numbers| {
        let draws = model.draws(Use::AuctionSeller);
        integers(numbers, |n| seller(n, draws.of(n)))
    }),
    Column::new("category", int64, |model, numbers| {
        let draws = model.draws(Use::AuctionCategory);
        integers(numbers, |n| CATEGORY_FIRST + below(draws.of(n), CATEGORIES))
    }),
    Column::new("extra", text, |model, numbers| {
        letters(model.draws(Use::AuctionExtra), numbers, BYTES - OTHERS, |_, random| {
            extra_length(random, BYTES, OTHERS)
        })
    }),
];

fn initial_bids(model: &Model, numbers: &[u64]) -> Vec<i64> {
    let draws = model.draws(Use::AuctionInitialBid);
    price::of(numbers.iter().map(|&n| draws.of(n)))
}

/// How long an auction is open: on average as long as it takes for as many auctions to begin as are in flight at a
/// time.
fn length_ms(model: &Model, draws: Draws, n: u64) -> i64 {
    let mean_ms = model.schedule_ms(n + events_in_flight()) - model.schedule_ms(n);
    // An event or less a second makes it half an hour: far within 32 bits.
    1 + below(draws.of(n), (2 * mean_ms as u64).max(1)) as i64
}
