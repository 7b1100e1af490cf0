//! `avg`: a sum and a count beside each other, so that a row touches one place in memory.

use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowPrimitiveType, AsArray, Float64Array, Int64Array, PrimitiveArray};
use arrow::buffer::{NullBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type};

use super::accumulator::{Accumulator, Failure, Input, grow, take, vec_bytes};
use super::sum::{Summand, overflow};

/// What averages are made of.
pub(super) struct Average<T: Summand> {
    /// The type of the sums.
    sum_type: DataType,
    /// The type of the results.
    data_type: DataType,
    parts: Vec<(T::Native, i64)>,
}

impl<T: Summand> Average<T> {
    /// Averages of that type, over sums of that type, which is one of `T`.
    pub(super) fn new(sum_type: DataType, data_type: DataType) -> Self {
        Self { sum_type, data_type, parts: Vec::new() }
    }

    /// Makes one column of the sums, one of the counts.
    fn take_parts(&mut self, groups_total: usize) -> (Vec<T::Native>, Vec<i64>) {
        take(&mut self.parts, groups_total).into_iter().unzip()
    }
}

impl<T: Summand + Divide> Accumulator for Average<T> {
    fn update(&mut self, input: &Input<'_>) -> Result<(), Failure> {
        grow(&mut self.parts, input.rows.groups_total);
        let parts = &mut self.parts;
        let added = input.rows.try_for_each_value(input.values()?.as_primitive::<T>().values(), |group, value| {
            let (sum, count) = &mut parts[group];
            *sum = T::sum(*sum, value).ok_or((*sum, value))?;
            *count += 1;
            Ok(())
        });
        added.map_err(|(sum, value)| overflow::<T>(sum, value, &self.sum_type))
    }

    fn merge(&mut self, state: &[ArrayRef], groups: &[usize], groups_total: usize) -> Result<(), Failure> {
        grow(&mut self.parts, groups_total);
        let counts = state[0].as_primitive::<Int64Type>().values();
        let sums = state[1].as_primitive::<T>().values();
        for ((&group, &count), &value) in groups.iter().zip(counts).zip(sums) {
            let (sum, total) = &mut self.parts[group];
            *sum = T::sum(*sum, value).ok_or_else(|| overflow::<T>(*sum, value, &self.sum_type))?;
            *total = total.saturating_add(count);
        }
        Ok(())
    }

    fn drain(&mut self, groups_total: usize) -> Result<Vec<ArrayRef>, Failure> {
        let (sums, counts) = self.take_parts(groups_total);
        let sums = PrimitiveArray::<T>::try_new(sums.into(), None)?.with_data_type(self.sum_type.clone());
        Ok(vec![Arc::new(Int64Array::from(counts)), Arc::new(sums)])
    }

    fn evaluate(&mut self, groups_total: usize) -> Result<ArrayRef, Failure> {
        let (sums, counts) = self.take_parts(groups_total);
        T::divide(sums, counts, &self.sum_type, &self.data_type)
    }

    fn memory_bytes(&self) -> usize {
        vec_bytes(&self.parts)
    }
}

/// A type whose sums can be divided by counts.
pub(super) trait Divide: ArrowPrimitiveType {
    /// The averages of type `to`; null where there is nothing to divide by.
    fn divide(sums: Vec<Self::Native>, counts: Vec<i64>, from: &DataType, to: &DataType) -> Result<ArrayRef, Failure>;
}

impl Divide for Float64Type {
    fn divide(sums: Vec<f64>, counts: Vec<i64>, _from: &DataType, _to: &DataType) -> Result<ArrayRef, Failure> {
        let nulls = nulls(&counts);
        let averages = sums.into_iter().zip(counts).map(|(sum, count)| sum / count as f64);
        Ok(Arc::new(Float64Array::try_new(averages.collect(), nulls)?))
    }
}

impl Divide for Decimal128Type {
    fn divide(sums: Vec<i128>, counts: Vec<i64>, from: &DataType, to: &DataType) -> Result<ArrayRef, Failure> {
        let (DataType::Decimal128(_, from_scale), DataType::Decimal128(precision, to_scale)) = (from, to) else {
            return Err(Failure::Broken(format!("an average of {from} is not {to}")));
        };
        let factor = 10_i128.pow((to_scale - from_scale).unsigned_abs().into());
        let end = 10_i128.pow((*precision).into());
        let nulls = nulls(&counts);
        let average = |(sum, count): (i128, i64)| match i128::from(count) {
            0 => Ok(0),
            count => match sum.checked_mul(factor).map(|sum| sum / count) {
                Some(average) if average.unsigned_abs() < end.unsigned_abs() => Ok(average),
                _ => Err(Failure::Overflow(format!("goes beyond {to}: cast to DOUBLE"))),
            },
        };
        let averages: Vec<i128> = sums.into_iter().zip(counts).map(average).collect::<Result<_, _>>()?;
        let averages = PrimitiveArray::<Self>::try_new(ScalarBuffer::from(averages), nulls)?;
        Ok(Arc::new(averages.with_data_type(to.clone())))
    }
}

fn nulls(counts: &[i64]) -> Option<NullBuffer> {
    if counts.contains(&0) { Some(counts.iter().map(|&count| count != 0).collect()) } else { None }
}
