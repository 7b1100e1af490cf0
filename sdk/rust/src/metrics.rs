//! Numbers for the host's metrics, under `volley_plugin_custom_<name>`.
//!
//! Names match `[a-z][a-z0-9_]*`, at most 64 bytes, at most 64 of them per operator. Native tests read what was
//! recorded on their thread through [`recorded`].

/// Adds to a counter.
pub fn counter(name: &str, delta: u64) {
    backend::counter(name, delta);
}

/// Sets a gauge.
pub fn gauge(name: &str, value: f64) {
    backend::gauge(name, value);
}

/// Records one observation in a histogram.
pub fn histogram(name: &str, value: f64) {
    backend::histogram(name, value);
}

#[cfg(target_arch = "wasm32")]
mod backend {
    use crate::guest::imports::volley::operator::metrics;

    pub(super) fn counter(name: &str, delta: u64) {
        metrics::counter_add(name, delta);
    }

    pub(super) fn gauge(name: &str, value: f64) {
        metrics::gauge_set(name, value);
    }

    pub(super) fn histogram(name: &str, value: f64) {
        metrics::histogram_record(name, value);
    }
}

#[cfg(not(target_arch = "wasm32"))]
pub use backend::{Recorded, recorded, reset};

#[cfg(not(target_arch = "wasm32"))]
mod backend {
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    /// What was recorded on a thread. Only in native tests.
    #[derive(Debug, Clone, PartialEq, Default)]
    pub struct Recorded {
        /// Sums, by name.
        pub counters: BTreeMap<String, u64>,
        /// Last values, by name.
        pub gauges: BTreeMap<String, f64>,
        /// All observations in order, by name.
        pub histograms: BTreeMap<String, Vec<f64>>,
    }

    thread_local! {
        static RECORDED: RefCell<Recorded> = RefCell::default();
    }

    /// What was recorded on this thread since it started or since [`reset`]. Only in native tests.
    #[must_use]
    pub fn recorded() -> Recorded {
        RECORDED.with_borrow(Clone::clone)
    }

    /// Forgets what was recorded on this thread. Only in native tests.
    pub fn reset() {
        RECORDED.take();
    }

    pub(super) fn counter(name: &str, delta: u64) {
        RECORDED.with_borrow_mut(|recorded| *recorded.counters.entry(name.to_owned()).or_default() += delta);
    }

    pub(super) fn gauge(name: &str, value: f64) {
        RECORDED.with_borrow_mut(|recorded| recorded.gauges.insert(name.to_owned(), value));
    }

    pub(super) fn histogram(name: &str, value: f64) {
        RECORDED.with_borrow_mut(|recorded| recorded.histograms.entry(name.to_owned()).or_default().push(value));
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn native_tests_see_what_was_recorded() {
        super::reset();
        super::counter("rows", 2);
        super::counter("rows", 3);
        super::gauge("level", 1.5);
        super::histogram("size", 4.0);
        let recorded = super::recorded();
        assert_eq!(recorded.counters["rows"], 5);
        assert_eq!(recorded.gauges["level"], 1.5);
        assert_eq!(recorded.histograms["size"], [4.0]);
        super::reset();
        assert_eq!(super::recorded(), super::Recorded::default());
    }
}
