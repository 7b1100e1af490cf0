//! `stddev` and `var`, by Welford's method: no sum of squares that would swallow the digits of a small variance.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, Int64Array};
use arrow::datatypes::{Float64Type, Int64Type};

use super::accumulator::{Accumulator, Failure, Input, grow, take, vec_bytes};

/// Count, mean and sum of squared distances from the mean.
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    count: i64,
    mean: f64,
    m2: f64,
}

impl Moments {
    fn add(&mut self, value: f64) {
        self.count += 1;
        let distance = value - self.mean;
        self.mean += distance / self.count as f64;
        self.m2 += distance * (value - self.mean);
    }

    /// Chan's formula for the moments of two samples together.
    fn merge(&mut self, other: Self) {
        if self.count == 0 || other.count == 0 {
            if other.count != 0 {
                *self = other;
            }
            return;
        }
        let (own, others) = (self.count as f64, other.count as f64);
        let distance = other.mean - self.mean;
        let total = own + others;
        self.m2 += other.m2 + distance * distance * own * others / total;
        self.mean += distance * others / total;
        self.count += other.count;
    }
}

/// What is made of the moments.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spread {
    /// Whether all there is has been seen, and not a sample of it.
    pub(super) population: bool,
    /// Whether the standard deviation is asked for, and not the variance.
    pub(super) root: bool,
}

/// Variances or standard deviations by group.
pub(super) struct Variance {
    spread: Spread,
    moments: Vec<Moments>,
}

impl Variance {
    pub(super) fn new(spread: Spread) -> Self {
        Self { spread, moments: Vec::new() }
    }
}

impl Accumulator for Variance {
    fn update(&mut self, input: &Input<'_>) -> Result<(), Failure> {
        grow(&mut self.moments, input.rows.groups_total);
        input.rows.try_for_each_value(input.values()?.as_primitive::<Float64Type>().values(), |group, value| {
            self.moments[group].add(value);
            Ok(())
        })
    }

    fn merge(&mut self, state: &[ArrayRef], groups: &[usize], groups_total: usize) -> Result<(), Failure> {
        grow(&mut self.moments, groups_total);
        let counts = state[0].as_primitive::<Int64Type>().values();
        let means = state[1].as_primitive::<Float64Type>().values();
        let m2s = state[2].as_primitive::<Float64Type>().values();
        for (((&group, &count), &mean), &m2) in groups.iter().zip(counts).zip(means).zip(m2s) {
            self.moments[group].merge(Moments { count, mean, m2 });
        }
        Ok(())
    }

    fn drain(&mut self, groups_total: usize) -> Result<Vec<ArrayRef>, Failure> {
        let moments = take(&mut self.moments, groups_total);
        Ok(vec![
            Arc::new(Int64Array::from_iter_values(moments.iter().map(|moments| moments.count))),
            Arc::new(Float64Array::from_iter_values(moments.iter().map(|moments| moments.mean))),
            Arc::new(Float64Array::from_iter_values(moments.iter().map(|moments| moments.m2))),
        ])
    }

    fn evaluate(&mut self, groups_total: usize) -> Result<ArrayRef, Failure> {
        let Spread { population, root } = self.spread;
        let results = take(&mut self.moments, groups_total).into_iter().map(|moments| {
            let divisor = if population { moments.count } else { moments.count - 1 };
            let variance = moments.m2 / divisor as f64;
            (divisor > 0).then_some(if root { variance.sqrt() } else { variance })
        });
        Ok(Arc::new(results.collect::<Float64Array>()))
    }

    fn memory_bytes(&self) -> usize {
        vec_bytes(&self.moments)
    }
}
