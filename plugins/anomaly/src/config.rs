//! What the pipeline file says.

use serde::Deserialize;
use volley_sdk::{OpenError, TimeDomain};

/// The `config:` of the pipeline file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The number column with the readings.
    pub column: String,
    /// How many standard deviations from the mean of all readings before are too far; 3 by default.
    #[serde(default = "three")]
    pub deviations: f64,
    /// How many readings there have to be before one is judged; 20 by default.
    #[serde(default = "twenty")]
    pub readings_min: i64,
    /// A sensor is silent when nothing has come for so many milliseconds; never by default.
    pub silent_ms: Option<i64>,
    /// By which time: `event` (the default) or `clock`.
    #[serde(default)]
    pub silent_by: Domain,
}

/// What time tells that a sensor is silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Domain {
    /// The watermark.
    #[default]
    Event,
    /// The host's clock.
    Clock,
}

impl From<Domain> for TimeDomain {
    fn from(domain: Domain) -> Self {
        match domain {
            Domain::Event => Self::EventTime,
            Domain::Clock => Self::ProcessingTime,
        }
    }
}

fn three() -> f64 {
    3.0
}

fn twenty() -> i64 {
    20
}

impl Config {
    /// Refuses what can never tell anything.
    pub(crate) fn check(&self) -> Result<(), OpenError> {
        let is_above = |number: f64| number > 0.0;
        let problem = match () {
            () if !is_above(self.deviations) => "deviations: a number above 0 is wanted",
            () if self.readings_min < 2 => "readings_min: 2 or more are wanted",
            () if self.silent_ms.is_some_and(|ms| ms < 1) => "silent_ms: 1 or more is wanted",
            () => return Ok(()),
        };
        Err(OpenError::InvalidConfig(problem.to_owned()))
    }
}
