//! What the pipeline file says.

use serde::Deserialize;
use volley_sdk::{Float, OpenError};

/// The `config:` of the pipeline file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The numeric column to look at.
    pub column: String,
    /// Which quantiles, 0 to 1; 0.5 and 0.99 by default.
    #[serde(default = "median_and_tail")]
    pub quantiles: Vec<f64>,
    /// The relative error, 0.001 to 0.1; 0.01 by default.
    #[serde(default = "one_percent")]
    pub accuracy: f64,
}

fn median_and_tail() -> Vec<f64> {
    vec![0.5, 0.99]
}

fn one_percent() -> f64 {
    0.01
}

impl Config {
    /// The relative error, checked.
    pub(crate) fn accuracy(&self) -> Result<f64, OpenError> {
        if (0.001..=0.1).contains(&self.accuracy) {
            return Ok(self.accuracy);
        }
        let found = Float(self.accuracy);
        Err(OpenError::InvalidConfig(format!("accuracy: {found} is not between 0.001 and 0.1")))
    }

    /// The names of the results: `p50`, `p99`, `p99_9`.
    pub(crate) fn names(&self) -> Result<Vec<String>, OpenError> {
        if self.quantiles.is_empty() {
            return Err(OpenError::InvalidConfig("quantiles: the list is empty, give one from 0 to 1".to_owned()));
        }
        let mut names: Vec<String> = Vec::new();
        for quantile in &self.quantiles {
            let thousandths = quantile * 1000.0;
            let found = Float(*quantile);
            // Beyond a thousandth, floats of equal names would differ.
            if !(0.0..=1.0).contains(quantile) || (thousandths - thousandths.round()).abs() > 1e-9 {
                let message = format!("quantiles: {found} is not one from 0 to 1 with at most three digits");
                return Err(OpenError::InvalidConfig(message));
            }
            let thousandths = thousandths.round() as u32;
            let (percent, rest) = (thousandths / 10, thousandths % 10);
            let name = if rest == 0 { format!("p{percent}") } else { format!("p{percent}_{rest}") };
            if names.contains(&name) {
                return Err(OpenError::InvalidConfig(format!("quantiles: {found} stands there twice")));
            }
            names.push(name);
        }
        Ok(names)
    }
}
