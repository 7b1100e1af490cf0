//! An aggregate: the k greatest values of a column for each group, greatest first.
//!
//! Which column and how many, the configuration says; so the operator is written batch-wise.

use serde::Deserialize;
use volley_sdk::build::{Builder as _, Float64Builder, ListBuilder};
use volley_sdk::column::Column;
use volley_sdk::{
    AggregateOperator, Array, Batch, Binding, DataType, Determinism, Failure, Field, Groups, OpenError, Rejects, Schema,
};

/// The most values that are kept of a group.
const K_MAX: usize = 1_000;

/// The `config:` of the pipeline file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The numeric column to look at.
    pub column: String,
    /// How many values of a group are kept, 1 to 1,000; 10 by default.
    #[serde(default = "ten")]
    pub k: usize,
}

fn ten() -> usize {
    10
}

/// The operator.
pub struct Greatest {
    k: usize,
    /// Of each group what is greatest since the last drain, greatest first.
    tops: Vec<Vec<f64>>,
}

/// Keeps a value if it is among the `k` greatest.
#[inline]
fn add(top: &mut Vec<f64>, k: usize, value: f64) {
    // Most values are not.
    if top.len() < k || top.last().is_some_and(|least| value > *least) {
        insert(top, k, value);
    }
}

#[inline(never)]
fn insert(top: &mut Vec<f64>, k: usize, value: f64) {
    // NaN has no place in an order.
    if value.is_nan() {
        return;
    }
    let place = top.partition_point(|other| *other >= value);
    top.truncate(k - 1);
    top.insert(place, value);
}

/// Lists of numbers.
fn lists() -> DataType {
    ListBuilder::new(Float64Builder::new()).data_type()
}

/// A column of lists.
fn column<'a>(tops: impl Iterator<Item = &'a [f64]>) -> Array {
    let mut lists = ListBuilder::new(Float64Builder::new());
    for top in tops {
        lists.items().extend_from_slice(top);
        lists.push();
    }
    lists.finish()
}

/// Calls `each` with every row's list of a column.
fn for_lists(column: Column<'_>, mut each: impl FnMut(usize, &[f64])) -> Result<(), Failure> {
    let lists = column.as_list()?;
    let items = lists.items().as_f64()?;
    (0..lists.len()).for_each(|row| each(row, &items.values()[lists.range(row)]));
    Ok(())
}

impl AggregateOperator for Greatest {
    type Config = Config;

    const DETERMINISM: Determinism = Determinism::Deterministic;

    fn open(config: Config, input: &Schema) -> Result<(Self, Binding), OpenError> {
        let Config { column, k } = config;
        if !(1..=K_MAX).contains(&k) {
            return Err(OpenError::InvalidConfig(format!("k: {k} is not between 1 and {K_MAX}")));
        }
        volley_sdk::row::check_argument::<f64>(input, &column)?;
        let binding = Binding::reads([column])
            .append(Schema::new([Field::new("top", lists())]))
            .state(Schema::new([Field::new("top", lists()).required()]));
        Ok((Self { k, tops: Vec::new() }, binding))
    }

    fn update(&mut self, groups: Groups<'_>, batch: &Batch<'_>) -> Result<Rejects, Failure> {
        let numbers = batch.at(0).read::<f64>()?;
        self.tops.resize_with(groups.total(), Vec::new);
        for (group, number) in groups.numbers().iter().zip(numbers.iter()) {
            if let Some(number) = number {
                add(&mut self.tops[*group as usize], self.k, number);
            }
        }
        Ok(Rejects::new())
    }

    fn merge(&mut self, groups: Groups<'_>, state: &Batch<'_>) -> Result<(), Failure> {
        let Self { k, tops } = self;
        tops.resize_with(groups.total(), Vec::new);
        for_lists(state.at(0), |row, list| {
            let top = &mut tops[groups.numbers()[row] as usize];
            list.iter().for_each(|value| add(top, *k, *value));
        })
    }

    fn drain(&mut self, groups_total: usize) -> Result<Vec<Array>, Failure> {
        // What is beyond is of a call that failed.
        self.tops.resize_with(groups_total, Vec::new);
        let drained = column(self.tops.iter().map(|top| &top[..]));
        self.tops.clear();
        Ok(vec![drained])
    }

    fn evaluate(&mut self, state: &Batch<'_>) -> Result<Vec<Array>, Failure> {
        let mut lists = ListBuilder::new(Float64Builder::new());
        for_lists(state.at(0), |_, list| {
            // State may be of a time when more were kept.
            lists.items().extend_from_slice(&list[..list.len().min(self.k)]);
            lists.push();
        })?;
        Ok(vec![lists.finish()])
    }
}

volley_sdk::export_aggregate!(Greatest);

#[cfg(test)]
mod tests;
