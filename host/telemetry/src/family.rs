//! Series made as their labels turn up: handles by label values, bounded in number.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::description::Description;
use crate::exposition::{Exposition, OTHER, SERIES_PER_FAMILY_MAX, Value};
use crate::registry::Collect;
use crate::value::{Counter, Gauge};

/// A number that clones share.
pub trait Handle: Clone + Default + Send + Sync + 'static {
    /// The number as it stands.
    fn value(&self) -> Value;
}

impl Handle for Counter {
    fn value(&self) -> Value {
        Value::Whole(self.get())
    }
}

impl Handle for Gauge {
    fn value(&self) -> Value {
        Value::Whole(self.get())
    }
}

/// All series of one metric. Asking for one takes a lock, so whoever counts often keeps the handle.
#[derive(Debug)]
pub struct Family<H> {
    description: &'static Description,
    series: Mutex<BTreeMap<Vec<String>, H>>,
}

impl<H: Handle> Family<H> {
    /// A family without series.
    #[must_use]
    pub fn new(description: &'static Description) -> Self {
        Self { description, series: Mutex::default() }
    }

    /// The series of these values of the labels, in the order of the description. Once there are
    /// [`SERIES_PER_FAMILY_MAX`], new values share the series of [`OTHER`].
    ///
    /// # Panics
    /// When there are not as many values as labels.
    #[must_use]
    pub fn with(&self, labels: &[&str]) -> H {
        assert_eq!(labels.len(), self.description.labels.len(), "labels of {}", self.description.name);
        let mut series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        let mut labels: Vec<String> = labels.iter().map(|label| (*label).to_owned()).collect();
        if series.len() >= SERIES_PER_FAMILY_MAX && !series.contains_key(&labels) {
            labels.fill(OTHER.to_owned());
        }
        series.entry(labels).or_default().clone()
    }
}

impl<H: Handle> Collect for Family<H> {
    fn collect(&self, into: &mut Exposition) {
        for (labels, handle) in self.series.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
            into.add(self.description, &labels, handle.value());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::description::{Kind, Unit};

    static ROWS: Description = Description::new(Kind::Counter, Unit::Count, "rows_total", &["node"], "Rows.");

    #[test]
    fn handles_of_the_same_labels_count_together_and_the_number_of_series_is_bounded() {
        let rows = Family::<Counter>::new(&ROWS);
        rows.with(&["a"]).add(1);
        rows.with(&["a"]).add(2);
        for number in 0..SERIES_PER_FAMILY_MAX + 2 {
            rows.with(&[&format!("n{number}")]).add(1);
        }
        assert_eq!(rows.with(&["a"]).get(), 3);
        assert_eq!(rows.with(&["never seen"]).get(), 3, "the series of all others");
        assert_eq!(rows.series.lock().expect("no panic").len(), SERIES_PER_FAMILY_MAX + 1);
        let mut exposition = Exposition::default();
        rows.collect(&mut exposition);
        let lines = crate::text::render(&exposition);
        assert!(lines.contains("\nrows_total{node=\"a\"} 3\n"), "{lines}");
        assert!(lines.contains("\nrows_total{node=\"other\"} 3\n"), "{lines}");
    }
}
