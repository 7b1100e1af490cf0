//! Who is asked when somebody looks at the numbers.

use std::sync::{Arc, Mutex, PoisonError};

use crate::description::{Description, Kind, Unit};
use crate::exposition::{Exposition, Value};
use crate::text;
use crate::value::Counter;

/// The metrics of this crate itself.
pub static METRICS: &[Description] = &[OVERFLOWED, REQUESTS];

const OVERFLOWED: Description = Description::new(
    Kind::Counter,
    Unit::Count,
    "volley_metrics_series_overflowed_total",
    &[],
    "Series, at all looks together, that were beyond the bound of their family or could not be shown.",
);

/// Requests to the page of metrics, by the status of the answer.
pub(crate) const REQUESTS: Description = Description::new(
    Kind::Counter,
    Unit::Count,
    "volley_metrics_requests_total",
    &["status"],
    "Requests to the page of metrics, by the status of the answer.",
);

/// Something that has numbers.
pub trait Collect: Send + Sync {
    /// Adds its series as they stand. Called at every look, on the looker's thread: it must not wait, and must not use
    /// the registry.
    fn collect(&self, into: &mut Exposition);
}

impl<F: Fn(&mut Exposition) + Send + Sync> Collect for F {
    fn collect(&self, into: &mut Exposition) {
        self(into);
    }
}

/// All that have numbers. Its clones are one registry.
#[derive(Clone, Default)]
pub struct Registry {
    collectors: Arc<Mutex<Vec<Arc<dyn Collect>>>>,
    overflowed: Counter,
}

impl Registry {
    /// Adds something that has numbers, for as long as the registry lives.
    pub fn add(&self, collector: impl Collect + 'static) {
        self.collectors.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::new(collector));
    }

    /// The page: all numbers as they stand, in the text format of Prometheus, sorted.
    #[must_use]
    pub fn render(&self) -> String {
        let mut exposition = Exposition::default();
        self.collect(&mut exposition);
        self.overflowed.add(exposition.overflowed());
        exposition.add(&OVERFLOWED, &[], Value::Whole(self.overflowed.get()));
        text::render(&exposition)
    }
}

/// A registry within another: everything that it has.
impl Collect for Registry {
    fn collect(&self, into: &mut Exposition) {
        let collectors = self.collectors.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for collector in collectors {
            collector.collect(into);
        }
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_keeps_the_habits_of_the_format() {
        let problems: Vec<String> = METRICS.iter().filter_map(Description::problem).collect();
        assert!(problems.is_empty(), "{problems:?}");
    }
}
