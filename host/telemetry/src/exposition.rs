//! What one look at all numbers found: families of series, bounded in number and length.

use std::collections::{BTreeMap, BTreeSet};

use crate::description::{Description, is_metric_name};
use crate::value::HistogramSnapshot;

/// Series of one family. Further ones go into one whose labels are all [`OTHER`], and are counted.
pub const SERIES_PER_FAMILY_MAX: usize = 4_096;

/// The value of a label, in bytes; a longer one is cut.
pub const LABEL_BYTES_MAX: usize = 256;

/// The value of every label of the series that takes what is beyond [`SERIES_PER_FAMILY_MAX`].
pub const OTHER: &str = "other";

/// One series as it stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A whole number: of counters and gauges.
    Whole(u64),
    /// A number as somebody else measured it, in the unit of the page.
    Float(f64),
    /// Of histograms.
    Histogram(HistogramSnapshot),
    /// Of summaries.
    Summary {
        /// How many observations.
        count: u64,
        /// Their sum, in the unit of the page.
        sum: f64,
    },
}

impl Value {
    /// Puts two series into one. Numbers are added; kinds never differ within a family.
    fn merge(&mut self, other: &Self) {
        match (self, other) {
            (Self::Whole(mine), Self::Whole(theirs)) => *mine = mine.saturating_add(*theirs),
            (Self::Float(mine), Self::Float(theirs)) => *mine += theirs,
            (Self::Histogram(mine), Self::Histogram(theirs)) if mine.bounds == theirs.bounds => mine.merge(theirs),
            (Self::Summary { count, sum }, Self::Summary { count: more, sum: and }) => {
                *count = count.saturating_add(*more);
                *sum += and;
            }
            // Values of two forms in one family: the first stays.
            _ => {}
        }
    }
}

/// What one look at all numbers found.
#[derive(Debug, Default)]
pub struct Exposition {
    /// By name, so that the page is sorted.
    pub(crate) families: BTreeMap<String, Series>,
    /// The names of all lines, so that no two families share one.
    taken: BTreeSet<String>,
    /// Series beyond the bound of their family, and families that could not be shown.
    overflowed: u64,
}

/// A family: its description, and its series by the values of their labels.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) description: Description,
    pub(crate) values: BTreeMap<Vec<String>, Value>,
}

impl Exposition {
    /// Adds a series. `labels` are the values of the labels of the description, in its order.
    ///
    /// A series whose labels are there already is added to that one. One whose family has no room is added to the
    /// series of [`OTHER`]; one whose family cannot be shown (its name is none, or names its lines as another family
    /// does) is left out. Both are counted: [`Exposition::overflowed`].
    ///
    /// # Panics
    /// When there are not as many values as labels.
    pub fn add(&mut self, description: &Description, labels: &[&str], value: Value) {
        assert_eq!(labels.len(), description.labels.len(), "labels of {}", description.name);
        let Some(series) = Self::family(&mut self.families, &mut self.taken, description) else {
            self.overflowed += 1;
            return;
        };
        let mut labels: Vec<String> = labels.iter().map(|label| cut(label).to_owned()).collect();
        if series.values.len() >= SERIES_PER_FAMILY_MAX && !series.values.contains_key(&labels) {
            labels.fill(OTHER.to_owned());
            self.overflowed += 1;
        }
        series.values.entry(labels).and_modify(|there| there.merge(&value)).or_insert(value);
    }

    /// How many series were beyond the bound of their family or could not be shown.
    #[must_use]
    pub fn overflowed(&self) -> u64 {
        self.overflowed
    }

    /// The family of a description; `None` when it cannot stand on the page.
    fn family<'a>(
        families: &'a mut BTreeMap<String, Series>,
        taken: &mut BTreeSet<String>,
        description: &Description,
    ) -> Option<&'a mut Series> {
        let name = description.name.as_ref();
        if families.contains_key(name) {
            return families.get_mut(name).filter(|there| {
                there.description.kind == description.kind
                    && there.description.unit == description.unit
                    && there.description.labels == description.labels
            });
        }
        let lines = || description.kind.suffixes().iter().map(|suffix| format!("{name}{suffix}"));
        let free = !taken.contains(name) && lines().all(|line| !taken.contains(&line) && !families.contains_key(&line));
        if !is_metric_name(name) || !free {
            return None;
        }
        taken.extend(lines());
        let series = Series { description: description.clone(), values: BTreeMap::new() };
        Some(families.entry(name.to_owned()).or_insert(series))
    }
}

/// The start of a label's value, to a whole character.
fn cut(label: &str) -> &str {
    &label[..label.floor_char_boundary(LABEL_BYTES_MAX)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::description::{Kind, Unit};

    const ROWS: Description = Description::new(Kind::Counter, Unit::Count, "rows_total", &["node"], "Rows.");

    fn only<'a>(exposition: &'a Exposition, name: &str) -> Vec<(&'a str, &'a Value)> {
        exposition.families[name].values.iter().map(|(labels, value)| (labels[0].as_str(), value)).collect()
    }

    #[test]
    fn the_same_labels_are_one_series() {
        let mut exposition = Exposition::default();
        exposition.add(&ROWS, &["b"], Value::Whole(1));
        exposition.add(&ROWS, &["a"], Value::Whole(2));
        exposition.add(&ROWS, &["b"], Value::Whole(u64::MAX));
        assert_eq!(only(&exposition, "rows_total"), [("a", &Value::Whole(2)), ("b", &Value::Whole(u64::MAX))]);
        assert_eq!(exposition.overflowed(), 0);
    }

    #[test]
    fn series_beyond_the_bound_are_one_and_counted() {
        let mut exposition = Exposition::default();
        for number in 0..SERIES_PER_FAMILY_MAX + 5 {
            exposition.add(&ROWS, &[&format!("n{number}")], Value::Whole(1));
        }
        exposition.add(&ROWS, &["n0"], Value::Whole(1));
        let values = &exposition.families["rows_total"].values;
        assert_eq!(values.len(), SERIES_PER_FAMILY_MAX + 1);
        assert_eq!(values[&vec![OTHER.to_owned()]], Value::Whole(5));
        assert_eq!(values[&vec!["n0".to_owned()]], Value::Whole(2));
        assert_eq!(exposition.overflowed(), 5);
    }

    #[test]
    fn long_labels_are_cut_at_a_character() {
        let mut exposition = Exposition::default();
        exposition.add(&ROWS, &["é".repeat(LABEL_BYTES_MAX).as_str()], Value::Whole(1));
        assert_eq!(only(&exposition, "rows_total")[0].0, "é".repeat(LABEL_BYTES_MAX / 2));
    }

    #[test]
    fn no_two_families_share_the_name_of_a_line() {
        let of = |kind, name| Description::new(kind, Unit::Count, name, &[], "Help.");
        let summary = Value::Summary { count: 1, sum: 0.5 };
        let mut exposition = Exposition::default();
        exposition.add(&of(Kind::Summary, "size"), &[], summary.clone());
        exposition.add(&of(Kind::Gauge, "size_count"), &[], Value::Whole(1));
        exposition.add(&of(Kind::Gauge, "size"), &[], Value::Whole(1));
        exposition.add(&of(Kind::Gauge, "level_sum"), &[], Value::Whole(1));
        exposition.add(&of(Kind::Summary, "level"), &[], summary);
        exposition.add(&of(Kind::Gauge, "no name"), &[], Value::Whole(1));
        assert_eq!(exposition.families.keys().collect::<Vec<_>>(), ["level_sum", "size"]);
        assert_eq!(exposition.overflowed(), 4);
    }
}
