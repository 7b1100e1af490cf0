//! The sum and the count of `amount`, written as simply as can be.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type, SchemaRef};
use volley_api::{AggregateBinding, Aggregator, AggregatorFactory, EventTimeColumn, Result};

#[derive(Debug, Clone, Copy)]
pub struct SumAndCount;

fn fields() -> Vec<FieldRef> {
    ["sum", "count"].map(|name| Arc::new(Field::new(name, DataType::Int64, false))).to_vec()
}

impl AggregatorFactory for SumAndCount {
    fn label(&self) -> String {
        "sum, count".to_owned()
    }

    fn bind(&self, _: &SchemaRef, _: Option<&EventTimeColumn>) -> Result<AggregateBinding> {
        Ok(AggregateBinding {
            results: fields(),
            state: fields(),
            reads: vec!["amount".to_owned()],
            is_order_free: true,
        })
    }

    fn create(&self, _: &SchemaRef, _: Option<&EventTimeColumn>) -> Result<Box<dyn Aggregator>> {
        Ok(Box::new(Deltas::default()))
    }
}

#[derive(Default)]
struct Deltas {
    sums: Vec<i64>,
    counts: Vec<i64>,
}

impl Aggregator for Deltas {
    fn update(&mut self, batch: &RecordBatch, groups: &[usize], groups_total: usize) -> Result<()> {
        self.grow(groups_total);
        let amounts = batch.column_by_name("amount").expect("read").as_primitive::<Int64Type>();
        for (group, amount) in groups.iter().zip(amounts.values()) {
            self.sums[*group] += amount;
            self.counts[*group] += 1;
        }
        Ok(())
    }

    fn merge(&mut self, state: &[ArrayRef], groups: &[usize], groups_total: usize) -> Result<()> {
        self.grow(groups_total);
        let column = |index: usize| state[index].as_primitive::<Int64Type>().values();
        for ((group, sum), count) in groups.iter().zip(column(0)).zip(column(1)) {
            self.sums[*group] += sum;
            self.counts[*group] += count;
        }
        Ok(())
    }

    fn drain(&mut self, groups_total: usize) -> Result<Vec<ArrayRef>> {
        self.grow(groups_total);
        let columns = [std::mem::take(&mut self.sums), std::mem::take(&mut self.counts)];
        Ok(columns.map(|column| -> ArrayRef { Arc::new(Int64Array::from(column)) }).to_vec())
    }

    fn evaluate(&mut self, groups_total: usize) -> Result<Vec<ArrayRef>> {
        self.drain(groups_total)
    }

    fn memory_bytes(&self) -> usize {
        (self.sums.capacity() + self.counts.capacity()) * 8
    }
}

impl Deltas {
    fn grow(&mut self, groups_total: usize) {
        self.sums.resize(groups_total, 0);
        self.counts.resize(groups_total, 0);
    }
}
