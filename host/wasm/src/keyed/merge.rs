//! Rows added to values without being read: sums, least and greatest values, column by column.

use std::fmt::Display;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray, RecordBatch};
use arrow::datatypes::{ArrowPrimitiveType, DataType, Float64Type, Int64Type, SchemaRef, UInt64Type};

use crate::contract::{MergeFunction, StateError};

/// Merges the rows of `added` into those of `base`: row `r` into that at `into[r]`. A null in `base` has nothing yet.
pub(crate) fn merge(
    functions: &[MergeFunction],
    schema: &SchemaRef,
    base: &RecordBatch,
    into: &[usize],
    added: &RecordBatch,
) -> Result<RecordBatch, StateError> {
    let mut columns = Vec::with_capacity(functions.len());
    for (index, function) in functions.iter().enumerate() {
        let (base, added) = (base.column(index), added.column(index));
        let merged = match schema.field(index).data_type() {
            DataType::Int64 => column::<Int64Type>(*function, base, into, added, i64::checked_add).map_err(words),
            DataType::UInt64 => column::<UInt64Type>(*function, base, into, added, u64::checked_add).map_err(words),
            _ => column::<Float64Type>(*function, base, into, added, |a, b| Some(a + b)).map_err(words),
        };
        columns.push(merged.map_err(|sum| {
            let field = schema.field(index);
            let (name, data_type) = (field.name(), field.data_type());
            StateError::InvalidBatch(format!("{sum} does not fit the column `{name}`, which is {data_type}"))
        })?);
    }
    RecordBatch::try_new(Arc::clone(schema), columns).map_err(|error| StateError::InvalidBatch(error.to_string()))
}

fn words<N: Display>((have, more): (N, N)) -> String {
    format!("a sum, {have} + {more},")
}

/// One column; or two numbers whose sum does not fit.
fn column<T: ArrowPrimitiveType>(
    function: MergeFunction,
    base: &ArrayRef,
    into: &[usize],
    added: &ArrayRef,
    add: impl Fn(T::Native, T::Native) -> Option<T::Native>,
) -> Result<ArrayRef, (T::Native, T::Native)>
where
    T::Native: PartialOrd,
{
    let (base, added) = (base.as_primitive::<T>(), added.as_primitive::<T>());
    let mut values: Vec<Option<T::Native>> = base.iter().collect();
    for (row, at) in into.iter().enumerate().filter(|(row, _)| added.is_valid(*row)) {
        let more = added.value(row);
        values[*at] = Some(match (values[*at], function) {
            (None, _) => more,
            (Some(have), MergeFunction::Sum) => add(have, more).ok_or((have, more))?,
            (Some(have), MergeFunction::Min) => {
                if more < have {
                    more
                } else {
                    have
                }
            }
            (Some(have), MergeFunction::Max) => {
                if more > have {
                    more
                } else {
                    have
                }
            }
        });
    }
    Ok(Arc::new(PrimitiveArray::<T>::from_iter(values)))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Float64Array, Int64Array};
    use arrow::datatypes::{Field, Schema};

    use super::*;

    #[test]
    fn rows_of_one_key_are_all_added_and_nulls_add_nothing() {
        let schema: SchemaRef = Arc::new(Schema::new(vec![
            Field::new("n", DataType::Int64, true),
            Field::new("least", DataType::Float64, true),
        ]));
        let batch = |n: Vec<Option<i64>>, least: Vec<Option<f64>>| {
            let columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(n)), Arc::new(Float64Array::from(least))];
            RecordBatch::try_new(Arc::clone(&schema), columns).expect("fits")
        };
        let functions = [MergeFunction::Sum, MergeFunction::Min];
        let base = batch(vec![Some(1), None], vec![Some(0.5), None]);
        let added = batch(vec![Some(2), Some(3), None], vec![Some(1.0), Some(9.0), Some(-1.0)]);
        let merged = merge(&functions, &schema, &base, &[0, 1, 0], &added).expect("fits");
        assert_eq!(merged, batch(vec![Some(3), Some(3)], vec![Some(-1.0), Some(9.0)]));
        let most = batch(vec![Some(i64::MAX)], vec![None]);
        let error = merge(&functions, &schema, &most, &[0], &batch(vec![Some(1)], vec![None])).expect_err("too much");
        let wanted = "a sum, 9223372036854775807 + 1, does not fit the column `n`, which is Int64";
        assert!(matches!(&error, StateError::InvalidBatch(words) if words == wanted), "{error:?}");
    }
}
