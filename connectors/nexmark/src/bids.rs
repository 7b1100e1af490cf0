//! Bids.

use arrow::array::{ArrayRef, Int64Array};
use std::sync::Arc;

use crate::column::{Column, date_time, int64, integers, text, time};
use crate::model::{Model, bid_for, bidder};
use crate::price;
use crate::random::Use;
use crate::texts::{Channel, Texts, channel, channels, extra_length, letters};

/// What a bid has in bytes, on average.
const BYTES: usize = 100;
/// What its other columns are counted as.
const OTHERS: usize = 32;

pub(crate) static COLUMNS: [Column; 7] = [
    Column::new("auction", int64, |model, numbers| {
        let draws = model.draws(Use::BidAuction);
        integers(numbers, |n| bid_for(n, draws.of(n)))
    }),
    Column::new("bidder", int64, |model, numbers| {
        let draws = model.draws(Use::BidBidder);
        integers(numbers, |n| bidder(n, draws.of(n)))
    }),
    Column::new("price", int64, |model, numbers| {
        let draws = model.draws(Use::BidPrice);
        Arc::new(Int64Array::from(price::of(numbers.iter().map(|&n| draws.of(n)))))
    }),
    Column::new("channel", text, |model, numbers| by_channel(model, numbers, 11, |channel| &channel.name)),
    Column::new("url", text, |model, numbers| by_channel(model, numbers, 70, |channel| &channel.url)),
    Column::new("date_time", time, date_time),
    Column::new("extra", text, |model, numbers| {
        letters(model.draws(Use::BidExtra), numbers, BYTES - OTHERS, |_, random| extra_length(random, BYTES, OTHERS))
    }),
];

/// The same channel for the same event, whichever of its columns is made.
fn by_channel(model: &Model, numbers: &[u64], bytes_each: usize, part: impl Fn(&Channel) -> &str) -> ArrayRef {
    let (draws, all) = (model.draws(Use::BidChannel), channels());
    let mut texts = Texts::new(numbers.len(), bytes_each);
    for &n in numbers {
        texts.push(part(channel(all, draws.of(n))));
        texts.end();
    }
    texts.finish()
}
