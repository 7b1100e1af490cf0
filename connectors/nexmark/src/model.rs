//! The auction house: how events follow each other in time, and which persons and auctions exist by then. The constants
//! are the benchmark's (Apache Beam's generator, and those made after it).

use arrow::array::ArrayRef;

use crate::column::times;
use crate::options::NexmarkOptions;
use crate::random::{Draws, Use, below, upper_below};

/// Events come in epochs: first a person, then auctions, then bids.
pub(crate) const EPOCH: u64 = 50;
pub(crate) const PERSONS: u64 = 1;
pub(crate) const AUCTIONS: u64 = 3;

/// Where ids begin. They ascend without gaps.
pub(crate) const PERSON_ID_FIRST: u64 = 1000;
pub(crate) const AUCTION_ID_FIRST: u64 = 1000;

/// How many of the latest persons bid and sell, and how many of the latest auctions are bid for, hot ones aside.
const PERSONS_ACTIVE: u64 = 1000;
const AUCTIONS_IN_FLIGHT: u64 = 100;
/// How far ahead of the last person or auction an event may refer: to one that is still to come, as happens where
/// streams are joined.
const PERSON_ID_LEAD: u64 = 10;
const AUCTION_ID_LEAD: u64 = 10;
/// One of so many persons, or auctions, is hot at a time: the first of the last hundred.
const HOT_STEP: u64 = 100;
/// An auction is by a hot seller, a bid by a hot bidder, in all cases but one of so many; a bid is for a hot auction in
/// all cases but one of so many.
const HOT_SELLER_RATIO: u64 = 4;
const HOT_BIDDER_RATIO: u64 = 4;
const HOT_AUCTION_RATIO: u64 = 2;

/// What all columns are made by.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    seed: u64,
    events_per_second: u64,
    base_time_ms: i64,
    out_of_order_ms: u64,
}

impl Model {
    /// A model of options that were checked.
    pub(crate) fn new(options: &NexmarkOptions) -> Self {
        Self {
            seed: options.seed,
            events_per_second: u64::from(options.events_per_second),
            base_time_ms: options.base_time_ms,
            out_of_order_ms: u64::from(options.out_of_order_ms),
        }
    }

    pub(crate) fn draws(&self, what_for: Use) -> Draws {
        Draws::new(self.seed, what_for)
    }

    /// When event `n` would happen if all came in order.
    pub(crate) fn schedule_ms(&self, n: u64) -> i64 {
        // The numbers of events are bounded so that this does not overflow.
        self.base_time_ms + (n * 1000 / self.events_per_second) as i64
    }

    /// The event times of these events.
    pub(crate) fn event_times(&self, numbers: &[u64]) -> ArrayRef {
        if self.out_of_order_ms == 0 {
            return times(numbers, |n| self.schedule_ms(n));
        }
        times(numbers, |n| self.event_time_ms(n))
    }

    /// When event `n` happens: up to `out_of_order_ms` before its turn.
    pub(crate) fn event_time_ms(&self, n: u64) -> i64 {
        let early_ms = below(self.draws(Use::OutOfOrder).of(n), self.out_of_order_ms + 1);
        self.schedule_ms(n) - early_ms as i64
    }
}

/// Who sells an auction that is event `n`.
#[inline]
pub(crate) fn seller(n: u64, random: u64) -> u64 {
    let last = n / EPOCH;
    let hot = last / HOT_STEP * HOT_STEP;
    PERSON_ID_FIRST + if is_hot(random, HOT_SELLER_RATIO) { hot } else { person(last, random) }
}

/// Who makes a bid that is event `n`. A hot bidder is the one after the hot seller, so that they are two.
#[inline]
pub(crate) fn bidder(n: u64, random: u64) -> u64 {
    let last = n / EPOCH;
    let hot = last / HOT_STEP * HOT_STEP + 1;
    PERSON_ID_FIRST + if is_hot(random, HOT_BIDDER_RATIO) { hot } else { person(last, random) }
}

/// What a bid that is event `n` is for.
#[inline]
pub(crate) fn bid_for(n: u64, random: u64) -> u64 {
    // Bids end their epoch: its auctions exist.
    let last = n / EPOCH * AUCTIONS + AUCTIONS - 1;
    let hot = last / HOT_STEP * HOT_STEP;
    let first = last.saturating_sub(AUCTIONS_IN_FLIGHT);
    let usual = first + upper_below(random, last - first + 1 + AUCTION_ID_LEAD);
    AUCTION_ID_FIRST + if is_hot(random, HOT_AUCTION_RATIO) { hot } else { usual }
}

/// How many events there are for as many auctions as are in flight at a time: what the length of auctions goes by.
pub(crate) const fn events_in_flight() -> u64 {
    AUCTIONS_IN_FLIGHT * EPOCH / AUCTIONS
}

/// Decided by the lower half of a random number; the upper half is left for the choice among the others.
#[inline]
fn is_hot(random: u64, ratio: u64) -> bool {
    below(random, ratio) > 0
}

/// One of the active persons, or of those to come, when person `last` is the last.
#[inline]
fn person(last: u64, random: u64) -> u64 {
    let persons = last + 1;
    let active = persons.min(PERSONS_ACTIVE);
    persons - active + upper_below(random, active + PERSON_ID_LEAD)
}
