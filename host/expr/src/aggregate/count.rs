//! `count`.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array};
use arrow::datatypes::Int64Type;

use super::accumulator::{Accumulator, Failure, Input, Rows, grow, take, vec_bytes};

/// How many rows count.
#[derive(Default)]
pub(super) struct Count(Vec<i64>);

impl Accumulator for Count {
    fn update(&mut self, input: &Input<'_>) -> Result<(), Failure> {
        grow(&mut self.0, input.rows.groups_total);
        input.rows.for_each(|_, group| self.0[group] += 1);
        Ok(())
    }

    fn merge(&mut self, state: &[ArrayRef], groups: &[usize], groups_total: usize) -> Result<(), Failure> {
        grow(&mut self.0, groups_total);
        let counts = state[0].as_primitive::<Int64Type>().values();
        Rows::of_state(groups, groups_total, None).try_for_each_value(counts, |group, count| {
            self.0[group] = self.0[group].saturating_add(count);
            Ok(())
        })
    }

    fn drain(&mut self, groups_total: usize) -> Result<Vec<ArrayRef>, Failure> {
        Ok(vec![self.evaluate(groups_total)?])
    }

    fn evaluate(&mut self, groups_total: usize) -> Result<ArrayRef, Failure> {
        Ok(Arc::new(Int64Array::from(take(&mut self.0, groups_total))))
    }

    fn memory_bytes(&self) -> usize {
        vec_bytes(&self.0)
    }
}
