//! A filter that keeps the rows whose number in one column lies within bounds.
//!
//! Which column, and which bounds, the configuration says; so the operator is written batch-wise.

use serde::Deserialize;
use volley_sdk::{Batch, Binding, Failure, FilterOperator, Filtered, Float, OpenError, Schema};

/// The `config:` of the pipeline file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The numeric column to look at.
    pub column: String,
    /// The least value that stays; no lower bound by default.
    pub min: Option<f64>,
    /// The greatest value that stays; no upper bound by default.
    pub max: Option<f64>,
}

/// The operator.
pub struct Threshold {
    min: f64,
    max: f64,
}

impl FilterOperator for Threshold {
    type Config = Config;

    fn open(config: Config, input: &Schema) -> Result<(Self, Binding), OpenError> {
        let column = input.require(&config.column)?;
        if !column.data_type.is_numeric() {
            let (name, found) = (&column.name, &column.data_type);
            return Err(OpenError::InvalidInput(format!("column `{name}` is {found}, wanted a number")));
        }
        let (min, max) = bounds(&config)?;
        Ok((Self { min, max }, Binding::reads([config.column])))
    }

    fn filter(&mut self, batch: &Batch<'_>) -> Result<Filtered, Failure> {
        let numbers = batch.at(0).numbers()?;
        let within = |number: f64| number >= self.min && number <= self.max;
        // A row without a number is undecided, and undecided rows go.
        let keep = if numbers.may_be_null() {
            numbers.iter().map(|number| number.is_some_and(within)).collect()
        } else {
            numbers.values().iter().copied().map(within).collect()
        };
        Ok(Filtered::new(keep))
    }
}

fn bounds(config: &Config) -> Result<(f64, f64), OpenError> {
    if config.min.is_none() && config.max.is_none() {
        return Err(OpenError::InvalidConfig("min or max: give at least one of them".to_owned()));
    }
    let (min, max) = (config.min.unwrap_or(f64::NEG_INFINITY), config.max.unwrap_or(f64::INFINITY));
    if min > max {
        let (min, max) = (Float(min), Float(max));
        return Err(OpenError::InvalidConfig(format!("min: {min} is above max, {max}: no row could stay")));
    }
    Ok((min, max))
}

volley_sdk::export_filter!(Threshold);

#[cfg(test)]
mod tests {
    use volley_sdk::batch;
    use volley_sdk::testing::{self, json};

    use super::*;

    #[test]
    fn rows_within_the_bounds_stay() {
        let input =
            batch! { "user" => ["ann", "bob", "cid", "dan"], "amount" => [Some(5.0), Some(9.5), None, Some(70.0)] };
        let outcome =
            testing::filter::<Threshold>(json!({ "column": "amount", "min": 9.5, "max": 50 }), &input).unwrap();
        assert_eq!(outcome.output, batch! { "user" => ["bob"], "amount" => [Some(9.5)] });
        assert!(outcome.rejects.is_empty());
    }

    #[test]
    fn integers_are_numbers_too() {
        let input = batch! { "delay" => [-3_i64, 15, 16] };
        let outcome = testing::filter::<Threshold>(json!({ "column": "delay", "min": 15 }), &input).unwrap();
        assert_eq!(outcome.output, batch! { "delay" => [15_i64, 16] });
    }

    #[test]
    fn what_cannot_work_is_refused_by_name() {
        let input = batch! { "user" => ["ann"], "amount" => [1.0] };
        for (config, wanted) in [
            (json!({ "column": "user", "min": 1 }), "column `user` is Utf8"),
            (json!({ "column": "amuont", "min": 1 }), "no column `amuont`"),
            (json!({ "column": "amount" }), "min or max"),
            (json!({ "column": "amount", "min": 2, "max": 1 }), "above max"),
            (json!({ "column": "amount", "min": "a" }), "min: invalid type"),
            (json!({ "column": "amount", "minimum": 1 }), "unknown field `minimum`"),
        ] {
            let error = testing::filter::<Threshold>(config, &input).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
    }
}
