//! Random numbers as functions of seed, use and event number.

use volley_api::split_mix_64;

/// The step of SplitMix64: 2⁶⁴ divided by the golden ratio, odd.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
/// Another odd constant without a pattern, so that the sequences of uses do not lie on one another.
const USE_STEP: u64 = 0xd1b5_4a32_d192_ed03;

/// What a random number is drawn for. The numbers are frozen: a job that is resumed by another version makes the same
/// rows.
#[derive(Debug, Clone, Copy)]
#[repr(u64)]
pub(crate) enum Use {
    OutOfOrder = 1,
    BidAuction = 2,
    BidBidder = 3,
    BidPrice = 4,
    BidChannel = 5,
    BidExtra = 6,
    AuctionItem = 7,
    AuctionDescription = 8,
    AuctionInitialBid = 9,
    AuctionReserve = 10,
    AuctionLength = 11,
    AuctionSeller = 12,
    AuctionCategory = 13,
    AuctionExtra = 14,
    PersonName = 15,
    PersonEmail = 16,
    PersonCard = 17,
    PersonCity = 18,
    PersonState = 19,
    PersonExtra = 20,
    /// Part of no event: the addresses of channels, which are the same for every seed.
    Url = 21,
}

/// The random numbers of one use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draws {
    key: u64,
}

impl Draws {
    pub(crate) fn new(seed: u64, what_for: Use) -> Self {
        Self { key: split_mix_64(seed.wrapping_add((what_for as u64).wrapping_mul(USE_STEP))) }
    }

    /// The number of event `n`: the `n`-th of SplitMix64 from the key on.
    #[inline]
    pub(crate) fn of(self, n: u64) -> u64 {
        split_mix_64(self.key.wrapping_add(n.wrapping_add(1).wrapping_mul(GAMMA)))
    }
}

/// The number after `number`, where one event needs more than 64 bits.
#[inline]
pub(crate) fn after(number: u64) -> u64 {
    split_mix_64(number.wrapping_add(GAMMA))
}

/// The lower half of a random number as one below `limit`, which has 32 bits at most. The halves are independent: two
/// choices come out of one number.
#[inline]
pub(crate) fn below(number: u64, limit: u64) -> u64 {
    ((number & 0xffff_ffff) * limit) >> 32
}

/// As [`below`], of the upper half.
#[inline]
pub(crate) fn upper_below(number: u64, limit: u64) -> u64 {
    ((number >> 32) * limit) >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_cover_their_range_evenly_and_apart() {
        let draws = Draws::new(0, Use::BidAuction);
        let mut counts = [[0_u32; 4]; 3];
        for n in 0..120_000 {
            let number = draws.of(n);
            counts[below(number, 3) as usize][upper_below(number, 4) as usize] += 1;
        }
        // The standard deviation of each is 96: five of them.
        assert!(counts.as_flattened().iter().all(|&count| count.abs_diff(10_000) < 480), "{counts:?}");
        assert_eq!(below(u64::MAX, 7), 6);
        assert_eq!(upper_below(u64::MAX, 7), 6);
        assert_eq!(below(0, 7), 0);
    }

    #[test]
    fn uses_and_seeds_have_nothing_in_common() {
        let first = |seed, what_for| Draws::new(seed, what_for).of(0);
        assert_ne!(first(0, Use::BidPrice), first(1, Use::BidPrice));
        assert_ne!(first(0, Use::BidPrice), first(0, Use::BidExtra));
        assert_ne!(after(0), after(1));
    }
}
