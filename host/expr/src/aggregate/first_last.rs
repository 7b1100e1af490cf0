//! `first` and `last`, by event time.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Int64Type};

use super::accumulator::{Accumulator, Failure, Input, Rows, Seen, grow, take, vec_bytes};
use super::kind::Kind;

/// The value of the earliest row of a group, or of the latest. Null is a value like any other.
pub(super) struct FirstLast<K: Kind, const LAST: bool> {
    data_type: DataType,
    /// When the kept rows were.
    times: Vec<i64>,
    /// The groups that have a row.
    seen: Seen,
    kept: Vec<K::Kept>,
    /// Whether what is kept is null.
    is_null: Vec<bool>,
    heap_bytes: usize,
}

impl<K: Kind, const LAST: bool> FirstLast<K, LAST> {
    pub(super) fn new(data_type: DataType) -> Self {
        let (times, kept, is_null) = (Vec::new(), Vec::new(), Vec::new());
        Self { data_type, times, seen: Seen::default(), kept, is_null, heap_bytes: 0 }
    }

    fn add(&mut self, rows: &Rows<'_>, times: &Int64Array, values: &ArrayRef) -> Result<(), Failure> {
        grow(&mut self.times, rows.groups_total);
        grow(&mut self.kept, rows.groups_total);
        grow(&mut self.is_null, rows.groups_total);
        self.seen.grow(rows.groups_total);
        let nulls = values.logical_nulls();
        let values = K::open(values)?;
        rows.for_each(|row, group| {
            let time = times.value(row);
            // Of rows at the same time the first to arrive is first, and the last to arrive is last.
            let is_better = if LAST { time >= self.times[group] } else { time < self.times[group] };
            if times.is_null(row) || self.seen.has(group) && !is_better {
                return;
            }
            self.times[group] = time;
            self.seen.add(group);
            self.is_null[group] = nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
            if !self.is_null[group] {
                let kept = &mut self.kept[group];
                let heap_bytes = K::heap_bytes(kept);
                K::keep(kept, K::value(&values, row));
                self.heap_bytes += K::heap_bytes(kept) - heap_bytes;
            }
        });
        Ok(())
    }

    /// The values, and which groups have a row.
    fn take_values(&mut self, groups_total: usize) -> Result<(ArrayRef, Option<NullBuffer>), Failure> {
        let seen = self.seen.take_nulls(groups_total);
        let is_null = take(&mut self.is_null, groups_total);
        let kept = take(&mut self.kept, groups_total);
        self.heap_bytes = 0;
        let not_null = is_null.contains(&true).then(|| is_null.iter().map(|is_null| !is_null).collect());
        let nulls = NullBuffer::union(seen.as_ref(), not_null.as_ref());
        Ok((K::column(kept.iter(), nulls, &self.data_type)?, seen))
    }
}

impl<K: Kind, const LAST: bool> Accumulator for FirstLast<K, LAST> {
    fn update(&mut self, input: &Input<'_>) -> Result<(), Failure> {
        self.add(&input.rows, input.times()?, input.values()?)
    }

    fn merge(&mut self, state: &[ArrayRef], groups: &[usize], groups_total: usize) -> Result<(), Failure> {
        // A group without a row has no time, and is passed over for that.
        let times = state[0].as_primitive::<Int64Type>();
        self.add(&Rows::of_state(groups, groups_total, None), times, &state[1])
    }

    fn drain(&mut self, groups_total: usize) -> Result<Vec<ArrayRef>, Failure> {
        let times = take(&mut self.times, groups_total);
        let (values, seen) = self.take_values(groups_total)?;
        Ok(vec![Arc::new(Int64Array::try_new(times.into(), seen)?), values])
    }

    fn evaluate(&mut self, groups_total: usize) -> Result<ArrayRef, Failure> {
        self.times = Vec::new();
        Ok(self.take_values(groups_total)?.0)
    }

    fn memory_bytes(&self) -> usize {
        let by_group = vec_bytes(&self.times) + vec_bytes(&self.kept) + vec_bytes(&self.is_null);
        by_group + self.seen.memory_bytes() + self.heap_bytes
    }
}
