//! `approx_distinct`: a sketch for each group.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BinaryBuilder, Int64Array};

use super::accumulator::{Accumulator, Failure, Input, grow, take, vec_bytes};
use super::kind::Kind;
use super::sketch::Sketch;

/// About how many different values there are by group.
pub(super) struct ApproxDistinct<K: Kind> {
    sketches: Vec<Sketch>,
    heap_bytes: usize,
    kind: PhantomData<K>,
}

impl<K: Kind> ApproxDistinct<K> {
    pub(super) fn new() -> Self {
        Self { sketches: Vec::new(), heap_bytes: 0, kind: PhantomData }
    }

    fn empty(&mut self, groups_total: usize) -> Vec<Sketch> {
        self.heap_bytes = 0;
        take(&mut self.sketches, groups_total)
    }
}

impl<K: Kind> Accumulator for ApproxDistinct<K> {
    fn update(&mut self, input: &Input<'_>) -> Result<(), Failure> {
        grow(&mut self.sketches, input.rows.groups_total);
        let values = K::open(input.values()?)?;
        input.rows.for_each(|row, group| {
            let sketch = &mut self.sketches[group];
            let heap_bytes = sketch.heap_bytes();
            sketch.add(K::hash(K::value(&values, row)));
            self.heap_bytes = self.heap_bytes + sketch.heap_bytes() - heap_bytes;
        });
        Ok(())
    }

    fn merge(&mut self, state: &[ArrayRef], groups: &[usize], groups_total: usize) -> Result<(), Failure> {
        grow(&mut self.sketches, groups_total);
        let stored = state[0].as_binary::<i32>();
        for (row, &group) in groups.iter().enumerate() {
            let sketch = &mut self.sketches[group];
            let heap_bytes = sketch.heap_bytes();
            sketch.merge(stored.value(row)).map_err(|reason| Failure::Broken(format!("its state: {reason}")))?;
            self.heap_bytes = self.heap_bytes + sketch.heap_bytes() - heap_bytes;
        }
        Ok(())
    }

    fn drain(&mut self, groups_total: usize) -> Result<Vec<ArrayRef>, Failure> {
        let mut stored = BinaryBuilder::new();
        let (mut bytes, mut total) = (Vec::new(), 0);
        for sketch in self.empty(groups_total) {
            bytes.clear();
            sketch.store(&mut bytes);
            total += bytes.len();
            if i32::try_from(total).is_err() {
                let reason = "has sketches of more than 2 GiB at once: lower the memory limit of the aggregation";
                return Err(Failure::Overflow(reason.into()));
            }
            stored.append_value(&bytes);
        }
        Ok(vec![Arc::new(stored.finish())])
    }

    fn evaluate(&mut self, groups_total: usize) -> Result<ArrayRef, Failure> {
        let sketches = self.empty(groups_total);
        Ok(Arc::new(Int64Array::from_iter_values(sketches.iter().map(Sketch::estimate))))
    }

    fn memory_bytes(&self) -> usize {
        vec_bytes(&self.sketches) + self.heap_bytes
    }
}
