//! The generator's own columns: the number of a row, and random numbers that are functions of it.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use volley_api::split_mix_64;

use crate::error::{Error, Result};

/// How many columns of random numbers there are.
const UNIFORM_COLUMNS: u64 = 10;
/// The step of SplitMix64: 2⁶⁴ divided by the golden ratio, odd.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
/// Another odd constant without a pattern, so that the keys of columns do not lie on one sequence.
const COLUMN_STEP: u64 = 0xd1b5_4a32_d192_ed03;

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let number = Field::new("n", DataType::Int64, false);
    let uniform = (0..UNIFORM_COLUMNS).map(|column| Field::new(format!("u{column}"), DataType::Float64, false));
    Arc::new(Schema::new(std::iter::once(number).chain(uniform).collect::<Vec<_>>()))
});

/// The columns that expressions may read: `n` (Int64), the number of the row from 0, unique over all splits; and `u0`
/// to `u9` (Float64), uniform from 0 to just below 1. None has nulls.
#[must_use]
pub fn base_schema() -> SchemaRef {
    Arc::clone(&SCHEMA)
}

/// Where in the sequence of SplitMix64 the numbers of a column begin.
fn key(seed: u64, column: u64) -> u64 {
    split_mix_64(seed.wrapping_add((column + 1).wrapping_mul(COLUMN_STEP)))
}

/// The number of row `n`: the `n`-th of SplitMix64 from `key` on, as a multiple of 2⁻⁵³. Frozen: a job that is resumed
/// by another version makes the same rows.
fn uniform(key: u64, n: u64) -> f64 {
    const UNIT: f64 = 1.0 / (1_u64 << 53) as f64;
    (split_mix_64(key.wrapping_add((n.wrapping_add(1)).wrapping_mul(GAMMA))) >> 11) as f64 * UNIT
}

#[derive(Debug, Clone, Copy)]
enum Column {
    Number,
    Uniform { key: u64 },
}

/// Makes some of the columns of [`base_schema`].
#[derive(Debug, Clone)]
pub(crate) struct Base {
    schema: SchemaRef,
    columns: Vec<Column>,
}

impl Base {
    /// The columns of these names, in that order.
    pub(crate) fn new(seed: u64, names: &[String]) -> Result<Self> {
        let unknown = |name: &String| Error::UnknownColumn(name.clone());
        let indices = names.iter().map(|name| SCHEMA.index_of(name).map_err(|_| unknown(name)));
        let indices: Vec<usize> = indices.collect::<Result<_>>()?;
        let columns = indices.iter().map(|&index| match index.checked_sub(1) {
            None => Column::Number,
            Some(column) => Column::Uniform { key: key(seed, column as u64) },
        });
        let fields: Vec<_> = indices.iter().map(|&index| Arc::clone(&SCHEMA.fields()[index])).collect();
        Ok(Self { columns: columns.collect(), schema: Arc::new(Schema::new(fields)) })
    }

    /// The rows numbered `first`, `first + step` … `rows` of them. The last number is at most `i64::MAX`.
    pub(crate) fn batch(&self, first: u64, step: u64, rows: usize) -> RecordBatch {
        let numbers = || (0..rows as u64).map(|row| first + row * step);
        let columns = self.columns.iter().map(|column| match column {
            Column::Number => Arc::new(Int64Array::from_iter_values(numbers().map(|n| n as i64))) as ArrayRef,
            Column::Uniform { key } => Arc::new(Float64Array::from_iter_values(numbers().map(|n| uniform(*key, n)))),
        });
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns.collect(), &options)
            .expect("the columns were made for this schema")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::AsArray;
    use arrow::datatypes::{Float64Type, Int64Type};

    /// Computed apart from this code, by the definition of SplitMix64.
    #[test]
    fn the_numbers_are_frozen() {
        let base = Base::new(42, &["u0".into(), "u9".into()]).unwrap();
        let batch = base.batch(0, 1, 3);
        assert_eq!(batch.column(0).as_primitive::<Float64Type>().values().as_ref(), GOLDEN_U0);
        assert_eq!(batch.column(1).as_primitive::<Float64Type>().values().as_ref(), GOLDEN_U9);
    }

    const GOLDEN_U0: [f64; 3] = [0.5983632421673309, 0.6215613318667015, 0.8176364432490512];
    const GOLDEN_U9: [f64; 3] = [0.31616797783174566, 0.7081949074668337, 0.9204883770696938];

    #[test]
    fn numbers_are_uniform_and_columns_have_nothing_to_do_with_each_other() {
        const ROWS: usize = 100_000;
        let names: Vec<String> = (0..UNIFORM_COLUMNS).map(|column| format!("u{column}")).collect();
        for seed in [0, 1, u64::MAX] {
            let batch = Base::new(seed, &names).unwrap().batch(0, 1, ROWS);
            let columns: Vec<_> = batch.columns().iter().map(|c| c.as_primitive::<Float64Type>().values()).collect();
            for (i, a) in columns.iter().enumerate() {
                assert!(a.iter().all(|u| (0.0..1.0).contains(u)));
                let mean = a.iter().sum::<f64>() / ROWS as f64;
                // The standard deviation of the mean is 0.0009: five of them.
                assert!((mean - 0.5).abs() < 0.0046, "u{i} of seed {seed}: mean {mean}");
                for (j, b) in columns.iter().enumerate().skip(i + 1) {
                    let covariance = a.iter().zip(b.iter()).map(|(a, b)| (a - 0.5) * (b - 0.5)).sum::<f64>();
                    let correlation = 12.0 * covariance / ROWS as f64;
                    assert!(correlation.abs() < 0.016, "u{i} and u{j} of seed {seed}: correlation {correlation}");
                }
            }
        }
    }

    #[test]
    fn only_what_is_asked_for_is_made() {
        let base = Base::new(0, &["u1".into(), "n".into()]).unwrap();
        let batch = base.batch(5, 3, 2);
        assert_eq!(batch.num_columns(), 2);
        assert_eq!(batch.column(1).as_primitive::<Int64Type>().values(), &[5, 8]);
        assert_eq!(Base::new(0, &[]).unwrap().batch(0, 1, 7).num_rows(), 7);
        assert_eq!(Base::new(0, &["u10".into()]).unwrap_err(), Error::UnknownColumn("u10".into()));
    }
}
