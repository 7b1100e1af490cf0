//! Columns of text: letters without meaning, and the channels that bids come through.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, StringArray};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};

use crate::random::{Draws, Use, after, below, upper_below};

/// Letters that come out of one random number.
const WORD: usize = 8;

/// Makes a column of text, value by value.
pub(crate) struct Texts {
    bytes: Vec<u8>,
    offsets: Vec<i32>,
}

impl Texts {
    /// For so many values of about so many bytes each.
    pub(crate) fn new(rows: usize, bytes_each: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self { bytes: Vec::with_capacity(rows * bytes_each + WORD), offsets }
    }

    /// A part of the present value.
    #[inline]
    pub(crate) fn push(&mut self, part: &str) {
        self.bytes.extend_from_slice(part.as_bytes());
    }

    /// So many letters from a to z as a part of the present value. Four of the 26 are rarer by a tenth than the others:
    /// a byte makes a letter, and nobody counts them.
    #[inline]
    pub(crate) fn push_letters(&mut self, mut random: u64, count: usize) {
        let end = self.bytes.len() + count;
        while self.bytes.len() < end {
            let word = random.to_le_bytes().map(|byte| b'a' + ((u16::from(byte) * 26) >> 8) as u8);
            self.bytes.extend_from_slice(&word);
            random = after(random);
        }
        self.bytes.truncate(end);
    }

    /// Four digits as a part of the present value.
    pub(crate) fn push_four_digits(&mut self, number: u64) {
        self.bytes.extend([1000, 100, 10, 1].map(|unit| b'0' + (number / unit % 10) as u8));
    }

    /// Ends the present value.
    #[inline]
    pub(crate) fn end(&mut self) {
        self.offsets.push(i32::try_from(self.bytes.len()).expect("batches are bounded below 2 GB of text"));
    }

    pub(crate) fn finish(self) -> ArrayRef {
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        Arc::new(StringArray::try_new(offsets, self.bytes.into(), None).expect("whole values of UTF-8 were pushed"))
    }
}

/// A column of letters without meaning; `length` says how many, of the event number and of a random number.
pub(crate) fn letters(
    draws: Draws,
    numbers: &[u64],
    bytes_each: usize,
    length: impl Fn(u64, u64) -> usize,
) -> ArrayRef {
    let mut texts = Texts::new(numbers.len(), bytes_each);
    for &n in numbers {
        let random = draws.of(n);
        texts.push_letters(after(random), length(n, random));
        texts.end();
    }
    texts.finish()
}

/// How long the filler `extra` is: so that the whole event has about `event` bytes, give or take a fifth of the filler.
/// `others` is what the other columns have.
#[inline]
pub(crate) fn extra_length(random: u64, event: usize, others: usize) -> usize {
    let Some(mean) = event.checked_sub(others) else { return 0 };
    let spread = (mean + 2) / 5;
    mean - spread + below(random, 2 * spread as u64) as usize
}

/// A text of a list.
#[inline]
pub(crate) fn one_of(list: &[&'static str], random: u64) -> &'static str {
    list[below(random, list.len() as u64) as usize]
}

/// A channel and its address.
#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) name: String,
    pub(crate) url: String,
}

/// Half of all bids come through these.
const HOT_CHANNELS: [&str; 4] = ["Google", "Facebook", "Baidu", "Apple"];
/// The others come through as many more, `channel-0` and so on.
const CHANNELS: u32 = 10_000;

static ALL_CHANNELS: LazyLock<Vec<Channel>> = LazyLock::new(|| {
    let hot = (0..).zip(HOT_CHANNELS).map(|(number, name)| Channel { name: name.into(), url: url(number) });
    let others = (0..CHANNELS).map(|number| {
        let mut url = url(number);
        // One of ten has no id: a query looks for that.
        if upper_below(Draws::new(0, Use::Url).of(number.into()), 10) > 0 {
            url.push_str(&format!("&channel_id={}", (number.reverse_bits() as i32).unsigned_abs()));
        }
        Channel { name: format!("channel-{number}"), url }
    });
    hot.chain(others).collect()
});

/// The address that a channel has: three parts of three or four letters.
fn url(number: u32) -> String {
    let mut url = String::from("https://www.nexmark.com");
    let mut random = Draws::new(0, Use::Url).of(number.into());
    for _ in 0..3 {
        random = after(random);
        url.push('/');
        let letters = random.to_le_bytes().map(|byte| char::from(b'a' + byte % 26));
        url.extend(&letters[..3 + below(after(random), 2) as usize]);
    }
    url + "/item.htm?query=1"
}

/// The channel that a random number chooses.
#[inline]
pub(crate) fn channel(channels: &[Channel], random: u64) -> &Channel {
    let hot = HOT_CHANNELS.len() as u64;
    // Decided by the lower half, as for hot auctions.
    let index =
        if below(random, 2) > 0 { upper_below(random, hot) } else { hot + upper_below(random, CHANNELS.into()) };
    &channels[index as usize]
}

/// All channels, hot ones first.
pub(crate) fn channels() -> &'static [Channel] {
    &ALL_CHANNELS
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::AsArray;

    #[test]
    fn letters_are_letters_and_as_many_as_asked_for() {
        let numbers: Vec<u64> = (0..2_000).collect();
        let column = letters(Draws::new(3, Use::BidExtra), &numbers, 10, |n, _| n as usize % 20);
        let mut seen = [0_u32; 26];
        for (row, text) in column.as_string::<i32>().iter().enumerate() {
            let text = text.unwrap();
            assert_eq!(text.len(), row % 20);
            text.bytes().for_each(|byte| seen[usize::from(byte - b'a')] += 1);
        }
        // 19,000 letters: 731 of each, 27 the standard deviation, a tenth less for four.
        assert!(seen.iter().all(|count| (550..870).contains(count)), "{seen:?}");
    }

    #[test]
    fn the_filler_fills() {
        assert_eq!(extra_length(0, 100, 32), 54);
        assert_eq!(extra_length(0xffff_ffff, 100, 32), 81);
        assert_eq!(extra_length(5, 100, 101), 0);
    }

    #[test]
    fn channels_are_as_in_the_benchmark() {
        let channels = channels();
        assert_eq!(channels.len(), 10_004);
        assert!(
            channels
                .iter()
                .all(|c| c.url.starts_with("https://www.nexmark.com/") && c.url.contains("/item.htm?query=1"))
        );
        let without_id = channels[4..].iter().filter(|c| !c.url.contains("&channel_id=")).count();
        assert!((850..1_150).contains(&without_id), "{without_id}");
        assert!(channels[..4].iter().all(|c| c.url.split('/').count() == 7));
        assert_eq!(channels[4 + 1].name, "channel-1");
    }
}
