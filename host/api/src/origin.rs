//! Where a row came from: carried beside the columns while somebody downstream may refuse it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, PoisonError, RwLock};

use arrow::array::{Array, BooleanArray, Int64Array, UInt16Array, UInt32Array};
use arrow::compute;
use arrow::error::ArrowError;

use crate::{NodeName, Positions, SplitId};

/// Where one row came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Number of the source, given out by [`OriginDirectory::register`].
    pub source: u16,
    /// Number of the split, given out likewise.
    pub split: u32,
    /// Position within the split, in the source's own unit: a line of a text file (from 1), a row of a binary file
    /// (from 0), an offset of a log.
    pub position: i64,
}

/// The origins of the rows of one batch, as columns of their own so that they are filtered and gathered vectorised.
///
/// They are not columns of the batch: no schema shows them and no plugin sees them.
#[derive(Debug, Clone)]
pub struct OriginColumn {
    source: UInt16Array,
    split: UInt32Array,
    position: Int64Array,
}

impl OriginColumn {
    /// The origins of `rows` rows read together from one split.
    ///
    /// # Panics
    /// When `positions` are not as many as the rows, which is a defect of the connector.
    #[must_use]
    pub fn of_split(source: u16, split: u32, positions: &Positions, rows: usize) -> Self {
        let position = match positions {
            Positions::From(first) => Int64Array::from_iter_values((*first..).take(rows)),
            Positions::Each(each) => each.clone(),
        };
        assert_eq!(position.len(), rows, "a source gives one position for each row");
        Self { source: UInt16Array::from_value(source, rows), split: UInt32Array::from_value(split, rows), position }
    }

    /// How many rows it describes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.source.len()
    }

    /// Whether it describes no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.source.is_empty()
    }

    /// The origin of one row.
    ///
    /// # Panics
    /// When `row` is not less than [`OriginColumn::len`].
    #[must_use]
    pub fn get(&self, row: usize) -> Origin {
        Origin { source: self.source.value(row), split: self.split.value(row), position: self.position.value(row) }
    }

    /// The origins of the rows that `keep` selects.
    ///
    /// # Errors
    /// When the lengths differ.
    pub fn filter(&self, keep: &BooleanArray) -> Result<Self, ArrowError> {
        self.map(|column| compute::filter(column, keep))
    }

    /// The origins of the given rows, in that order.
    ///
    /// # Errors
    /// When an index is out of bounds.
    pub fn take(&self, rows: &UInt32Array) -> Result<Self, ArrowError> {
        self.map(|column| compute::take(column, rows, None))
    }

    /// The origins of `length` rows from `offset` on, without a copy.
    ///
    /// # Panics
    /// When the range is out of bounds.
    #[must_use]
    pub fn slice(&self, offset: usize, length: usize) -> Self {
        Self {
            source: self.source.slice(offset, length),
            split: self.split.slice(offset, length),
            position: self.position.slice(offset, length),
        }
    }

    /// All the origins of several batches, one after another.
    ///
    /// # Errors
    /// Those of Arrow's `concat`: an empty slice, or more than fits in memory.
    pub fn concat(parts: &[&Self]) -> Result<Self, ArrowError> {
        let join =
            |pick: fn(&Self) -> &dyn Array| compute::concat(&parts.iter().map(|part| pick(part)).collect::<Vec<_>>());
        Ok(Self::from_columns([join(|part| &part.source)?, join(|part| &part.split)?, join(|part| &part.position)?]))
    }

    fn map(&self, f: impl Fn(&dyn Array) -> Result<arrow::array::ArrayRef, ArrowError>) -> Result<Self, ArrowError> {
        Ok(Self::from_columns([f(&self.source)?, f(&self.split)?, f(&self.position)?]))
    }

    fn from_columns([source, split, position]: [arrow::array::ArrayRef; 3]) -> Self {
        // Arrow's filter, take and concat keep the type of what they are given.
        Self { source: source.to_data().into(), split: split.to_data().into(), position: position.to_data().into() }
    }
}

/// The names behind the numbers of [`Origin`], shared by all tasks of a job.
#[derive(Debug, Clone, Default)]
pub struct OriginDirectory(Arc<RwLock<Names>>);

#[derive(Debug, Default)]
struct Names {
    sources: Numbered<NodeName>,
    splits: Numbered<SplitId>,
}

/// Names in the order in which they were met, and their numbers.
#[derive(Debug)]
struct Numbered<T> {
    names: Vec<T>,
    numbers: HashMap<T, usize>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self { names: Vec::new(), numbers: HashMap::new() }
    }
}

impl<T: Clone + Eq + Hash> Numbered<T> {
    fn number(&mut self, name: &T) -> usize {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        self.names.push(name.clone());
        self.numbers.insert(name.clone(), self.names.len() - 1);
        self.names.len() - 1
    }
}

impl OriginDirectory {
    /// An empty directory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives a split of a source its two numbers; the same names get the same numbers again.
    ///
    /// # Panics
    /// With more than 65,536 sources or 2³² splits in one job: their names alone would not fit in memory.
    pub fn register(&self, source: &NodeName, split: &SplitId) -> (u16, u32) {
        let mut names = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let source = names.sources.number(source);
        let split = names.splits.number(split);
        (
            u16::try_from(source).expect("a job has fewer than 65,536 sources"),
            u32::try_from(split).expect("a job has fewer than 2^32 splits"),
        )
    }

    /// The names of a row's source and split, if they were given out here.
    #[must_use]
    pub fn resolve(&self, origin: Origin) -> Option<(NodeName, SplitId)> {
        let names = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let source = names.sources.names.get(usize::from(origin.source))?.clone();
        let split = names.splits.names.get(usize::try_from(origin.split).ok()?)?.clone();
        Some((source, split))
    }
}

impl OriginDirectory {
    /// Where a row came from in words, `data/a.csv at 17`: the split and the position in the source's own unit.
    #[must_use]
    pub fn describe(&self, origin: Origin) -> Option<String> {
        self.resolve(origin).map(|(_, split)| format!("{split} at {}", origin.position))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_follow_their_rows() -> Result<(), Box<dyn std::error::Error>> {
        let directory = OriginDirectory::new();
        let flights = NodeName::new("flights")?;
        directory.register(&flights, &SplitId::new("a.csv"));
        let (source, split) = directory.register(&flights, &SplitId::new("b.csv"));
        assert_eq!((source, split), (0, 1));
        let column = OriginColumn::of_split(source, split, &Positions::From(10), 4);
        let kept = column.filter(&BooleanArray::from(vec![true, false, true, true]))?;
        let taken = kept.take(&UInt32Array::from(vec![2, 0, 2]))?;
        let positions: Vec<_> = (0..taken.len()).map(|row| taken.get(row).position).collect();
        assert_eq!(positions, [13, 10, 13]);
        let all = OriginColumn::concat(&[&taken, &column.slice(1, 1)])?;
        assert_eq!(all.get(3).position, 11);
        let (name, id) = directory.resolve(all.get(0)).expect("registered above");
        assert_eq!((name.as_str(), id.as_str()), ("flights", "b.csv"));
        assert!(directory.resolve(Origin { source: 9, split: 0, position: 0 }).is_none());
        Ok(())
    }
}
