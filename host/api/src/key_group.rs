//! Key groups: the units in which keyed state is dealt out to subtasks.

use crate::SubtaskId;

/// How many key groups there are. Frozen with the checkpoint format; also the most instances of a keyed operator.
pub const KEY_GROUPS: u32 = 256;

/// One of the [`KEY_GROUPS`] parts that all keys hash to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyGroup(pub u8);

impl KeyGroup {
    /// The key group of a key with that hash: its highest eight bits.
    #[must_use]
    pub fn of_hash(hash: u64) -> Self {
        Self((hash >> 56) as u8)
    }

    /// Which of `parallelism` subtasks has this key group. Each has a contiguous range, as in Flink.
    #[must_use]
    pub fn subtask(self, parallelism: u32) -> u32 {
        u32::from(self.0) * parallelism / KEY_GROUPS
    }
}

/// The key groups of one subtask: contiguous, and none when there are more subtasks than key groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyGroupRange {
    /// The first, as a number.
    pub start: u32,
    /// The one behind the last, as a number.
    pub end: u32,
}

impl KeyGroupRange {
    /// The range of a subtask: those whose [`KeyGroup::subtask`] it is.
    #[must_use]
    pub fn of(subtask: SubtaskId) -> Self {
        let first = |index: u32| (index * KEY_GROUPS).div_ceil(subtask.parallelism);
        Self { start: first(subtask.index), end: first(subtask.index + 1) }
    }

    /// Whether two ranges have a key group in common.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.start.max(other.start) < self.end.min(other.end)
    }

    /// Whether a key group is one of them.
    #[must_use]
    pub fn contains(self, group: KeyGroup) -> bool {
        (self.start..self.end).contains(&u32::from(group.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cover_every_group_once_and_agree_with_the_groups() {
        for parallelism in 1..=KEY_GROUPS + 3 {
            let ranges: Vec<_> =
                (0..parallelism).map(|index| KeyGroupRange::of(SubtaskId { index, parallelism })).collect();
            assert!(ranges.windows(2).all(|pair| pair[0].end == pair[1].start));
            assert_eq!((ranges[0].start, ranges[ranges.len() - 1].end), (0, KEY_GROUPS));
            for group in (0..=u8::MAX).map(KeyGroup) {
                assert!(ranges[group.subtask(parallelism) as usize].contains(group));
            }
        }
    }
}
