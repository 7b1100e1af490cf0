//! Which reader reads which splits of a source, and which subtasks it feeds.

use std::collections::VecDeque;

use volley_api::Split;

/// The splits of a source dealt out to its readers: one reader per subtask, or per split where there are fewer. A source that
/// lists nothing has one too: somebody has to say in checkpoints what was read to its end.
pub(crate) struct Deal {
    readers: Vec<VecDeque<Split>>,
    parallelism: usize,
}

impl Deal {
    pub(crate) fn new(splits: &[Split], parallelism: u32) -> Self {
        let parallelism = parallelism as usize;
        let mut readers = vec![VecDeque::new(); parallelism.min(splits.len()).max(1)];
        for (index, split) in splits.iter().enumerate() {
            readers[index % parallelism].push_back(split.clone());
        }
        Self { readers, parallelism }
    }

    /// The splits of each reader.
    pub(crate) fn readers(&self) -> &[VecDeque<Split>] {
        &self.readers
    }

    /// Whether a reader feeds a subtask: its own where every subtask has a reader, otherwise all of them in turn, so
    /// that a single file still keeps every subtask busy.
    pub(crate) fn feeds(&self, reader: usize, subtask: u32) -> bool {
        self.readers.len() < self.parallelism || reader == subtask as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use volley_api::SplitId;

    fn splits(count: usize) -> Vec<Split> {
        (0..count).map(|number| Split { id: SplitId::new(&number.to_string()), size_units: None }).collect()
    }

    #[test]
    fn every_split_has_one_reader_and_every_subtask_is_fed() {
        for (count, parallelism) in [(0, 1), (1, 1), (1, 4), (3, 4), (4, 4), (9, 4), (2, 1)] {
            let deal = Deal::new(&splits(count), parallelism);
            assert_eq!(deal.readers().iter().map(VecDeque::len).sum::<usize>(), count);
            assert_eq!(deal.readers().len(), count.clamp(1, parallelism as usize), "none without need");
            for subtask in 0..parallelism {
                assert!((0..deal.readers().len()).any(|reader| deal.feeds(reader, subtask)));
            }
        }
    }
}
