//! An aggregate: approximate quantiles of a column for each group, from a sketch that merges.
//!
//! Which column, and which quantiles, the configuration says; so the operator is written batch-wise.

mod config;
mod sketch;

use volley_sdk::build::{BinaryBuilder, Builder as _, Float64Builder};
use volley_sdk::kernels::in_turns;
use volley_sdk::{
    AggregateOperator, Array, Batch, Binding, DataType, Failure, Field, Groups, OpenError, Rejects, Schema,
};

pub use config::Config;
use sketch::{Bucketed, Buckets, Counted, FEW};

/// With more entries than this, those of the same bucket are counted together before there are more.
const ENTRIES_MAX: usize = 1 << 19;

/// Something of a group.
#[derive(Debug, Clone, Copy)]
struct Of<T> {
    group: u32,
    what: T,
}

/// The operator.
pub struct QuantileSketch {
    buckets: Buckets,
    quantiles: Vec<f64>,
    /// The buckets of values that came since the last drain, of all groups, in the order in which they came.
    values: Vec<Of<i32>>,
    /// Buckets of more values.
    counted: Vec<Of<Counted>>,
    entries_max: usize,
}

/// What there is of each group, sorted by bucket, one group behind the other, and where that of each ends.
struct Sorted<T> {
    all: Vec<T>,
    ends: Vec<usize>,
}

impl<T: Bucketed> Sorted<T> {
    #[inline(never)]
    fn new(entries: &[Of<T>], groups: usize) -> Self {
        let mut ends = vec![0_usize; groups];
        in_turns(entries.len(), |at| {
            // There may be entries of groups beyond, of a call that failed.
            if let Some(count) = ends.get_mut(entries[at].group as usize) {
                *count += 1;
            }
        });
        let mut total = 0;
        for end in &mut ends {
            total += *end;
            *end = total - *end;
        }
        let mut all = vec![T::default(); total];
        in_turns(entries.len(), |at| {
            let Of { group, what } = entries[at];
            if let Some(place) = ends.get_mut(group as usize) {
                all[*place] = what;
                *place += 1;
            }
        });
        let mut start = 0;
        for end in &ends {
            sketch::sort(&mut all[start..*end]);
            start = *end;
        }
        Self { all, ends }
    }

    /// What there is of each group.
    fn groups(&self) -> impl Iterator<Item = &[T]> {
        let mut start = 0;
        self.ends.iter().map(move |end| &self.all[std::mem::replace(&mut start, *end)..*end])
    }
}

impl QuantileSketch {
    /// Counts the entries of each bucket together, if there are many.
    fn check_size(&mut self, groups: usize) {
        if self.values.len() + self.counted.len() > self.entries_max {
            let sorted = self.all_counted(groups);
            for (group, of_group) in (0..).zip(sorted.groups()) {
                self.counted.extend(sketch::summed(of_group).map(|what| Of { group, what }));
            }
            self.entries_max = (self.counted.len() * 2).max(ENTRIES_MAX);
        }
    }

    /// All that there is; afterwards there is nothing.
    fn all_counted(&mut self, groups: usize) -> Sorted<Counted> {
        let mut counted = std::mem::take(&mut self.counted);
        let one = |Of { group, what }: Of<i32>| Of { group, what: Counted { bucket: what, count: 1 } };
        counted.extend(self.values.drain(..).map(one));
        Sorted::new(&counted, groups)
    }

    /// The sketches of values alone.
    fn drain_values(&mut self, groups: usize) -> BinaryBuilder {
        let sorted = Sorted::new(&self.values, groups);
        self.values.clear();
        let (mut sketches, mut bytes) = (BinaryBuilder::new(), Vec::new());
        // Few values are written as they lie, many groups at a time.
        let (mut first, mut start, mut end) = (0, 0, 0);
        for (group, next) in sorted.ends.iter().enumerate() {
            let many = &sorted.all[end..*next];
            if many.len() > FEW {
                sketches.extend(&sorted.all[start..end], lengths(start, &sorted.ends[first..group]));
                let counted: Vec<Counted> = many.iter().map(|bucket| Counted { bucket: *bucket, count: 1 }).collect();
                bytes.clear();
                sketch::write(&counted, &mut bytes);
                sketches.push(&bytes);
                (first, start) = (group + 1, *next);
            }
            end = *next;
        }
        sketches.extend(&sorted.all[start..end], lengths(start, &sorted.ends[first..]));
        sketches
    }
}

/// The lengths of what ends there.
fn lengths(mut start: usize, ends: &[usize]) -> impl Iterator<Item = usize> {
    ends.iter().map(move |end| end - std::mem::replace(&mut start, *end))
}

impl AggregateOperator for QuantileSketch {
    type Config = Config;

    fn open(config: Config, input: &Schema) -> Result<(Self, Binding), OpenError> {
        // Integers and floats: reading decimals too would make the component a tenth larger.
        volley_sdk::row::check_argument::<f64>(input, &config.column)?;
        let buckets = Buckets::of_accuracy(config.accuracy()?);
        let names = config.names()?;
        let results = Schema::new(names.into_iter().map(|name| Field::new(name, DataType::Float64)));
        // Sketches of another accuracy have other buckets: a checkpoint with those is refused by the name of the column.
        let state = Schema::new([Field::new(format!("sketch_{}", buckets.bits()), DataType::Binary).required()]);
        let binding = Binding::reads([config.column]).append(results).state(state);
        let (values, counted) = (Vec::new(), Vec::new());
        Ok((Self { buckets, quantiles: config.quantiles, values, counted, entries_max: ENTRIES_MAX }, binding))
    }

    fn update(&mut self, groups: Groups<'_>, batch: &Batch<'_>) -> Result<Rejects, Failure> {
        let numbers = batch.at(0).read::<f64>()?;
        let (groups_total, groups, Self { buckets, values, .. }) = (groups.total(), groups.numbers(), &mut *self);
        values.reserve(groups.len());
        let mut add = |row: usize, number: f64| {
            if let Some(what) = buckets.of(number) {
                values.push(Of { group: groups[row], what });
            }
        };
        if numbers.may_be_null() {
            for (row, number) in numbers.iter().enumerate() {
                if let Some(number) = number {
                    add(row, number);
                }
            }
        } else {
            let numbers = numbers.values();
            in_turns(groups.len(), |row| add(row, numbers[row]));
        }
        self.check_size(groups_total);
        Ok(Rejects::new())
    }

    fn merge(&mut self, groups: Groups<'_>, state: &Batch<'_>) -> Result<(), Failure> {
        let sketches = state.at(0).as_bytes()?;
        for (group, sketch) in groups.numbers().iter().zip(sketches.iter()) {
            let group = *group;
            for counted in sketch::read(sketch.unwrap_or_default()) {
                match counted.map_err(Failure::Fatal)? {
                    Counted { bucket: what, count: 1 } => self.values.push(Of { group, what }),
                    what => self.counted.push(Of { group, what }),
                }
            }
        }
        self.check_size(groups.total());
        Ok(())
    }

    fn drain(&mut self, groups_total: usize) -> Result<Vec<Array>, Failure> {
        self.entries_max = ENTRIES_MAX;
        if self.counted.is_empty() {
            return Ok(vec![self.drain_values(groups_total).finish()]);
        }
        let sorted = self.all_counted(groups_total);
        let (mut sketches, mut bytes) = (BinaryBuilder::new(), Vec::new());
        for of_group in sorted.groups() {
            bytes.clear();
            sketch::write(of_group, &mut bytes);
            sketches.push(&bytes);
        }
        Ok(vec![sketches.finish()])
    }

    fn evaluate(&mut self, state: &Batch<'_>) -> Result<Vec<Array>, Failure> {
        let sketches = state.at(0).as_bytes()?;
        let mut results: Vec<Float64Builder> = self.quantiles.iter().map(|_| Float64Builder::new()).collect();
        let mut counted = Vec::new();
        for sketch in sketches.iter() {
            let sketch = sketch.unwrap_or_default();
            let few = sketch::few(sketch);
            if few.is_none() {
                counted.clear();
                for bucket in sketch::read(sketch) {
                    counted.push(bucket.map_err(Failure::Fatal)?);
                }
            }
            for (quantile, result) in self.quantiles.iter().zip(&mut results) {
                let bucket = match few {
                    Some(values) => sketch::quantile_of_few(values, *quantile),
                    None => sketch::quantile(&counted, *quantile),
                };
                result.push_option(bucket.map(|bucket| self.buckets.middle(bucket)));
            }
        }
        Ok(results.into_iter().map(volley_sdk::build::Builder::finish).collect())
    }
}

volley_sdk::export_aggregate!(QuantileSketch);

#[cfg(test)]
mod tests;
