//! A flat-map that keeps the rows with a number above 100 and computes one column of their others.
//!
//! It is written for speed: rows are numbered once, and columns are written straight into the message that goes out.

use volley_sdk::kernels::{self, Rows};
use volley_sdk::{
    Batch, Binding, Column, DataType, Emitter, Failure, Field, FlatMapOperator, NoConfig, OpenError, Rejects, Schema,
};

/// Rows stay when `a` is above this.
const ABOVE: i64 = 100;

/// The operator.
pub struct FilterProject {
    shape: Shape,
    /// The rows that stay, whose memory is used again.
    kept: Rows,
}

/// What the input has beside `a`, which decides what goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// `b` and `c`, 64-bit integers: `b`, `a2` and `c` go out.
    Numbers,
    /// `t`, a text: `a2` and `t` go out.
    Text,
}

impl FlatMapOperator for FilterProject {
    type Config = NoConfig;

    fn open(_: NoConfig, input: &Schema) -> Result<(Self, Binding), OpenError> {
        let a = wanted(input, "a", &DataType::Int64)?;
        let a2 = Field::new("a2", DataType::Int64).required();
        let (shape, binding) = if input.field("t").is_some() {
            let t = wanted(input, "t", &DataType::Utf8)?;
            (Shape::Text, Binding::reads([&a.name, &t.name]).replace(Schema::new([a2, t.clone()])))
        } else {
            let (b, c) = (wanted(input, "b", &DataType::Int64)?, wanted(input, "c", &DataType::Int64)?);
            let columns = Schema::new([b.clone(), a2, c.clone()]);
            (Shape::Numbers, Binding::reads([&a.name, &b.name, &c.name]).replace(columns))
        };
        Ok((Self { shape, kept: Rows::new() }, binding))
    }

    fn flat_map(&mut self, batch: &Batch<'_>, out: &mut Emitter<'_>) -> Result<Rejects, Failure> {
        let a = batch.at(0).as_i64()?;
        match a.validity() {
            None => self.kept.select(a.values(), |a| a > ABOVE),
            // A row without a number is undecided, and undecided rows go.
            Some(valid) => {
                let above = kernels::test(a.values(), |a| a > ABOVE);
                self.kept.select_bits(kernels::and(above.bits(), valid).bits());
            }
        }
        let kept: &[u32] = &self.kept;
        let twice_and_one = |a: i64| a.wrapping_mul(2).wrapping_add(1);
        out.write(0, kept, |columns| {
            if self.shape == Shape::Numbers {
                columns.take(batch.at(1), kept)?;
            }
            kernels::take_map(a.values(), kept, columns.values()?, twice_and_one);
            let last: Column<'_> = batch.at(if self.shape == Shape::Numbers { 2 } else { 1 });
            columns.take(last, kept)?;
            Ok::<(), Failure>(())
        })?;
        Ok(Rejects::new())
    }
}

fn wanted<'a>(input: &'a Schema, name: &str, data_type: &DataType) -> Result<&'a Field, OpenError> {
    let field = input.require(name)?;
    if field.data_type == *data_type {
        return Ok(field);
    }
    Err(OpenError::InvalidInput(format!("column `{name}` is {}, wanted {data_type}", field.data_type)))
}

volley_sdk::export_flat_map!(FilterProject);

#[cfg(test)]
mod tests {
    use volley_sdk::batch;
    use volley_sdk::testing::{self, json};

    use super::*;

    #[test]
    fn rows_above_the_bound_stay() {
        let a: Vec<i64> = (0..40).map(|row| row * 7 % 41 * 5).collect();
        let kept: Vec<usize> = (0..40).filter(|row| a[*row] > 100).collect();
        let input = batch! {
            "a" => a.clone(), "b" => (0..40_i64).collect::<Vec<_>>(), "c" => (100..140_i64).collect::<Vec<_>>(),
        };
        let outcome = testing::flat_map::<FilterProject>(json!({}), &input).unwrap();
        let wanted = batch! {
            "b" => kept.iter().map(|row| *row as i64).collect::<Vec<_>>(),
            "a2" => kept.iter().map(|row| a[*row] * 2 + 1).collect::<Vec<_>>(),
            "c" => kept.iter().map(|row| *row as i64 + 100).collect::<Vec<_>>(),
        };
        assert_eq!(outcome.port("out").columns(), wanted.columns());
    }

    #[test]
    fn texts_are_carried_and_rows_without_a_number_go() {
        let input = batch! {
            "a" => [Some(101_i64), None, Some(100), Some(i64::MAX)],
            "t" => [Some("one"), Some("two"), Some("three"), None],
        };
        let outcome = testing::flat_map::<FilterProject>(json!({}), &input).unwrap();
        let wanted = batch! { "a2" => [203_i64, -1], "t" => [Some("one"), None] };
        assert_eq!(outcome.port("out").columns(), wanted.columns());
    }

    #[test]
    fn what_cannot_work_is_refused_by_name() {
        for (input, wanted) in [
            (batch! { "b" => [1_i64] }, "no column `a`"),
            (batch! { "a" => [1] }, "column `a` is Int32, wanted Int64"),
            (batch! { "a" => [1_i64], "t" => [1] }, "column `t` is Int32, wanted Utf8"),
            (batch! { "a" => [1_i64], "b" => [1_i64] }, "no column `c`"),
        ] {
            let error = testing::flat_map::<FilterProject>(json!({}), &input).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
    }
}
