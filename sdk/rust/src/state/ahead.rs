//! How many keys to read at once, when one of a batch is asked for.
//!
//! A function that reads state for each of its rows asks for the keys of its batch one after another: reading the next ones with
//! the first saves crossings. One that reads for some of its rows alone would read in vain what it never asks for, and lists and
//! maps may be long. So the number grows while what was read ahead is asked for, and shrinks where it is not.

/// About as many bytes are read at once, and not more keys than that.
const BYTES_AT_ONCE: u64 = 1 << 20;

/// Not more keys are read at once, whatever those before have had: the next ones may have more.
const KEYS_AT_ONCE: usize = 1_024;

/// By what the number of keys grows and shrinks.
const FACTOR: usize = 4;

/// The keys of a batch that were read so far.
#[derive(Default)]
pub(super) struct Ahead {
    /// How many are read at a time.
    window: usize,
    /// How many were read.
    read: usize,
    /// How many of all were asked for, and which.
    asked: usize,
    is_asked: Vec<bool>,
    /// Bytes of those that were read; more than what a `usize` of a guest counts.
    bytes: u64,
}

impl Ahead {
    /// The key at `at` is asked for. Unless it is read: what to read now, as places and as their groups, which are those of all
    /// keys of the batch.
    pub(super) fn ask(
        &mut self,
        at: usize,
        groups: &[u32],
        is_read: impl Fn(usize) -> bool,
    ) -> Option<(Vec<u32>, Vec<u32>)> {
        self.is_asked.resize(groups.len(), false);
        if !std::mem::replace(&mut self.is_asked[at], true) {
            self.asked += 1;
        }
        if is_read(at) {
            return None;
        }
        let places = self.places(at, groups.len(), is_read);
        let groups = places.iter().map(|place| groups[*place as usize]).collect();
        Some((places, groups))
    }

    /// The places of keys to read now that the one at `at` is wanted and not there: it, and others behind it. There are `keys`.
    fn places(&mut self, at: usize, keys: usize, is_read: impl Fn(usize) -> bool) -> Vec<u32> {
        if self.asked * 2 > self.read {
            self.window = (self.window * FACTOR).clamp(1, KEYS_AT_ONCE);
        } else if self.asked * 8 < self.read {
            self.window = (self.window / FACTOR).max(1);
        }
        // As many as have had so many bytes, unless they have none.
        let fit = (self.read as u64 * BYTES_AT_ONCE).checked_div(self.bytes);
        let fit = fit.and_then(|keys| usize::try_from(keys).ok()).unwrap_or(usize::MAX);
        let end = at.saturating_add(self.window.min(fit).max(1)).min(keys);
        // A call has less than u32::MAX keys.
        (at..end).filter(|place| *place == at || !is_read(*place)).map(|place| place as u32).collect()
    }

    /// Keys were read, of so many bytes together.
    pub(super) fn took(&mut self, keys: usize, bytes: usize) {
        self.read += keys;
        self.bytes += bytes as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks for keys by these places; gives how many times and how many keys were read.
    fn read(asked: impl Iterator<Item = usize>, keys: usize, bytes_each: usize) -> (usize, usize) {
        let (mut ahead, mut is_read, mut times) = (Ahead::default(), vec![false; keys], 0);
        let groups: Vec<u32> = (7..).take(keys).collect();
        for at in asked {
            let Some((places, of)) = ahead.ask(at, &groups, |place| is_read[place]) else {
                assert!(is_read[at]);
                continue;
            };
            assert!(places.iter().map(|place| place + 7).eq(of), "places and groups go together");
            assert!(places.contains(&(at as u32)) && places.iter().all(|place| !is_read[*place as usize]));
            ahead.took(places.len(), places.len() * bytes_each);
            places.iter().for_each(|place| is_read[*place as usize] = true);
            times += 1;
        }
        (times, is_read.iter().filter(|is_read| **is_read).count())
    }

    #[test]
    fn all_keys_are_read_in_few_turns_and_a_single_one_alone() {
        let (times, keys) = read(0..8_192, 8_192, 16);
        assert!(times <= 13 && keys == 8_192, "{times} turns for {keys}");
        assert_eq!(read(std::iter::once(7), 8_192, 16), (1, 1));
        assert_eq!(read(std::iter::empty(), 0, 16), (0, 0));
    }

    #[test]
    fn what_is_not_asked_for_is_hardly_read() {
        for step in [2, 10, 100, 1_000] {
            let (times, keys) = read((0..8_192).step_by(step), 8_192, 16);
            let asked = 8_192_usize.div_ceil(step);
            assert!(times <= asked && keys <= 9 * asked + 16, "one in {step}: {times} turns, {keys} keys");
        }
    }

    #[test]
    fn keys_of_many_bytes_are_read_some_at_a_time() {
        // 64 KiB each: 16 at a time.
        let (times, keys) = read(0..1_024, 1_024, 64 << 10);
        assert!((64..80).contains(&times) && keys == 1_024, "{times} turns for {keys}");
        assert_eq!(read(0..64, 64, 2 << 20), (64, 64));
        // What a call has at the most, with more bytes by the number of keys than 32 bits count.
        let (times, keys) = read(0..8_192, 8_192, 8 << 10);
        assert!((64..90).contains(&times) && keys == 8_192, "{times} turns for {keys}");
    }
}
