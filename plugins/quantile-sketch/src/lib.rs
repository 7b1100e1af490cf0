//! An aggregate: approximate quantiles of a column for each group, from a sketch that merges.
//!
//! Which column, and which quantiles, the configuration says; so the operator is written batch-wise.

mod config;
mod sketch;

use volley_sdk::build::{BinaryBuilder, Builder as _, Float64Builder};
use volley_sdk::{
    AggregateOperator, Array, Batch, Binding, DataType, Failure, Field, Groups, OpenError, Rejects, Schema,
};

pub use config::Config;
use sketch::{Buckets, Counted};

/// With more entries than this, those of the same bucket are counted together before there are more.
const ENTRIES_MAX: usize = 1 << 19;

/// So many values of a bucket have come for a group.
#[derive(Debug, Clone, Copy)]
struct Entry {
    group: u32,
    counted: Counted,
}

/// The operator.
pub struct QuantileSketch {
    buckets: Buckets,
    quantiles: Vec<f64>,
    /// What came since the last drain, of all groups, in the order in which it came.
    entries: Vec<Entry>,
    entries_max: usize,
}

impl QuantileSketch {
    #[inline(never)]
    fn add_counted(&mut self, group: u32, counted: Counted) {
        self.entries.push(Entry { group, counted });
    }

    /// Counts the entries of each bucket together, if there are many.
    fn check_size(&mut self, groups: usize) {
        if self.entries.len() > self.entries_max {
            let (entries, ends) = self.sorted(groups);
            let mut start = 0;
            for (group, end) in (0..).zip(ends) {
                sketch::summed(&entries[start..end]).for_each(|counted| self.add_counted(group, counted));
                start = end;
            }
            self.entries_max = (self.entries.len() * 2).max(ENTRIES_MAX);
        }
    }

    /// All entries by group, then by bucket, and where those of each group end; there are none left.
    #[inline(never)]
    fn sorted(&mut self, groups: usize) -> (Vec<Counted>, Vec<usize>) {
        let mut ends = vec![0_usize; groups];
        for entry in &self.entries {
            // There may be entries of groups beyond, of a call that failed.
            if let Some(count) = ends.get_mut(entry.group as usize) {
                *count += 1;
            }
        }
        let mut total = 0;
        for end in &mut ends {
            total += *end;
            *end = total - *end;
        }
        let mut sorted = vec![Counted::default(); total];
        for entry in self.entries.drain(..) {
            if let Some(place) = ends.get_mut(entry.group as usize) {
                sorted[*place] = entry.counted;
                *place += 1;
            }
        }
        let mut start = 0;
        for end in &ends {
            sketch::sort(&mut sorted[start..*end]);
            start = *end;
        }
        (sorted, ends)
    }
}

impl AggregateOperator for QuantileSketch {
    type Config = Config;

    fn open(config: Config, input: &Schema) -> Result<(Self, Binding), OpenError> {
        // Integers and floats: reading decimals too would make the component a tenth larger.
        volley_sdk::row::check_argument::<f64>(input, &config.column)?;
        let buckets = Buckets::of_accuracy(config.accuracy()?);
        let names = config.names()?;
        let results = Schema::new(names.into_iter().map(|name| Field::new(name, DataType::Float64)));
        let state = Schema::new([Field::new("sketch", DataType::Binary).required()]);
        let binding = Binding::reads([config.column]).append(results).state(state);
        Ok((Self { buckets, quantiles: config.quantiles, entries: Vec::new(), entries_max: ENTRIES_MAX }, binding))
    }

    fn update(&mut self, groups: Groups<'_>, batch: &Batch<'_>) -> Result<Rejects, Failure> {
        let numbers = batch.at(0).read::<f64>()?;
        self.entries.reserve(batch.len());
        if numbers.may_be_null() {
            for (group, number) in groups.numbers().iter().zip(numbers.iter()) {
                if let Some(bucket) = number.and_then(|number| self.buckets.of(number)) {
                    self.entries.push(Entry { group: *group, counted: Counted { bucket, count: 1 } });
                }
            }
        } else {
            for (group, number) in groups.numbers().iter().zip(numbers.values()) {
                if let Some(bucket) = self.buckets.of(*number) {
                    self.entries.push(Entry { group: *group, counted: Counted { bucket, count: 1 } });
                }
            }
        }
        self.check_size(groups.total());
        Ok(Rejects::new())
    }

    fn merge(&mut self, groups: Groups<'_>, state: &Batch<'_>) -> Result<(), Failure> {
        let sketches = state.at(0).as_bytes()?;
        for (group, sketch) in groups.numbers().iter().zip(sketches.iter()) {
            for counted in sketch::read(sketch.unwrap_or_default()) {
                self.add_counted(*group, counted.map_err(Failure::Fatal)?);
            }
        }
        self.check_size(groups.total());
        Ok(())
    }

    fn drain(&mut self, groups_total: usize) -> Result<Vec<Array>, Failure> {
        let (entries, ends) = self.sorted(groups_total);
        self.entries_max = ENTRIES_MAX;
        let (mut sketches, mut bytes) = (BinaryBuilder::new(), Vec::new());
        let mut start = 0;
        for end in ends {
            bytes.clear();
            sketch::write(sketch::summed(&entries[start..end]), &mut bytes);
            sketches.push(&bytes);
            start = end;
        }
        Ok(vec![sketches.finish()])
    }

    fn evaluate(&mut self, state: &Batch<'_>) -> Result<Vec<Array>, Failure> {
        let sketches = state.at(0).as_bytes()?;
        let mut results: Vec<Float64Builder> = self.quantiles.iter().map(|_| Float64Builder::new()).collect();
        let mut counted = Vec::new();
        for sketch in sketches.iter() {
            counted.clear();
            for bucket in sketch::read(sketch.unwrap_or_default()) {
                counted.push(bucket.map_err(Failure::Fatal)?);
            }
            for (quantile, result) in self.quantiles.iter().zip(&mut results) {
                result.push_option(sketch::quantile(&counted, *quantile).map(|bucket| self.buckets.middle(bucket)));
            }
        }
        Ok(results.into_iter().map(volley_sdk::build::Builder::finish).collect())
    }
}

volley_sdk::export_aggregate!(QuantileSketch);

#[cfg(test)]
mod tests;
