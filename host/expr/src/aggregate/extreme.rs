//! `min` and `max`.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;

use super::accumulator::{Accumulator, Failure, Input, Rows, Seen, grow, take, vec_bytes};
use super::kind::Kind;

/// The least value by group, or the greatest; null for a group without a value.
pub(super) struct Extreme<K: Kind, const MAX: bool> {
    data_type: DataType,
    kept: Vec<K::Kept>,
    seen: Seen,
    heap_bytes: usize,
}

impl<K: Kind, const MAX: bool> Extreme<K, MAX> {
    pub(super) fn new(data_type: DataType) -> Self {
        Self { data_type, kept: Vec::new(), seen: Seen::default(), heap_bytes: 0 }
    }

    fn add(&mut self, rows: &Rows<'_>, values: &ArrayRef) -> Result<(), Failure> {
        grow(&mut self.kept, rows.groups_total);
        self.seen.grow(rows.groups_total);
        let values = K::open(values)?;
        rows.for_each(|row, group| {
            let (value, kept) = (K::value(&values, row), &mut self.kept[group]);
            let is_first = !self.seen.has(group);
            let is_better = if MAX { K::precedes(K::kept(kept), value) } else { K::precedes(value, K::kept(kept)) };
            if is_first || is_better {
                let heap_bytes = K::heap_bytes(kept);
                K::keep(kept, value);
                self.heap_bytes += K::heap_bytes(kept) - heap_bytes;
                self.seen.add(group);
            }
        });
        Ok(())
    }
}

impl<K: Kind, const MAX: bool> Accumulator for Extreme<K, MAX> {
    fn update(&mut self, input: &Input<'_>) -> Result<(), Failure> {
        self.add(&input.rows, input.values()?)
    }

    fn merge(&mut self, state: &[ArrayRef], groups: &[usize], groups_total: usize) -> Result<(), Failure> {
        self.add(&Rows::of_state(groups, groups_total, state[0].nulls()), &state[0])
    }

    fn drain(&mut self, groups_total: usize) -> Result<Vec<ArrayRef>, Failure> {
        Ok(vec![self.evaluate(groups_total)?])
    }

    fn evaluate(&mut self, groups_total: usize) -> Result<ArrayRef, Failure> {
        let nulls = self.seen.take_nulls(groups_total);
        let kept = take(&mut self.kept, groups_total);
        self.heap_bytes = 0;
        Ok(K::column(kept.iter(), nulls, &self.data_type)?)
    }

    fn memory_bytes(&self) -> usize {
        vec_bytes(&self.kept) + self.seen.memory_bytes() + self.heap_bytes
    }
}
