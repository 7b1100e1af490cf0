//! Whether two columns hold the same.

use super::Column;
use crate::layout::{Layout, children};
use crate::offsets::Offsets;

impl Column<'_> {
    /// Same type, same values, nulls at the same rows; what lies at null rows does not count. Floats are compared by
    /// their bits, as in a message.
    pub(crate) fn same(&self, other: &Column<'_>) -> bool {
        self.data_type() == other.data_type()
            && self.len() == other.len()
            && (0..self.len()).all(|row| self.same_row(row, other, row))
    }

    fn same_row(&self, row: usize, other: &Column<'_>, other_row: usize) -> bool {
        match (self.is_null(row), other.is_null(other_row)) {
            (false, false) => {}
            (left, right) => return left == right,
        }
        let (at, other_at) = (self.start + row, other.start + other_row);
        match Layout::of(self.data_type()) {
            Layout::Null | Layout::Unknown => true,
            Layout::Bits => {
                let bit = |bytes: &[u8], at: usize| bytes[at / 8] >> (at % 8) & 1;
                bit(self.store.values(), at) == bit(other.store.values(), other_at)
            }
            Layout::Fixed(width) => {
                self.store.values()[at * width..][..width] == other.store.values()[other_at * width..][..width]
            }
            Layout::Variable(_) => self.store.data()[range(self, row)] == other.store.data()[range(other, other_row)],
            Layout::List(_) => self.same_items(range(self, row), other, range(other, other_row)),
            Layout::FixedList(size) => {
                self.same_items(at * size..(at + 1) * size, other, other_at * size..(other_at + 1) * size)
            }
            Layout::Struct => self.same_items(at..at + 1, other, other_at..other_at + 1),
            Layout::Dictionary => match (self.as_dictionary(), other.as_dictionary()) {
                (Ok(left), Ok(right)) => match (left.get(row), right.get(other_row)) {
                    (Some(left), Some(right)) => left.same(&right),
                    (left, right) => left.is_none() && right.is_none(),
                },
                _ => false,
            },
        }
    }

    /// Whether these values of all children are the same.
    fn same_items(
        &self,
        range: std::ops::Range<usize>,
        other: &Column<'_>,
        other_range: std::ops::Range<usize>,
    ) -> bool {
        let items = |column: &Self, index, range: &std::ops::Range<usize>| {
            column.child(index).map(|child| child.slice(range.start, range.len()))
        };
        range.len() == other_range.len()
            && (0..children(self.data_type()).len()).all(|index| {
                match (items(self, index, &range), other.child(index)) {
                    (Some(left), Some(right)) => left.same(&right.slice(other_range.start, other_range.len())),
                    _ => false,
                }
            })
    }
}

fn range(column: &Column<'_>, row: usize) -> std::ops::Range<usize> {
    let offsets: Offsets<'_> = column.offsets();
    offsets.range(row)
}
