//! The sketch of `plugins/quantile-sketch`, natively: the same buckets, counted in the same way.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, RecordBatch};
use arrow::datatypes::Float64Type;
use volley_api::{Aggregator, Error, Result};

/// Bits of the mantissa that are left out: the middle of a bucket is within 0.8 % of each value.
const SHIFT: u32 = 52 - 6;

/// A bucket of a group.
#[derive(Clone, Copy)]
struct Entry {
    group: u32,
    bucket: i32,
}

/// Medians and 99th percentiles by group, of one column without nulls and infinities.
#[derive(Default)]
pub(crate) struct Sketches {
    entries: Vec<Entry>,
}

fn bucket(value: f64) -> i32 {
    if value == 0.0 {
        return 0;
    }
    let magnitude = (value.abs().to_bits() >> SHIFT) as i32 + 1;
    if value < 0.0 { -magnitude } else { magnitude }
}

fn middle(bucket: i32) -> f64 {
    if bucket == 0 {
        return 0.0;
    }
    let magnitude = f64::from_bits(u64::from(bucket.unsigned_abs() - 1) << SHIFT | 1 << (SHIFT - 1));
    if bucket < 0 { -magnitude } else { magnitude }
}

impl Aggregator for Sketches {
    fn update(&mut self, batch: &RecordBatch, groups: &[usize], _: usize) -> Result<()> {
        let values = batch.column(1).as_primitive::<Float64Type>().values();
        let entry = |(group, value): (&usize, &f64)| Entry { group: *group as u32, bucket: bucket(*value) };
        self.entries.extend(groups.iter().zip(values).map(entry));
        Ok(())
    }

    fn merge(&mut self, _: &[ArrayRef], _: &[usize], _: usize) -> Result<()> {
        Err(Error::internal("nothing is merged here"))
    }

    fn drain(&mut self, _: usize) -> Result<Vec<ArrayRef>> {
        Err(Error::internal("nothing is drained here"))
    }

    fn evaluate(&mut self, groups_total: usize) -> Result<Vec<ArrayRef>> {
        let mut ends = vec![0_usize; groups_total];
        self.entries.iter().for_each(|entry| ends[entry.group as usize] += 1);
        let mut total = 0;
        for end in &mut ends {
            total += *end;
            *end = total - *end;
        }
        let mut buckets = vec![0; total];
        for entry in self.entries.drain(..) {
            let place = &mut ends[entry.group as usize];
            buckets[*place] = entry.bucket;
            *place += 1;
        }
        let mut start = 0;
        for end in &ends {
            buckets[start..*end].sort_unstable();
            start = *end;
        }
        let quantile = |quantile: f64| -> ArrayRef {
            let mut start = 0;
            let of_group = |end: &usize| {
                let sorted = &buckets[std::mem::replace(&mut start, *end)..*end];
                let rank = ((quantile * sorted.len() as f64).ceil() as usize).max(1);
                sorted.get(rank - 1).map(|bucket| middle(*bucket))
            };
            Arc::new(ends.iter().map(of_group).collect::<Float64Array>())
        };
        Ok(vec![quantile(0.5), quantile(0.99)])
    }

    fn memory_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>()
    }
}
