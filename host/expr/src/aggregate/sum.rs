//! `sum`: checked, since a sum that wraps around is wrong without anybody noticing.

use std::fmt::Display;
use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Decimal128Type, Float64Type, Int64Type, UInt64Type};

use super::accumulator::{Accumulator, Failure, Input, Rows, grow, take, vec_bytes};

/// The first number that a decimal of 38 digits cannot hold.
const DECIMAL_END: i128 = 10_i128.pow(DECIMAL128_MAX_PRECISION as u32);

/// A type whose values are added up.
pub(super) trait Summand: ArrowPrimitiveType<Native: Display> {
    /// What to do when a sum is beyond the type.
    const FIX: &'static str;

    /// The sum, where the type can hold it.
    fn sum(a: Self::Native, b: Self::Native) -> Option<Self::Native>;
}

impl Summand for Int64Type {
    const FIX: &'static str = "cast to DECIMAL(38, 0)";
    fn sum(a: i64, b: i64) -> Option<i64> {
        a.checked_add(b)
    }
}

impl Summand for UInt64Type {
    const FIX: &'static str = "cast to DECIMAL(38, 0)";
    fn sum(a: u64, b: u64) -> Option<u64> {
        a.checked_add(b)
    }
}

impl Summand for Float64Type {
    const FIX: &'static str = "";
    fn sum(a: f64, b: f64) -> Option<f64> {
        Some(a + b)
    }
}

impl Summand for Decimal128Type {
    const FIX: &'static str = "cast to DOUBLE, or to a decimal with fewer digits behind the point";
    fn sum(a: i128, b: i128) -> Option<i128> {
        a.checked_add(b).filter(|sum| (-DECIMAL_END < *sum) & (*sum < DECIMAL_END))
    }
}

/// The failure to add `value` to `sum`.
pub(super) fn overflow<T: Summand>(sum: T::Native, value: T::Native, data_type: &DataType) -> Failure {
    let shown = |value: T::Native| match data_type {
        DataType::Decimal128(precision, scale) => {
            let column =
                PrimitiveArray::<T>::from_value(value, 1).with_data_type(DataType::Decimal128(*precision, *scale));
            arrow::util::display::array_value_to_string(&column, 0).unwrap_or_else(|_| value.to_string())
        }
        _ => value.to_string(),
    };
    Failure::Overflow(format!("goes beyond {data_type} when {} is added to {}: {}", shown(value), shown(sum), T::FIX))
}

/// Sums by group; null for a group without a value.
pub(super) struct Sum<T: Summand> {
    data_type: DataType,
    /// Each sum beside whether there is one, so that a row touches one place in memory.
    sums: Vec<(T::Native, bool)>,
}

impl<T: Summand> Sum<T> {
    /// Sums of that type, which is one of `T`.
    pub(super) fn new(data_type: DataType) -> Self {
        Self { data_type, sums: Vec::new() }
    }

    fn add(&mut self, rows: &Rows<'_>, values: &ArrayRef) -> Result<(), Failure> {
        grow(&mut self.sums, rows.groups_total);
        let sums = &mut self.sums;
        let added = rows.try_for_each_value(values.as_primitive::<T>().values(), |group, value| {
            let slot = &mut sums[group];
            *slot = (T::sum(slot.0, value).ok_or((slot.0, value))?, true);
            Ok(())
        });
        added.map_err(|(sum, value)| overflow::<T>(sum, value, &self.data_type))
    }
}

impl<T: Summand> Accumulator for Sum<T> {
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
        let (sums, seen): (Vec<T::Native>, Vec<bool>) = take(&mut self.sums, groups_total).into_iter().unzip();
        let nulls = seen.contains(&false).then(|| NullBuffer::from(seen));
        Ok(Arc::new(PrimitiveArray::<T>::try_new(sums.into(), nulls)?.with_data_type(self.data_type.clone())))
    }

    fn memory_bytes(&self) -> usize {
        vec_bytes(&self.sums)
    }
}
