//! Numbers that plugins report themselves, bounded in number and name.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::PluginMetrics;
use crate::violation::Violation;

/// Names that one operator may use; further ones are counted and dropped.
pub const NAMES_MAX: usize = 64;

/// The longest name, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// What a histogram has seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Histogram {
    /// How many observations.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// The least of them.
    pub min: f64,
    /// The greatest of them.
    pub max: f64,
}

/// One number of a plugin, of the kind of its first use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Metric {
    /// A sum that only grows; it stops at the greatest `u64`.
    Counter(u64),
    /// The last value set.
    Gauge(f64),
    /// Many observations.
    Histogram(Histogram),
}

/// What one operator's plugin has reported so far, by its own names, all subtasks together.
#[derive(Debug, Default)]
pub(super) struct Custom(Mutex<BTreeMap<String, Metric>>);

impl Custom {
    pub(super) fn snapshot(&self) -> BTreeMap<String, Metric> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The interface `metrics` of the contract. A report that cannot be taken is counted and dropped.
impl PluginMetrics {
    pub(crate) fn counter_add(&self, name: &str, delta: u64) {
        self.update(name, Metric::Counter(0), |metric| match metric {
            Metric::Counter(sum) => {
                *sum = sum.saturating_add(delta);
                Some(())
            }
            _ => None,
        });
    }

    pub(crate) fn gauge_set(&self, name: &str, value: f64) {
        self.update(name, Metric::Gauge(value), |metric| match metric {
            Metric::Gauge(last) if !value.is_nan() => {
                *last = value;
                Some(())
            }
            _ => None,
        });
    }

    pub(crate) fn histogram_record(&self, name: &str, value: f64) {
        let none = Histogram { count: 0, sum: 0.0, min: f64::INFINITY, max: f64::NEG_INFINITY };
        self.update(name, Metric::Histogram(none), |metric| match metric {
            Metric::Histogram(seen) if value.is_finite() => {
                *seen = Histogram {
                    count: seen.count.saturating_add(1),
                    sum: seen.sum + value,
                    min: seen.min.min(value),
                    max: seen.max.max(value),
                };
                Some(())
            }
            _ => None,
        });
    }

    fn update(&self, name: &str, first: Metric, change: impl FnOnce(&mut Metric) -> Option<()>) {
        let mut metrics = self.custom.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = metrics.len() < NAMES_MAX;
        let changed = match metrics.get_mut(name) {
            Some(metric) => change(metric),
            None if !is_name(name) => None,
            None if !room => return self.violation(Violation::MetricSeries),
            None => {
                let mut metric = first;
                change(&mut metric).map(|()| {
                    metrics.insert(name.to_owned(), metric);
                })
            }
        };
        if changed.is_none() {
            self.violation(Violation::MetricName);
        }
    }
}

fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    name.len() <= NAME_BYTES_MAX && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_keep_and_sums_add_up() {
        let metrics = PluginMetrics::default();
        metrics.counter_add("rows", 2);
        metrics.counter_add("rows", 3);
        metrics.gauge_set("rows", 1.0);
        metrics.gauge_set("level", 4.5);
        metrics.histogram_record("size", 1.0);
        metrics.histogram_record("size", 3.0);
        metrics.histogram_record("size", f64::NAN);
        let seen = metrics.snapshot();
        assert_eq!(seen.metrics["rows"], Metric::Counter(5));
        assert_eq!(seen.metrics["level"], Metric::Gauge(4.5));
        let size = Histogram { count: 2, sum: 4.0, min: 1.0, max: 3.0 };
        assert_eq!(seen.metrics["size"], Metric::Histogram(size));
        assert_eq!(seen.violations, BTreeMap::from([(Violation::MetricName, 2)]));
    }

    #[test]
    fn names_are_bounded_in_form_and_number() {
        let metrics = PluginMetrics::default();
        for name in ["", "Rows", "1x", "a-b", "a b", &"x".repeat(65)] {
            metrics.counter_add(name, 1);
        }
        for number in 0..100 {
            metrics.counter_add(&format!("n{number}"), 1);
        }
        let seen = metrics.snapshot();
        assert_eq!(seen.metrics.len(), NAMES_MAX);
        let dropped = [(Violation::MetricSeries, 36), (Violation::MetricName, 6)];
        assert_eq!(seen.violations, BTreeMap::from(dropped));
    }
}
